"""A whole mesh as processes on this machine: what demo, chaos and bench share.

A Mesh owns one folder: the private Redis, one YAML file and one log per
service instance, and the sinks' files. Instances are started, killed and
restarted by name ("feature-1"). Only the standard library is used.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from cluster import Cluster  # noqa: E402
from ports import free_port  # noqa: E402
CHAIN = ["ingest", "crossmatch", "feature", "classifier"]
BRANCHES = ["active-learner", "tom-notifier"]


def to_yaml(value, indent=0):
    """The plain subset of YAML that configurations need."""
    pad = "  " * indent
    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines.append(f"{pad}{key}:")
            lines.append(to_yaml(item, indent + 1))
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            lines.append(f"{pad}{key}:")
            for element in item:
                body = to_yaml(element, indent + 2).lstrip()
                lines.append(f"{pad}  - {body}")
        elif isinstance(item, list):
            lines.append(f"{pad}{key}: [" + ", ".join(json.dumps(str(i)) for i in item) + "]")
        elif isinstance(item, bool):
            lines.append(f"{pad}{key}: {'true' if item else 'false'}")
        elif isinstance(item, str):
            lines.append(f"{pad}{key}: {json.dumps(item)}")
        else:
            lines.append(f"{pad}{key}: {item}")
    return "\n".join(lines)


class Redis:
    """A private Redis on a Unix socket, with its append-only file on."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket = self.folder / "redis.sock"
        self.process = None

    @property
    def address(self):
        return f"unix:{self.socket}"

    def start(self):
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if not program:
            raise SystemExit("redis-server is not installed: ./run build installs it")
        log = open(self.folder / "redis.log", "ab")
        self.process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder),
             "--appendonly", "yes", "--appendfsync", "everysec",
             "--auto-aof-rewrite-min-size", "512mb", "--save", "",
             "--maxmemory-policy", "noeviction", "--daemonize", "no"],
            stdout=log, stderr=log)
        self.wait()

    def wait(self, seconds=200):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"redis-server ended; see {self.folder}/redis.log")
            if self.command("PING") == b"PONG":
                return
            time.sleep(0.05)
        raise SystemExit("redis-server does not answer")

    def command(self, *words):
        """One command, one reply (status, integer or bulk); None if it fails."""
        text = b"*%d\r\n" % len(words)
        for word in words:
            word = str(word).encode()
            text += b"$%d\r\n%s\r\n" % (len(word), word)
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(str(self.socket))
                s.sendall(text)
                f = s.makefile("rb")
                return self._reply(f)
        except OSError:
            return None

    def _reply(self, f):
        line = f.readline()
        kind, rest = line[:1], line[1:].strip()
        if kind in (b"+", b":"):
            return rest
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else f.read(size + 2)[:-2]
        if kind == b"*":
            return [self._reply(f) for _ in range(max(0, int(rest)))]
        return None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


#  What follows of a cause, told after it by every service.
CONSEQUENCES = ("STAGE-OPEN-FAILED", "STAGE-STATE")


def last_error(log):
    """What a service complained of last before it ended, for people; else its last
    line that is none of the log (a wrong configuration)."""
    cause = consequence = line = None
    for each in log.read_text(errors="replace").splitlines():
        try:
            event = json.loads(each)
        except ValueError:
            line = each.strip() or line
            continue
        if not isinstance(event, dict) or event.get("level") != "error":
            continue
        if event.get("id") in CONSEQUENCES:
            consequence = event.get("text")
        else:
            cause = event.get("text")
    return cause or line or consequence or "nothing is said"


