#!/usr/bin/env python3
"""A data folder on a full disk: ingest says so and ends, and starts when there is
room. It died of SIGBUS, as its file of the packet in hand is mapped."""

import os
import subprocess
import sys

import mesh
from mesh import BUILD, Mesh, check, free_port, said, wait_for
from small_disk import SmallDisk

PAGE = 4096


def full_disk(m):
    """One page, and that is taken."""
    disk = SmallDisk(m, PAGE, "ingest")
    with open(os.path.join(disk.path, "fill"), "wb") as f:
        f.write(b"x" * PAGE)
    return disk


def ingest(m, disk):
    subprocess.run([os.path.join(BUILD, "bin", "weft"), "sim", "--seed", "9",
                    "--alerts", "20", "--out", m.path("sim"), "--quiet"], check=True)
    return m.add("ingest", os.path.join(BUILD, "bin", "weft-ingest"), {
        "service": {"data_dir": disk.path},
        "link": {"bind": "127.0.0.1:%d" % free_port(), "outputs": ["sink"]},
        "options": {"inputs": [m.path("sim/alerts")], "stay": True, "store": "off"}})


def refuses(one, disk):
    one.start()
    code = one.wait()
    check(code == 2, "exit %s" % code)
    text = said(one, "INGEST-HAND-BAD", "No space left on device", "make room")
    check(disk.path in text, "which folder? %s" % text)


def it_is_said_and_mended():
    with Mesh("a full data folder is said", redis=True) as m:
        with full_disk(m) as disk:
            one = ingest(m, disk)
            refuses(one, disk)
            disk.resize(16 * PAGE)
            one.start()
            wait_for(lambda: one.events("INGEST-OPEN"), 60, "it starts")


def a_file_without_blocks():
    """As an ingest has left it that did not ask for room."""
    with Mesh("a full data folder that has the file", redis=True) as m:
        with full_disk(m) as disk:
            one = ingest(m, disk)
            with open(os.path.join(disk.path, "ingest-1-of-1.hand"), "wb") as f:
                f.truncate(PAGE)
            refuses(one, disk)


def can_mount():
    with Mesh("a small disk") as m:
        try:
            with SmallDisk(m, PAGE):
                return True
        except PermissionError:
            return False


if not can_mount():
    print("SKIP: only root can mount a small disk")
    sys.exit(77)
mesh.main([it_is_said_and_mended, a_file_without_blocks])
