#!/usr/bin/env bash
# Our array beside tgt and istgt: the same file, the same client (crates/target/examples/load.rs), by turns within a round:
# benches/array.sh [FOLDER [ROUNDS [SECONDS [CASE...]]]]. FOLDER says where the file lies: /dev/shm for the cost of the protocol. A CASE is
# KIND:BYTES:DEPTH:SESSIONS. Wants Debian's tgt and istgt; one that is missing is left out and said so. tgt has no COMPARE AND WRITE.
# With PIN=1 both ends of each case share one core, with PIN=2 each has one of its own, and a bare TCP request and reply of the same sizes stands beside
# them: what a latency at queue 1 is to be compared with. Beside what goes in sequence stands the loopback and the file alone: the same bytes by one socket
# to a file of the same folder, or from it, and nothing else.
source "$(dirname "$0")/common.sh"
(cd "$here" && cargo build --release --quiet -p oarlock-cli --bin oarlock -p oarlock-target --example load --example echo)
room "${1:-/dev/shm}"
rounds=${2:-3} seconds=${3:-3}
cases=("${@:4}")
if ((${#cases[@]} == 0)); then
    cases=(read:4096:1:1 read:4096:32:1 read:4096:128:1 read:4096:32:4 write:4096:1:1 write:4096:32:1 write:4096:128:1 write:4096:32:4
        read-run:1048576:4:1 write-run:262144:4:1 write-run:1048576:4:1 ats:512:1:1 ats:512:32:1 ats-one:512:1:8)
fi
ticks=$(getconf CLK_TCK)
machine
declare -A pid address target lun
# What a server, and a client, is started by.
served=() asked=()
if [[ ${PIN:-0} != 0 ]]; then served=(taskset -c "$((PIN - 1))") asked=(taskset -c 0); fi

file() {
    truncate -s 256M "$work/$1.img"
    dd if=/dev/urandom of="$work/$1.img" bs=1M count=256 conv=notrunc status=none
}

# up NAME ADDRESS: returns when a server listens there.
up() {
    for _ in $(seq 200); do
        if (exec 3<>"/dev/tcp/${2%:*}/${2#*:}") 2>/dev/null; then return; fi
        sleep 0.05
    done
    echo "$1 does not listen at $2" >&2
    return 1
}

serve_ours() {
    file ours
    address[ours]=127.0.0.1:33260 target[ours]=iqn.2026-11.org.oarlock:array lun[ours]=0
    start "${served[@]}" "$oarlock" target serve --listen 127.0.0.1:33260 --api "$work/ours.sock" --lun "0=$work/ours.img,thin,physical=512" >"$work/ours.out" 2>&1
    pid[ours]=$started_pid
    up ours 127.0.0.1:33260
}

serve_tgt() {
    command -v tgtd >/dev/null || return 1
    file tgt
    address[tgt]=127.0.0.1:33261 target[tgt]=iqn.2026-11.example:tgt lun[tgt]=1
    start "${served[@]}" tgtd -f -C 33 --iscsi portal=127.0.0.1:33261 >"$work/tgt.out" 2>&1
    pid[tgt]=$started_pid
    up tgt 127.0.0.1:33261
    local direct=()
    if [[ $(findmnt -n -o FSTYPE -T "$work" | head -1) != tmpfs ]]; then direct=(--bsoflags direct); fi
    tgtadm -C 33 --lld iscsi --op new --mode target --tid 1 -T "${target[tgt]}"
    tgtadm -C 33 --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b "$work/tgt.img" "${direct[@]}"
    tgtadm -C 33 --lld iscsi --op bind --mode target --tid 1 -I ALL
}

serve_istgt() {
    command -v istgt >/dev/null || return 1
    file istgt
    address[istgt]=127.0.0.1:33262 target[istgt]=iqn.2007-09.jp.ne.peach.istgt:disk lun[istgt]=0
    cat >"$work/istgt.conf" <<CONF
[Global]
  NodeBase "iqn.2007-09.jp.ne.peach.istgt"
  PidFile $work/istgt.pid
  AuthFile /dev/null
  MediaDirectory $work
  LogFacility "local7"
  Timeout 30
  NopInInterval 20
  DiscoveryAuthMethod Auto
  MaxSessions 32
  MaxConnections 4
  MaxOutstandingR2T 16
  DefaultTime2Wait 2
  DefaultTime2Retain 60
  FirstBurstLength 262144
  MaxBurstLength 1048576
  MaxRecvDataSegmentLength 262144
  InitialR2T Yes
  ImmediateData Yes
  DataPDUInOrder Yes
  DataSequenceInOrder Yes
  ErrorRecoveryLevel 0
[UnitControl]
  AuthMethod None
  Portal UC1 127.0.0.1:33263
  Netmask 127.0.0.1
[PortalGroup1]
  Portal DA1 127.0.0.1:33262
[InitiatorGroup1]
  InitiatorName "ALL"
  Netmask 127.0.0.1
[LogicalUnit1]
  TargetName disk
  TargetAlias "disk"
  Mapping PortalGroup1 InitiatorGroup1
  AuthMethod Auto
  UseDigest Auto
  UnitType Disk
  UnitInquiry "FreeBSD" "iSCSI Disk" "0123" "10000001"
  QueueDepth 128
  LUN0 Storage $work/istgt.img Auto
CONF
    start "${served[@]}" istgt -D -c "$work/istgt.conf" >"$work/istgt.out" 2>&1
    pid[istgt]=$started_pid
    up istgt 127.0.0.1:33262
}

serve_bare() {
    [[ ${PIN:-0} != 0 ]] || return 1
    address[bare]=127.0.0.1:33264
    start "${served[@]}" "$built/examples/echo" serve "${address[bare]}" >"$work/bare.out" 2>&1
    pid[bare]=$started_pid
    up bare "${address[bare]}"
}

serve_stream() {
    file stream
    address[stream]=127.0.0.1:33265
    start "${served[@]}" "$built/examples/echo" serve "${address[stream]}" "$work/stream.img" >"$work/stream.out" 2>&1
    pid[stream]=$started_pid
    up stream "${address[stream]}"
}

# ask NAME KIND BYTES DEPTH SESSIONS: one measurement. A PDU has a header of 48 bytes; an ATS brings two blocks.
ask() {
    if [[ $1 == stream ]]; then
        case $2 in
            read-run) "${asked[@]}" "$built/examples/echo" ask "${address[stream]}" 48 $((48 + $3)) "$seconds" "$4" ;;
            write-run) "${asked[@]}" "$built/examples/echo" ask "${address[stream]}" $((48 + $3)) 48 "$seconds" "$4" ;;
            *) return 1 ;;
        esac
        return
    fi
    if [[ $1 != bare ]]; then
        "${asked[@]}" "$built/examples/load" "${address[$1]}" "${target[$1]}" "${lun[$1]}" "$2" "$3" "$4" "$5" "$seconds"
        return
    fi
    [[ $4 == 1 ]] || return 1
    local request=48 reply=48
    case $2 in
        read) reply=$((48 + $3)) ;;
        write) request=$((48 + $3)) ;;
        ats) request=$((48 + 2 * $3)) ;;
        *) return 1 ;;
    esac
    "${asked[@]}" "$built/examples/echo" ask "${address[bare]}" "$request" "$reply" "$seconds"
}

