# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# What the arm64 engine does not take: damaged kernels and other machines', too little memory, too many vCPUs: one line each.
. "$CASES/cases/lib.sh"

# refused KERNEL LINES TEXT - with these lines in its block
refused() {
    local status=0
    printf 'domain "d" { kernel = "%s" engine = kvm %s }\n' "$1" "$2" >no.conf
    timeout 60 vcons-vmm no.conf </dev/null >out 2>&1 || status=$?
    [ $status = 2 ] || [ $status = 1 ] || { cat out; fail "$1: status $status"; }
    has out "$3"
    [ "$(wc -l <out)" = 1 ] || { cat out; fail "$1: more than a line"; }
}

cp /l2/Image whole
head -c 10000000 whole >cut
gzip -1 -c whole >whole.gz
head -c 3000000 whole.gz >cut.gz
cp whole.gz broken.gz
printf '\0\0\0\0\0\0\0\0' | dd of=broken.gz bs=1 seek=3000000 conv=notrunc 2>/dev/null
cp "$CASES/bin/vcons" elf
head -c 100000 /dev/zero >zeros
printf 'HdrS' | dd of=zeros bs=1 seek=514 conv=notrunc 2>/dev/null
: >empty
refused ./cut "" "damaged kernel: the file has been cut off"
refused ./cut.gz "memory = 256M" "damaged kernel"
refused ./broken.gz "memory = 256M" "damaged kernel"
refused ./elf "" "expected the Image or Image.gz"
refused ./zeros "" "an x86_64 kernel; this machine is arm64"
refused ./empty "" "no arm64 kernel"
refused ./nonesuch "" "nonesuch"
refused ./whole "memory = 16M" "the domain has 16"
refused ./whole "vcpus = 17" "at most 16 on arm64"
refused ./whole "ramdisk = \"$PWD/none\"" "none"
