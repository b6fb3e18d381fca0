#!/bin/sh
# Compares what the pods of a release hold with what those of the last release held, for a scheduled job:
#
#   release.sh SNAPSHOTS KEPT NAME
#
# SNAPSHOTS has a folder of snapshots for each pod, as collected from them; KEPT is a folder that stays from
# run to run. Of each pod the newest snapshot counts, and those of all pods are added up. Leaves in
# KEPT/NAME the snapshots, a table, and the difference to the last release as text and as a picture.
#
# Exit codes are those of `heaplens check`: 1 for a leak in any pod, 2 if it cannot be told. Needs jq.
set -eu
snapshots=$1 kept=$2 release=$3
case $release in
'' | . | .. | */*)
    echo "release.sh: '$release' is no name of a release" >&2
    exit 2
    ;;
esac

last=$(cat "$kept/last" 2>/dev/null || true)
# Pods that were there at an earlier run may be gone by now: none of theirs is to be added up.
pods=$kept/$release/pods
rm -rf "$pods.new"
mkdir -p "$pods.new"
for pod in "$snapshots"/*/; do
    # The names of a program's files sort by their time; what is left at the end of a run is no
    # service at work.
    newest=$(find "$pod" -maxdepth 1 -name 'heaplens.*.json.gz' ! -name '*.exit.json.gz' | sort | tail -n 1)
    if [ -z "$newest" ]; then
        echo "release.sh: no snapshots in $pod" >&2
        exit 2
    fi
    cp "$newest" "$pods.new/$(basename "$pod").json.gz"
done
rm -rf "$pods"
mv "$pods.new" "$pods"
# With names, so that they can be read when the binaries are gone.
heaplens symbolize "$pods"/*.json.gz
heaplens top "$pods/*.json.gz" -n 50 -o "$kept/$release/top.txt"

if [ -n "$last" ] && [ "$last" != "$release" ]; then
    before="$kept/$last/pods/*.json.gz" after="$pods/*.json.gz"
    heaplens diff "$before" "$after" -o "$kept/$release/since-$last.txt"
    heaplens diff "$before" "$after" -o "$kept/$release/since-$last.svg"
    cat "$kept/$release/since-$last.txt"
fi
printf '%s\n' "$release" >"$kept/last"
# Whether a check cannot tell for one reason alone, that a pod has just been started: too few snapshots.
is_young() {
    jq --slurp --exit-status 'length == 1 and (.[0] | .errors == [] and .programs != [] and
        all(.programs[]; .outcome == "pass" or (has("snapshots_needed") and .gaps == [] and .failures == [])))
    ' "$1" >/dev/null
}
# Each pod is a run of its own: a leak in any of them fails the job, after all is kept.
failed=0
for pod in "$snapshots"/*/; do
    report=$kept/$release/$(basename "$pod") code=0
    rm -f "$report.json"
    heaplens check "$pod" --report "$report.md" --report "$report.json" || code=$?
    case $code in
    0) ;;
    1) failed=1 ;;
    2) if ! is_young "$report.json" && [ "$failed" -eq 0 ]; then failed=2; fi ;;
    *) exit "$code" ;;
    esac
done
exit "$failed"
