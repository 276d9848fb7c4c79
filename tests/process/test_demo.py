# SPDX-License-Identifier: MIT
"""The demo's scripted session, on the programs of this build."""
import os
import subprocess
import sys

from vcons import BUILD, skip

SOURCE = os.environ.get("VCONS_SOURCE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

probe = subprocess.run([sys.executable, os.path.join(SOURCE, "examples", "linux"), "--probe"], stderr=subprocess.PIPE, text=True,
                       timeout=60)
if probe.returncode != 0:
    skip(probe.stderr.strip())
sys.exit(subprocess.run([sys.executable, os.path.join(SOURCE, "script", "lib", "demo.py"), BUILD,
                         os.path.join(SOURCE, "examples", "demo.conf")], timeout=280).returncode)
