#!/usr/bin/env python3
"""ingest and a schema registry: learnt, cached, dead, unknown, lying."""

import base64
import http.server
import json
import os
import struct
import subprocess
import sys
import threading

import mesh
from mesh import BUILD, Mesh, check, free_port, main, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench", "peers"))
from containers import open_container  # noqa: E402

WEFT = os.path.join(BUILD, "bin", "weft")


class Registry:
    """Confluent's GET /schemas/ids/ID, from a table that tests change."""

    def __init__(self, port=None):
        self.schemas, self.asked, self.login = {}, [], None
        self.port = port or free_port()
        self.server = None

    def start(self):
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = registry.answer(self.path, self.headers)
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def answer(self, path, headers):
        number = int(path.rsplit("/", 1)[1])
        self.asked.append(number)
        if self.login:
            want = "Basic " + base64.b64encode(self.login.encode()).decode()
            if headers.get("Authorization") != want:
                return 401, {"error_code": 401, "message": "Unauthorized"}
        if number not in self.schemas:
            return 404, {"error_code": 40403, "message": "Schema %d not found" % number}
        return 200, {"schema": self.schemas[number]}

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port


def simulate(m, alerts, seed=5):
    """Simulated packets as datums, and their schema."""
    folder = m.path("sim%d" % seed)
    subprocess.run([WEFT, "sim", "--seed", str(seed), "--alerts", str(alerts + 20), "--out", folder,
                    "--quiet", "--duplicates", "0"], check=True)
    paths = sorted(os.path.join(at, name) for at, _, names in os.walk(folder + "/alerts")
                   for name in names if name.endswith(".avro"))
    found = [open_container(open(path, "rb").read()) for path in paths]
    return found[0][0], list(dict.fromkeys(datum for _, datum in found))[:alerts]


def frame(folder, datums, number):
    """Files of Confluent-framed packets."""
    os.makedirs(folder, exist_ok=True)
    for i, datum in enumerate(datums):
        with open(os.path.join(folder, "%05d-%06d.bin" % (number, i)), "wb") as f:
            f.write(b"\0" + struct.pack(">I", number) + datum)
    return folder


def ingest(m, inputs, registry, name="ingest", **options):
    port = free_port()
    process = m.add(name, os.path.join(BUILD, "bin", "weft-ingest"), {
        "service": {"data_dir": m.folder},
        "link": {"bind": "127.0.0.1:%d" % port, "outputs": ["sink"]},
        "http": {"address": "127.0.0.1:%d" % free_port()},
        "options": dict(inputs=inputs, registry=registry.url, stay=True, **options)})
    m.sink([port], name="sink-" + name)
    return process


def total(m):
    run = subprocess.run([WEFT, "ledger", "--json", "--redis", m.redis.address],
                         stdout=subprocess.PIPE, check=False)
    return json.loads(run.stdout or b"{}").get("total", {})


def settles(m, settled, dead=0):
    wait_for(lambda: (total(m).get("settled"), total(m).get("dead")) == (settled, dead), 60,
             "%d settled and %d dead" % (settled, dead))


def letters(m):
    run = subprocess.run([WEFT, "dlq", "ls", "--json", "--redis", m.redis.address],
                         stdout=subprocess.PIPE, check=False)
    return run.stdout.decode()


def rename(schema, old, new):
    return schema.replace('"name":"%s"' % old, '"name":"%s"' % new)


def compact(schema):
    return json.dumps(json.loads(schema), separators=(",", ":"))


def learnt_and_kept():
    with Mesh("an id is learnt once and kept over a restart", redis=True) as m:
        registry = Registry().start()
        schema, datums = simulate(m, 60)
        registry.schemas[4711] = schema
        ingest(m, [frame(m.path("a"), datums[:30], 4711)], registry)
        m.start()
        settles(m, 30)
        check(registry.asked == [4711], "asked for %s" % registry.asked)
        registry.stop()
        #  The registry is dead, the id is known from the disk: it flows on.
        process = m.processes["ingest"]
        process.kill()
        process.config["options"]["inputs"] = [frame(m.path("b"), datums[30:], 4711)]
        process.write()
        process.start()
        settles(m, 60)
        wait_for(lambda: process.metric("weft_ingest_registry_down") == 1, 60,
                 "the metric says that the registry is down")
        mesh.said(process, "INGEST-REGISTRY-DOWN", "Failed to connect to",
                  "asked again with a growing pause; ids that are known go on")


