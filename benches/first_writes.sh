#!/usr/bin/env bash
# First writes to an empty disk, beside an empty qcow2 and an empty raw file behind qemu-nbd, by turns within a round:
# benches/first_writes.sh [FOLDER [ROUNDS [MEBIBYTES [CASE...]]]]. A CASE is VERB:BLOCK:QUEUE:CONNECTIONS; each place is written once, a load
# ends where MEBIBYTES (256) are. Wants fio with its nbd engine and qemu-nbd (Debian: `fio qemu-utils`). All go past the page cache.
# A load counts until its data is flushed.
source "$(dirname "$0")/common.sh"
(cd "$here" && cargo build --release --quiet -p oarlock-cli --bin oarlock)
room "${1:-.}"
rounds=${2:-5} size=${3:-256}
cases=("${@:4}")
if ((${#cases[@]} == 0)); then cases=(randwrite:4k:1:1 randwrite:4k:32:1 randwrite:4k:32:4 write:64k:8:1 write:1m:4:1); fi
machine
# Room for four disks: what was deleted comes free a little later.
datastore "$work/store" "$((4 * size + 1024))M"
ours_pid=$host_pid

# load SOCKET NAME PID CASE: requests a second, and the server's time for each in us.
load() {
    local verb block queue connections
    IFS=: read -r verb block queue connections <<<"$4"
    python3 "$here/benches/exports_load.py" "$3" 0 --rw="$verb" --bs="$block" --iodepth="$queue" --numjobs="$connections" --group_reporting \
        --randrepeat=0 --size="$((size / connections))m" --offset_increment="$((size / connections))m" --end_fsync=1 --name=load \
        --ioengine=nbd --uri="nbd+unix:///$2?socket=$1" | awk '{ print $1, $3 }'
}

ours() {
    disk empty "${size}M" "$work/ours.sock"
    load "$work/ours.sock" empty "$ours_pid" "$1"
    "$oarlock" disk detach empty --host bench >>"$work/verbs.out"
    "$oarlock" disk delete empty --host bench >>"$work/verbs.out"
}

# peer FORMAT CASE
peer() {
    rm -f "$work/peer.img" "$work/peer.sock"
    qemu-img create -q -f "$1" "$work/peer.img" "${size}M"
    start qemu-nbd -f "$1" --cache=none --aio=io_uring --persistent --shared=8 -x empty -k "$work/peer.sock" "$work/peer.img"
    local peer_pid=$started_pid
    until [[ -S $work/peer.sock ]]; do sleep 0.02; done
    load "$work/peer.sock" empty "$peer_pid" "$2"
    kill "$peer_pid" && gone "$peer_pid"
}

for case in "${cases[@]}"; do
    for _ in $(seq "$rounds"); do
        ours "$case" >"$work/one" && read -r mine busy <"$work/one"
        echo "$mine" >>"$work/ours.rate" && echo "$busy" >>"$work/ours.busy"
        for format in qcow2 raw; do
            peer "$format" "$case" >"$work/one" && read -r theirs busy <"$work/one"
            echo "$theirs" >>"$work/$format.rate" && echo "$busy" >>"$work/$format.busy"
            awk -v mine="$mine" -v theirs="$theirs" 'BEGIN { printf "%.2f\n", mine / theirs }' >>"$work/$format.ratio"
        done
    done
    echo "$case: ours $(median <"$work/ours.rate") requests a second, $(median <"$work/ours.busy") us of the server's time"
    for format in qcow2 raw; do
        echo "  $format: $(median <"$work/$format.rate"), $(median <"$work/$format.busy") us; ours is $(median <"$work/$format.ratio") times that"
    done
    rm "$work"/*.{rate,busy,ratio}
done
