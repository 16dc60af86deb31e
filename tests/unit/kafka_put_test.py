#!/usr/bin/env python3
"""./run kafka put sends the files that weft peek can read, in the same order."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.abspath("tests/kafka"))
from kafka import files_under  # noqa: E402

WEFT = os.path.join(os.environ["WEFT_BIN"], "weft")
NAMES = ("b.avro", "a/z", "a-1", "a/B/x", "a/.hidden", ".unpacked", ".git/x")


def main():
    with tempfile.TemporaryDirectory() as folder:
        top = pathlib.Path(folder, "top")
        for name in NAMES:
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text("x")
        (top / "gone").symlink_to(top / "nowhere")
        (top / "link").symlink_to(top / "a", target_is_directory=True)
        said = subprocess.run([WEFT, "peek", top], stdout=subprocess.PIPE, check=False)
        peeked = [json.loads(line)["path"] for line in said.stdout.splitlines()]
        assert len(peeked) == 7, peeked
        #  A link that leads nowhere is told of by peek, and has no bytes to be put.
        peeked.remove(str(top / "gone"))
        assert [str(path) for path in files_under(top)] == peeked, (files_under(top), peeked)


if __name__ == "__main__":
    sys.exit(main())
