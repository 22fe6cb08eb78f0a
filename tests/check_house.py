"""Checks the rules of the house that a compiler does not: who may include whom, banned functions, file lengths.

    tests/check_house.py [--self-test]

The rooms and their order are in docs/ARCHITECTURE.md. --self-test breaks each rule in a temporary tree and wants it found.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# room (a folder) -> folders whose headers it may include, besides its own
ROOMS = {
    "src/base": [],
    "src/model": ["src/base"],
    "src/journal": ["src/base"],
    "src/send": ["src/base", "src/model", "src/journal"],
    "src/client": ["src/base", "src/model", "src/journal", "src/send"],
    "src/watch": ["src/base", "src/model", "src/client"],
    "python/src": ["src/base", "src/model", "src/client"],
    "receiver": ["src/base", "src/model", "src/journal", "src/send"],
    "cli": ["src/base", "src/model", "src/journal", "receiver"],
}
SEARCH = {"cli": ["cli", "src", "receiver", "include"], "receiver": ["receiver", "src", "include"]}
DEFAULT_SEARCH = ["src", "include"]
PUBLIC = "include"  # everybody may include the public header

BANNED = {
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "strcpy": "memcpy or snprintf",
    "strcat": "inf_buf or snprintf",
    "strncpy": "memcpy or snprintf",
    "strtok": "strcspn",
    "atoi": "strtol",
    "atol": "strtol",
    "atof": "strtod",
    "gets": "fgets",
    "abort": "an error value",
}
BANNED_CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MAX_LINES = 1000
SOURCES = {".c", ".h", ".cc", ".py", ".ts", ".tsx", ".js", ".mjs", ".css"}
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def tracked(root: Path) -> list[Path]:
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.decode().split("\0")
        return [root / name for name in names if name and (root / name).is_file()]
    skip = {"build", "node_modules", ".venv", ".git"}
    return [p for p in root.rglob("*") if p.is_file() and not skip & set(p.relative_to(root).parts)]


def room_of(path: str) -> str | None:
    for room in ROOMS:
        if path.startswith(room + "/"):
            return room
    return None


def resolve(root: Path, room: str, source: Path, name: str) -> str | None:
    """Where a quoted include is found, as the compiler would look: beside the file, then the room's search path."""
    for folder in [source.parent, *(root / s for s in SEARCH.get(room, DEFAULT_SEARCH))]:
        found = (folder / name).resolve()
        if found.is_file() and found.is_relative_to(root.resolve()):
            return found.relative_to(root.resolve()).as_posix()
    return None


def check_includes(root: Path, path: Path, name: str, text: str) -> list[str]:
    room = room_of(name)
    if room is None:
        return []
    wrong = []
    for include in INCLUDE.findall(text):
        target = resolve(root, room, path, include)
        if target is None or target.startswith(PUBLIC + "/"):
            continue
        other = room_of(target)
        if other is not None and other != room and other not in ROOMS[room]:
            wrong.append(f"{name}: {room} may not include {other} ({include})")
    return wrong


def blank(match: re.Match) -> str:
    return re.sub(r"[^\n]", " ", match.group())


def check_calls(name: str, text: str) -> list[str]:
    wrong = []
    code = COMMENT_OR_STRING.sub(blank, text)
    for number, line in enumerate(code.split("\n"), 1):
        for match in BANNED_CALL.finditer(line):
            if match.group(1) == "abort" and room_of(name) is None:
                continue  # a test may end itself
            wrong.append(f"{name}:{number}: {match.group(1)}() is banned, use {BANNED[match.group(1)]}")
    return wrong


def check(root: Path) -> list[str]:
    wrong = []
    for path in tracked(root):
        if path.suffix not in SOURCES:
            continue
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8", errors="replace")
        if text.count("\n") > MAX_LINES:
            wrong.append(f"{name}: {text.count(chr(10))} lines, over {MAX_LINES}; split it by topic")
        if path.suffix in {".c", ".h", ".cc"}:
            wrong += check_includes(root, path, name, text)
            wrong += check_calls(name, text)
        if name != "tests/check_house.py":
            for number, line in enumerate(text.split("\n"), 1):
                if UNFINISHED.search(line):
                    wrong.append(f"{name}:{number}: a mark of unfinished work")
    return wrong


def self_test() -> list[str]:
    """Every rule must fire on a tree that breaks it, and stay silent on one that does not."""
    broken = {
        "src/base/up.c": '#include "model/record.h"\n',
        "src/model/record.h": "int x;\n",
        "src/journal/journal.h": "int y;\n",
        "src/model/side.c": '#include "journal/journal.h"\n',
        "receiver/call.c": "void f(char *a) { strcpy(a, a); }\n",
        "cli/long.c": "int a;\n" * (MAX_LINES + 1),
        "cli/mark.c": "/* TO" + "DO */\n",
    }
    good = {
        "src/base/base.h": "int x;\n",
        "src/model/down.c": '#include "base/base.h"\n/* sprintf( in a comment */ const char *s = "gets(";\n',
        "receiver/own.c": "void f(void) { inf_snprintf(); os.strcpy(); }\n",
    }
    missed = []
    for files, wanted in ((broken, 5), (good, 0)):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / name).write_text(text)
            found = check(Path(folder))
            if len(found) != wanted:
                missed.append(f"self-test: wanted {wanted} findings, got {len(found)}: {found}")
    return missed


def main() -> int:
    wrong = self_test() if "--self-test" in sys.argv[1:] else check(ROOT)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
