#!/usr/bin/env python3
"""ingest and a real Kafka that wants TLS, a password or a token: with the right
ones it reads, with wrong ones it says what is wrong, waits, and loses nothing. No
secret stands in a log."""

import base64
import json
import os
import pathlib
import shutil
import signal
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "integration"))
import kafka as real  # noqa: E402
import kafka_test as plain  # noqa: E402
import mesh  # noqa: E402
import packets  # noqa: E402
from mesh import BUILD, Mesh, check, free_port, wait_for  # noqa: E402

CLUSTER = None
N = 100
LIFE = 20  # seconds of a token
WRONG = "wrong-secret-4417"


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def token(**claims):
    """One that nobody has signed."""
    return "%s.%s." % (part({"alg": "none"}), part(claims))


def secret(m, name, text):
    pathlib.Path(m.path(name)).write_text(text + "\n")
    return m.path(name)


def ready(source):
    return source.http("/readyz")


def silent(m, *secrets):
    """None of these stands in any log."""
    for process in m.processes.values():
        with open(process.log, errors="replace") as f:
            text = f.read()
        for word in secrets:
            check(word not in text, "%s has a secret in its log" % process.name)


class Rig:
    """A topic with some messages, ingest that may read it, and a sink."""

    def __init__(self, m, topic, **options):
        CLUSTER.create(topic)
        self.fed = CLUSTER.feed(topic, plain.spread(plain.simulated(m, N)))
        plain.CLUSTER = CLUSTER
        port = free_port()
        self.m = m
        self.source = plain.ingest(m, port, topics=[topic], group=topic, **options)
        m.sink([port])
        m.start()

    def says(self, event, *words):
        mesh.said(self.source, event, *words)
        wait_for(lambda: ready(self.source)[0] == 503, 60, "it is not ready")
        check(not plain.ledger(self.m).get("received"), "something was booked")

    def settles(self):
        wait_for(plain.settled(self.m, self.fed), 60, "all is settled")


def scram_tls():
    """Wrong password, then a wrong authority, then right."""
    with Mesh("SCRAM over TLS", redis=True) as m:
        word = secret(m, "password", WRONG)
        rig = Rig(m, "scram", brokers=CLUSTER.tls_address, security="sasl_ssl", sasl="SCRAM-SHA-256",
                  user=real.USER, password_file=word, ca_file=str(CLUSTER.folder / "ca.crt"))
        rig.says("KAFKA-CREDENTIALS", "the brokers refuse options.sasl, user, password_file or token_file")
        secret(m, "password", real.PASSWORD)
        rig.source.config["options"]["ca_file"] = real.authority(m.folder, "other")
        rig.source.write()
        rig.source.restart()
        rig.says("KAFKA-TLS", "no secure connection, see options.security and ca_file; it is tried again", "certificate verify failed")
        rig.source.config["options"]["ca_file"] = str(CLUSTER.folder / "ca.crt")
        rig.source.write()
        rig.source.restart()
        rig.settles()
        silent(m, WRONG, real.PASSWORD)
        m.drain()


class Renewer(threading.Thread):
    """Keeps a token in a file fresh, as a sidecar does."""

    def __init__(self, m):
        super().__init__(daemon=True)
        self.m, self.given, self.ending = m, [], threading.Event()

    def put(self, life, **claims):
        now = int(time.time())
        self.given.append(token(iat=now - 3600, exp=now + life, **claims))
        secret(self.m, "token.new", self.given[-1])
        os.rename(self.m.path("token.new"), self.m.path("token"))

    def run(self):
        while not self.ending.wait(2):
            self.put(LIFE, sub="weft")


def tokens():
    """An expired token, one that the broker refuses, then good ones that are
    renewed; each time without a restart. Both lanes show theirs."""
    with Mesh("OAUTHBEARER over TLS", redis=True) as m:
        renewer = Renewer(m)
        renewer.put(-30, sub="weft")
        rig = Rig(m, "tokens", brokers=CLUSTER.token_address, security="sasl_ssl", sasl="OAUTHBEARER",
                  user="weft", ca_file=str(CLUSTER.folder / "ca.crt"), token_file=m.path("token"),
                  backlog_from=20)
        rig.says("KAFKA-TOKEN", "no token for OAUTHBEARER, see options.token_file (or sasl.oauthbearer.* in options.kafka); "
                 "it is tried again", "the token has expired at", "is it renewed, and this host's clock right?")
        renewer.put(60)
        rig.says("KAFKA-CREDENTIALS", "password_file or token_file; it is tried again")
        renewer.start()
        rig.settles()
        check(plain.events(rig.source, "KAFKA-BACKLOG"), "there were no two lanes")
        #  Longer than a token lives.
        time.sleep(LIFE + 5)
        rig.fed += CLUSTER.feed("tokens", plain.spread(plain.simulated(m, N, seed="6")))
        rig.settles()
        renewer.ending.set()
        renewer.join()
        silent(m, *renewer.given)
        m.drain()


def no_token():
    """No file yet; it comes, and all is read."""
    with Mesh("a token that comes later", redis=True) as m:
        rig = Rig(m, "later", brokers=CLUSTER.token_address, security="sasl_ssl", sasl="OAUTHBEARER",
                  ca_file=str(CLUSTER.folder / "ca.crt"), token_file=m.path("token"))
        rig.says("KAFKA-TOKEN", "no token for OAUTHBEARER")
        Renewer(m).put(3600, sub="weft")
        rig.settles()
        m.drain()


def main():
    global CLUSTER
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if not shutil.which("openssl"):
        packets.skip("openssl is not installed")
    try:
        CLUSTER = real.Kafka(os.path.join(BUILD, "kafka", "secure-%d" % os.getpid()), secure=True)
    except real.Missing as why:
        packets.skip(str(why))
    try:
        CLUSTER.start()
        mesh.main([scram_tls, tokens, no_token])
    finally:
        CLUSTER.kill()
        shutil.rmtree(CLUSTER.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
