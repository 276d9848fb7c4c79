# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# Debian's bzImage as it stands on the disk, without a file of domains.
. "$CASES/cases/lib.sh"
ramdisk initrd
chat -t 120 shown vcons run --private -k /l2/bzImage -i ./initrd -a "console=hvc0 quiet" -m 256 <<'END'
see guest: up
see guest# 
type cat /sys/hypervisor/type\r
see \nxen\r\n
type poweroff -f\r
see powered off
end 0
END
