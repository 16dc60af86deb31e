"""A Redis Cluster of a test's own: three masters and their replicas.

On loopback ports, append-only files on. Its slots are moved and its masters
killed while something uses it; `disturb` does both in turn.
"""

import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

from ports import free_port, HIGH, OUTGOING

MASTERS = 3


def node_port():
    """A free port whose bus port, 10,000 above it, stays free: above those that
    tests are given, below those of outgoing connections, which would take it
    while its node is dead."""
    return free_port(HIGH - 10000, OUTGOING - 10000)


class Node:
    def __init__(self, folder):
        self.port = node_port()
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.process = None

    @property
    def place(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if not program:
            raise SystemExit("redis-server is not installed: ./run build installs it")
        log = open(self.folder / "redis.log", "ab")
        self.process = subprocess.Popen(
            [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
             "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
             "--appendonly", "yes", "--appendfsync", "everysec",
             "--auto-aof-rewrite-min-size", "512mb", "--save", "",
             "--repl-diskless-sync-delay", "0", "--daemonize", "no"],
            stdout=log, stderr=log)
        wait_for(lambda: self.command("PING") == "PONG", f"no answer from {self.place}")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait()

    def command(self, *words):
        """One command, its reply as text, number or list; None if there is none."""
        text = "".join(f"${len(w.encode())}\r\n{w}\r\n" for w in map(str, words))
        try:
            with socket.create_connection(("127.0.0.1", self.port), 10) as s:
                s.sendall(f"*{len(words)}\r\n{text}".encode())
                with s.makefile("rb") as f:
                    return answer(f)
        except (OSError, ValueError):
            return None

    def says(self, *words):
        """Is every word in what INFO says?"""
        info = self.command("INFO", "replication") if self.alive() else None
        return bool(info) and all(word in info for word in words)


def answer(f):
    line = f.readline().decode()
    kind, rest = line[:1], line[1:].strip()
    if kind == "$":
        size = int(rest)
        return None if size < 0 else f.read(size + 2)[:-2].decode(errors="replace")
    if kind == "*":
        return [answer(f) for _ in range(int(rest))]
    return int(rest) if kind == ":" else rest


def wait_for(condition, what, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} within {seconds} s")
        time.sleep(0.05)


class Cluster:
    def __init__(self, folder, replicas=True):
        folder = pathlib.Path(folder)
        self.nodes = [Node(folder / str(i)) for i in range(2 * MASTERS if replicas else MASTERS)]
        self.failure = None
        self.reshards = self.kills = 0

    @property
    def places(self):
        """Some nodes, as a configuration lists them."""
        return [node.place for node in self.nodes[:2]]

    @property
    def address(self):
        return "cluster:" + ",".join(self.places)

    def start(self):
        for i, node in enumerate(self.nodes):
            node.start()
            node.command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for i in range(MASTERS):
            self.nodes[i].command("CLUSTER", "ADDSLOTSRANGE", 16384 * i // MASTERS,
                                  16384 * (i + 1) // MASTERS - 1)
        for node in self.nodes[1:]:
            node.command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        known = f"cluster_known_nodes:{len(self.nodes)}"
        wait_for(lambda: all(known in n.command("CLUSTER", "INFO") for n in self.nodes),
                 "its nodes do not meet")
        for i in range(MASTERS, len(self.nodes)):
            self.nodes[i].command("CLUSTER", "REPLICATE",
                                  self.nodes[i - MASTERS].command("CLUSTER", "MYID"))
        self.settle()
        return self

    def masters(self):
        return [n for n in self.nodes if n.says("role:master")]

    def in_step(self):
        return [n for n in self.nodes if n.says("role:slave", "master_link_status:up")]

    def state(self):
        """What a newcomer to a failure wants to know, a few lines."""
        lines = []
        for node in self.nodes:
            info = [node.command("CLUSTER", "INFO") or "", node.command("INFO", "replication") or ""]
            said = [line.strip() for line in "\n".join(info).split("\n")
                    if line.startswith(("role", "master_link_status", "cluster_state",
                                        "cluster_slots_ok"))]
            lines.append(f"{node.place} {'alive' if node.alive() else 'dead'} {' '.join(said)}")
            if not said:
                lines += (node.folder / "redis.log").read_text(errors="replace").split("\n")[-4:]
        check = subprocess.run(["redis-cli", "--cluster", "check", self.nodes[0].place],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        lines += [line for line in check.stdout.decode(errors="replace").split("\n")
                  if line.startswith(("[ERR]", "[WARNING]"))]
        return "\n     ".join(lines)

    def settle(self):
        """All replicas have what their masters have, and all nodes one map."""
        wait_for(lambda: len(self.in_step()) == len(self.nodes) - MASTERS,
                 "replicas do not catch up")
        wait_for(lambda: all("cluster_state:ok" in (n.command("CLUSTER", "INFO") or "")
                             for n in self.nodes), "its state is not ok")
        wait_for(lambda: subprocess.run(["redis-cli", "--cluster", "check", self.nodes[0].place],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        check=False).returncode == 0, "its nodes do not agree")

    def reshard(self, source, target, slots, tries=3):
        self.settle()  # it is refused until all have heard of the last one
        ids = [n.command("CLUSTER", "MYID") for n in (source, target)]
        done = subprocess.run(
            ["redis-cli", "--cluster", "reshard", source.place, "--cluster-from", ids[0],
             "--cluster-to", ids[1], "--cluster-slots", str(slots), "--cluster-yes"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            # A node that was just voted for may refuse; the slot it stood at
            # stays open, as it would for an operator.
            subprocess.run(["redis-cli", "--cluster", "fix", source.place], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if tries == 1:
                raise RuntimeError("reshard: " + done.stdout.decode(errors="replace")[-400:])
            self.reshard(source, target, slots, tries - 1)
            return
        self.reshards += 1

    def replicas_of(self, master):
        return [n for n in self.nodes if n.says("role:slave", f"master_port:{master.port}\r\n")]

    def fail_over(self, victim, behind=0):
        """kill -9 of a master; its replica takes over; it comes back as a replica.
        `behind`: seconds in which the master acknowledges what no replica gets."""
        replicas = self.replicas_of(victim) if behind else []
        for node in replicas:
            node.process.send_signal(signal.SIGSTOP)
        if behind:
            victim.command("CLIENT", "KILL", "TYPE", "replica")  # else the kernel keeps it for them
            time.sleep(behind)
        victim.kill()
        for node in replicas:
            node.process.send_signal(signal.SIGCONT)
        wait_for(lambda: len(self.masters()) == MASTERS, "nobody takes over")
        victim.start()
        self.settle()
        self.kills += 1

    def disturb(self, ending, slots=300):
        """Moves slots there and back and kills a master, in turn, until `ending` is
        set and one was killed."""
        turn = 0
        try:
            while not ending.is_set():
                masters = self.masters()
                first, second, third = (masters[(turn + i) % MASTERS] for i in range(MASTERS))
                self.reshard(first, second, slots)
                self.reshard(second, first, slots)
                if ending.is_set() and self.kills:
                    break
                self.fail_over(third)
                turn += 1
        except Exception as error:  # pylint: disable=broad-except
            self.failure = f"the cluster: {error}\n     {self.state()}"

    def disturb_in_background(self):
        """Returns what ends it, and waits until it has ended."""
        ending = threading.Event()
        thread = threading.Thread(target=self.disturb, args=(ending,), daemon=True)
        thread.start()

        def end():
            ending.set()
            thread.join(600)
        return end

    def count_in_hashes(self, pattern):
        """Entries of all hashes whose names match."""
        script = ("local n = 0 for _, k in ipairs (redis.call ('KEYS', ARGV[1])) do "
                  "n = n + redis.call ('HLEN', k) end return n")
        return sum(n.command("EVAL", script, 0, pattern) for n in self.masters())

    def kill_all(self):
        for node in self.nodes:
            node.kill()
