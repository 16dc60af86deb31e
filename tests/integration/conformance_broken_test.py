#!/usr/bin/env python3
"""`weft conformance` names the rule that a worker breaks, each of them.

The workers are tests/stages/broken_stage.py: the Python stage with one thing
wrong. Eight runs at a time. Names of rules on the command line: only those.
"""

import concurrent.futures
import os
import subprocess
import sys

from conformance_stages_test import PYTHON, conformance, stage_of
from mesh import Mesh, check, free_port, main

STAGE = os.path.abspath("tests/stages/broken_stage.py")


def rules_of(name, outputs):
    """The rules that are named for this worker."""
    with Mesh("broken " + name) as m:
        ports, bind = [free_port(), free_port()], free_port()
        stage = stage_of(m, name, STAGE, ports, bind, outputs,
                         link={"stall_ms": 20000})
        stage.env["WEFT_BREAK"] = name
        stage.start()
        words = [",".join("127.0.0.1:%d" % p for p in ports), "--patience",
                 "20" if name == "beat" else "10"]
        if outputs:
            words += ["--sink", "127.0.0.1:%d" % bind, "--outputs",
                      ",".join(outputs), "--contract", "features.v1"]
        code, said = conformance(*words, seconds=280)
        found = {line.split()[1].rstrip(":") for line in said.splitlines()
                 if line.startswith("rule ")}
        rule = name.replace("_", "-")
        check(code == 3, "exit %d: %s" % (code, said))
        check(rule in found, "not named: %s" % said)
        return found


def broken_workers():
    listing = subprocess.run([STAGE, "--list"], stdout=subprocess.PIPE,
                             text=True, check=True).stdout.splitlines()
    names = [line.split()[0] for line in listing]
    names = [n for n in names if not WANTED or n in WANTED]
    middle = {"custody", "worst", "forward", "section"}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = {n: pool.submit(rules_of, n, ["a", "b"] if n in middle else [])
                for n in names}
        failed = [n for n, run in runs.items() if run.exception()]
    for n, run in runs.items():
        if run.exception():
            print("     %s: %s" % (n, run.exception()))
        elif len(run.result()) > 1:
            print("     %s: also %s" % (n, ", ".join(
                sorted(run.result() - {n.replace("_", "-")}))))
    if failed:
        raise AssertionError("not named: " + ", ".join(failed))


if __name__ == "__main__":
    if subprocess.run([PYTHON, "-c", "import zmq, msgpack"],
                      stderr=subprocess.DEVNULL).returncode:
        print("SKIP: python3-zmq and python3-msgpack are not installed")
        sys.exit(77)
    WANTED = sys.argv[1:]
    del sys.argv[1:]
    main([broken_workers])
