#!/usr/bin/env bash
# Well-known programs, as they come from the registry and with heaplens' one line added, on the same
# input: the same output and the same exit codes, sound snapshots, and the program's own names in them.
#
#     tests/real_programs/run.sh [ripgrep] [jaq] [static-web-server]
#
# Needs cargo, crates.io and curl. What it builds stays in target/real_programs. CLI names a command
# `heaplens` that is built already.
set -euo pipefail
command -v curl >/dev/null || {
    echo "needs curl: apt-get install curl" >&2
    exit 1
}
repository=$(cd "$(dirname "$0")/../.." && pwd)
work=$repository/target/real_programs
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CARGO_TERM_COLOR=never
# Names and lines for `top`, and no hour of link-time optimization.
export CARGO_PROFILE_RELEASE_DEBUG=line-tables-only CARGO_PROFILE_RELEASE_STRIP=none \
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    CARGO_PROFILE_RELEASE_OPT_LEVEL=2

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Builds a program twice: $work/plain/bin/NAME and $work/profiled/bin/NAME.
# crate, version, executable, file with `main`, inner allocator, and flags for features.
build() {
    local crate=$1 version=$2 name=$3 main=$4 inner=$5
    shift 5
    cargo install --quiet --locked --root "$work/plain" --target-dir "$work" \
        "$crate@$version" --bin "$name" "$@"
    local source copy="$work/sources/$crate"
    source=$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$crate-$version" | head -1)
    rm -rf "$copy"
    mkdir -p "$work/sources"
    cp -r "$source" "$copy"
    printf '\n[workspace]\n[dependencies.heaplens]\npath = "%s"\n' "$repository" >>"$copy/Cargo.toml"
    # An allocator that the program names for this target goes into the macro; those for musl stay.
    sed -i -e '/^#\[cfg(feature = "mimalloc")\]$/,/^static GLOBAL/d' \
        -e "0,/^fn main() .*{\$/s//&\n    heaplens::profile!($inner);/" "$copy/$main"
    (cd "$copy" && diff -r -U0 "$source" . | grep '^[+-]' | grep -v '^[+-][+-]' || true)
    # Not installed, which would take newer versions of what it depends on.
    cargo build --quiet --release --target-dir "$work" --manifest-path "$copy/Cargo.toml" \
        --bin "$name" "$@"
    mkdir -p "$work/profiled/bin"
    cp "$work/release/$name" "$work/profiled/bin/"
}

# Runs a function of this script with the program of each kind, and compares what it prints. The
# function gets the program's path; its output ends with the exit code.
compare() {
    local name=$1 job=$2 frame=$3 mode
    "$job" "$work/plain/bin/$name" >"$scratch/plain"
    for mode in exact sampled; do
        local snapshots=$scratch/$job-$mode
        HEAPLENS_MODE=$mode HEAPLENS_SAMPLE_BYTES=64KiB HEAPLENS_INTERVAL=100ms \
            HEAPLENS_DIR=$snapshots "$job" "$work/profiled/bin/$name" >"$scratch/profiled"
        cmp "$scratch/plain" "$scratch/profiled" || fail "$job with $mode prints something else"
        check_snapshots "$job" "$mode" "$snapshots" "$frame"
    done
}

# Every file is whole, and one of them names the program's own code.
check_snapshots() {
    local job=$1 mode=$2 folder=$3 frame=$4
    local files=("$folder"/heaplens.*.json.gz) named=0 file
    [[ -z $(find "$folder" -name '.*.tmp') ]] || fail "$job with $mode leaves unfinished files"
    "$heaplens" inspect "${files[@]}" --format json >"$scratch/inspected" ||
        fail "$job with $mode leaves a snapshot that is not sound"
    [[ ${files[-1]} == *.exit.json.gz ]] || fail "$job with $mode leaves no last snapshot"
    for file in "${files[@]}"; do
        "$heaplens" top "$file" --by owner -n 0 --format json 2>/dev/null | grep -q "$frame" && named=$((named + 1))
    done
    ((named > 0)) || fail "no snapshot of $job with $mode names $frame"
    "$heaplens" inspect "${files[-1]}" | grep -i -E 'allocated|total' | head -2 || true
    echo "$job, $mode: same output ($(wc -c <"$scratch/plain") bytes), ${#files[@]} snapshots, $frame in $named"
}

