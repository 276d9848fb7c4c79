# SPDX-License-Identifier: MIT
"""The demo's scripted session, on the programs of this build."""
import os
import shutil
import subprocess
import sys
import tempfile

from vcons import BUILD, skip

SOURCE = os.environ.get("VCONS_SOURCE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

probe = subprocess.run([sys.executable, os.path.join(SOURCE, "examples", "linux"), "--probe"], stderr=subprocess.PIPE, text=True,
                       timeout=60)
if probe.returncode != 0:
    skip(probe.stderr.strip())
with tempfile.TemporaryDirectory() as place:
    # As script/demo does: guests of a root run as nobody, who can seldom read what lies below /root.
    for name in ("demo.conf", "linux"):
        shutil.copy(os.path.join(SOURCE, "examples", name), place)
    os.chmod(place, 0o755)
    done = subprocess.run([sys.executable, os.path.join(SOURCE, "script", "lib", "demo.py"), BUILD,
                           os.path.join(place, "demo.conf")], timeout=280)
sys.exit(done.returncode)
