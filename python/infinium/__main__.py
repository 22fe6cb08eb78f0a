"""python -m infinium ...: the `infinium` command that was installed with the package."""

import os
import shutil
import sys
import sysconfig


def main():
    beside = os.path.join(sysconfig.get_path("scripts"), "infinium")
    command = beside if os.access(beside, os.X_OK) else shutil.which("infinium")
    if not command:
        sys.exit("infinium: the command is not installed beside this Python")
    os.execv(command, [command, *sys.argv[1:]])


if __name__ == "__main__":
    main()
