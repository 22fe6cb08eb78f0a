"""docs/compatibility.md lists exactly the differences that the tests mark."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "compatibility.md"


def marked():
    ids = set()
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "differs":
                ids.add(node.args[0].value)
    return ids


def test_every_marked_difference_is_a_row_of_the_page():
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(encoding="utf-8"), re.M)
    assert len(rows) == len(set(rows))
    assert set(rows) == marked()


def test_every_numbered_point_is_a_row_of_the_page():
    rows = re.findall(r"^\| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.M)
    assert [int(n) for n in rows] == list(range(1, 38))
