#!/usr/bin/env bash
# The gate on the widget service, both ways: with its leak the gate must fail and name a line of the file
# that composes widgets, and with the fix it must pass.
#
#   examples/ci/gate.sh        once each
#   examples/ci/gate.sh 50     fifty times each, beside a process that keeps a core busy
#
# PORT is the service's, 7399 by default, and PROFILE the one to build with, `release` by default.
set -euo pipefail
cd "$(dirname "$0")/../.."

times=${1:-1}
url=http://127.0.0.1:${PORT:-7399}
folder=$(mktemp --directory)
busy=
trap 'kill $busy 2>/dev/null || true; rm --recursive "$folder"' EXIT
if ((times > 1)); then
    (while :; do :; done) &
    busy=$!
fi

profile=${PROFILE:-release}
cargo build --profile "$profile" --locked --bin heaplens --example widget_service
built=${CARGO_TARGET_DIR:-target}/${profile/dev/debug}

# Prints what the gate says, and succeeds if its exit code is the first argument.
gate() {
    local expected=$1 code=0
    shift
    "$built/heaplens" run --dir "$folder" --github \
        --ready "$url/healthz" --load "examples/ci/load.sh $url" \
        -- "$built/examples/widget_service" --listen "${url#http://}" "$@" \
        >"$folder/said" 2>"$folder/noted" || code=$?
    cat "$folder/said"
    if ((code != expected)); then
        cat "$folder/noted" >&2
        echo "gate.sh: exit code $code, expected $expected: widget_service $*" >&2
        return 1
    fi
}

wrong() {
    echo "gate.sh: run $time: $1" >&2
    exit 1
}

for ((time = 1; time <= times; time++)); do
    gate 1 >"$folder/leaking" || wrong "$(cat "$folder/leaking")"
    grep --quiet '^::error file=examples/widget/compose.rs,line=[0-9]*,' "$folder/leaking" ||
        wrong "no line of compose.rs is annotated"
    ! grep --quiet '^::error file=examples/widget/\(cache\|definitions\|sqlite_memory\)' "$folder/leaking" ||
        wrong "the cache or the database is accused"
    gate 0 --fixed >"$folder/fixed" || wrong "$(cat "$folder/fixed")"
done
grep '^::error' "$folder/leaking" | cut --characters=1-160
echo "the leaking service failed $times of $times times, and the fixed one passed"