def dead_registry():
    with Mesh("a dead registry holds the input and loses nothing", redis=True) as m:
        registry = Registry()
        schema, datums = simulate(m, 20)
        registry.schemas[8] = schema
        process = ingest(m, [frame(m.path("a"), datums, 8)], registry)
        m.start()
        wait_for(lambda: "schema id 8" in process.http("/readyz")[1], 60,
                 "/readyz names the schema")
        mesh.said(process, "INGEST-SCHEMA-WAITED", "the input stands still, nothing is lost: it waits for schema id ")
        mesh.said(process, "INGEST-REGISTRY-DOWN", "Failed to connect to",
                  "asked again with a growing pause; ids that are known go on")
        check(not total(m).get("received"), "booked %s" % total(m))
        check(not process.events("INGEST-SCHEMA-CAME"), "it came from nowhere")
        registry.start()
        settles(m, len(datums))
        mesh.said(process, "INGEST-SCHEMA-CAME")
        registry.stop()


def unknown_id():
    with Mesh("an id that the registry does not know is refused by name", redis=True) as m:
        registry = Registry().start()
        schema, datums = simulate(m, 12)
        registry.schemas[1] = schema
        folder = frame(m.path("a"), datums[:9], 1)
        frame(folder, datums[9:], 99)
        ingest(m, [folder], registry)
        m.start()
        settles(m, 9, dead=3)
        mesh.said(m.processes["ingest"], "INGEST-SCHEMA-ABSENT", "the registry does not know it")
        text = letters(m)
        check("schema id 99 is not known: the registry does not know it" in text, text)
        check(registry.asked.count(99) == 1, "asked %s" % registry.asked)
        registry.stop()


def lying_id():
    with Mesh("an id that changes its schema is not believed", redis=True) as m:
        registry = Registry().start()
        schema, datums = simulate(m, 40)
        registry.schemas[5] = schema
        process = ingest(m, [frame(m.path("a"), datums[:10], 5)], registry)
        m.start()
        settles(m, 10)
        #  The new schema does not fit the bytes: the known one does.
        longer = json.loads(schema)
        longer["fields"].append({"name": "more", "type": "double"})
        restart(m, registry, process, m.path("b"), datums[10:20], json.dumps(longer))
        settles(m, 20)
        mesh.said(process, "INGEST-SCHEMA-ID-LIES")
        wait_for(lambda: process.metric("weft_ingest_schema_conflicts") == 1, 60, "and counted")
        #  A third fits as well, with other values: not a guess.
        text = compact(schema)
        swapped = rename(rename(rename(text, "magpsf", "tmp"), "magap", "magpsf"), "tmp", "magap")
        check(swapped != text, "the schema has magpsf and magap")
        asked, lies = len(registry.asked), len(process.events("INGEST-SCHEMA-ID-LIES"))
        restart(m, registry, process, m.path("c"), datums[20:30], swapped)
        wait_for(lambda: len(registry.asked) > asked, 60, "the registry is asked again")
        wait_for(lambda: len(process.events("INGEST-SCHEMA-ID-LIES")) > lies, 60,
                 "what it said is known")
        #  Those that came before the answer were read with what was known.
        wait_for(lambda: all_ended(m, 30), 60, "all have an outcome")
        restart(m, registry, process, m.path("d"), datums[30:], swapped)
        wait_for(lambda: all_ended(m, 40), 60, "all have an outcome")
        check(total(m).get("dead") >= 10, "dead %s" % total(m))
        check("schema id 5 is not sure" in letters(m), letters(m))
        registry.stop()


def all_ended(m, n):
    """What is in flight when its input changes would stay so."""
    found = total(m)
    return found.get("received") == n and found["in_flight"] == 0


def restart(m, registry, process, folder, datums, schema):
    registry.schemas[5] = schema
    process.kill()
    process.config["options"]["inputs"] = [frame(folder, datums, 5)]
    process.write()
    process.start()


def wrong_credentials():
    with Mesh("wrong credentials are named, right ones go on", redis=True) as m:
        registry = Registry().start()
        registry.login = "weft:right"
        schema, datums = simulate(m, 10)
        registry.schemas[3] = schema
        login = m.path("login")
        with open(login, "w") as f:
            f.write("weft:wrong\n")
        process = ingest(m, [frame(m.path("a"), datums, 3)], registry, registry_login_file=login)
        m.start()
        wait_for(lambda: "HTTP status 401, see registry_login_file" in process.http("/readyz")[1],
                 60, "/readyz says that the login is wrong")
        mesh.said(process, "INGEST-REGISTRY-DOWN", "HTTP status 401, see registry_login_file")
        with open(login, "w") as f:
            f.write("weft:right\n")
        process.kill()
        process.start()
        settles(m, len(datums))
        check("right" not in open(process.log).read(), "a password is in the log")
        registry.stop()


if __name__ == "__main__":
    main([learnt_and_kept, dead_registry, unknown_id, lying_id, wrong_credentials])
