"""Type checkers on what users write: the examples and a file of assertions, strictly; and the stubs against the package."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = [str(ROOT / "examples"), str(Path(__file__).with_name("typed_assertions.py"))]

pytestmark = pytest.mark.timeout(300)


def run(*command, **environment):
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def needs(module):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


def test_mypy(tmp_path):
    needs("mypy")
    run(sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), *FILES)


def test_pyright():
    needs("pyright")
    run(sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *FILES)


def test_the_stubs_are_the_package(tmp_path):
    needs("mypy")
    allowed, settings = tmp_path / "allowed.txt", tmp_path / "mypy.ini"
    allowed.write_text("\n".join(ALLOWED))
    settings.write_text("[mypy]\n" + "".join(f"[mypy-infinium.{name}]\nignore_errors = True\n" for name in INTERNAL))
    run(
        sys.executable, "-m", "mypy.stubtest", "--concise", "--ignore-missing-stub", "--allowlist", str(allowed),
        "--ignore-unused-allowlist", "--mypy-config-file", str(settings), "infinium",
        MYPY_CACHE_DIR=str(tmp_path / "cache"),
    )  # fmt: skip


# Without a stub, because nobody outside the package imports them.
INTERNAL = ("_api", "_errors", "_exports", "_http", "_json", "_payload", "_prompts", "_senders", "_workers", "integrations._call",
            "integrations._reading", "__main__")  # fmt: skip

# Types that exist for checkers only, the extension's own (made by their __new__), and the command.
ALLOWED = [
    r"infinium\.__main__", r"infinium\._core\..*", r"infinium\._trace\.(Decorator|KeepingDecorator|Kept|Exporter|TraceOptions)",
]  # fmt: skip
