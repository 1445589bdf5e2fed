#!/usr/bin/env bash
# Makes, in the folder that is its argument and has the packages unpacked, `initiator.gz`: a small Linux in memory with open-iscsi,
# sg3_utils, multipath-tools, udev and the tools of ext4. It runs what comes by its second serial line (init.sh).
set -euo pipefail
init=$(realpath "$2")
cd "$1"
if [[ -e initiator.gz ]]; then exit 0; fi
rm -rf root
unpacked=$PWD/unpacked
mkdir -p root/{bin,sbin,dev,proc,sys,run,tmp,mnt,lib64,usr,var/lib/iscsi,etc/iscsi,etc/multipath}
mkdir -p root/lib/{x86_64-linux-gnu,multipath,systemd,udev,modules}
export LD_LIBRARY_PATH=$unpacked/lib:$unpacked/lib/x86_64-linux-gnu:$unpacked/usr/lib/x86_64-linux-gnu

# A program, and the libraries that it names: the packages' own where they are there, else those of this machine.
add() {
    cp "$1" "root/$2/"
    { ldd "$1" 2>/dev/null || true; } | awk '$2 == "=>" { print $3 } $1 ~ /^\/lib64/ { print $1 }' |
        while read -r library; do
            case $library in
            /lib64/*) cp --no-clobber --dereference "$library" root/lib64/ ;;
            *) cp --no-clobber --dereference "$library" root/lib/x86_64-linux-gnu/ ;;
            esac
        done
}
cp unpacked/bin/busybox root/bin/
for name in $(unpacked/bin/busybox --list); do
    case $name in
    busybox | init | fstrim | modprobe | insmod | rmmod | lsmod | depmod | modinfo) ;;
    *) ln -s busybox "root/bin/$name" ;;
    esac
done
add unpacked/bin/kmod bin
ln -s kmod root/bin/modprobe
add unpacked/bin/udevadm bin
ln -s ../../bin/udevadm root/lib/systemd/systemd-udevd
cp -r unpacked/lib/udev/rules.d root/lib/udev/
for program in unpacked/usr/bin/sg_*; do add "$program" bin; done
for program in scsi_id kpartx_id; do if [[ -e unpacked/lib/udev/$program ]]; then add "unpacked/lib/udev/$program" lib/udev; fi; done
for program in iscsid iscsiadm multipath multipathd dmsetup mke2fs e2fsck fstrim; do add unpacked/sbin/$program sbin; done
ln -s mke2fs root/sbin/mkfs.ext4
for library in unpacked/lib/multipath/*.so; do add "$library" lib/multipath; done
# Loaded by name, when a thread ends.
cp --dereference /lib/x86_64-linux-gnu/libgcc_s.so.1 root/lib/x86_64-linux-gnu/

release=$(basename unpacked/lib/modules/*)
ln -sf kmod unpacked/bin/depmod
unpacked/bin/depmod -b unpacked "$release"
modules=(virtio_pci virtio_net iscsi_tcp sd_mod sg dm-multipath dm-service-time scsi_dh_alua crc32c_generic ext4)
for module in "${modules[@]}"; do
    # A module, and those that it stands on.
    for file in $(grep -E "/$module\.ko:" "unpacked/lib/modules/$release/modules.dep" | tr -d :); do
        mkdir -p "root/lib/modules/$release/$(dirname "$file")"
        cp --no-clobber "unpacked/lib/modules/$release/$file" "root/lib/modules/$release/$file"
    done
done
cp unpacked/lib/modules/"$release"/modules.{dep,builtin,order,alias,symbols} "root/lib/modules/$release/"
printf '%s\n' "${modules[@]}" >root/etc/modules

cp unpacked/etc/iscsi/iscsid.conf root/etc/iscsi/
# open-iscsi's daemon looks its peer up.
echo 'root:x:0:0:root:/:/bin/sh' >root/etc/passwd
number=0
for group in root disk tty kmem input audio video lp cdrom dialout sgx kvm render tape; do
    echo "$group:x:$number:" >>root/etc/group
    number=$((number + 1))
done
cp "$init" root/init
chmod +x root/init
(cd root && find . | ../unpacked/bin/busybox cpio -o -H newc 2>/dev/null | gzip -1 >../initiator.gz.new)
mv initiator.gz.new initiator.gz
