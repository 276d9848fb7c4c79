# SPDX-License-Identifier: MIT
"""The whole-program tests once more, for the build in which the thread sanitizer watches the threads of VMM and service."""
import os
import runpy

for name in ("terminal", "domains", "exact", "rule_breakers"):
    runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), f"test_{name}.py"), run_name="__main__")
    print("ok", name, flush=True)
