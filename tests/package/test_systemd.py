"""The systemd units as they are installed: systemd finds nothing wrong with them, and the service stays locked up.

    tests/package/test_systemd.py BUILD_DIR

Exit code 77: there is no systemd-analyze here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MOST_EXPOSURE = 2.0  # of 10; what `systemd-analyze security` calls OK


def main(build: Path) -> int:
    if not shutil.which("systemd-analyze"):
        print("no systemd-analyze: skipped")
        return 77
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        subprocess.run(
            ["cmake", "--install", build, "--component", "receiver", "--prefix", root / "usr"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        units = root / "usr/lib/systemd/system"
        service, socket = units / "infinium.service", units / "infinium.socket"
        text = service.read_text()
        assert f"ExecStart={root}/usr/bin/infinium serve\n" in text, text
        binary = root / "usr/bin/infinium"
        binary.parent.mkdir(exist_ok=True)
        shutil.copy(build / "cli/infinium", binary)
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", service, socket], capture_output=True, text=True
        )
        assert done.returncode == 0 and not done.stderr, done.stderr
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", service], capture_output=True, text=True
        )
        found = re.search(r"Overall exposure level for infinium.service: ([0-9.]+)", done.stdout)
        assert found, done.stdout + done.stderr
        print(found.group(0))
        assert float(found.group(1)) <= MOST_EXPOSURE
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
