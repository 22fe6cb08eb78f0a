"""Installs the library into a temporary prefix and builds a program with it, by pkg-config and by find_package.

    tests/package/test_installed.py BUILD_DIRECTORY
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS = 100

PROJECT = """
cmake_minimum_required(VERSION 3.20)
project(other LANGUAGES C CXX)
find_package(infinium 0.1 REQUIRED)
set(CMAKE_CXX_STANDARD 17)
add_executable(with_shared program.c)
target_link_libraries(with_shared PRIVATE infinium::infinium)
add_executable(with_cxx program.cc)
target_link_libraries(with_cxx PRIVATE infinium::infinium)
if(TARGET infinium::static)
  add_executable(with_static program.c)
  target_link_libraries(with_static PRIVATE infinium::static)
endif()
"""


def run(*command, **options) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=SECONDS, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def check(what: str, good: bool) -> None:
    print(f"{'ok' if good else 'FAILED'}: {what}")
    if not good:
        sys.exit(1)


def declared(prefix: Path) -> set[str]:
    """What the installed headers say that the library has."""
    text = "".join(h.read_text() for h in sorted((prefix / "include").glob("infinium*.h")))
    return set(re.findall(r"^INF_API [^(]*?(\w+)\(", text, re.MULTILINE))


def check_symbols(prefix: Path, library: Path) -> None:
    """Nothing but inf_... is visible: a program's own names never meet ours."""
    lines = run("nm", "-D", "--defined-only", library).splitlines()
    names = [line.split()[-1] for line in lines if line.split()[-2] in "TDBR"]
    others = [n for n in names if not n.startswith(("inf_", "_init", "_fini"))]
    check(f"{len(names)} symbols are exported, all inf_...", len(names) > 30 and not others)
    missing = declared(prefix) - set(names)
    check(f"all functions of the headers are exported {sorted(missing) or ''}", not missing)


def check_pkg_config(prefix: Path, library: Path, work: Path) -> None:
    environment = dict(os.environ, PKG_CONFIG_PATH=str(library.parent / "pkgconfig"), LD_LIBRARY_PATH=str(library.parent))
    flags = run("pkg-config", "--cflags", "--libs", "infinium", env=environment).split()
    check("pkg-config knows the prefix", any(str(prefix) in flag for flag in flags))
    for compiler, standard in ((os.environ.get("CC", "cc"), "-std=c11"), (os.environ.get("CXX", "c++"), "-std=c++17")):
        language = "c" if standard == "-std=c11" else "c++"
        program = work / f"by_pkg_config_{language}"
        warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
        run(compiler, standard, *warnings, "-x", language, HERE / "program.c", "-x", "none", "-o", program, *flags)
        check(f"{program.name} runs", run(program, env=environment).strip() == version(prefix))
    needed = run("pkg-config", "--print-requires-private", "infinium", env=environment)
    check("programs need no other development packages", not needed.strip())


def check_cmake(prefix: Path, library: Path, work: Path) -> None:
    project = work / "project"
    project.mkdir()
    (project / "CMakeLists.txt").write_text(PROJECT)
    shutil.copy(HERE / "program.c", project / "program.c")
    shutil.copy(HERE / "program.c", project / "program.cc")
    run("cmake", "-S", project, "-B", work / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", work / "build")
    for name in ("with_shared", "with_cxx", "with_static"):
        check(f"{name} runs", run(work / "build" / name).strip() == version(prefix))


def version(prefix: Path) -> str:
    for line in (prefix / "include" / "infinium.h").read_text().splitlines():
        if line.startswith("#define INF_VERSION"):
            return line.split('"')[1]
    return "no version"


def check_manual(prefix: Path) -> None:
    pages = sorted((prefix / "share" / "man").glob("man?/infinium.*"))
    check("there are two manual pages", [p.name for p in pages] == ["infinium.1", "infinium.3"])
    header = (prefix / "include" / "infinium.h").read_text()
    text = pages[1].read_text().replace("\\-", "-")
    missing = [w for w in ("inf_open", "inf_flush", "INF_TRACED", "inf_watch_curl", "inf_context_set") if w not in text]
    check("infinium(3) names the functions" + "".join(f" {m}" for m in missing), not missing and "inf_open" in header)
    if shutil.which("groff"):
        for page in pages:
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", str(page)], capture_output=True, text=True, timeout=30)
            check(f"{page.name} is clean", done.returncode == 0 and not done.stderr)


def main() -> None:
    build = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="inf-installed-") as folder:
        work = Path(folder)
        prefix = work / "prefix"
        run("cmake", "--install", build, "--prefix", prefix, "--component", "library")
        libraries = list(prefix.glob("lib*/**/libinfinium.so"))
        check("the library is installed", len(libraries) == 1)
        check_symbols(prefix, libraries[0])
        check_pkg_config(prefix, libraries[0], work)
        check_cmake(prefix, libraries[0], work)
        check_manual(prefix)


if __name__ == "__main__":
    main()
