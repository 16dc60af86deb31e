"""A real Kafka for tests and experiments: KRaft, one broker or three.

The broker's jars come from Maven once and stay in the build folder. Where they
(or Java) cannot be had, `Missing` says why, and a test that needs them skips.
"""

import fcntl
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from ports import free_port  # noqa: E402

BUILD = pathlib.Path(os.environ.get("WEFT_BUILD") or ROOT / "build").resolve()
VERSION = "3.9.1"
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>weft</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>%s</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
""" % VERSION
USER, PASSWORD = "weft", "weft-secret"


class Missing(Exception):
    """Why there is no Kafka here."""


def jars():
    """The folder with Kafka's jars, filled at the first call; who comes beside
    the first waits for it, as two Mavens at once break each other's files."""
    #  One copy for all presets: a build folder inside another shares its.
    top = next((p for p in (BUILD, *BUILD.parents) if (p / "kafka" / "libs").is_dir()), BUILD)
    home = top / "kafka"
    libs = home / "libs"
    if not shutil.which("java"):
        raise Missing("Java is not installed (Debian: default-jre-headless)")
    if (home / "complete").exists():
        return libs
    if not shutil.which("mvn"):
        raise Missing("Kafka is not downloaded yet and Maven is not installed (Debian: maven)")
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            download(home, libs)
    return libs


def download(home, libs):
    (home / "pom.xml").write_text(POM)
    got = subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={libs}"],
                         cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, timeout=900)
    if got.returncode or not list(libs.glob("kafka_2.13-*.jar")):
        raise Missing("Maven cannot download Kafka: " + (got.stdout.strip().splitlines() or ["?"])[0][:200])
    (home / "complete").touch()


def tool(*words, data=None, check=True):
    """tests/kafka_tool_main: what a client of Kafka does for a test."""
    run = subprocess.run([str(BUILD / "tests" / "kafka_tool_main"), *map(str, words)], input=data,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if check and run.returncode:
        raise RuntimeError(f"kafka_tool {' '.join(map(str, words))}: {run.stderr.decode().strip()[-400:]}")
    return run.stdout.decode()


def authority(folder, name):
    """A certificate authority of a test's own: name.crt, name.key in the folder."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt"], check=True,
                   stderr=subprocess.DEVNULL)
    return f"{folder}/{name}.crt"


def certificate(folder):
    """The brokers' key and certificate for 127.0.0.1, signed by ca.crt beside it."""
    where = folder / "broker.pem"
    if where.exists():
        return where
    folder.mkdir(parents=True, exist_ok=True)
    authority(folder, "ca")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    quiet = {"check": True, "stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=broker", "-keyout",
                    f"{folder}/broker.key", "-out", f"{folder}/broker.csr"], **quiet)
    subprocess.run(["openssl", "x509", "-req", "-days", "2", "-in", f"{folder}/broker.csr", "-CA", f"{folder}/ca.crt",
                    "-CAkey", f"{folder}/ca.key", "-CAcreateserial", "-extfile", f"{folder}/names", "-out",
                    f"{folder}/broker.crt"], **quiet)
    where.write_text((folder / "broker.key").read_text() + (folder / "broker.crt").read_text())
    return where


def feed(address, topic, messages):
    """(partition, bytes) of each; durable when it returns. How many."""
    command = [str(BUILD / "tests" / "kafka_tool_main"), "feed", address, topic]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as run:
        for partition, data in messages:
            run.stdin.write(struct.pack("<II", partition, len(data)) + data)
        run.stdin.close()
        said = run.stdout.read().decode()
        why = run.stderr.read().decode()
    if run.returncode:
        raise RuntimeError(f"cannot feed {topic}: {why[-400:]}")
    return int(said)


