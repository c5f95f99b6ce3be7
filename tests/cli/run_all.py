"""Runs every test of this folder: run_all.py ACCSIM [TRACES]. Each test program can also be run alone, with the same arguments."""

import os
import subprocess
import sys
import time

here = os.path.dirname(os.path.abspath(__file__))
passed = failed = 0
for name in sorted(os.listdir(here)):
    if not name.startswith("test_"):
        continue
    start = time.monotonic()
    ran = subprocess.run([sys.executable, os.path.join(here, name), *sys.argv[1:]], stdout=subprocess.PIPE, text=True, check=False)
    print(ran.stdout, end="")
    lines = ran.stdout.splitlines() or [""]
    words = lines[-1].split()
    if len(words) == 4 and words[1] == "passed,":
        passed, failed = passed + int(words[0]), failed + int(words[2])
    else:
        failed += 1
    print("%s: %.1f s" % (name, time.monotonic() - start), flush=True)
print("%d passed, %d failed" % (passed, failed))
sys.exit(1 if failed else 0)
