#!/usr/bin/env bash
# The data ring's bare rate beside fio's io_uring engine, 4 KiB random reads and writes of one written file at queue 1 and 32:
# benches/data_ring.sh [FOLDER [ROUNDS [SECONDS [MEBIBYTES]]]]. Wants fio (Debian: `fio`). By turns within a round; ratios are within a round.
source "$(dirname "$0")/common.sh"
(cd "$here" && cargo build --release --quiet -p oarlock-device --example data_ring)
room "${1:-.}"
rounds=${2:-7} seconds=${3:-3} size=${4:-1024}
file=$work/data.img
machine
# Written, and not only allocated: the first write to a place costs more than any later one.
dd if=/dev/zero of="$file" bs=1M count="$size" oflag=direct conv=fsync status=none

ours() { "$built/examples/data_ring" "$file" "$1" "$2" "$seconds" | tee "$work/last" | field iops; }
# theirs VERB DEPTH OPTION...: what fio makes of it; it must not wait for a batch to fill up, as ours does not.
theirs() {
    local verb=$1 depth=$2
    shift 2
    fio --name=floor --filename="$file" --direct=1 --ioengine=io_uring --rw="rand$verb" --bs=4k --iodepth="$depth" --thread \
        --norandommap --randrepeat=0 --invalidate=0 --time_based --runtime="$seconds" --output-format=json "$@" >"$work/fio"
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["jobs"][0][sys.argv[2]]["iops"])' "$work/fio" "$verb"
}
batch=(--iodepth_batch_submit=32 --iodepth_batch_complete_min=1 --iodepth_batch_complete_max=32)
share() { echo "$1 $2" | awk '{ printf "%.1f\n", 100 * $1 / $2 }'; }

for verb in read write; do
    for depth in 1 32; do
        for _ in $(seq "$rounds"); do
            plain=$(theirs "$verb" "$depth")
            own=$(ours "$verb" "$depth")
            field cpu_us <"$work/last" >>"$work/cpu"
            batched=$(theirs "$verb" "$depth" "${batch[@]}")
            registered=$(theirs "$verb" "$depth" "${batch[@]}" --fixedbufs=1)
            echo "$own" >>"$work/own"
            echo "$batched" >>"$work/batched"
            share "$own" "$plain" >>"$work/of-plain"
            share "$own" "$batched" >>"$work/of-batched"
            share "$registered" "$batched" >>"$work/gain"
        done
        echo "random $verb, queue $depth:"
        echo "  data ring, commands a second        $(median <"$work/own")"
        echo "  its thread's time a command, in us  $(median <"$work/cpu")"
        echo "  fio in batches                      $(median <"$work/batched")"
        echo "  ring, % of fio                      $(median <"$work/of-plain")"
        echo "  ring, % of fio in batches           $(median <"$work/of-batched")"
        echo "  registered buffers, % of fio        $(median <"$work/gain")"
        rm "$work"/{own,cpu,batched,of-plain,of-batched,gain}
    done
done
