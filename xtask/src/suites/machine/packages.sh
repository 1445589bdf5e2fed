#!/usr/bin/env bash
# Unpacks, in the folder that is its argument, the packages of Debian that virtual machines are made of: `qemu` and `qemu-img` start
# what is there of QEMU, which knows iscsi://. Nothing is installed: QEMU's packages of Debian and those of a newer QEMU's tools exclude each other.
set -euo pipefail
cd "$1"
if [[ -e qemu-img ]]; then exit 0; fi
rm -rf packages unpacked
mkdir packages unpacked
qemu=$(apt-get -s install --no-install-recommends qemu-system-x86 | awk '/^Inst/ { print $2 }')
# Its modules and its tools are of one version, or they do not know each other.
version=$(apt-cache policy qemu-block-extra | awk '/Candidate:/ { print $2 }')
kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends:/ { print $2 }')
tools=("qemu-utils=$version" "qemu-block-extra=$version" libiscsi7 libnfs13)
boot=(busybox-static extlinux syslinux-common)
initiator=(open-iscsi libopeniscsiusr libisns0 sg3-utils libsgutils2-1.46-2 kmod libkmod2 multipath-tools liburcu8 udev libudev1)
initiator+=(dmsetup libdevmapper1.02.1 libaio1 e2fsprogs libext2fs2 util-linux)
# shellcheck disable=SC2086 # Words, each a package.
(cd packages && apt-get download -q $qemu "$kernel" "${tools[@]}" "${boot[@]}" "${initiator[@]}")
for package in packages/*.deb; do dpkg -x "$package" unpacked; done
share=$PWD/unpacked/usr/share libraries=$PWD/unpacked/usr/lib/x86_64-linux-gnu
program() {
    cat >"$1" <<END
#!/usr/bin/env bash
# What is installed already was not unpacked.
if ! [[ -e $PWD/unpacked/usr/bin/${2%% *} ]]; then exec ${2%% *} "\$@"; fi
export LD_LIBRARY_PATH=$libraries QEMU_MODULE_DIR=$libraries/qemu
exec $PWD/unpacked/usr/bin/$2 "\$@"
END
    chmod +x "$1"
}
program qemu "qemu-system-x86_64 -L $share/qemu -L $share/seabios -L $PWD/unpacked/usr/lib/ipxe/qemu"
program qemu-img qemu-img
