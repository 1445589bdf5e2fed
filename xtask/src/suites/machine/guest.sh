#!/usr/bin/env bash
# Makes, in the folder that is its argument and has the packages unpacked, the disk of a virtual machine, `guest.raw`. That boots by itself
# (firmware, boot loader, kernel) and then writes and syncs files for ever: it says `found N` when it comes up, `spoiled I` of a file that
# is not as it wrote it, and `synced I` of each that is.
set -euo pipefail
cd "$1"
if [[ -e guest.raw ]]; then exit 0; fi
rm -rf early mounted
mkdir mounted

# What the kernel needs to find its disk.
busybox=$PWD/unpacked/bin/busybox
mkdir -p early/{bin,modules,dev,root}
cp "$busybox" early/bin/
modules=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk crc16 mbcache crc32c_generic jbd2 ext4)
for module in "${modules[@]}"; do find unpacked/lib/modules -name "$module.ko" -exec cp {} early/modules/ \; ; done
cat >early/init <<END
#!/bin/busybox sh
for module in ${modules[*]}; do busybox insmod /modules/\$module.ko; done
busybox mount -t devtmpfs devices /dev
busybox mount -t ext4 /dev/vda1 /root
exec busybox switch_root /root /init
END
chmod +x early/init
(cd early && find . | "$busybox" cpio -o -H newc 2>/dev/null | gzip -1 >../early.gz)

# The disk: one partition from the second MiB on, which is bootable.
size=$((128 << 20)) start=2048
truncate -s "$size" guest.raw.new
dd if=unpacked/usr/lib/syslinux/mbr/mbr.bin of=guest.raw.new conv=notrunc status=none
little_endian() { printf "\\\\x%02x\\\\x%02x\\\\x%02x\\\\x%02x" $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24)); }
# shellcheck disable=SC2059 # The bytes are the format.
printf "\\x80\\0\\0\\0\\x83\\0\\0\\0$(little_endian $start)$(little_endian $((size / 512 - start)))" |
    dd of=guest.raw.new bs=1 seek=446 conv=notrunc status=none
printf '\x55\xaa' | dd of=guest.raw.new bs=1 seek=510 conv=notrunc status=none
device=$(losetup --find --show --offset $((start * 512)) guest.raw.new)
trap 'umount mounted 2>/dev/null || true; losetup --detach "$device"' EXIT
# The boot loader reads neither of these features.
mkfs.ext4 -q -O ^64bit,^metadata_csum "$device"
mount "$device" mounted
mkdir -p mounted/{bin,dev,proc,data}
cp unpacked/boot/vmlinuz-* mounted/vmlinuz
cp early.gz mounted/early.gz
cp "$busybox" mounted/bin/
for name in sh mount yes head cmp sync sleep cat; do ln -s busybox "mounted/bin/$name"; done
printf 'DEFAULT guest\nLABEL guest\n  KERNEL /vmlinuz\n  INITRD /early.gz\n  APPEND console=ttyS0 quiet panic=-1\n' >mounted/extlinux.conf
cat >mounted/init <<'END'
#!/bin/sh
export PATH=/bin
mount -t proc process /proc
mount -t devtmpfs devices /dev
cd /data
content() { yes "file $1" | head -c 20000; }
number=0
while [ -f $number ]; do
    content $number | cmp -s - $number || echo "spoiled $number"
    number=$((number + 1))
done
echo "found $number"
while true; do
    content $number >$number
    sync
    echo "synced $number"
    number=$((number + 1))
    sleep 0.1
done
END
chmod +x mounted/init
unpacked/usr/bin/extlinux --install mounted >extlinux.out 2>&1
umount mounted
mv guest.raw.new guest.raw
