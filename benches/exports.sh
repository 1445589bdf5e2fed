#!/usr/bin/env bash
# A disk of a datastore, written, over NBD beside qemu-nbd and nbdkit on a written file as large, by turns within a round, and fio on that
# file itself as the floor: benches/exports.sh [FOLDER [ROUNDS [SECONDS [MEBIBYTES [CASE...]]]]]. Wants fio with its nbd engine, qemu-nbd,
# nbdkit (Debian: `fio qemu-utils nbdkit`). A CASE is VERB:BLOCK:QUEUE:CONNECTIONS. Ours and qemu-nbd read and write past the page cache;
# nbdkit's file plugin cannot, so it drops what it wrote from the cache (`cache=none`), and reads what is left in it.
# OTHERS_MAX=10 counts only rounds in which other processes took at most 10 % of the processors, and waits up to WAIT seconds (0) for
# each load until they do. OURS=map serves the same file by the same export, behind a map in memory and without a host: what the datastore costs.
source "$(dirname "$0")/common.sh"
(cd "$here" && cargo build --release --quiet -p oarlock-host --example export -p oarlock-cli --bin oarlock)
room "${1:-.}"
rounds=${2:-5} seconds=${3:-3} size=${4:-1024}
others_max=${OTHERS_MAX:-100} wait=${WAIT:-0}
cases=("${@:5}")
if ((${#cases[@]} == 0)); then
    cases=(randread:4k:1:1 randread:4k:32:1 randread:4k:32:4 randwrite:4k:1:1 randwrite:4k:32:1 randwrite:4k:32:4
        read:1m:4:1 write:1m:4:1)
fi
file=$work/disk.img
machine
# Written, and not only allocated: the first write to a place costs more than any later one.
dd if=/dev/urandom of="$file" bs=1M count="$size" oflag=direct conv=fsync status=none

# listening SOCKET PID: returns when the server listens.
listening() {
    for _ in $(seq 400); do
        if [[ -S $1 ]] && kill -0 "$2" 2>/dev/null; then return; fi
        sleep 0.05
    done
    echo "no server listens at $1" >&2
    return 1
}

declare -A pid
socket() { echo "$work/$1.sock"; }

serve() {
    local name=$1
    shift
    start "$@" >"$work/$name.out" 2>&1
    pid[$name]=$started_pid
    listening "$(socket "$name")" "$started_pid"
}

if [[ ${OURS:-disk} == map ]]; then
    # It ends with its standard input.
    mkfifo "$work/stay"
    exec 9<>"$work/stay"
    serve ours bash -c 'exec "$0" "$1" "$2" "unix:$3" full <"$4"' "$built/examples/export" "$file" "$((size << 20))" "$(socket ours)" "$work/stay"
else
    datastore "$work/store" "$((size + size / 8 + 256))M"
    disk disk "${size}M" "$(socket ours)"
    pid[ours]=$host_pid
    fill "$(socket ours)" disk
fi
serve qemu-io_uring qemu-nbd -f raw --cache=none --aio=io_uring --persistent --shared=8 -x disk -k "$(socket qemu-io_uring)" "$file"
serve qemu-native qemu-nbd -f raw --cache=none --aio=native --persistent --shared=8 -x disk -k "$(socket qemu-native)" "$file"
serve nbdkit nbdkit -f -e disk -U "$(socket nbdkit)" file "$file" cache=none

# rate NAME VERB BLOCK QUEUE CONNECTIONS: what exports_load.py says of such a load.
rate() {
    local name=$1 verb=$2 block=$3 queue=$4 connections=$5
    local what=(--rw="$verb" --bs="$block" --iodepth="$queue" --numjobs="$connections" --group_reporting --norandommap --randrepeat=0
        --size="${size}m" --time_based --runtime="$seconds" --name=load)
    if [[ $name == file ]]; then
        what+=(--filename="$file" --direct=1 --ioengine=io_uring --invalidate=0 --thread)
    else
        what+=(--ioengine=nbd --uri="nbd+unix:///disk?socket=$(socket "$name")")
    fi
    python3 "$here/benches/exports_load.py" "${pid[$name]:-0}" "$wait" "${what[@]}"
}

names=(ours qemu-io_uring qemu-native nbdkit file)
for name in "${names[@]}"; do rate "$name" randread 4k 4 1 >"$work/warm"; done
for case in "${cases[@]}"; do
    IFS=: read -r verb block queue connections <<<"$case"
    counted=0 disturbed=0
    # A round in which others took too much of the processors does not count, and is done again, ten times as often as asked at most.
    while ((counted < rounds && counted + disturbed < 10 * rounds)); do
        is_quiet=1
        : >"$work/round"
        for name in "${names[@]}"; do
            rate "$name" "$verb" "$block" "$queue" "$connections" >"$work/one"
            read -r iops latency busy others <"$work/one"
            if awk -v others="$others" -v most="$others_max" 'BEGIN { exit !(others > most) }'; then is_quiet=0 && break; fi
            [[ $name == ours ]] && ours=$iops
            echo "$name $iops $latency $busy $(awk -v ours="$ours" -v iops="$iops" 'BEGIN { printf "%.2f", ours / iops }')" >>"$work/round"
        done
        if ((is_quiet == 0)); then
            disturbed=$((disturbed + 1))
            continue
        fi
        counted=$((counted + 1))
        while read -r name iops latency busy ratio; do
            echo "$iops" >>"$work/$name.iops"
            echo "$latency" >>"$work/$name.latency"
            echo "$busy" >>"$work/$name.busy"
            echo "$ratio" >>"$work/$name.ratio"
        done <"$work/round"
    done
    echo "$verb, blocks of $block, queue $queue, connections $connections ($counted rounds, $disturbed more were disturbed):"
    if ((counted == 0)); then continue; fi
    for name in "${names[@]}"; do
        echo "  $name: $(median <"$work/$name.iops") requests a second, p50 $(median <"$work/$name.latency") us," \
            "server's time $(median <"$work/$name.busy") us; ours is $(median <"$work/$name.ratio") times that"
        rm "$work/$name".{iops,latency,busy,ratio}
    done
done
