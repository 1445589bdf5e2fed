# What the scripts of this folder share; sourced, not run. They want bash, python3, and the programs of a release build.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
built=${CARGO_TARGET_DIR:-$here/target}/release
oarlock=$built/oarlock

# A folder that goes when the script ends, and the processes that the script started with it. The argument says where:
# what is measured is that file system.
begin() {
    work=$(mktemp -d "${1:-.}/oarlock-bench.XXXXXX")
    work=$(cd "$work" && pwd)
    export OARLOCK_RUNTIME_DIR=$work/run
    mkdir "$OARLOCK_RUNTIME_DIR"
    started=()
    trap finish EXIT
}

finish() {
    for pid in "${started[@]}"; do
        # A stopped process dies of this too.
        kill -KILL "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    rm -rf "$work"
}

# host FILE NAME: starts `oarlock up`, waits until it is ready, and leaves its pid in `host_pid`.
host() {
    "$oarlock" up "$1" --host "$2" >"$work/$2.out" 2>"$work/$2.err" &
    host_pid=$!
    started+=("$host_pid")
    for _ in $(seq 600); do
        if grep -q '^ready' "$work/$2.out"; then return; fi
        if ! kill -0 "$host_pid" 2>/dev/null; then break; fi
        sleep 0.05
    done
    cat "$work/$2.err" >&2
    return 1
}

# median: of the numbers on standard input, one a line: "median (min to max, of so many)".
median() {
    sort -g | awk '{ n[NR] = $1 } END {
        if (NR == 0) { print "nothing was measured"; exit 1 }
        m = NR % 2 ? n[(NR + 1) / 2] : (n[NR / 2] + n[NR / 2 + 1]) / 2
        printf "%g (%g to %g, of %d)\n", m, n[1], n[NR], NR
    }'
}

# field NAME: the field of a JSON document on standard input.
field() {
    python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

machine() {
    echo "$(nproc) cores, $(uname -sr), $(stat -f -c %T "$work"), load $(cut -d' ' -f1-3 /proc/loadavg)"
}
