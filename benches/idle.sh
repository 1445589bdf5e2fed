#!/usr/bin/env bash
# What an idle host does, seen from outside: benches/idle.sh [FOLDER [SECONDS]]; wants strace.
#
# strace shows no read or write of io_uring, so they are seen in three other ways, which must agree:
#   - the locks: every command of the file device holds its block's bytes under one while it runs, an ATS exclusively
#     (F_WRLCK), a read shared (F_RDLCK); they say what was sent, where, and how long it was;
#   - the second argument of io_uring_enter: how many entries the host submitted. An ATS takes three of them: its read,
#     its write, and a look at the descriptor that wakes the ring;
#   - the bytes: the kernel's own account of the process, /proc/PID/io. (What is written beyond the blocks themselves
#     are whole pages: the file's time stamps, which the file system keeps.)
# That these ways see I/O at all is shown by a control: the same look while the host takes and releases a lock.
source "$(dirname "$0")/common.sh"
begin "${1:-.}"
seconds=${2:-60} pairs=10
machine
"$oarlock" format "$work/pool.img" --name bench --size 256M >/dev/null 2>&1
host "$work/pool.img" idle
layout=$("$oarlock" inspect "$work/pool.img" superblock | awk '/ (slots|locks) (start|blocks) /{ printf "%s %s %s ", $3, $4, $5 }')
pair() { "$oarlock" lock run oarlock-bench/control --host idle -- true; }
# The first one puts the lock's record into the table.
pair
sleep 5
start strace -f -qq -tt -e trace=all -o "$work/trace" -p "$host_pid"
tracer=$started_pid
sleep 1
account() { awk '/^(read|write)_bytes/ { print $2 }' "/proc/$host_pid/io" | xargs; }

# look WHAT COMMAND...: what the host did while the command ran.
look() {
    local what=$1 before after begin_at end_at
    shift
    before=$(account) begin_at=$(date +%T.%6N)
    "$@"
    # What was answered is in the trace once strace has written it.
    sleep 0.2
    after=$(account) end_at=$(date +%T.%6N)
    echo "$what:"
    # shellcheck disable=SC2086
    python3 "$here/benches/idle_trace.py" "$work/trace" "$begin_at" "$end_at" $layout
    echo "$before $after" | awk '{ printf "  bytes by /proc/PID/io: %d read, %d written\n", $3 - $1, $4 - $2 }'
}

control() { for _ in $(seq "$pairs"); do pair; done; }
look "an idle host, $seconds s" sleep "$seconds"
look "control: the same host, $pairs times \`lock run\`" control
kill -INT "$tracer"
gone "$tracer"
