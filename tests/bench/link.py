"""The custody link alone: chains of empty stages against PUSH/PULL, one run."""

import importlib.util
import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD") or ROOT / "build")
HOPS = 5
BUDGET = 110  # us of CPU for five deliveries, docs/ARCHITECTURE.md


def stages():
    """tests/integration/mesh.py, which has the name of another module here."""
    os.environ.setdefault("WEFT_BUILD", str(BUILD))
    spec = importlib.util.spec_from_file_location(
        "stages_mesh", ROOT / "tests" / "integration" / "mesh.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def push_pull(ports, count, size):
    """Alerts per second of a chain that guarantees nothing."""
    program = BUILD / "tests" / "pushpull_main"
    ends = [f"tcp://127.0.0.1:{p}" for p in ports]
    chain = [subprocess.Popen([program, ends[i], ends[i + 1]]) for i in range(len(ends) - 1)]
    sink = subprocess.Popen([program, ends[-1], "-", str(count)], stdout=subprocess.PIPE)
    source = subprocess.Popen([program, "-", ends[0], str(count), str(size)])
    seconds = float(sink.communicate(timeout=120)[0])
    for process in [*chain, source]:
        process.kill()
        process.wait()
    return (count - count // 10) / seconds


def custody(m, ports, count, size):
    """Alerts per second and CPU us per alert of a chain of empty stages."""
    names = [f"s{i}" for i in range(1, len(ports))] + ["sink"]
    m.source(ports[0], [names[0]], alerts=count, size=size, end=False)
    for i in range(1, len(ports)):
        m.stage(names[i - 1], [ports[i - 1]], ports[i], [names[i]], stage=names[i - 1])
    m.sink([ports[-1]])
    sink = pathlib.Path(m.path("sink.ids"))
    lines = lambda: sink.read_bytes().count(b"\n") if sink.exists() else 0
    cpu = lambda: sum(p.cpu_seconds() for p in m.processes.values())
    m.start()
    while lines() < count // 10:
        time.sleep(0.01)
    start, first, before = time.monotonic(), lines(), cpu()
    while lines() < count:
        time.sleep(0.01)
    done = count - first
    return done / (time.monotonic() - start), 1e6 * (cpu() - before) / done


def bench_link(_folder):
    s = stages()
    rows = []
    for size, count in ((1000, 100000), (10000, 60000), (60000, 15000)):
        peer = push_pull([s.free_port() for _ in range(HOPS)], count, size)
        with s.Mesh(f"link {size}") as m:
            rate, us = custody(m, [s.free_port() for _ in range(HOPS)], count, size)
        rows.append({"name": f"link: {HOPS} hops, {size // 1000} kB", "value": round(rate), "unit": "1/s",
                     "peer": "PUSH/PULL", "peer_value": round(peer), "ratio": round(rate / peer, 3)})
        budget = size == 10000
        rows.append({"name": f"link: CPU of {HOPS} hops, {size // 1000} kB", "value": round(us, 1), "unit": "us",
                     "peer": "budget" if budget else "", "peer_value": BUDGET if budget else None,
                     "ratio": round(us / BUDGET, 3) if budget else None})
    return rows


def bench_curve(_folder):
    """The same chain in plain text and with keys, one after the other."""
    s = stages()
    rows = []
    for size, count in ((1000, 60000), (10000, 30000), (60000, 8000)):
        found = {}
        for kind in ("plain", "curve"):
            with s.Mesh(f"{kind} {size}") as m:
                if kind == "curve":
                    m.lock("source", *[f"s{i}" for i in range(1, HOPS)], "sink")
                found[kind] = custody(m, [s.free_port() for _ in range(HOPS)], count, size)
        (plain_rate, plain_us), (rate, us) = found["plain"], found["curve"]
        kb = size // 1000
        rows.append({"name": f"curve: {HOPS} hops, {kb} kB", "value": round(rate), "unit": "1/s",
                     "peer": "plaintext", "peer_value": round(plain_rate),
                     "ratio": round(rate / plain_rate, 3)})
        rows.append({"name": f"curve: CPU per alert per hop, {kb} kB", "value": round(us / HOPS, 1),
                     "unit": "us", "peer": "plaintext", "peer_value": round(plain_us / HOPS, 1),
                     "ratio": round(us / plain_us, 3)})
    return rows
