#!/usr/bin/env python3
"""Runs the test suites and ends with `N passed, N failed, N skipped`.

./run test calls this after the build. Every suite is counted test by test;
a skip is named with its reason.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time

import suites

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD") or ROOT / "build")


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def note(self, name, verdict, detail="", seconds=0.0):
        setattr(self, verdict, getattr(self, verdict) + 1)
        word = {"passed": "ok  ", "failed": "FAIL", "skipped": "SKIP"}[verdict]
        print(f"{word} {name} ({seconds:.1f} s){': ' + detail if detail else ''}", flush=True)


def run_ctest(count, labels):
    cases, why = suites.run(BUILD, ["-L", labels])
    if why:
        count.note("ctest", "failed", why)
    for case in cases:
        if case.verdict == "failed":
            print(suites.last_words("", case))
        count.note(case.name, case.verdict,
                   suites.skip_reason(case.text) if case.verdict == "skipped" else "",
                   case.seconds)
        for why in suites.parts_left_out(case):
            count.note(case.name + ", a part", "skipped", why)


def run_command(count, name, command, timeout):
    start = time.time()
    try:
        result = subprocess.run(command, cwd=ROOT, timeout=timeout, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text, code = result.stdout, result.returncode
    except subprocess.TimeoutExpired as late:
        text, code = (late.stdout or b"").decode(errors="replace"), -1
        text += f"\nnot done after {timeout} s"
    seconds = time.time() - start
    if code == 77:
        count.note(name, "skipped", suites.skip_reason(text), seconds)
    elif code:
        print(text[-8000:])
        count.note(name, "failed", f"exit {code}", seconds)
    else:
        lines = text.strip().splitlines()
        count.note(name, "passed", lines[-1] if lines else "", seconds)


def main():
    parser = argparse.ArgumentParser(prog="./run test", description=__doc__)
    parser.add_argument("--unit", action="store_true",
                        help="only the suites that need no server (unit, contract, regress)")
    options = parser.parse_args()
    count = Count()
    run_ctest(count, "unit|contract|regress")
    if not options.unit:
        run_ctest(count, "integration")
        run_command(count, "simulation/10-seconds",
                    [str(BUILD / "tests" / "sim_main"), "--seconds", "10"], 60)
        run_command(count, "chaos/20-seconds",
                    [sys.executable, "tests/chaos/chaos.py", "--seconds", "20"], 240)
    print(f"{count.passed} passed, {count.failed} failed, {count.skipped} skipped")
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
