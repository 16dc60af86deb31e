#!/usr/bin/env python3
"""Golden link headers against the reader in Python: every good one is read,
every hostile one is Broken. Uses Debian's python3-zmq; skips (77) without it.
"""

import os
import sys

ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
)
sys.path.insert(0, os.path.join(ROOT, "proto", "python"))

try:
    import weft_branches as wb
except ImportError:
    # Another Python may come first in PATH; Debian's has Debian's modules.
    debian = "/usr/bin/python3"
    if os.path.exists(debian) and os.environ.get("WEFT_REEXEC") != "1":
        os.environ["WEFT_REEXEC"] = "1"
        os.execv(debian, [debian] + sys.argv)
    print("SKIP: no module zmq (Debian: python3-zmq)")
    sys.exit(77)


def is_read(head):
    """By the side that it is for, as its type says."""
    upstream = len(head) > 3 and head[3] >= 0x80
    try:
        wb.unpack(wb.UPSTREAM if upstream else wb.WORKER, head)
    except wb.Broken:
        return False
    return True


def check_file(name, good):
    count = failures = 0
    path = os.path.join(ROOT, "proto", "vectors", name)
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#") or not line.strip():
                continue
            count += 1
            columns = line.split("|")
            if is_read(bytes.fromhex(columns[-1])) != good:
                failures += 1
                print(f"FAILED: {columns[0]}: "
                      f"{'not read' if good else 'read'}")
    print(f"{name}: {count} headers, {failures} failed")
    return failures or not count


if __name__ == "__main__":
    sys.exit(bool(check_file("link.v1.good.txt", True) +
                  check_file("link.v1.bad.txt", False)))
