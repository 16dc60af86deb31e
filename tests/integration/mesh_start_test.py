#!/usr/bin/env python3
"""The edges of a stage's life: SIGTERM before it is up, names without an
address, a peer that speaks nonsense. Each says what it was."""

import errno
import json
import os
import signal
import socket
import struct
import subprocess

import mesh
from mesh import Mesh, STAGES, check, free_port, wait_for

PYTHON = "/usr/bin/python3"
PYTHON_STAGE = os.path.abspath("tests/stages/pass_stage.py")


def has_zmq():
    return subprocess.run([PYTHON, "-c", "import zmq, msgpack"],
                          stderr=subprocess.DEVNULL).returncode == 0


def gate(path):
    """The writing end of a FIFO, as soon as somebody reads it; else None."""
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return None


def ends_in_the_middle_of_its_start(m, program):
    """Its configuration is a FIFO: SIGTERM comes while it waits for that."""
    name = os.path.basename(program)
    process = m.add(name, program, {
        "link": {"upstreams": ["127.0.0.1:%d" % free_port()],
                 "bind": "127.0.0.1:0", "outputs": ["sink"]},
        "options": {}}, {"WEFT_TEST_STAGE": "pass"})
    os.unlink(process.path)
    os.mkfifo(process.path)
    process.start()
    found = []
    wait_for(lambda: found.append(gate(process.path)) or found[-1] is not None, 60,
             "%s reads its configuration" % name)
    #  Whoever reads it again finds a file.
    process.write()
    process.send(signal.SIGTERM)
    with os.fdopen(found[-1], "w") as f:
        json.dump(process.config, f)
    code = process.wait()
    check(code == 0, "%s ended with %s" % (name, code))
    last = process.events("STAGE-STATE")[-1]
    check("STOPPED" in json.dumps(last), last)


def a_sigterm_that_comes_too_early_is_a_clean_drain():
    with Mesh("SIGTERM in the middle of a start") as m:
        ends_in_the_middle_of_its_start(m, os.path.join(STAGES, "test_pass_main"))
        if has_zmq():
            ends_in_the_middle_of_its_start(m, PYTHON_STAGE)


def what_has_no_address_is_named():
    with Mesh("names without an address") as m:
        #  A label of more than 63 characters: no server is asked, none can invent it.
        host = "nobody" * 11 + ".invalid"
        name = host + ":5560"
        stages = [m.stage("pass", [], free_port(), ["sink"],
                          link={"upstreams": [name]})]
        if has_zmq():
            stages.append(m.add("python", PYTHON_STAGE, {
                "link": {"upstreams": [name], "bind": "127.0.0.1:0", "outputs": []},
                "http": {"address": "127.0.0.1:%d" % free_port()},
                "options": {}}, {"WEFT_TEST_STAGE": "pass"}))
        m.start()
        for stage in stages:
            wait_for(lambda: "left out: %s: " % name in stage.http("/readyz")[1],
                     60, "%s says who is left out" % stage.name)
            wait_for(lambda: stage.events("MESH-LEFT-OUT"), 60, "and so does its log")


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def greet(port):
    """A ZMTP 3.1 peer, by hand: DEALER, without keys."""
    s = socket.create_connection(("127.0.0.1", port), timeout=60)
    s.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32))
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
    s.sendall(bytes([4, len(ready)]) + ready)
    said = b""
    while b"READY" not in said:  # before that the other side takes no message
        data = s.recv(4096)
        check(data, "the other side closed")
        said += data
    return s


def who_speaks_nonsense_is_named_by_address():
    with Mesh("a peer that speaks nonsense") as m:
        port = free_port()
        upstreams = [m.source(port, ["pass"], alerts=10, end=False)]
        if has_zmq():
            pport = free_port()
            upstreams.append(m.add("python", PYTHON_STAGE, {
                "link": {"upstreams": ["127.0.0.1:%d" % port],
                         "bind": "127.0.0.1:%d" % pport, "outputs": ["sink"]},
                "options": {}}, {"WEFT_TEST_STAGE": "pass"}))
        m.start()
        for process, at in zip(upstreams, (port, pport if len(upstreams) > 1 else 0)):
            wait_for(lambda: listens(at), 60, "%s listens" % process.name)
            with greet(at) as s:
                s.sendall(b"\x00\x08nonsense")
                wait_for(lambda: process.events("LINK-PEER-BAD"), 60, "it is heard")
            said = json.dumps(process.events("LINK-PEER-BAD"))
            check("127.0.0.1" in said, said)


def redis_that_refuses_the_password():
    """It is said and waited for; the password stands in no log."""
    with Mesh("Redis refuses the password", redis=True) as m:
        m.redis.command("CONFIG", "SET", "requirepass", "the right one")
        with open(m.path("password"), "w") as f:
            f.write("another-one-5521\n")
        sink = m.sink([free_port()])
        sink.config["redis"] = {"address": m.redis.address, "password_file": m.path("password")}
        sink.write()
        sink.start()
        mesh.said(sink, "REDIS-DOWN", "AUTH: WRONGPASS invalid username-password pair")
        wait_for(lambda: sink.http("/readyz")[0] == 503 and "WRONGPASS" in sink.http("/readyz")[1], 60, "readyz")
        with open(sink.log) as f:
            check("another-one-5521" not in f.read(), "the password is in the log")
        with open(m.path("password"), "w") as f:
            f.write("the right one\n")
        sink.restart()
        wait_for(lambda: "WRONGPASS" not in sink.http("/readyz")[1] and sink.http("/readyz")[0], 60, "it goes on")


if __name__ == "__main__":
    mesh.main([redis_that_refuses_the_password, a_sigterm_that_comes_too_early_is_a_clean_drain,
               what_has_no_address_is_named,
               who_speaks_nonsense_is_named_by_address])
