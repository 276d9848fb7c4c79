# SPDX-License-Identifier: MIT
"""Ports of virtio that come, go and are saved, on KVM."""
import os
import subprocess
import sys

import vcons
import virtio_ports

with vcons.Place() as place:
    path = os.path.join(place.root, 'probe.conf')
    with open(path, 'w', encoding='ascii') as f:
        f.write('domain "g" { kernel = "tiny" engine = kvm console "a" { type = virtio } }\n')
    checked = subprocess.run([vcons.program('vcons-vmm'), '--check', path], stderr=subprocess.PIPE, text=True, check=False)
    if checked.returncode == 7:
        vcons.skip(checked.stderr.strip())
    assert checked.returncode == 0, checked.stderr
virtio_ports.play([p for p in virtio_ports.ALL if len(sys.argv) < 2 or p.__name__ in sys.argv[1:]], 'kvm')
