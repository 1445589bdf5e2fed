#!/usr/bin/env bash
# What an idle host does, seen from outside: benches/idle.sh [FOLDER [SECONDS]]; wants strace.
#
# strace does not see io_uring's reads and writes, but every command of the file device holds its block's bytes under a
# lock, an ATS exclusively (F_WRLCK), a read shared (F_RDLCK): the locks tell what was sent, where, and how long it was.
# The bytes come from the kernel's own account of the process, /proc/PID/io.
source "$(dirname "$0")/common.sh"
begin "${1:-.}"
seconds=${2:-60}
machine
"$oarlock" format "$work/pool.img" --name bench --size 256M >/dev/null 2>&1
host "$work/pool.img" idle
sleep 5
slot=$("$oarlock" inspect "$work/pool.img" superblock 2>/dev/null | grep -i -m1 'slots' || true)
strace -f -qq -tt -e trace=all -o "$work/trace" -p "$host_pid" &
tracer=$!
started+=("$tracer")
sleep 1
account() { grep -E '^(read_bytes|write_bytes)' "/proc/$host_pid/io" | tr '\n' ' '; }
before=$(account)
begin_at=$(date +%T.%6N)
sleep "$seconds"
end_at=$(date +%T.%6N)
after=$(account)
kill -INT "$tracer"
wait "$tracer" 2>/dev/null || true
echo "in $seconds s of an idle host (the superblock: ${slot:-?}):"
python3 "$here/benches/idle_trace.py" "$work/trace" "$begin_at" "$end_at"
echo "bytes by /proc/PID/io: before $before, after $after" |
    awk '{ for (i = 1; i <= NF; i++) { if ($i ~ /^read_bytes/) r[++a] = $(i + 1) + 0; if ($i ~ /^write_bytes/) w[++b] = $(i + 1) + 0 }
           printf "bytes by /proc/PID/io: %d read, %d written\n", r[2] - r[1], w[2] - w[1] }'
