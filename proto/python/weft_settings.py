"""The outside of a Python stage: its options (the same YAML file and the same
WEFT__SECTION__KEY as the services in C), names of upstreams to addresses, and
/healthz, /readyz, /metrics. See weft_stage.py.
"""

import http.server
import json
import os
import re
import socket
import sys
import threading
import time
import urllib.request

from weft_branches import log

DEFAULTS = {
    "service": {"name": ""},
    "http": {"address": ""},
    "link": {"upstreams": [], "bind": "127.0.0.1:0", "insecure": False,
             "keys": "", "outputs": [], "window": 256, "window_bytes": 64 << 20,
             "beat_ms": 250, "stall_ms": 10000, "drain_ms": 3000,
             "max_peers": 64},
    "redis": {},  # a service in C has it; a stage in Python needs none
    "options": {},
}


def fail(why):
    print(f"{sys.argv[0]}: {why}", file=sys.stderr)
    sys.exit(2)


def scalar(text, like=None):
    """A YAML scalar or list in brackets; as `like` if that is given."""
    text = text.strip()
    if text.startswith("[") or isinstance(like, list):
        inner = text[1:-1] if text.startswith("[") else text
        return [scalar(part) for part in inner.split(",") if part.strip()]
    try:
        value = json.loads(text)
    except ValueError:
        value = text.strip("'")
    if isinstance(like, (int, bool)) and type(value) is not type(like):
        fail(f"'{text}': expected {type(like).__name__}, like {like!r}")
    return value


def parse(text):
    """Two levels of plain YAML: sections of keys; or JSON."""
    if text.lstrip().startswith("{"):
        return json.loads(text)
    found, section, key = {}, None, None
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*", "", line).rstrip()
        match = re.fullmatch(r"(\s*)(- |[\w-]+:)\s*(.*)", line)
        if not line:
            continue
        if not match or (match[1] and section is None):
            fail(f"line {number}: expected 'key: value', found '{line}'")
        if not match[1] and match[2] != "- ":
            section, key = found.setdefault(match[2][:-1], {}), None
        elif match[2] == "- " and key:
            section[key] = (section[key] or []) + [scalar(match[3])]
        else:
            key = match[2][:-1]
            section[key] = scalar(match[3]) if match[3] else None
    return found


def load():
    """Defaults, the file after --config, the environment; exit 2 if bad."""
    settings = {section: dict(keys) for section, keys in DEFAULTS.items()}
    given = {}
    if "--config" in sys.argv:
        with open(sys.argv[sys.argv.index("--config") + 1]) as file:
            given = parse(file.read())
    for section, keys in given.items():
        if section not in settings:
            fail(f"there is no section '{section}'")
        settings[section].update(
            {k: v for k, v in (keys or {}).items() if v is not None})
    for name, value in os.environ.items():
        path = name.lower().split("__")
        if path[0] == "weft" and len(path) == 3 and path[1] in settings:
            like = settings[path[1]].get(path[2])
            settings[path[1]][path[2]] = (
                value if isinstance(like, str) else scalar(value, like))
    host = settings["link"]["bind"].rpartition(":")[0]
    link = settings["link"]
    if (link["outputs"] and not link["insecure"] and not link["keys"] and
            not host.startswith(("127.", "localhost", "[::1]"))):
        fail(f"link.bind: {host} is not loopback: that needs link.keys, or "
             "insecure: true")
    if not settings["link"]["upstreams"]:
        fail("link.upstreams: expected host:port of each upstream")
    return settings


def stage_of(name):
    """The stage of an upstream's name: "stage@host:port", else the host."""
    stage, _, place = name.rpartition("@")
    return stage or place.rpartition(":")[0]


class Resolver(threading.Thread):
    """Looks every name up each 2 s; each address is one upstream, of the stage
    that its name tells ("stage@host:port", else the host is the stage). A name
    that cannot be resolved now keeps the addresses that it had."""

    def __init__(self, names):
        super().__init__(daemon=True)
        self.names, self.found, self.addresses = names, {}, {}
        self.left_out = {}  # name -> why it has no address
        self.start()

    def run(self):
        while True:
            for name in self.names:
                place = name.rpartition("@")[2]
                host, _, port = place.rpartition(":")
                try:
                    rows = socket.getaddrinfo(host.strip("[]"), port,
                                              type=socket.SOCK_STREAM)
                except (OSError, UnicodeError) as error:  # or no name of a host
                    why = getattr(error, "strerror", None) or error
                    self.leave_out(name, f"{place}: {why}")
                    continue
                self.left_out = {n: why for n, why in self.left_out.items()
                                 if n != name}
                self.found[name] = {
                    f"[{a[0]}]:{a[1]}" if ":" in a[0] else f"{a[0]}:{a[1]}":
                    stage_of(name) for *_, a in rows}
            self.addresses = {a: s for found in list(self.found.values())
                              for a, s in found.items()}
            time.sleep(2 if self.addresses else 0.5)

    def leave_out(self, name, why):
        if name not in self.found and self.left_out.get(name) != why:
            self.left_out = {**self.left_out, name: why}
            log("MESH-LEFT-OUT", why, "warn")


def serve_health(stage):
    """One thread; it reads what the loop has written and no more."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            code, text = answer(stage, self.path)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    address = stage.settings["http"]["address"]
    if address:
        host, _, port = address.rpartition(":")
        server = http.server.ThreadingHTTPServer(
            ("" if host == "*" else host, int(port)), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()


def answer(stage, path):
    if path == "/metrics":
        rows = {f'weft_alerts_total{{stage="{stage.name}",outcome="{key}"}}':
                stage.counters[key] for key in ("settled", "rejected")}
        rows['weft_redelivered_total{stage="%s"}' % stage.name] = \
            stage.counters["redelivered"]
        for why in ("key", "stage"):
            rows[f'weft_link_refused_total{{stage="{stage.name}",reason='
                 f'"{why}"}}'] = stage.counters["refused " + why]
        rows['weft_in_flight{stage="%s"}' % stage.name] = stage.orphans + sum(
            link.held for link in list(stage.links.values()))
        return 200, "".join(f"{k} {v}\n" for k, v in rows.items())
    if path == "/healthz":
        alive = time.monotonic() - stage.last_tick < 5
        return (200, "alive\n") if alive else (503, "the loop stands still\n")
    if path == "/readyz":
        why = stage.why_not_ready()
        return (503, why + "\n") if why else (200, "ready\n")
    return 404, "there are /metrics, /healthz and /readyz\n"


def probe(settings):
    """The exit code for a container's health check: 0 if it is ready."""
    host, _, port = settings["http"]["address"].rpartition(":")
    url = f"http://{'127.0.0.1' if host in ('*', '0.0.0.0') else host}:{port}"
    try:
        urllib.request.urlopen(url + "/readyz", timeout=2).close()
        return 0
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
