#!/usr/bin/env bash
# Exports over NBD beside qemu-nbd and nbdkit on the same written file, by turns within a round, and fio on the file itself as the floor:
# benches/exports.sh [FOLDER [ROUNDS [SECONDS [MEBIBYTES [CASE...]]]]]. Wants fio with its nbd engine, qemu-nbd, nbdkit
# (Debian: `fio qemu-utils nbdkit`). A CASE is VERB:BLOCK:QUEUE:CONNECTIONS. Ours and qemu-nbd read and write past the page cache;
# nbdkit's file plugin cannot, so it drops what it wrote from the cache (`cache=none`), and reads what is left in it.
source "$(dirname "$0")/common.sh"
(cd "$here" && cargo build --release --quiet -p oarlock-host --example export)
room "${1:-.}"
rounds=${2:-5} seconds=${3:-3} size=${4:-1024}
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

# A host's export ends with its standard input.
mkfifo "$work/stay"
exec 9<>"$work/stay"
serve ours bash -c 'exec "$0" "$1" "$2" "unix:$3" full <"$4"' "$built/examples/export" "$file" "$((size << 20))" "$(socket ours)" "$work/stay"
serve qemu-io_uring qemu-nbd -f raw --cache=none --aio=io_uring --persistent --shared=8 -x disk -k "$(socket qemu-io_uring)" "$file"
serve qemu-native qemu-nbd -f raw --cache=none --aio=native --persistent --shared=8 -x disk -k "$(socket qemu-native)" "$file"
serve nbdkit nbdkit -f -e disk -U "$(socket nbdkit)" file "$file" cache=none

# rate NAME VERB BLOCK QUEUE CONNECTIONS: requests a second, the median latency in us, and us of the server's processor time for each.
rate() {
    local name=$1 verb=$2 block=$3 queue=$4 connections=$5
    local what=(--rw="$verb" --bs="$block" --iodepth="$queue" --numjobs="$connections" --group_reporting --norandommap --randrepeat=0
        --size="${size}m" --time_based --runtime="$seconds" --output-format=json --name=load)
    if [[ $name == file ]]; then
        fio "${what[@]}" --filename="$file" --direct=1 --ioengine=io_uring --invalidate=0 --thread >"$work/last"
    else
        fio "${what[@]}" --ioengine=nbd --uri="nbd+unix:///disk?socket=$(socket "$name")" >"$work/last"
    fi
    # The server's own time, from its start: the difference is this load's.
    python3 - "$work/last" "$verb" "${pid[$name]:-0}" "$work/$name.spent" <<'PYTHON'
import json, os, pathlib, sys
report, verb, pid, kept = sys.argv[1:]
job = json.loads(open(report).read()[open(report).read().index("{"):])["jobs"][0]
side = job["read" if "read" in verb else "write"]
spent = 0.0
if pid != "0":
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    spent = (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")
before = float(pathlib.Path(kept).read_text()) if os.path.exists(kept) else 0.0
pathlib.Path(kept).write_text(str(spent))
latency = side["clat_ns"].get("percentile", {}).get("50.000000", 0) / 1000
print(side["iops"], latency, (spent - before) / max(side["total_ios"], 1))
PYTHON
}

names=(ours qemu-io_uring qemu-native nbdkit file)
for name in "${names[@]}"; do rate "$name" randread 4k 4 1 >"$work/warm"; done
for case in "${cases[@]}"; do
    IFS=: read -r verb block queue connections <<<"$case"
    for _ in $(seq "$rounds"); do
        for name in "${names[@]}"; do
            rate "$name" "$verb" "$block" "$queue" "$connections" >"$work/one"
            read -r iops latency busy <"$work/one"
            echo "$iops" >>"$work/$name.iops"
            echo "$latency" >>"$work/$name.latency"
            echo "$busy" >>"$work/$name.busy"
            [[ $name == ours ]] && ours=$iops
            echo "$ours $iops" | awk '{ printf "%.2f\n", $1 / $2 }' >>"$work/$name.ratio"
        done
    done
    echo "$verb, blocks of $block, queue $queue, connections $connections:"
    for name in "${names[@]}"; do
        echo "  $name: $(median <"$work/$name.iops") requests a second, p50 $(median <"$work/$name.latency") us," \
            "server's time $(median <"$work/$name.busy") us; ours is $(median <"$work/$name.ratio") times that"
        rm "$work/$name".{iops,latency,busy,ratio}
    done
done
