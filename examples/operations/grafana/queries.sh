#!/usr/bin/env bash
# Prints every query of the dashboard, one a line, as Prometheus takes it: Grafana's variables are
# replaced by what they stand for when everything is selected. Needs jq.
#
#     ./queries.sh | while IFS= read -r query; do
#         curl --get --data-urlencode "query=$query" http://127.0.0.1:9090/api/v1/query
#     done
#
# RATE_INTERVAL says what $__rate_interval stands for; Grafana takes four scrape intervals.
set -euo pipefail
cd "$(dirname "$0")"
jq --raw-output --arg rate "${RATE_INTERVAL:-2m}" '
    [.panels[] | .. | objects | .expr? // empty] + [.annotations.list[].expr? // empty]
    | unique[]
    | gsub("\\$__rate_interval"; $rate)
    | gsub("\\$(job|instance)"; ".*")
    | gsub("\\s+"; " ")
    | if test("\\$") then error("unknown variable in: " + .) else . end
' dashboard.json
