#!/usr/bin/env python3
"""FLUSHALL while services run made the ledger shrink, and nobody said so."""

import mesh
from mesh import Mesh, check, free_port, wait_for


def it_is_said():
    with Mesh("an emptied Redis is told", redis=True) as m:
        port = free_port()
        m.source(port, ["sink"], alerts=1000, rate=100, end=False)
        m.sink([port])
        m.start()
        wait_for(lambda: m.redis.command("EXISTS", "ledger:mark") == 1, 30, "it is marked")
        source, sink = m.processes["source"], m.processes["sink"]
        check(not source.events("LEDGER-GONE"), "nothing has gone")
        m.redis.command("FLUSHALL")
        wait_for(lambda: source.events("LEDGER-GONE") or sink.events("LEDGER-GONE"), 60, "it is said")


if __name__ == "__main__":
    mesh.main([it_is_said])
