#!/usr/bin/env python3
"""./run COMMAND --help once installed packages and built everything first."""

import os
import subprocess
import sys
import tempfile

BUILD = os.environ["WEFT_BUILD"]
COMMANDS = ["build", "packages", "demo", "chaos", "bench", "simulate", "up", "down", "kafka", "keys",
            "test"]


def run(words, folder):
    """With no build and no way to make one: programs that build are not found."""
    tools = os.path.join(folder, "tools")
    os.makedirs(tools, exist_ok=True)
    for name in ("cmake", "apt-get", "dpkg-query"):
        path = os.path.join(tools, name)
        with open(path, "w") as f:
            f.write("#!/bin/sh\necho run: %s was called >&2\nexit 1\n" % name)
        os.chmod(path, 0o755)
    env = dict(os.environ, WEFT_BUILD=os.path.join(folder, "none"),
               PATH=tools + ":" + os.environ["PATH"])
    done = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, "%s: %s\n%s" % (words, done.returncode, done.stdout)
    assert "was called" not in done.stdout, "%s: %s" % (words, done.stdout)
    return done.stdout


def says(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout


def main():
    with tempfile.TemporaryDirectory() as folder:
        assert "usage" in run(["./run", "help"], folder)
        for command in COMMANDS:
            text = run(["./run", command, "--help"], folder)
            assert "usage: ./run " in text, text
        #  And no build has begun.
        assert not os.path.exists(os.path.join(folder, "none"))
        #  What leads to another mesh is said, and left out.
        os.environ["WEFT__REDIS__ADDRESS"] = "unix:/of/a/live/mesh"
        for command in ("demo", "test", "chaos", "bench", "up"):
            text = run(["./run", command, "--help"], folder)
            assert "WEFT__REDIS__ADDRESS is of another mesh, it is left out" in text, text
        del os.environ["WEFT__REDIS__ADDRESS"]
        keys = run(["./run", "keys", "--help"], folder)
        simulate = run(["./run", "simulate", "--help"], folder)
    there = says(os.path.join(BUILD, "bin/weft"), "keys", "--help")
    assert keys == there.replace("usage: weft", "usage: ./run"), "run's text is another"
    assert simulate == says(os.path.join(BUILD, "tests/sim_main"), "--help")


if __name__ == "__main__":
    sys.exit(main())