heaplens=${CLI:-}
if [[ -z $heaplens ]]; then
    cargo build --quiet --release --locked --package heaplens-cli --target-dir "$work" \
        --manifest-path "$repository/Cargo.toml"
    heaplens=$work/release/heaplens
fi

# The sources of everything that this repository depends on: the same tree on each machine.
tree=$work/tree
cargo vendor --quiet --locked --versioned-dirs --manifest-path "$repository/Cargo.toml" "$tree" >/dev/null
search() {
    local code=0
    "$1" --threads 4 --no-config --json 'fn (\w+)<.*>\(' "$tree" | grep -v '"elapsed' | sort |
        sha256sum || code=$?
    "$1" --no-config --count-matches 'unsafe\s+(fn|impl)' "$tree" | sort | sha256sum
    "$1" --no-config 'no such words in here: \x01\x02' "$repository/docs" || code=$?
    echo "nothing found: $code"
    "$1" --no-config '(' "$repository/docs" 2>/dev/null || code=$?
    echo "bad pattern: $code"
}

awk 'BEGIN { srand(7); print "["; for (i = 0; i < 300000; i++)
    printf "%s{\"id\":%d,\"key\":\"k%d\",\"value\":%.6f,\"tags\":[\"a%d\",\"b\",null]}\n",
        i ? "," : "", i, i % 997, rand(), i % 13; print "]" }' >"$scratch/rows.json"
query() {
    local code=0
    "$1" 'group_by(.key) | map({key: .[0].key, n: length, sum: (map(.value) | add),
        tags: (map(.tags[0]) | unique)})' "$scratch/rows.json" || code=$?
    "$1" -c '[.[] | select(.id % 3 == 0) | .tags += [.key] | tojson | fromjson]' \
        "$scratch/rows.json" || code=$?
    echo "done: $code"
    "$1" '.[0] | .id + {}' "$scratch/rows.json" 2>/dev/null || code=$?
    echo "error in the query: $code"
    head -c 100000 "$scratch/rows.json" | "$1" . >/dev/null 2>&1 || code=$?
    echo "input cut off: $code"
}

# 10,000 requests over 32 connections, for files, listings and what is not there; then SIGTERM.
mkdir "$scratch/site"
for i in $(seq 200); do
    head -c $((i * 997)) "$scratch/rows.json" >"$scratch/site/$i.json"
done
cp -r "$repository/docs" "$scratch/site/"
find "$scratch/site" -exec touch --date=2026-01-01 {} +
port=18787
for i in $(seq 10000); do
    case $((i % 10)) in
        0) path=docs/ ;;
        1) path=missing-$i ;;
        *) path=$((i % 200 + 1)).json ;;
    esac
    printf 'url = "http://127.0.0.1:%d/%s"\noutput = "%s/got/%d"\n' $port $path "$scratch" "$i"
done >"$scratch/requests"
serve() {
    local code=0
    "$1" --host 127.0.0.1 --port $port --root "$scratch/site" --directory-listing true \
        --compression true --threads-multiplier 4 \
        >/dev/null 2>"$scratch/server.log" &
    local server=$!
    curl --silent --retry-connrefused --retry 20 --output /dev/null "http://127.0.0.1:$port/1.json"
    rm -rf "$scratch/got"
    mkdir "$scratch/got"
    curl --no-progress-meter --compressed --parallel --parallel-max 32 --config "$scratch/requests" \
        --write-out '%{url_effective} %{http_code} %{content_type} %{size_header}\n' | sort | sha256sum
    (cd "$scratch/got" && sha256sum -- * | sha256sum)
    find "$scratch/got" -type f | wc -l
    kill -TERM $server
    wait $server || code=$?
    echo "stopped: $code"
}

programs=("$@")
((${#programs[@]})) || programs=(ripgrep jaq static-web-server)
for program in "${programs[@]}"; do
    case $program in
        ripgrep)
            build ripgrep 14.1.1 rg crates/core/main.rs std::alloc::System
            compare rg search 'ripgrep\|ignore\|grep\|rg::'
            ;;
        jaq)
            build jaq 2.3.0 jaq src/main.rs mimalloc::MiMalloc
            compare jaq query 'jaq'
            ;;
        static-web-server)
            build static-web-server 2.38.0 static-web-server src/bin/server.rs \
                std::alloc::System --no-default-features \
                --features directory-listing,compression-deflate
            compare static-web-server serve 'static_web_server'
            ;;
        *) fail "no program $program" ;;
    esac
done
echo "real programs: all the same"
