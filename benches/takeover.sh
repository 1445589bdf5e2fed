#!/usr/bin/env bash
# Takeover of a host that was killed, and of one that was stopped: benches/takeover.sh [FOLDER [ROUNDS]]
# Real processes: host `victim` holds a lock through `oarlock lock run`, then dies or stands still; host `heir` wants it.
# The clock starts at the later of the last beat and the first interest: interest comes last here, so it starts when
# `lock run` of the heir is called, and includes the start of that program. It ends when the guarded command runs.
source "$(dirname "$0")/common.sh"
begin "${1:-.}"
rounds=${2:-5}
machine

# round SIGNAL FORMAT-OPTIONS...: prints the seconds that one takeover took.
round() {
    local signal=$1 file=$work/pool.img victim heir holder begin_at end_at
    shift
    rm -f "$file" "$work"/held
    "$oarlock" format "$file" --name bench --size 256M "$@" >/dev/null 2>&1
    host "$file" victim
    victim=$host_pid
    host "$file" heir
    heir=$host_pid
    start "$oarlock" lock run nightly --host victim -- sh -c "touch '$work/held'; exec sleep 600" >/dev/null 2>&1
    holder=$started_pid
    until [ -e "$work/held" ]; do sleep 0.05; done
    kill -"$signal" "$victim"
    # The dead or silent process is surely not scheduled any more.
    sleep 0.05
    begin_at=$(date +%s.%N)
    end_at=$("$oarlock" lock run nightly --host heir --wait 60s -- date +%s.%N 2>>"$work/heir.lock.err") || end_at=
    kill -KILL "$victim" 2>/dev/null || true
    kill -TERM "$heir"
    for pid in "$heir" "$victim" "$holder"; do gone "$pid"; done
    started=()
    if [ -z "$end_at" ]; then
        echo "not taken over within 60 s" >&2
        cat "$work/heir.lock.err" >&2
        return 1
    fi
    echo "$begin_at $end_at" | awk '{ printf "%.3f\n", $2 - $1 }'
}

measure() {
    local what=$1
    shift
    for _ in $(seq "$rounds"); do round "$@" >>"$work/times"; done
    echo "$what: $(median <"$work/times") s"
    rm "$work/times"
}

measure "killed, defaults" KILL
measure "killed, beat 200 ms, lease 1 s" KILL --beat 200ms --lease 1s
measure "stopped, beat 200 ms, lease 1 s" STOP --beat 200ms --lease 1s
measure "stopped, defaults" STOP
