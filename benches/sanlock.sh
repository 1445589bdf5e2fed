#!/usr/bin/env bash
# Lock pairs beside sanlock's, on two plain files of one file system: benches/sanlock.sh [FOLDER [ROUNDS [SECONDS]]]
# Wants sanlock and its Python module (Debian: sanlock, python3-sanlock), a C compiler, and root, as sanlock's daemon does.
source "$(dirname "$0")/common.sh"
begin "${1:-.}"
rounds=${2:-5} seconds=${3:-4}
sanlock=$(command -v sanlock || echo /usr/sbin/sanlock)
python=${SANLOCK_PYTHON:-/usr/bin/python3}
machine
echo "sanlock $("$sanlock" version 2>/dev/null | head -1)"
# The daemon raises its limit of locked memory, and ends where it may not; here nothing is lost without it.
cat >"$work/limit.c" <<'C'
#include <sys/resource.h>
int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) { (void)resource; (void)limit; return 0; }
C
cc -shared -fPIC -o "$work/limit.so" "$work/limit.c"
mkdir "$work/sanlock"
export SANLOCK_RUN_DIR=$work/sanlock
# -D keeps it in the foreground, -w 0 leaves the watchdog alone, -l 0 and -h 0 ask for neither mlock nor priority.
start env LD_PRELOAD="$work/limit.so" "$sanlock" daemon -D -l 0 -h 0 -w 0 -U root -G root -e host1 >/dev/null 2>&1
sleep 1
here_pairs=$here/benches/sanlock_pairs.py
"$python" "$here_pairs" join "$work"
"$oarlock" format "$work/pool.img" --name bench --size 256M >/dev/null 2>&1
pairs() { "$oarlock" bench lock "$work/pool.img" --depth "$1" --for "${seconds}s" --json 2>/dev/null | field operations_per_second; }
for _ in $(seq "$rounds"); do
    theirs=$("$python" "$here_pairs" pairs "$work" 1 "$seconds")
    ours=$(pairs 1)
    theirs_deep=$("$python" "$here_pairs" pairs "$work" 32 "$seconds")
    ours_deep=$(pairs 32)
    echo "$theirs" >>"$work/theirs.1"; echo "$ours" >>"$work/ours.1"
    echo "$theirs_deep" >>"$work/theirs.32"; echo "$ours_deep" >>"$work/ours.32"
    echo "$ours $theirs" | awk '{ print $1 / $2 }' >>"$work/ratio.1"
    echo "$ours_deep $theirs" | awk '{ print $1 / $2 }' >>"$work/ratio.32-1"
    echo "$ours_deep $theirs_deep" | awk '{ print $1 / $2 }' >>"$work/ratio.32"
done
echo "sanlock, 1 in flight:  $(median <"$work/theirs.1") pairs a second"
echo "sanlock, 32 in flight: $(median <"$work/theirs.32")"
echo "oarlock, 1 in flight:  $(median <"$work/ours.1")"
echo "oarlock, 32 in flight: $(median <"$work/ours.32")"
echo "ratio, 1 against 1:    $(median <"$work/ratio.1")"
echo "ratio, 32 against 1:   $(median <"$work/ratio.32-1")"
echo "ratio, 32 against 32:  $(median <"$work/ratio.32")"
