"""A mesh of real processes for tests: start, kill, pause, restart, compare.

Who was lost is decided here, by comparing the ids that went in with the ids
that came out, never by the mesh's own counters.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from cluster import Cluster  # noqa: E402
from ports import free_port  # noqa: E402,F401

BUILD = os.environ.get("WEFT_BUILD", "build/debug")
STAGES = os.path.join(BUILD, "tests")
os.environ.setdefault("TSAN_OPTIONS", "suppressions=" + os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "tsan.supp"))


#  A limit only ends what hangs; none of them decides an outcome, so that a slow
#  machine, or a sanitizer, fails nothing.
PATIENCE = 8


class Process:
    """One service. Its configuration is written as JSON, which is YAML."""

    def __init__(self, mesh, name, program, config, env=None):
        self.mesh, self.name, self.program = mesh, name, program
        self.config, self.env = config, env or {}
        self.path = os.path.join(mesh.folder, name + ".yaml")
        self.log = os.path.join(mesh.folder, name + ".log")
        self.popen = None
        self.write()

    def write(self):
        with open(self.path + ".new", "w") as f:
            json.dump(self.config, f, indent=1)
        os.rename(self.path + ".new", self.path)

    def start(self):
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                [self.program, "--config", self.path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, **self.env))
        return self

    def send(self, number):
        if self.running():
            self.popen.send_signal(number)

    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def kill(self, number=signal.SIGKILL):
        """Ends it and returns the exit code."""
        self.send(number)
        return self.wait()

    def restart(self):
        self.kill()
        return self.start()

    def wait(self, seconds=30):
        try:
            return self.popen.wait(seconds * PATIENCE) if self.popen else None
        except subprocess.TimeoutExpired:
            raise AssertionError("%s does not end within %s s" % (
                self.name, seconds * PATIENCE)) from None

    def last_words(self, count=8):
        """The end of its log, for whoever has no folder to look into."""
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as f:
            return "".join("     %s: %s\n" % (self.name, line.strip()[:240])
                           for line in f.readlines()[-count:])

    def pause(self):
        self.send(signal.SIGSTOP)

    def resume(self):
        self.send(signal.SIGCONT)

    def events(self, event=None):
        """The log's lines as dicts, those with this id."""
        out = []
        if not os.path.exists(self.log):
            return out
        with open(self.log, errors="replace") as f:
            for line in f:
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if event is None or row.get("id") == event:
                    out.append(row)
        return out

    def http(self, path):
        url = "http://%s%s" % (self.config["http"]["address"], path)
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name):
        """The sum of all samples whose line starts with this."""
        total = 0.0
        for line in self.http("/metrics")[1].splitlines():
            if line.startswith(name):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def memory_mb(self):
        try:
            with open("/proc/%d/statm" % self.popen.pid) as f:
                return int(f.read().split()[1]) * 4096 / 1e6
        except (OSError, ValueError):
            return 0.0

    def cpu_seconds(self):
        try:
            with open("/proc/%d/stat" % self.popen.pid) as f:
                fields = f.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf(
                "SC_CLK_TCK")
        except (OSError, ValueError):
            return 0.0


class Redis:
    """A Redis of a test's own on a Unix socket, append-only file on."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "redis")
        self.socket = os.path.join(folder, "redis.sock")
        self.address = "unix:" + self.socket
        self.popen = None
        os.makedirs(self.folder)

    def start(self):
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.popen = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket,
             "--dir", self.folder, "--appendonly", "yes", "--appendfsync",
             "everysec", "--auto-aof-rewrite-min-size", "512mb", "--save", "",
             "--maxmemory-policy", "noeviction"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(5000):
            try:
                if self.command("PING") == "PONG":
                    return self
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError("redis-server does not start")

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def command(self, *words):
        """One command with text arguments; a line, a number or a list."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(self.socket)
            out = b"*%d\r\n" % len(words)
            for word in words:
                data = word.encode()
                out += b"$%d\r\n%s\r\n" % (len(data), data)
            s.sendall(out)
            with s.makefile("rb") as f:
                return self.answer(f)

    def answer(self, f):
        line = f.readline().decode()
        kind, rest = line[0], line[1:].strip()
        if kind == "$":
            size = int(rest)
            return None if size < 0 else f.read(size + 2)[:-2].decode(
                errors="replace")
        if kind == "*":
            return [self.answer(f) for _ in range(int(rest))]
        return int(rest) if kind == ":" else rest


