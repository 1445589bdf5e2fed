#!/usr/bin/env bash
# A disk below which a hundred snapshots stand, beside one without any, in one datastore and by turns within a round:
# benches/snapshots.sh [FOLDER [ROUNDS [SECONDS [MEBIBYTES [SNAPSHOTS]]]]]. Wants fio with its nbd engine (Debian: `fio`).
# *Old* is a written disk of which each snapshot is followed by some writes, so that its data lies all over its ancestors: it is read.
# *Own* is the same when it was written once more, so that the disk owns what is written: it is read and written.
source "$(dirname "$0")/common.sh"
(cd "$here" && cargo build --release --quiet -p oarlock-cli --bin oarlock)
room "${1:-.}"
rounds=${2:-7} seconds=${3:-2} size=${4:-512} snapshots=${5:-100}
machine
datastore "$work/store" "$((5 * size + 1024))M"
for name in plain own old; do
    disk "$name" "${size}M" "$work/$name.sock"
    fill "$work/$name.sock" "$name"
done

# some NAME COUNT: so many writes of 64 KiB at random places.
some() {
    fio --output="$work/some.out" --name=some --ioengine=nbd --uri="nbd+unix:///$1?socket=$work/$1.sock" --rw=randwrite --bs=64k --iodepth=8 \
        --randrepeat=0 --number_ios="$2" --size="${size}m"
}

for name in own old; do
    for number in $(seq "$snapshots"); do
        "$oarlock" disk snapshot "$name@s$number" --host bench >>"$work/verbs.out"
        some "$name" "$((size / 16 + 1))"
    done
done
fill "$work/own.sock" own

# rate NAME VERB QUEUE: requests a second.
rate() {
    python3 "$here/benches/exports_load.py" "$host_pid" 0 --rw="$2" --bs=4k --iodepth="$3" --norandommap --randrepeat=0 --size="${size}m" \
        --time_based --runtime="$seconds" --name=load --ioengine=nbd --uri="nbd+unix:///$1?socket=$work/$1.sock" | cut -d' ' -f1
}

for case in old:randread:1 old:randread:32 own:randread:1 own:randread:32 own:randwrite:1 own:randwrite:32; do
    IFS=: read -r name verb queue <<<"$case"
    for round in $(seq "$rounds"); do
        # Who is first changes by turns, for a disk is never the same twice.
        if ((round % 2)); then
            plain=$(rate plain "$verb" "$queue") && it=$(rate "$name" "$verb" "$queue")
        else
            it=$(rate "$name" "$verb" "$queue") && plain=$(rate plain "$verb" "$queue")
        fi
        echo "$plain" >>"$work/plain.rate" && echo "$it" >>"$work/it.rate"
        awk -v it="$it" -v plain="$plain" 'BEGIN { printf "%.3f\n", it / plain }' >>"$work/ratio"
    done
    echo "$name, $verb, queue $queue: $(median <"$work/it.rate") requests a second, plain $(median <"$work/plain.rate"); $(median <"$work/ratio") times that"
    rm "$work"/{plain.rate,it.rate,ratio}
done
