#!/usr/bin/env bash
# How the doctor stands logs that were made to be hard: benches/hostile.sh [FOLDER [COUNT]]; wants python3 and GNU time (/usr/bin/time).
#
# Everything is made here, by a fixed seed (benches/hostile_logs.py says what): each kind with COUNT units (50,000), and with twice as many. What
# counts is the last column, how much longer the double takes: 2 is linear, 4 is a square. OARLOCK_BENCH_PROGRAM=FILE measures a program that is built already.
source "$(dirname "$0")/common.sh"
if [[ -n ${OARLOCK_BENCH_PROGRAM:-} ]]; then
    oarlock=$OARLOCK_BENCH_PROGRAM
    cargo() { :; }
fi
begin "${1:-.}"
count=${2:-50000}
machine
python3 "$here/benches/hostile_logs.py" "$work" "$count"
printf '%-28s %s\n' "" "MB | seconds of processor time | peak MiB | twice as much: seconds | times"
for small in "$work"/*-1.log; do
    kind=$(basename "$small" -1.log)
    for log in "$small" "$work/$kind-2.log"; do
        cat "$log" >/dev/null
        /usr/bin/time -f "%U %S %M" -o "$work/time" "$oarlock" doctor --json "$log" >/dev/null
        cat "$work/time" >>"$work/$kind.figures"
    done
    awk -v kind="$kind" -v bytes="$(stat -c %s "$small")" '
        { seconds[NR] = $1 + $2; peak[NR] = $3 / 1024 }
        END {
            printf "%-28s %.0f | %.2f | %.0f | %.2f | %.1f\n", kind, bytes / 1e6, seconds[1], peak[1], seconds[2], seconds[2] / (seconds[1] + 1e-9)
        }' "$work/$kind.figures"
done
