#!/usr/bin/env bash
# Many hosts, each a process, on one file of one machine: are their beats in time? benches/hosts.sh [FOLDER [HOSTS [SECONDS]]]
# The beats are seen by a reader that is no host and locks nothing (benches/pace.rs). Then every host is asked for its
# own events (a beat that takes more than half an interval is one) and for its state.
source "$(dirname "$0")/common.sh"
begin "${1:-.}"
hosts=${2:-64} seconds=${3:-60}
machine
"$oarlock" format "$work/pool.img" --name bench --size 256M --slots "$hosts" >/dev/null 2>&1
for number in $(seq "$hosts"); do host "$work/pool.img" "host-$number"; done
echo "$hosts hosts are up; load $(cut -d' ' -f1-3 /proc/loadavg)"
cpu() { for pid in "${started[@]}"; do cut -d' ' -f14,15 "/proc/$pid/stat"; done | awk '{ t += $1 + $2 } END { print t }'; }
before=$(cpu)
"$built/examples/pace" "$work/pool.img" "$seconds"
after=$(cpu)
echo "$before $after $seconds $(getconf CLK_TCK)" | awk '{ printf "processor time of all hosts: %.1f %% of one core\n", 100 * ($2 - $1) / $4 / $3 }'
states() { for number in $(seq "$hosts"); do "$oarlock" status --host "host-$number" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["host"]["state"])'; done; }
events() { for number in $(seq "$hosts"); do "$oarlock" events --host "host-$number" --json; done; }
echo "load $(cut -d' ' -f1-3 /proc/loadavg)"
echo "their own word: $(states | sort | uniq -c | xargs); events of all of them: $(events | grep -o '"kind":"[a-z-]*"' | sort | uniq -c | xargs | grep . || echo none)"
