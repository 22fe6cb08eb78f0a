"""The published clients from PyPI, each in an environment of its own, made once a checkout."""

import fcntl
import subprocess
import sys

from conftest import ROOT

PACKAGES = {"published": "infinium-o2==1.2.0", "earlier": "infinium-o2==0.1.0"}
FOLDERS = {"published": "published-client", "earlier": "published-client-0.1.0"}


def published_python(which):
    """Its interpreter. Processes that ask at the same time wait for the one that makes it."""
    folder = ROOT / "build" / FOLDERS[which]
    python, stamp = folder / "bin" / "python", folder / "ready"
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=120)
            subprocess.run([str(python), "-m", "pip", "install", "-q", PACKAGES[which]], check=True, timeout=240)
            stamp.touch()
    return str(python)
