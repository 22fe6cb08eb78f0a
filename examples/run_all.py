"""Runs every example, one process each, as a user would. Without OPENAI_API_KEY a scripted server answers.

    infinium demo --expect examples/expected.txt -- python examples/run_all.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

from scripted_openai import ScriptedOpenAI

HERE = Path(__file__).resolve().parent
PROGRAMS = [
    "email_classifier.py",
    "content_moderator.py",
    "risky_operation.py",
    "research_agent.py",
    "nested_agents.py",
]
C_EXAMPLES = HERE.parent / "build" / "release" / "examples" / "c"
SECONDS_PER_PROGRAM = 120


def run(name: str, command: list[str], environment: dict[str, str]) -> bool:
    print(f"--- {name}", flush=True)
    try:
        code = subprocess.run(command, env=environment, timeout=SECONDS_PER_PROGRAM).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return False
    if code != 0:
        print(f"{name}: exit code {code}", file=sys.stderr)
    return code == 0


def main() -> None:
    missing = [n for n in ("INFINIUM_AGENT_ID", "INFINIUM_AGENT_SECRET", "INFINIUM_BASE_URL") if not os.environ.get(n)]
    if missing:
        sys.exit(f"run_all.py: {', '.join(missing)} not set. `infinium demo -- python examples/run_all.py` sets them.")
    environment = dict(os.environ)
    scripted = nullcontext() if os.environ.get("OPENAI_API_KEY") else ScriptedOpenAI()
    with scripted as server:
        if server is not None:
            print("no OPENAI_API_KEY: a scripted server stands in for the OpenAI API", flush=True)
            environment.update(OPENAI_API_KEY="scripted", OPENAI_BASE_URL=server.base_url)
        else:
            environment.setdefault("OPENAI_BASE_URL", "https://api.openai.com/v1")  # the C programs ask for it
        good = [run(name, [sys.executable, str(HERE / name)], environment) for name in PROGRAMS]
        folder = Path(os.environ.get("INFINIUM_C_EXAMPLES", C_EXAMPLES))
        for name in (name.removesuffix(".py") for name in PROGRAMS):
            if (folder / name).exists():
                good.append(run(f"c/{name}", [str(folder / name)], environment))
            else:
                print(f"c/{name}: not built ({folder / name}); run make", file=sys.stderr)
                good.append(False)
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