class Broker:
    def __init__(self, cluster, number):
        self.cluster, self.number = cluster, number
        self.port, self.controller, self.sasl = free_port(), free_port(), free_port()
        self.tls, self.token = free_port(), free_port()
        self.folder = cluster.folder / f"broker-{number}"
        self.process = None

    def configure(self):
        brokers = self.cluster.brokers
        copies = min(3, len(brokers))
        jaas = ("org.apache.kafka.common.security.scram.ScramLoginModule required "
                f"username=\"{USER}\" password=\"{PASSWORD}\";")
        self.folder.mkdir(parents=True, exist_ok=True)
        secure = self.secure() if self.cluster.secure else []
        more = "".join(f",{name}://127.0.0.1:{port}" for name, port in
                       (("TLS", self.tls), ("TOKEN", self.token)) if secure)
        (self.folder / "server.properties").write_text("\n".join([
            "process.roles=broker,controller",
            f"node.id={self.number}",
            "controller.quorum.voters=" + ",".join(f"{b.number}@127.0.0.1:{b.controller}" for b in brokers),
            f"listeners=PLAINTEXT://127.0.0.1:{self.port},SASL://127.0.0.1:{self.sasl},"
            f"CONTROLLER://127.0.0.1:{self.controller}{more}",
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=PLAINTEXT",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,"
            "TLS:SASL_SSL,TOKEN:SASL_SSL",
            *secure,
            "sasl.enabled.mechanisms=SCRAM-SHA-256",
            f"listener.name.sasl.scram-sha-256.sasl.jaas.config={jaas}",
            f"offsets.topic.replication.factor={copies}",
            f"transaction.state.log.replication.factor={copies}",
            f"transaction.state.log.min.isr={max(1, copies - 1)}",
            f"min.insync.replicas={max(1, copies - 1)}",
            f"default.replication.factor={copies}",
            "offsets.topic.num.partitions=4",
            "group.initial.rebalance.delay.ms=0",
            #  A broker that was killed is waited out before it may come again.
            "broker.session.timeout.ms=3000",
            "broker.heartbeat.interval.ms=500",
            "auto.create.topics.enable=false",
            "message.max.bytes=20000000",
            f"log.dirs={self.folder}/log", ""]))
        if not (self.folder / "log").exists():
            self.java("kafka.tools.StorageTool", "format", "-t", self.cluster.id, "-c",
                      self.folder / "server.properties", "--add-scram",
                      f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]")

    def secure(self):
        """Two encrypted listeners: SCRAM with TLS, and OAUTHBEARER with tokens
        that nobody has signed, which Kafka takes for tests."""
        scram = f"username=\"{USER}\" password=\"{PASSWORD}\""
        return [
            "ssl.keystore.type=PEM", f"ssl.keystore.location={certificate(self.cluster.folder)}",
            "listener.name.tls.sasl.enabled.mechanisms=SCRAM-SHA-256",
            "listener.name.tls.scram-sha-256.sasl.jaas.config="
            f"org.apache.kafka.common.security.scram.ScramLoginModule required {scram};",
            "listener.name.token.sasl.enabled.mechanisms=OAUTHBEARER",
            "listener.name.token.oauthbearer.sasl.jaas.config="
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
            "unsecuredLoginStringClaim_sub=\"broker\";"]

    def java(self, *words):
        done = subprocess.run(["java", "-cp", f"{self.cluster.libs}/*", *map(str, words)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise RuntimeError(f"{words[0]}: {done.stdout[-600:]}")

    def start(self):
        with open(self.folder / "log.txt", "ab") as log:
            self.process = subprocess.Popen(
                ["java", "-Xmx320m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                 "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{self.cluster.libs}/*",
                 "kafka.Kafka", str(self.folder / "server.properties")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def kill(self, number=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait()


class Kafka:
    """One or three brokers in a folder of their own."""

    def __init__(self, folder, brokers=1, secure=False):
        self.libs = jars()
        self.secure = secure
        self.folder = pathlib.Path(folder).resolve()
        self.id = "d2VmdC1rYWZrYS10ZXN0cw"  # any 16 bytes
        self.brokers = []
        self.brokers = [Broker(self, n + 1) for n in range(brokers)]

    @property
    def address(self):
        return ",".join(f"127.0.0.1:{b.port}" for b in self.brokers)

    @property
    def sasl_address(self):
        return ",".join(f"127.0.0.1:{b.sasl}" for b in self.brokers)

    @property
    def tls_address(self):
        return ",".join(f"127.0.0.1:{b.tls}" for b in self.brokers)

    @property
    def token_address(self):
        return ",".join(f"127.0.0.1:{b.token}" for b in self.brokers)

    def start(self, seconds=240):
        for broker in self.brokers:
            broker.configure()
        for broker in self.brokers:
            broker.start()
        self.wait(seconds)
        return self

    def wait(self, seconds=240):
        """Until as many brokers answer as run."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            alive = [b for b in self.brokers if b.process and b.process.poll() is None]
            if not alive:
                break
            if tool("brokers", self.address, check=False).strip() == str(len(alive)):
                return
            time.sleep(0.2)
        raise RuntimeError(f"Kafka does not start; see {self.brokers[0].folder}/log.txt")

    def stop(self):
        for broker in self.brokers:
            if broker.process and broker.process.poll() is None:
                broker.process.terminate()
        end = time.monotonic() + 30
        for broker in self.brokers:
            if broker.process:
                try:
                    broker.process.wait(max(0.1, end - time.monotonic()))
                except subprocess.TimeoutExpired:
                    broker.kill()

    def kill(self):
        for broker in self.brokers:
            broker.kill()

    def create(self, topic, partitions=4):
        tool("create", self.address, topic, partitions, min(3, len(self.brokers)))

    def feed(self, topic, messages):
        return feed(self.address, topic, messages)

    def ends(self, topic):
        """partition -> (first offset, next offset)"""
        return {int(p): tuple(e) for p, e in json.loads(tool("ends", self.address, topic)).items()}

    def committed(self, group, topic):
        """partition -> committed offset, -1: none"""
        out = tool("committed", self.address, group, topic, check=False)
        return {int(p): o for p, o in json.loads(out).items()} if out else {}

    def at_end(self, group, topic):
        committed = self.committed(group, topic)
        return bool(committed) and all(max(committed.get(p, -1), low) == high
                                       for p, (low, high) in self.ends(topic).items())


# -- ./run kafka up|put|down --------------------------------------------------

UP = BUILD / "kafka" / "up"


def running():
    """Brokers that `up` has started and that are still there, by their process."""
    pids = []
    for pid in (UP / "pids").read_text().split() if (UP / "pids").exists() else []:
        try:
            if str(UP).encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                pids.append(int(pid))
        except OSError:
            pass
    return pids


def up(words):
    count = int(words[words.index("--brokers") + 1]) if "--brokers" in words else 1
    if running():
        print((UP / "said").read_text(), end="")
        print("kafka: it runs already, with its topics; ./run kafka down stops it", file=sys.stderr)
        return 1
    shutil.rmtree(UP, ignore_errors=True)
    kafka = Kafka(UP, count).start()
    (UP / "pids").write_text("\n".join(str(b.process.pid) for b in kafka.brokers) + "\n")
    (UP / "address").write_text(kafka.address)
    said = (f"brokers        {kafka.address}\n"
            f"with SASL      {kafka.sasl_address}  (sasl_plaintext, SCRAM-SHA-256, {USER}, {PASSWORD})\n"
            f"folder         {UP}\n"
            "packets go in  ./run kafka put TOPIC PATH...\n"
            "ends with      ./run kafka down, its topics with it; the next one has other ports\n")
    (UP / "said").write_text(said)
    print(said, end="")
    return 0


def files_under(path):
    """The files of a folder as `weft peek` and ingest walk it: nothing hidden, sorted
    by their whole paths."""
    found = []
    for folder, below, names in os.walk(path, followlinks=True):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [os.path.join(folder, name) for name in names if not name.startswith(".")]
    return [pathlib.Path(name) for name in sorted(found, key=os.fsencode) if os.path.isfile(name)]


def put(words):
    """Each file is one message, of four partitions in turn."""
    if len(words) < 2:
        print("usage: ./run kafka put TOPIC PATH...", file=sys.stderr)
        return 2
    if not running():
        print("kafka: none runs; ./run kafka up starts one", file=sys.stderr)
        return 1
    topic, files = words[0], []
    for path in map(pathlib.Path, words[1:]):
        if not path.exists():
            print(f"kafka: {path}: no such file or folder", file=sys.stderr)
            return 2
        files += files_under(path) if path.is_dir() else [path]
    address = (UP / "address").read_text()
    tool("create", address, topic, 4, min(3, len(address.split(","))), check=False)
    done = feed(address, topic, ((n % 4, path.read_bytes()) for n, path in enumerate(files)))
    print(f"{done} messages are in {topic}; weft peek kafka://{address.split(',')[0]}/{topic}")
    return 0


def down(_):
    pids = running()
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
        while pathlib.Path(f"/proc/{pid}").exists():
            time.sleep(0.1)
    (UP / "pids").unlink(missing_ok=True)
    print("kafka: it is down" if pids else "kafka: none runs", file=sys.stderr)
    return 0


def main():
    words = sys.argv[1:]
    commands = {"up": up, "put": put, "down": down}
    if not words or words[0] not in commands:
        print("usage: ./run kafka up [--brokers 3] | put TOPIC PATH... | down\n\n"
              "A real Kafka on this machine, without ZooKeeper, for experiments: its jars are\n"
              "downloaded with Maven once; `up` installs Java and Maven where they are missing. Where\n"
              "ingest reads from is printed.",
              file=sys.stderr if words and words[0] not in ("-h", "--help") else sys.stdout)
        return 0 if words and words[0] in ("-h", "--help") else 2
    try:
        return commands[words[0]](words[1:])
    except Missing as why:
        print(f"SKIP: {why}")
        return 77


if __name__ == "__main__":
    sys.exit(main())