# used PID: the processor's time that a process has had, in ticks.
used() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# resident NAME: MiB of a server.
resident() { awk '/VmRSS/ { print $2 / 1024 }' "/proc/${pid[$1]}/status"; }

names=()
for name in ours tgt istgt bare stream; do
    if "serve_$name"; then names+=("$name"); elif [[ $name != bare ]]; then echo "$name is not here or does not start"; fi
done
for case in "${cases[@]}"; do
    IFS=: read -r kind bytes depth sessions <<<"$case"
    rm -f "$work"/*.rate "$work"/*.latency "$work"/*.cost "$work"/*.ratio
    for _ in $(seq "$rounds"); do
        for name in "${names[@]}"; do
            before=$(used "${pid[$name]}")
            if ! ask "$name" "$kind" "$bytes" "$depth" "$sessions" >"$work/one" 2>"$work/trouble"; then
                continue
            fi
            after=$(used "${pid[$name]}")
            per_second=$(field per_second <"$work/one") wrong=$(field false <"$work/one")
            # tgt refuses every ATS: a rate of refusals is none.
            if [[ $kind == ats && $wrong != 0 ]] || awk -v wrong="$wrong" -v all="$per_second" -v s="$seconds" 'BEGIN { exit !(wrong > 0.95 * all * s) }'; then continue; fi
            [[ $name == ours ]] && ours=$per_second
            echo "$per_second" >>"$work/$name.rate"
            field p50_us <"$work/one" >>"$work/$name.latency"
            awk -v ticks="$((after - before))" -v hz="$ticks" -v all="$per_second" -v s="$seconds" 'BEGIN { print 1e6 * ticks / hz / (all * s) }' >>"$work/$name.cost"
            awk -v ours="$ours" -v theirs="$per_second" 'BEGIN { print ours / theirs }' >>"$work/$name.ratio"
        done
    done
    echo "$kind, $bytes bytes, queue $depth, sessions $sessions:"
    for name in "${names[@]}"; do
        if [[ ! -s $work/$name.rate ]]; then
            echo "  $name: does not do that"
            continue
        fi
        echo "  $name: $(median <"$work/$name.rate") a second, p50 $(median <"$work/$name.latency") us, server's time $(median <"$work/$name.cost") us;" \
            "ours is $(median <"$work/$name.ratio") times that"
    done
done
# What each has in memory, as it is now, and with a hundred sessions that log in and do nothing.
for name in "${names[@]}"; do
    if [[ $name == bare || $name == stream ]]; then continue; fi
    echo "$name: $(resident "$name") MiB resident"
    "$built/examples/load" "${address[$name]}" "${target[$name]}" "${lun[$name]}" idle 512 1 100 4 >/dev/null 2>&1 &
    load=$!
    sleep 3
    echo "  with 100 idle sessions: $(resident "$name") MiB"
    wait "$load" || echo "  (it did not serve all of them)"
done
