#!/usr/bin/env bash
# How fast the doctor reads: benches/doctor.sh [FOLDER [ROUNDS [MEGABYTES]]]; wants python3, gzip, tar and GNU time (/usr/bin/time).
#
# Everything is made here, by a fixed seed: a plain log of so many megabytes (500), the same compressed, and a bundle like
# vm-support's that unpacks to twice as much: two hosts with rotated, compressed logs and tables of counters. One line in a
# hundred is about storage; BENCH_SHARE=N makes it one in N. Each file is read once before it is measured, so that the disk is not.
# Beside the doctor runs a plain search for its key words: ripgrep with one alternation, or GNU grep -F where there is no ripgrep.
source "$(dirname "$0")/common.sh"
begin "${1:-.}"
rounds=${2:-5} megabytes=${3:-500} share=${BENCH_SHARE:-100}
machine
python3 "$here/benches/doctor_logs.py" "$work" "$megabytes" "$share"

# The words of the dialects: the same for every reader, one a line.
cat >"$work/words" <<'WORDS'
H:0x
D:0x
Failed:
last error status from device
HBX: 
HB state 
DLX: 
returned false for equality
performance has 
Lost access to volume
restored access to volume
vmfs.heartbeat.
All Paths Down
state in doubt
FPIN
VMK Task
hostbyte=
Sense Key : 
remaining active paths
ABORT_TASK
MISCOMPARE
WORDS

# timed WHAT BYTES COMMAND...: runs it, and notes megabytes a second of its own processor time and of the wall, and its peak memory.
timed() {
    local what=$1 bytes=$2
    shift 2
    # Through a pipe: GNU grep stops at the first line that fits where its output is /dev/null.
    /usr/bin/time -f "%e %U %S %M" -o "$work/time" "$@" | cat >/dev/null
    awk -v what="$what" -v bytes="$bytes" '{
        printf "%s %.2f %.0f %.0f %.0f\n", what, $1, bytes / 1e6 / ($1 + 1e-9), bytes / 1e6 / ($2 + $3 + 1e-9), $4 / 1024
    }' "$work/time" >>"$work/figures"
}

size() { stat -c %s "$1"; }
plain=$(size "$work/plain.log")
unpacked=$(cat "$work/bundle.bytes")
cat "$work/plain.log" "$work/plain.log.gz" "$work/bundle.tgz" >/dev/null
for _ in $(seq "$rounds"); do
    timed doctor-plain "$plain" "$oarlock" doctor --json "$work/plain.log"
    if command -v rg >/dev/null; then
        timed ripgrep-plain "$plain" rg --no-mmap -j1 -c -e "$(paste -sd'|' "$work/words")" "$work/plain.log"
    else
        timed grep-plain "$plain" env LC_ALL=C grep -c -F -f "$work/words" "$work/plain.log"
    fi
    timed doctor-gz "$plain" "$oarlock" doctor --json "$work/plain.log.gz"
    timed gzip-alone "$plain" gzip -dc "$work/plain.log.gz"
    timed doctor-bundle "$unpacked" "$oarlock" doctor --json "$work/bundle.tgz"
done
echo "plain log $plain bytes; the same as .gz $(size "$work/plain.log.gz"); bundle $(size "$work/bundle.tgz"), unpacked $unpacked"
printf '%-16s %s\n' "" "seconds | MB/s by the wall | MB/s of processor time | peak MiB"
for what in $(cut -d' ' -f1 "$work/figures" | sort -u); do
    printf '%-16s' "$what"
    for column in 2 3 4 5; do
        printf ' %s |' "$(awk -v what="$what" -v column="$column" '$1 == what { print $column }' "$work/figures" | median)"
    done
    printf '\n'
done
