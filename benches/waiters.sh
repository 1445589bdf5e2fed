#!/usr/bin/env bash
# Many hosts that want one lock all the time (benches/waiters.rs): benches/waiters.sh [FOLDER [HOSTS [ROUNDS [SECONDS]]]]
source "$(dirname "$0")/common.sh"
begin "${1:-.}"
hosts=${2:-64} rounds=${3:-5} seconds=${4:-20}
machine
"$oarlock" format "$work/pool.img" --name bench --size 256M --slots "$hosts" >/dev/null 2>&1
for _ in $(seq "$rounds"); do "$built/examples/waiters" "$work/pool.img" "$hosts" "$seconds"; done
