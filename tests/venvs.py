"""Packages of Python's index, for tests and benchmarks only: in virtual
environments of their own under build/, made when first asked for."""

import fcntl
import pathlib
import subprocess
import venv

HOME = pathlib.Path(__file__).resolve().parents[1] / "build"


def has(python, modules):
    return python.exists() and subprocess.run([python, "-c", "import " + ", ".join(modules)],
                                              stderr=subprocess.DEVNULL).returncode == 0


def python_with(name, **packages):
    """The interpreter of build/NAME with these modules (module=package); None if
    they cannot be had. Who asks beside another waits until it has made them."""
    home = HOME / name
    python = home / "bin" / "python"
    HOME.mkdir(exist_ok=True)
    with open(HOME / (name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not has(python, packages):
                venv.create(home, with_pip=True, clear=True)
                subprocess.run([python, "-m", "pip", "-q", "--retries", "1", "install", *packages.values()],
                               check=True, timeout=240, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError, SystemExit):
            return None
    return python if has(python, packages) else None


def fastavro():
    return python_with("venv", fastavro="fastavro", cramjam="cramjam")
