#!/bin/sh
# One round of load for the widget service at the address $1: publishes forty nested widgets anew, so that
# the cache forgets them, and views each.
set -eu

send() {
    curl --fail --silent --show-error --output /dev/null "$@"
}

# The panes of a widget: each but the first refers to the one around it.
send --request PUT --header 'content-type: application/json' --data @- "$1/widgets/[1-40]" <<'JSON'
{
  "name": "Nested",
  "panes": [
    { "title": "Root", "levels": 4, "width": 200, "height": 80 },
    { "title": "Left", "levels": 3, "width": 100, "height": 80, "parent": 0 },
    { "title": "Right", "levels": 2, "width": 100, "height": 80, "parent": 0 }
  ]
}
JSON
send "$1/widgets/[1-40]?format=svg&tick=7"
