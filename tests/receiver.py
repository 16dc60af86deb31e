"""A webhook's receiver that does everything wrong, for tests.

Its work is to remember keys. It may answer late, answer 500 after the work, or
close after the body; it may also refuse before the work. What it has seen is
judged from here: keys, bytes and signatures.
"""

import hashlib
import hmac
import http.server
import random
import threading
import time

SECRET = "a secret of sixteen characters"

#  What may happen to a request, and how often. The first four have done the work.
NASTY = {"good": 80, "late": 2, "error": 8, "close": 4, "deaf": 4, "busy": 0.5, "full": 0.2}
KIND = {"good": 1}


class Receiver:
    def __init__(self, faults=None, seed=0, late_s=1.5, address="127.0.0.1"):
        self.faults, self.late_s = dict(faults or KIND), late_s
        self.rng = random.Random(seed)
        self.lock = threading.Lock()
        self.bodies = {}   # key -> hash of the body that came first
        self.times = {}    # key -> how often the work was done
        self.said = {}     # what happened -> how often
        self.wrong = []    # what must never happen
        self.down = False  # 503 for everything
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver.take(self)

            def log_message(self, *words):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client):
                pass  # kills cut connections

        self.server = Server((address, 0), Handler)
        self.url = "http://%s:%d/hook" % (address, self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def choose(self):
        if self.down:
            return "busy"
        return self.rng.choices(list(self.faults), list(self.faults.values()))[0]

    def check(self, headers, body):
        """The signature is of these bytes; a key has the same bytes each time."""
        parts = dict(p.split("=", 1) for p in headers["Weft-Signature"].split(","))
        right = hmac.new(SECRET.encode(), parts["t"].encode() + b"." + body,
                         hashlib.sha256).hexdigest()
        key, digest = headers["Idempotency-Key"], hashlib.sha256(body).digest()
        if not hmac.compare_digest(parts["v1"], right):
            self.wrong.append("signature of " + key)
        if abs(time.time() - int(parts["t"])) > 300:
            self.wrong.append("time of " + key)
        if self.bodies.setdefault(key, digest) != digest:
            self.wrong.append("other bytes for " + key)
        return key

    def take(self, request):
        body = request.rfile.read(int(request.headers["Content-Length"]))
        with self.lock:
            what = self.choose()
            self.said[what] = self.said.get(what, 0) + 1
            key = self.check(request.headers, body)
            if what in ("good", "late", "error", "close"):
                self.times[key] = self.times.get(key, 0) + 1
        if what == "late":
            time.sleep(self.late_s)
        if what in ("close", "deaf"):
            request.close_connection = True
            return
        code = {"error": 500, "busy": 503, "full": 429}.get(what, 200)
        request.send_response(code)
        if what == "full":
            request.send_header("Retry-After", "1")
        request.send_header("Content-Length", "2")
        request.end_headers()
        request.wfile.write(b"ok")

    def keys(self):
        with self.lock:
            return set(self.times)

    def resent(self):
        """Work that was done more than once for one key."""
        with self.lock:
            return sum(self.times.values()) - len(self.times)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
