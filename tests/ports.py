"""Ports for tests, several of which run at a time.

Drawn below the range of outgoing connections, which would take them between
two lives of a service, and held by a lock file until this program ends, so
that no other test program is given the same one.
"""

import fcntl
import os
import random
import socket
import tempfile

LOW, HIGH = 20000, 32000
OUTGOING = 32768  # the kernel's own begin here
HELD = []  # open lock files


def take(port):
    """Locks a port that nobody listens on; None if it is somebody's."""
    folder = os.path.join(tempfile.gettempdir(), "weft-ports-%d" % os.getuid())
    os.makedirs(folder, exist_ok=True)
    lock = open(os.path.join(folder, str(port)), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as s:
            s.bind(("127.0.0.1", port))
        return lock
    except OSError:
        lock.close()
        return None


def free_port(low=LOW, high=HIGH):
    for _ in range(10000):
        port = random.SystemRandom().randrange(low, high)
        lock = take(port)
        if lock:
            HELD.append(lock)
            return port
    raise RuntimeError("no free port from %d to %d" % (low, high))
