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

# ours VERB DEPTH: commands a second, and microseconds of processor time for each.
ours() {
    "$built/examples/data_ring" "$file" "$1" "$2" "$seconds" >"$work/last"
    echo "$(field iops <"$work/last") $(field cpu_us <"$work/last")"
}

# theirs VERB DEPTH OPTION...: the same of fio. In batches, and not waiting for one to fill up, as the data ring does it.
theirs() {
    local verb=$1 depth=$2
    shift 2
    fio --name=floor --filename="$file" --direct=1 --ioengine=io_uring --rw="rand$verb" --bs=4k --iodepth="$depth" --thread \
        --iodepth_batch_submit="$depth" --iodepth_batch_complete_min=1 --iodepth_batch_complete_max="$depth" \
        --norandommap --randrepeat=0 --invalidate=0 --time_based --runtime="$seconds" --output-format=json "$@" >"$work/last"
    python3 - "$work/last" "$verb" <<'PYTHON'
import json, sys
job = json.load(open(sys.argv[1]))["jobs"][0]
busy = (job["usr_cpu"] + job["sys_cpu"]) / 100 * job["job_runtime"] * 1000
print(job[sys.argv[2]]["iops"], busy / job[sys.argv[2]]["total_ios"])
PYTHON
}

share() { echo "$1 $2" | awk '{ printf "%.1f\n", 100 * $1 / $2 }'; }

for verb in read write; do
    for depth in 1 32; do
        for _ in $(seq "$rounds"); do
            read -r rate time < <(ours "$verb" "$depth")
            read -r fio_rate fio_time < <(theirs "$verb" "$depth")
            read -r fixed_rate fixed_time < <(theirs "$verb" "$depth" --fixedbufs=1)
            echo "$rate" >>"$work/rate"
            echo "$fio_rate" >>"$work/fio-rate"
            echo "$time" >>"$work/time"
            echo "$fio_time" >>"$work/fio-time"
            share "$rate" "$fio_rate" >>"$work/rate-share"
            share "$time" "$fio_time" >>"$work/time-share"
            share "$fixed_rate" "$fio_rate" >>"$work/fixed-rate"
            share "$fixed_time" "$fio_time" >>"$work/fixed-time"
        done
        echo "random $verb, queue $depth:"
        echo "  data ring, commands a second              $(median <"$work/rate")"
        echo "  fio, commands a second                    $(median <"$work/fio-rate")"
        echo "  data ring's rate, % of fio's              $(median <"$work/rate-share")"
        echo "  its thread's time a command, us           $(median <"$work/time")"
        echo "  fio's thread's time a command, us         $(median <"$work/fio-time")"
        echo "  data ring's time, % of fio's              $(median <"$work/time-share")"
        echo "  fio with registered buffers, % of rate    $(median <"$work/fixed-rate")"
        echo "  fio with registered buffers, % of time    $(median <"$work/fixed-time")"
        rm "$work"/{rate,fio-rate,time,fio-time,rate-share,time-share,fixed-rate,fixed-time}
    done
done
