#!/usr/bin/env python3
"""A service that was started with descriptors 0 to 2 closed wrote its log into
the first socket that it opened: Redis took log lines for commands."""

import os
import subprocess
import sys
import tempfile
import time

BIN = os.environ["WEFT_BIN"]


def standard_files(process):
    """Where its descriptors 0 to 2 lead, once it has others."""
    folder = "/proc/%d/fd" % process.pid
    end = time.monotonic() + 240
    while time.monotonic() < end and process.poll() is None:
        if len(os.listdir(folder)) > 4:
            return [os.readlink("%s/%d" % (folder, fd)) for fd in range(3)]
        time.sleep(0.02)
    raise AssertionError("it has ended, or opens nothing")


def close_all():
    for fd in range(3):
        os.close(fd)


def main():
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [os.path.join(BIN, "weft-feature")], preexec_fn=close_all,
            env={**os.environ, "WEFT__HTTP__ADDRESS": "", "WEFT__SERVICE__DATA_DIR": folder,
                 "WEFT__REDIS__ADDRESS": "unix:" + folder + "/redis.sock", "WEFT__LINK__BIND": "127.0.0.1:0",
                 "WEFT__LINK__UPSTREAMS": "127.0.0.1:1"})
        try:
            found = standard_files(process)
        finally:
            process.kill()
            process.wait()
    assert found == ["/dev/null"] * 3, found
    return 0


if __name__ == "__main__":
    sys.exit(main())
