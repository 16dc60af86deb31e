#!/usr/bin/env python3
"""An ingest that started while Redis was away made new connections at each try:
each of them said REDIS-DOWN, and /readyz did not say what it waited for."""

import os
import socket
import threading

import mesh
from mesh import Mesh, Redis, check, free_port, wait_for


class Nobody:
    """Stands where Redis should be, hangs up, and counts who calls."""

    def __init__(self, path):
        self.path, self.calls = path, 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(16)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            try:
                call, _ = self.socket.accept()
            except OSError:
                return
            call.close()
            self.calls += 1

    def leave(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()
        os.unlink(self.path)


def it_is_said_once():
    with Mesh("Redis is away at the start") as m:
        redis = Redis(m.folder)
        nobody = Nobody(redis.socket)
        ingest = m.add("ingest", os.path.join(mesh.BUILD, "bin", "weft-ingest"), {
            "service": {"data_dir": m.folder},
            "redis": {"address": redis.address},
            "link": {"bind": "127.0.0.1:%d" % free_port(), "outputs": ["sink"]},
            "http": {"address": "127.0.0.1:%d" % free_port()},
            "options": {"inputs": [__file__], "stay": True}}).start()
        try:
            #  The keeper calls, too, as often at most.
            wait_for(lambda: nobody.calls >= 12, 60, "it tries again and again")
            code, said = ingest.http("/readyz")
        finally:
            nobody.leave()
        check(code == 503 and redis.address in said and "waits for what" not in said,
              "/readyz: %d %s" % (code, said))
        #  One of the keeper's connection, one of ingest's own.
        down = ingest.events("REDIS-DOWN")
        check(1 <= len(down) <= 2, "it is said %d times" % len(down))
        m.redis = redis.start()
        wait_for(lambda: ingest.events("INGEST-OPEN"), 60, "it goes on by itself")
        wait_for(lambda: ingest.events("REDIS-UP"), 60, "and says so")


if __name__ == "__main__":
    mesh.main([it_is_said_once])
