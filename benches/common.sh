# What the scripts of this folder share; sourced, not run. They want bash, python3 and cargo: each builds what it runs.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
built=${CARGO_TARGET_DIR:-$here/target}/release
oarlock=$built/oarlock

# Builds the programs that most scripts run, and makes the script's room.
begin() {
    (cd "$here" && cargo build --release --quiet -p oarlock-cli -p oarlock -p oarlock-format --bins --examples)
    room "${1:-.}"
}

# A folder that goes when the script ends, and the processes that the script started with it. The argument says where:
# what is measured is that file system.
room() {
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
    for pid in "${started[@]}"; do gone "$pid"; done
    rm -rf "$work"
}

# start COMMAND...: starts it, leaves its pid in `started_pid`. The shell is not told to look after it, for it would
# print a line for each that is killed here.
start() {
    "$@" &
    started_pid=$!
    disown "$started_pid"
    started+=("$started_pid")
}

# gone PID: returns when that process has ended; waits 20 s at most.
gone() {
    for _ in $(seq 2000); do
        if ! kill -0 "$1" 2>/dev/null; then return; fi
        sleep 0.01
    done
}

# host FILE NAME: starts `oarlock up`, waits until it is ready, and leaves its pid in `host_pid`.
host() {
    start "$oarlock" up "$1" --host "$2" >"$work/$2.out" 2>"$work/$2.err"
    host_pid=$started_pid
    for _ in $(seq 600); do
        if grep -q '^ready' "$work/$2.out"; then return; fi
        if ! kill -0 "$host_pid" 2>/dev/null; then break; fi
        sleep 0.05
    done
    cat "$work/$2.err" >&2
    return 1
}

# datastore FILE SIZE: makes one, and the host `bench` of it.
datastore() {
    "$oarlock" format "$1" --name bench --size "$2" >"$work/format.out"
    host "$1" bench
}

# disk NAME SIZE SOCKET: makes an empty disk, and serves it there.
disk() {
    "$oarlock" disk create "$1" --size "$2" --host bench >>"$work/verbs.out"
    "$oarlock" disk attach "$1" --nbd "unix:$3" --host bench >>"$work/verbs.out"
}

# fill SOCKET NAME: writes the whole of what is exported so, once, in order, and flushes it.
fill() {
    fio --output="$work/fill.out" --name=fill --ioengine=nbd --uri="nbd+unix:///$2?socket=$1" --rw=write --bs=1m --iodepth=4 \
        --end_fsync=1 --refill_buffers
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
    local processor
    processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
    echo "$(nproc) x ${processor:-?}, $(uname -sr), $(findmnt -n -o FSTYPE -T "$work" | head -1), load $(cut -d' ' -f1-3 /proc/loadavg)"
}
