# SPDX-License-Identifier: MIT
"""The viewers' and the hostile links' tests once more, for the thread sanitizer: append thread against control thread."""
import os
import runpy
import sys

here = os.path.dirname(os.path.abspath(__file__))
for name in ("viewers", "token", "hostile_link"):
    try:
        runpy.run_path(os.path.join(here, f"test_{name}.py"), run_name="__main__")
    except SystemExit as end:
        if end.code:
            sys.exit(end.code)