class Instance:
    """One service process: its configuration, its log, its life."""

    def __init__(self, mesh, service, number, config, program=None):
        self.mesh = mesh
        self.service = service
        self.number = number
        self.name = f"{service}-{number}"
        self.config = config
        self.program = program or mesh.bin / f"weft-{service}"
        self.process = None
        self.starts = 0
        self.max_rss = 0
        self.max_share = 0
        self.cpu_done = 0.0
        self.file = mesh.folder / "config" / f"{self.name}.yaml"
        self.log = mesh.folder / "log" / f"{self.name}.log"

    def write(self):
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(to_yaml(self.config) + "\n")

    def start(self):
        self.write()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(self.program), "--config", str(self.file)],
                                            stdout=log, stderr=log, cwd=self.mesh.folder,
                                            env={**os.environ, **self.mesh.environment})
        self.starts += 1

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        if self.alive():
            self.process.send_signal(number)

    def kill(self):
        self.look()
        if self.alive():
            self.process.kill()
            self.process.wait()

    def failed(self):
        """Has it ended with an error, or been killed?"""
        return self.process is not None and bool(self.process.poll())

    def ended(self):
        """That it has ended, why in its own words, and where more is."""
        code = self.process.returncode
        by = f"signal {-code}: " if code < 0 else ""
        return f"{self.name} ended: {by}{last_error(self.log)}; see {self.log}"

    def wait(self, seconds):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def look(self):
        """Samples resident memory (MB); remembers the most."""
        if not self.alive():
            return 0
        try:
            with open(f"/proc/{self.process.pid}/statm") as f:
                rss = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        except (OSError, IndexError):
            return 0
        self.max_rss = max(self.max_rss, rss)
        return rss

    def share(self):
        """Resident memory (MB) with pages that others map too counted by share."""
        try:
            with open(f"/proc/{self.process.pid}/smaps_rollup") as f:
                pss = next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except (OSError, AttributeError, StopIteration):
            return 0
        self.max_share = max(self.max_share, pss / 1e3)
        return pss / 1e3

    def cpu(self):
        """CPU seconds of the process so far (user and system)."""
        try:
            with open(f"/proc/{self.process.pid}/stat") as f:
                parts = f.read().rsplit(")", 1)[1].split()
            return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError, AttributeError):
            return 0.0

    @property
    def http(self):
        return self.config["http"]["address"]

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://{self.http}{path}", timeout=20) as reply:
                return reply.read().decode()
        except OSError:
            return None

    def ready(self):
        return self.get("/readyz") is not None

    def listens(self):
        """Does it answer at all, good or bad? Then a SIGHUP is read, too."""
        try:
            host, port = self.http.rsplit(":", 1)
            socket.create_connection((host, int(port)), timeout=2).close()
            return True
        except OSError:
            return False

    def metric(self, name, **labels):
        """The sum of a metric over all its label sets that match."""
        total = 0.0
        for line in (self.get("/metrics") or "").splitlines():
            if not line.startswith(name) or line[len(name):len(name) + 1] not in ("{", " "):
                continue
            if all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total


