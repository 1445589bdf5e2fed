#!/usr/bin/env bash
# What the verbs of disks take: benches/disk_verbs.sh [FOLDER [DISKS [ROUNDS]]]. DISKS (10,000) are made, listed and deleted through the
# host's socket, one request after another; a disk of 1 TiB, some of it written, is attached, snapshot and cloned ROUNDS (20) times, and
# one that is full is attached; a disk of 16 TiB is written all over. Wants fio with its nbd engine (Debian: `fio`) and qemu-io
# (`qemu-utils`).
source "$(dirname "$0")/common.sh"
(cd "$here" && cargo build --release --quiet -p oarlock-cli --bin oarlock)
room "${1:-.}"
disks=${2:-10000} rounds=${3:-20}
machine
datastore "$work/store" 1300G
python3 "$here/benches/disk_verbs.py" "$OARLOCK_RUNTIME_DIR/bench/bench.sock" "$disks"

# timed COMMAND...: milliseconds, the program's start included.
timed() {
    local before after
    before=$(date +%s%N)
    "$@" >>"$work/verbs.out"
    after=$(date +%s%N)
    echo "scale=2; ($after - $before) / 1000000" | bc
}

socket=$work/large.sock
load() {
    fio --output="$work/load.out" --name=load --ioengine=nbd --uri="nbd+unix:///$1?socket=$socket" --rw=randwrite --bs=4k --iodepth=32 \
        --randrepeat=0 --norandommap --number_ios="$3" --size="$2"
}
disk large 1T "$socket"
load large 1024g 60000
for _ in $(seq "$rounds"); do "$oarlock" hosts --host bench >>"$work/verbs.out" && timed "$oarlock" hosts --host bench >>"$work/nothing"; done
for round in $(seq "$rounds"); do
    timed "$oarlock" disk detach large --host bench >>"$work/detach"
    timed "$oarlock" disk attach large --nbd "unix:$socket" --host bench >>"$work/attach"
    load large 1024g 2000
    timed "$oarlock" disk snapshot "large@s$round" --host bench >>"$work/snapshot"
    load large 1024g 2000
    timed "$oarlock" disk clone large "clone$round" --host bench >>"$work/clone"
done
echo "a command that asks for next to nothing: $(median <"$work/nothing") ms"
for verb in detach attach snapshot clone; do echo "$verb of 1 TiB: $(median <"$work/$verb") ms"; done

# Full, and without a byte of data on the machine below: each of its clusters has its place, and says that it is zeros.
disk full 1T "$socket.full"
zeroed=()
for at in $(seq 0 1023); do zeroed+=(-c "write -q -z ${at}G 1G"); done
qemu-io -f raw "nbd+unix:///full?socket=$socket.full" "${zeroed[@]}"
for _ in $(seq "$rounds"); do
    for verb in detach "attach --nbd unix:$socket.full"; do
        # shellcheck disable=SC2086 # The verb and its option.
        timed "$oarlock" disk $verb full --host bench >>"$work/full-${verb%% *}"
    done
done
"$oarlock" disk show full --host bench | sed -n 's/^size */of a full disk: /p'
for verb in detach attach; do echo "$verb of a full disk of 1 TiB: $(median <"$work/full-$verb") ms"; done
"$oarlock" disk detach full --host bench >>"$work/verbs.out"
"$oarlock" disk detach large --host bench >>"$work/verbs.out"
resident() { awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$host_pid/status"; }
before=$(resident)
disk vast 16T "$socket"
load vast 16384g 60000
echo "resident memory of the host: $before MiB; after 60,000 writes all over a disk of 16 TiB $(resident) MiB"
