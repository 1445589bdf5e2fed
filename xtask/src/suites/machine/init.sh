#!/bin/sh
# The first process of the initiator's machine: brings up what is in its memory, and then runs each line that comes by the second serial
# line, and says there what it said and how it ended (shell.rs reads that).
export PATH=/sbin:/bin
mount -t proc process /proc
mount -t sysfs system /sys
mount -t devtmpfs devices /dev
mount -t tmpfs run /run
mkdir -p /run/lock/iscsi /run/multipath /var/lib
ln -s /run /var/run
ln -s /run/lock /var/lock
exec 3<>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo
/lib/systemd/systemd-udevd --daemon
while read -r module; do modprobe "$module"; done </etc/modules
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
ifconfig eth1 10.0.3.15 netmask 255.255.255.0 up
cd /tmp || exit 1
echo '=== 0' >&3
while read -r line <&3; do
    sh -c "$line" >/run/said 2>&1 </dev/null
    ended=$?
    cat /run/said >&3
    printf '\n=== %s\n' $ended >&3
done
