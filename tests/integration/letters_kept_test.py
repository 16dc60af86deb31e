#!/usr/bin/env python3
"""A dead letter that Redis has acknowledged and not yet written to its file: nobody
books "dead" elsewhere before it is there, as both could die and leave the booking."""

import os
import re
import socket
import threading

from ingest_mesh_test import ingest, ledger, peek, simulate
from mesh import Mesh, check, free_port, main, wait_for


class Held:
    """Before a Redis: while it is held, INFO says that bytes wait for the file."""

    def __init__(self, m):
        self.to, self.path = m.redis.socket, m.path("held.sock")
        self.address = "unix:" + self.path
        self.held, self.asked = True, 0
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(64)
        self.run(self.accept)

    def run(self, what, *args):
        threading.Thread(target=what, args=args, daemon=True).start()

    def accept(self):
        while True:
            client = self.server.accept()[0]
            redis = socket.socket(socket.AF_UNIX)
            redis.connect(self.to)
            self.run(self.pump, client, redis, lambda data: data)
            self.run(self.pump, redis, client, self.change)

    def pump(self, source, target, change):
        try:
            while data := source.recv(1 << 16):
                target.sendall(change(data))
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def change(self, data):
        if not self.held or b"aof_buffer_length:" not in data:
            return data
        self.asked += 1
        return re.sub(rb"aof_buffer_length:\d+(\d)\r|aof_buffer_length:\d\r",
                      lambda found: found[0][:-2] + b"7\r", data)


def letters(m, stage):
    return m.redis.command("HLEN", "dlq:" + stage)


def forgotten(m, held, process, stage, dead):
    """While it is held nothing is booked; then ingest is killed, Redis forgets, and
    all comes again."""
    wait_for(lambda: letters(m, stage) > 0, 60, "a letter is written")
    before = held.asked
    wait_for(lambda: ledger(m)["dead"] or held.asked > before + 3, 60, "it is asked for")
    check(ledger(m)["dead"] == 0, "it is booked before its letter is safe")
    process.kill()
    m.redis.command("FLUSHALL")
    held.held = False
    process.start()
    wait_for(lambda: ledger(m)["dead"] == dead and not ledger(m)["in_flight"], 60, "all have an outcome")
    check(letters(m, stage) == dead, "%d letters, %d are dead" % (letters(m, stage), dead))
    check(ledger(m)["balanced"], "ledger %s" % ledger(m))


def through(process, held):
    process.config["redis"]["address"] = held.address
    process.write()
    return process


def letters_of_ingest():
    with Mesh("a booking waits for its letter", redis=True, cluster=False) as m:
        held, port = Held(m), free_port()
        alerts = simulate(m.path("sim"), 50, "--malformed", "3")
        process = through(ingest(m, port, [alerts], stay=True), held)
        m.sink([port])
        m.start()
        forgotten(m, held, process, "ingest", 3)


def letters_of_a_stage():
    with Mesh("a booking waits for a stage's letter", redis=True, cluster=False) as m:
        held, port = Held(m), free_port()
        alerts = simulate(m.path("sim"), 50, "--duplicates", "0", "--reissued", "0", "--malformed", "0")
        bad = peek([alerts])[20]["alert_id"]
        process = through(ingest(m, port, [alerts], stay=True), held)
        m.sink([port], never=[str(bad)])
        m.start()
        forgotten(m, held, process, "sink", 1)


if __name__ == "__main__":
    main([letters_of_ingest, letters_of_a_stage])
