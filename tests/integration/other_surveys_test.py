#!/usr/bin/env python3
"""Packets of surveys that Weft does not know are refused by name, each of them."""

import collections
import json
import os
import subprocess
import sys

BUILD = os.environ.get("WEFT_BUILD", "build/debug")
WEFT = os.path.join(os.environ.get("WEFT_BIN", os.path.join(BUILD, "bin")), "weft")
UNPACK = "../shared/data/unpack"
# Counts of the pack's README.
PACKETS = {"winter.alert": 17, "turbo.alert": 12, "pgir.alert": 10, "desirt.alert": 2,
           "askap.alert": 1, "rapid.v00_02.alert": 1}


def main():
    if not os.path.exists(UNPACK):
        print("SKIP: no data packs in ../shared/data")
        return 77
    data = os.path.join(BUILD, "data")
    subprocess.run([UNPACK, data, "other_surveys", "schemas"], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run([WEFT, "peek", "--schemas", os.path.join(data, "schemas"),
                           os.path.join(data, "other_surveys")], stdout=subprocess.PIPE, check=False)
    assert done.returncode == 3, done.returncode
    said = collections.Counter(json.loads(line).get("refused", "decoded")
                               for line in done.stdout.splitlines())
    want = {f"schema {name} is of no survey that Weft knows, and no mapping file says whose fields it has": n for name, n in PACKETS.items()}
    assert dict(said) == want, said
    return 0


if __name__ == "__main__":
    sys.exit(main())
