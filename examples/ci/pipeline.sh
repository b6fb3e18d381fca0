#!/bin/sh
# The memory gate for any pipeline that runs a shell: its exit code is that of the gate, 0, 1 or 2, and the
# results are in memory/, for whatever shows JUnit's form or keeps files.
#
#   pipeline.sh target/release/requests             a program that repeats its work by heaplens::iterate
#   READY=8080 LOAD='ci/load.sh http://127.0.0.1:8080' pipeline.sh target/release/shop --listen 127.0.0.1:8080
set -eu

mkdir -p memory
if [ -n "${LOAD:-}" ]; then
    set -- --ready "$READY" --load "$LOAD" -- "$@"
else
    set -- --iterations "${ITERATIONS:-2000}" -- "$@"
fi
exec heaplens run --dir memory/snapshots \
    --report memory/report.txt --report memory/report.md --report memory/junit.xml "$@"
