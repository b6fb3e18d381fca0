#!/usr/bin/env bash
# Runs the commands of docs/runbook.md as they stand there: each block that is marked `sh runbook`, one after
# the other, in one shell. With --print it shows them instead.
#
#     SERVICE_URL=http://127.0.0.1:6071 SNAPSHOT_DIR=/tmp/incident WAIT=5 ./runbook.sh
set -euo pipefail
runbook=$(dirname "$0")/../../docs/runbook.md

commands=$(awk '/^```sh runbook$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$runbook")
[[ -n $commands ]] || {
    echo "runbook.sh: no block is marked in $runbook" >&2
    exit 1
}
if [[ ${1:-} == --print ]]; then
    echo "$commands"
    exit
fi
for variable in SERVICE_URL SNAPSHOT_DIR; do
    [[ -n ${!variable:-} ]] || {
        echo "runbook.sh: set $variable first; docs/runbook.md says to what" >&2
        exit 2
    }
done
exec bash -euo pipefail -c "$commands"
