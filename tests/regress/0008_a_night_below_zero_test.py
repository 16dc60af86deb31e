#!/usr/bin/env python3
"""A night below zero was taken for an option: `invalid option -- '5'`, and no word of
how to say it; said right, it was refused all the same."""

import os
import subprocess
import sys

WEFT = os.path.join(os.environ["WEFT_BIN"], "weft")


def weft(code, *words):
    done = subprocess.run([WEFT, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == code, (words, done.returncode, done.stderr)
    return done.stderr.splitlines()[-1]


def main():
    nowhere = "unix:/nowhere/redis.sock"
    for words in (("replay", "-57", "--store", "x"), ("replay", "--resume", "-57", "x"), ("why", "f", "-57")):
        said = weft(2, *words)
        assert said == ("weft %s: numbers below zero go behind all options and --: weft %s [OPTION...] -- -57"
                        % (words[0], words[0])), said
    said = weft(1, "replay", "--store", "x", "--redis", nowhere + "?db=3", "--", "-57")
    assert "night=-57" in said and "no such folder" in said, said
    #  Other mistakes are not taken for this one.
    for words in (("replay", "--no-such", "57"), ("replay", "--", "-0", "x"), ("ledger", "-x")):
        said = weft(2, *words)
        assert "below zero go" not in said, said
    return 0


if __name__ == "__main__":
    sys.exit(main())
