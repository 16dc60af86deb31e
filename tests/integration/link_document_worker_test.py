#!/usr/bin/env python3
"""The worker of proto/link.v1.md, section 8, as it is printed there.

Two of them drink from a real source; one is killed in the middle. What the
document says is then enough to write a worker in another language.
"""

import os
import re
import subprocess
import sys
import time

import mesh
from mesh import Mesh, check, free_port, outcomes

sys.path.insert(0, os.path.join(os.getcwd(), "tests"))
import venvs  # noqa: E402


def skip(why):
    print("SKIP: " + why)
    sys.exit(77)


def python_with_zmq():
    """An interpreter that has pyzmq: Debian's, else one of our own."""
    for ready in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(ready) and subprocess.run(
                [ready, "-c", "import zmq"],
                stderr=subprocess.DEVNULL).returncode == 0:
            return ready
    python = venvs.python_with("venv-zmq", zmq="pyzmq")
    if not python:
        skip("pyzmq cannot be installed from the package index")
    return str(python)


def write_worker(path):
    with open("proto/link.v1.md") as f:
        code = re.search(r"```python\n(.*?)```", f.read(), re.S).group(1)
    with open(path, "w") as f:
        f.write(code)
        f.write("\nimport sys\n"
                "out = open(sys.argv[2], 'a', buffering=1)\n"
                "def count(alert):\n"
                "    out.write('%d\\n' % len(alert))\n"
                "    return True\n"
                "work(sys.argv[1], 'sink', count)\n")


def lines(path):
    try:
        with open(path) as f:
            return len(f.readlines())
    except OSError:
        return 0


def documents_worker_loses_nothing():
    with Mesh("the document's worker") as m:
        port = free_port()
        m.source(port, ["sink"], alerts=50000000, rate=2000, end=False)
        script = m.path("worker.py")
        write_worker(script)
        start = lambda k: subprocess.Popen(
            [PYTHON, script, "tcp://127.0.0.1:%d" % port,
             m.path("seen%d" % k)])
        workers = [start(0), start(1)]
        try:
            m.start()
            mesh.wait_for(lambda: lines(m.path("seen0")) > 500, 30,
                          "the first worker sees nothing")
            workers[0].kill()
            workers[0].wait()
            time.sleep(0.3)
            workers.append(start(2))
            mesh.wait_for(lambda: lines(m.path("seen2")) > 500, 30,
                          "the third worker sees nothing")
            n = m.intake_ends()
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        found = outcomes(m.path("source.outcomes"))
        check(all(found.get(i) == 1 for i in range(n)),
              "%d of %d settled" % (
                  sum(o == 1 for o in found.values()), n))
        seen = sum(lines(m.path("seen%d" % k)) for k in range(3))
        check(n <= seen <= n + 256, "%d were seen" % seen)


if __name__ == "__main__":
    PYTHON = python_with_zmq()
    mesh.main([documents_worker_loses_nothing])