class Mesh:
    """All instances, wired: every stage binds, the next one connects."""

    def __init__(self, folder, build=None, replicas=None, extra=None, environment=None,
                 keys=False, cluster=False):
        self.folder = pathlib.Path(folder).resolve()
        self.build = pathlib.Path(build or os.environ.get("WEFT_BUILD") or ROOT / "build")
        self.bin = self.build / "bin"
        self.environment = {"OMP_NUM_THREADS": "1", **(environment or {})}
        self.replicas = replicas or {}
        self.extra = extra or []  # (name, after, program, options): inserted stages
        self.keys = self.folder / "keys" if keys else None  # all links encrypted
        self.redis = Redis(self.folder / "redis")
        #  Histories, seen and the ledger are there, if it is wanted.
        self.cluster = Cluster(self.folder / "cluster") if cluster else None
        self.instances = {}

    # -- wiring ---------------------------------------------------------

    def chain(self):
        names = list(CHAIN)
        for name, after, _, _ in self.extra:
            names.insert(names.index(after) + 1, name)
        return names

    def configure(self, options, link=None):
        """Makes all instances. `options` has the options: part per service."""
        chain = self.chain()
        if self.keys:
            self.weft("keys", self.keys, *[name for name, *_ in self.extra])
        count = {s: self.replicas.get(s, 1) for s in chain + BRANCHES}
        ports = iter(free_port, None)
        binds = {s: [next(ports) for _ in range(count[s])] for s in chain}
        programs = {name: program for name, _, program, _ in self.extra}
        for position, service in enumerate(chain):
            outputs = BRANCHES if service == "classifier" else [chain[position + 1]]
            upstreams = [] if position == 0 else self._at(chain[position - 1], binds)
            for n in range(count[service]):
                self._add(service, n, binds[service][n], upstreams, outputs, next(ports),
                          options.get(service), link, programs.get(service))
        for service in BRANCHES:
            for n in range(count[service]):
                self._add(service, n, None, self._at("classifier", binds), [], next(ports),
                          options.get(service), link, None)

    def _at(self, stage, binds):
        """Where a stage is; with keys it is said whose key it must have."""
        whose = f"{stage}@" if self.keys else ""
        return [f"{whose}127.0.0.1:{port}" for port in binds[stage]]

    def _add(self, service, n, bind, upstreams, outputs, http, options, link, program):
        wires = dict(link or {})
        if bind:
            wires["bind"] = f"127.0.0.1:{bind}"
        if upstreams:
            wires["upstreams"] = upstreams
        if self.keys:
            wires["keys"] = str(self.keys)
        if outputs:
            wires["outputs"] = outputs
        mine = options(n) if callable(options) else dict(options or {})
        data = self.folder / "data" / (service if service == "tom-notifier" else f"{service}-{n}")
        data.mkdir(parents=True, exist_ok=True)
        config = {"service": {"data_dir": str(data)},
                  "http": {"address": f"127.0.0.1:{http}"},
                  "redis": {"address": self.redis.address},
                  "link": wires}
        if self.cluster:
            config["redis"]["cluster"] = self.cluster.places
        if mine:
            config["options"] = mine
        instance = Instance(self, service, n, config, program)
        self.instances[instance.name] = instance

    # -- life -----------------------------------------------------------

    def of(self, service):
        return [i for i in self.instances.values() if i.service == service]

    def start(self):
        for instance in self.instances.values():
            instance.start()

    def wait_ready(self, seconds=300, standby=("tom-notifier",), without=(), revive=None):
        """Waits until every service (but those in `without`) is ready. One that
        ends meanwhile is an error, unless `revive` starts it again."""
        end = time.monotonic() + seconds
        waiting = {i.service for i in self.instances.values()} - set(without)
        while waiting and time.monotonic() < end:
            for service in sorted(waiting):
                states = [i.ready() for i in self.of(service)]
                if any(states) if service in standby else all(states):
                    waiting.discard(service)
                gone = [i for i in self.of(service) if not i.alive()]
                if gone and service != "ingest" and revive:
                    revive()
                elif gone and service != "ingest":
                    raise SystemExit(gone[0].ended())
                if service == "ingest" and gone:
                    #  Files may have been read to their end; else nobody gets anything.
                    for instance in gone:
                        if instance.process.returncode > 0 and not revive:
                            raise SystemExit(instance.ended())
                    waiting.discard(service)
            time.sleep(0.05)
        if waiting:
            first = self.of(sorted(waiting)[0])[0]
            raise SystemExit(f"not ready in time: {', '.join(sorted(waiting))}; see {first.log}")

    def stop(self, seconds=60):
        """SIGTERM to all, front to back; returns the exit codes by name."""
        codes = {}
        for instance in self.instances.values():
            instance.look()
            instance.signal(signal.SIGCONT)
            instance.signal(signal.SIGTERM)
        end = time.monotonic() + seconds
        for name, instance in self.instances.items():
            if instance.process:
                codes[name] = instance.wait(max(0.1, end - time.monotonic()))
                if codes[name] is None:
                    instance.kill()
        self.redis.stop()
        if self.cluster:
            self.cluster.kill_all()
        return codes

    def hang_up(self):
        """SIGHUP to all; who does not listen yet has yet to read anything."""
        for instance in self.instances.values():
            if instance.alive() and instance.listens():
                instance.signal(signal.SIGHUP)

    def kill_all(self):
        for instance in self.instances.values():
            instance.kill()
        self.redis.kill()
        if self.cluster:
            self.cluster.kill_all()

    # -- looking --------------------------------------------------------

    def weft(self, *words, check=True):
        env = {**os.environ, "WEFT__REDIS__ADDRESS": self.redis.address}
        if self.cluster:
            env["WEFT__REDIS__CLUSTER"] = ",".join(self.cluster.places)
        result = subprocess.run([str(self.bin / "weft"), *map(str, words)], env=env,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if check and result.returncode:
            raise SystemExit(f"weft {' '.join(map(str, words))}: {result.stderr.strip()}")
        return result

    def ledger(self):
        """Totals over all nights, or None while Redis is away."""
        result = self.weft("ledger", "--json", check=False)
        if result.returncode:
            return None
        return json.loads(result.stdout)

    def last_ledger(self, seconds=60):
        """The same, as soon as Redis answers in time for it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.ledger()
            if found:
                return found
            time.sleep(0.2)
        raise SystemExit("weft ledger has no answer from Redis")

    def metric(self, name, **labels):
        return sum(i.metric(name, **labels) for i in self.instances.values())


def sink_lines(path):
    """The JSON objects of a sink file; a torn last line is not one."""
    try:
        with open(path, "rb") as f:
            for line in f:
                if line.endswith(b"\n"):
                    yield json.loads(line)
    except FileNotFoundError:
        return
