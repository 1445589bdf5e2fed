#!/usr/bin/env bash
# Rates of bare ATS, locks and beats, at queue 1 and 32, on one file: benches/rates.sh [FOLDER [ROUNDS [SECONDS]]]
# Rounds are interleaved, and ratios taken within a round, so that what else the machine does falls on all alike.
source "$(dirname "$0")/common.sh"
begin "${1:-.}"
rounds=${2:-7} seconds=${3:-3}
machine
"$oarlock" format "$work/pool.img" --name bench --size 256M >/dev/null 2>&1
rate() { "$oarlock" bench "$1" "$work/pool.img" --depth "$2" --for "${seconds}s" --json 2>/dev/null | tee "$work/last" | field operations_per_second; }
for depth in 1 32; do
    for _ in $(seq "$rounds"); do
        before=$(rate ats "$depth")
        field p50_us <"$work/last" >>"$work/ats-p50.$depth"
        pairs=$(rate lock "$depth")
        field p50_us <"$work/last" >>"$work/lock-p50.$depth"
        field ios_per_operation <"$work/last" >>"$work/ios.$depth"
        after=$(rate ats "$depth")
        rate beat "$depth" >>"$work/beat.$depth"
        printf '%s\n%s\n' "$before" "$after" >>"$work/ats.$depth"
        echo "$pairs" >>"$work/lock.$depth"
        # The bare rate of the round is the mean of the measurement before and the one after the locks.
        echo "$before $pairs $after" | awk '{ printf "%.1f\n", 100 * $2 / (($1 + $3) / 4) }' >>"$work/share.$depth"
    done
    echo "queue $depth:"
    echo "  ATS a second               $(median <"$work/ats.$depth")"
    echo "  ATS, p50 in us             $(median <"$work/ats-p50.$depth")"
    echo "  lock pairs a second        $(median <"$work/lock.$depth")"
    echo "  pair, p50 in us            $(median <"$work/lock-p50.$depth")"
    echo "  commands a pair            $(median <"$work/ios.$depth")"
    echo "  pairs, % of half the ATS   $(median <"$work/share.$depth")"
    echo "  beats a second             $(median <"$work/beat.$depth")"
done
