#!/usr/bin/env bash
# How long guests wait while a disk goes from host to host under load: benches/handoff.sh [FOLDER [ROUNDS [WRITERS]]].
# Two hosts on one file, WRITERS (8) guests that write 4 KiB at random places of 256 MiB of a thin disk, and `disk handoff` to and fro. Wants
# libnbd's Python module (Debian: `python3-libnbd`). Says for each round: what the source counted, the longest time without any answer, the
# longest that one write took; then the same of a second without a handoff; fails where a write is lost.
source "$(dirname "$0")/common.sh"
(cd "$here" && cargo build --release --quiet -p oarlock-cli --bin oarlock)
room "${1:-.}"
rounds=${2:-10} writers=${3:-8}
python=/usr/bin/python3
machine
"$oarlock" format "$work/pool" --name bench --size 2G >"$work/format.out"
for name in a b; do host "$work/pool" "$name"; done
"$oarlock" disk create disk --size 512M --host a >"$work/create.out"
"$oarlock" disk attach disk --host a >"$work/a.uri"
from=a to=b
for round in $(seq "$rounds"); do
    "$oarlock" disk attach disk --incoming --host "$to" >"$work/$to.uri"
    rm -f "$work/stop"
    start "$python" "$here/benches/handoff_load.py" "$(cat "$work/$from.uri")" "$(cat "$work/$to.uri")" "$writers" 256 "$work/stop" >"$work/load.json"
    load_pid=$started_pid
    until grep -q ready "$work/load.json"; do sleep 0.05; done
    sleep 2
    "$oarlock" disk handoff disk --to "$to" --host "$from" --json >"$work/handoff.json"
    sleep 1
    touch "$work/stop"
    gone "$load_pid"
    "$python" - "$work/load.json" "$work/handoff.json" "$round" "$work/rounds" <<'PYTHON'
import json, sys
load = json.loads(open(sys.argv[1]).read().splitlines()[-1])
pause = json.load(open(sys.argv[2]))["pause_us"] / 1e3
assert not load["lost"], load["lost"]
print(f'round {sys.argv[3]}: {load["answered"]} writes, none lost; pause {pause:.2f} ms, silence {load["silence_ms"]} ms, '
      f'longest write {load["request_ms"]} ms; without a handoff {load["silence_before_ms"]} and {load["request_before_ms"]} ms')
with open(sys.argv[4], "a") as rounds:
    rounds.write(f'{pause} {load["silence_ms"]} {load["request_ms"]} {load["silence_before_ms"]} {load["request_before_ms"]}\n')
PYTHON
    next=$from from=$to to=$next
done
column=0
for what in "pause, as the source counts" "silence" "longest write" "silence without a handoff" "longest write without"; do
    column=$((column + 1))
    echo "$what, ms: $(awk -v column=$column '{ print $column }' "$work/rounds" | median)"
done