class Mesh:
    def __init__(self, title, redis=False, cluster=None):
        """`cluster`: None, or with replicas or not, beside the one Redis."""
        self.title = title + (" (cluster)" if cluster is not None else "")
        self.folder = tempfile.mkdtemp(prefix="weft-mesh-")
        self.processes = {}
        self.keys, self.stage_at = "", {}
        self.redis = Redis(self.folder).start() if redis else None
        self.cluster = None
        if cluster is not None:
            self.cluster = Cluster(self.path("cluster"), cluster).start()
        self.started = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        for process in self.processes.values():
            process.resume()
            process.kill()
        if self.redis:
            self.redis.kill()
        if self.cluster:
            self.cluster.kill_all()
        said = self.sanitizers() if kind is None else None
        if said:
            kind, error = AssertionError, AssertionError(said)
            print("FAIL %s: %s\n     see %s" % (
                self.title, said, self.folder), flush=True)
            raise error
        if kind is None:
            shutil.rmtree(self.folder)
            print("ok   %-34s %5.1f s" % (
                self.title, time.monotonic() - self.started), flush=True)
        else:
            #  The reason comes last: who prints only an end prints that.
            for process in self.processes.values():
                print(process.last_words(), end="", flush=True)
            print("FAIL %s: %s\n     see %s" % (
                self.title, error, self.folder), flush=True)

    def sanitizers(self):
        """What a sanitizer has said of any process; crashes may be meant."""
        signs = ("ThreadSanitizer: data race", "LeakSanitizer", "runtime error:",
                 "AddressSanitizer: heap", "AddressSanitizer: stack",
                 "AddressSanitizer: attempting", "AddressSanitizer: global")
        for process in self.processes.values():
            if not os.path.exists(process.log):
                continue
            with open(process.log, errors="replace") as f:
                for line in f:
                    if any(sign in line for sign in signs):
                        return "%s: %s" % (process.name, line.strip())
        return None

    def path(self, name):
        return os.path.join(self.folder, name)

    def lock(self, *names):
        """What is added after this has keys, so its links are encrypted."""
        self.keys = self.path("keys")
        self.weft_keys(self.keys, *names)

    def weft_keys(self, *words):
        done = subprocess.run([os.path.join(BUILD, "bin", "weft"), "keys", *words],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(done.returncode == 0, "weft keys: %s" % done.stdout.decode())

    def add(self, name, program, config, env=None):
        config = {section: dict(values) for section, values in config.items()}
        config.setdefault("redis", {}).setdefault(
            "address", self.redis.address if self.redis else "")
        if self.cluster:
            config["redis"].setdefault("cluster", self.cluster.places)
        if self.keys:
            config["link"].setdefault("keys", self.keys)
        process = Process(self, name, program, config, env)
        self.processes[name] = process
        return process

    def at(self, ports):
        """Upstreams: with keys, each says which stage it is."""
        return [("%s@" % self.stage_at[p] if self.keys else "") +
                "127.0.0.1:%d" % p for p in ports]

    def source(self, port, outputs, name="source", link=None, **options):
        self.stage_at[port] = "source"
        options.setdefault("log", self.path(name + ".outcomes"))
        return self.add(name, os.path.join(STAGES, "test_source_main"), {
            "link": dict({"bind": "127.0.0.1:%d" % port, "outputs": outputs},
                         **(link or {})),
            "http": {"address": "127.0.0.1:%d" % free_port()},
            "options": options})

    def stage(self, name, upstreams, port, outputs, stage="pass", link=None,
              env=None, **options):
        self.stage_at[port] = stage
        return self.add(name, os.path.join(STAGES, "test_pass_main"), {
            "link": dict({"upstreams": self.at(upstreams),
                          "bind": "127.0.0.1:%d" % port,
                          "outputs": outputs},
                         **(link or {})),
            "http": {"address": "127.0.0.1:%d" % free_port()},
            "options": options}, dict({"WEFT_TEST_STAGE": stage},
                                      **(env or {})))

    def sink(self, upstreams, name="sink", stage="sink", link=None, **options):
        options.setdefault("file", self.path(name + ".ids"))
        options.setdefault("down", self.path(name + ".down"))
        return self.add(name, os.path.join(STAGES, "test_sink_main"), {
            "link": dict({"upstreams": self.at(upstreams)}, **(link or {})),
            "http": {"address": "127.0.0.1:%d" % free_port()},
            "options": options}, {"WEFT_TEST_STAGE": stage})

    def start(self):
        for process in self.processes.values():
            process.start()

    def drain(self):
        """SIGTERM to all at once: each must end with 0."""
        begin = time.monotonic()
        for process in self.processes.values():
            process.send(signal.SIGTERM)
        for process in self.processes.values():
            if process.popen is None:
                continue
            code = process.wait()
            check(code == 0, "%s ended with %s" % (process.name, code))
        print("     drained in %.1f s" % (time.monotonic() - begin))

    def intake_ends(self):
        """A source without end stops where it is, everything that it has taken
        is settled. Returns how many."""
        source, path = self.processes["source"], self.path("source.outcomes")
        wait_for(lambda: outcomes(path), 30, "nothing is settled at all")
        source.kill(signal.SIGTERM)
        n = max(outcomes(path)) + 1
        source.config["options"]["alerts"] = n
        source.config["options"]["end"] = True
        source.write()
        for process in self.processes.values():
            process.resume()
            if not process.running():
                process.start()
        check(source.wait(60) == 0, "the source does not come to its end")
        return n

    def finish(self, dead=()):
        """intake_ends, and everything is in the sink."""
        n = self.intake_ends()
        all_arrived(self.path("source.outcomes"), [self.path("sink.ids")], n, dead)
        return n


def lines(path):
    """The numbers at the start of a file's whole lines, in order."""
    if not os.path.exists(path):
        return []
    with open(path) as f:
        text = f.read()
    return [line.split() for line in text[:text.rfind("\n") + 1].splitlines()]


def ids(path):
    return [int(row[0]) for row in lines(path)]


def outcomes(path):
    """id -> outcome, first one wins."""
    out = {}
    for row in lines(path):
        out.setdefault(int(row[0]), int(row[1]))
    return out


def check(good, text):
    if not good:
        raise AssertionError(text)


def wait_for(condition, seconds, text):
    end = time.monotonic() + seconds * PATIENCE
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("not within %s s: %s" % (seconds * PATIENCE, text))


def ledger(address):
    """The total of `weft ledger`, as soon as Redis answers in time for it."""
    said = []

    def answers():
        run = subprocess.run([os.path.join(BUILD, "bin", "weft"), "ledger", "--json",
                              "--redis", address], stdout=subprocess.PIPE)
        if not run.returncode:
            said.append(json.loads(run.stdout)["total"])
        return said
    wait_for(answers, 60, "weft ledger has no answer")
    return said[0]


def all_arrived(source_path, sink_paths, n, dead=()):
    """Every id has one outcome, and is in every sink once unless dead."""
    found = outcomes(source_path)
    missing = [i for i in range(n) if i not in found]
    check(not missing, "%d without outcome, first %s" % (
        len(missing), missing[:5]))
    wrong = [i for i in range(n) if (found[i] == 1) == (i in dead)]
    check(not wrong, "outcome wrong of %s" % wrong[:10])
    for path in sink_paths:
        got = ids(path)
        lost = set(range(n)) - set(got) - set(dead)
        check(not lost, "%d lost in %s: %s" % (
            len(lost), path, sorted(lost)[:10]))
        check(len(got) == len(set(got)), "%d twice in %s" % (
            len(got) - len(set(got)), path))


def said(process, event, *parts):
    """The process logs this event, and its line has these parts, which stand in
    docs/OPERATIONS.md beside the event's name."""
    wait_for(lambda: process.events(event), 60, "%s says %s" % (process.name, event))
    text = process.events(event)[-1]["text"]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "OPERATIONS.md")) as f:
        page = [line for line in f if "`%s`" % event in line]
    check(page, "%s is not in docs/OPERATIONS.md" % event)
    for part in parts:
        check(part in text, "'%s' is not in: %s" % (part, text))
        check(any(part in line for line in page), "docs/OPERATIONS.md does not have '%s' beside %s" % (part, event))
    return text


def main(scenarios):
    """Runs the scenarios named on the command line, or all."""
    wanted = sys.argv[1:]
    failed = 0
    for scenario in scenarios:
        if wanted and scenario.__name__ not in wanted:
            continue
        try:
            scenario()
        except AssertionError:
            failed += 1
        except Exception:
            traceback.print_exc()
            failed += 1
    sys.exit(1 if failed else 0)
