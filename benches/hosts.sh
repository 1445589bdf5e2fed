#!/usr/bin/env bash
# Many hosts, each a process, on one file of one machine: are their beats in time? benches/hosts.sh [FOLDER [HOSTS [SECONDS]]]
# The beats are seen by a reader that is no host and locks nothing (benches/pace.rs). Then every host is asked for its
# state and its events (a beat whose answer takes more than a quarter of the lease is one).
source "$(dirname "$0")/common.sh"
begin "${1:-.}"
hosts=${2:-64} seconds=${3:-60}
machine
"$oarlock" format "$work/pool.img" --name bench --size 256M --slots "$hosts" >/dev/null 2>&1
for number in $(seq "$hosts"); do host "$work/pool.img" "host-$number"; done
echo "$hosts hosts are up; load $(cut -d' ' -f1-3 /proc/loadavg)"
# Nanoseconds on a processor, of every thread: ticks would not see what is over within one.
cpu() { for pid in "${started[@]}"; do cat /proc/"$pid"/task/*/schedstat; done | awk '{ t += $1 } END { printf "%.0f\n", t }'; }
before=$(cpu)
"$built/examples/pace" "$work/pool.img" "$seconds"
after=$(cpu)
echo "$before $after $seconds" | awk '{ printf "processor time of all hosts: %.1f %% of one core\n", 100 * ($2 - $1) / 1e9 / $3 }'
states() { for number in $(seq "$hosts"); do "$oarlock" status --host "host-$number" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["host"]["state"])'; done; }
events() { for number in $(seq "$hosts"); do "$oarlock" events --host "host-$number" --json; done; }
echo "load $(cut -d' ' -f1-3 /proc/loadavg)"
echo "their own word: $(states | sort | uniq -c | xargs); events of all of them: $(events | grep -o '"kind":"[a-z-]*"' | sort | uniq -c | xargs | grep . || echo none)"
