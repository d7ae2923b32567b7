# SPDX-License-Identifier: BSD-3-Clause
"""Branch coverage of csrc/ by the tests: ``python tests/branches.py [--missed] [pytest arguments]``.

Builds the core with gcc --coverage in a copy of the tree, runs the tests there (by default unit, diff and the
recorded cases, on native) and the programs of tests/c, and prints a table, both width units merged. With
--missed also each line that has a branch nobody took. It takes some minutes and is no test itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TESTS = ("tests/unit", "tests/diff", "tests/test_vectors.py", "--all-vectors", "--backend", "native")
#: -O0: each condition is a branch, and nothing is inlined.
GCC = ("gcc", "-O0", "--coverage", "-fprofile-update=atomic")
ROOMS = ("hw", "kvm", "api")
UNITS = ("csrc/width32.c", "csrc/width64.c", "csrc/api/*.c")

#: A branch: file below csrc/, line, how many branches the line has in its unit, which of them.
Branch = tuple[str, int, int, int]


def copy(folder: Path) -> Path:
    """A copy of the tree whose extension is built without optimisation."""
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", "build", "*.so", "*.o", "__pycache__"))
    build = tree / "pyexit" / "backends" / "build_core.py"
    text = build.read_text(encoding="utf-8")
    if '"-O2"' not in text:
        raise SystemExit(f"{build.name} has no -O2 to replace")
    build.write_text(text.replace('"-O2"', '"-O0"'), encoding="utf-8")
    return tree


def run(tree: Path, *command: str) -> int:
    """In the copy, where what is compiled counts its branches."""
    settings = {"CC": " ".join(GCC), "PYTHONPATH": str(tree), "PYEXIT_NO_REFC": "1"}
    return subprocess.run(command, cwd=tree, env=os.environ | settings, check=False).returncode


def run_programs(tree: Path, folder: Path) -> int:
    """The programs of tests/c with the core; how many failed."""
    units = [str(path) for pattern in UNITS for path in sorted(tree.glob(pattern))]
    failed = 0
    for program in sorted((tree / "tests" / "c").glob("*.c")):
        binary = folder / program.stem
        command = [
            *GCC,
            "-std=c11",
            f"-I{tree / 'csrc' / 'include'}",
            str(program),
            *units,
            "-o",
            str(binary),
        ]
        failed += run(folder, *command) != 0 or run(folder, str(binary)) != 0
    return failed


def counts(data: Path) -> Iterator[tuple[Branch, int]]:
    """The branches of one object file, and how often each was taken."""
    command = ["gcov", "--stdout", "--json-format", "--branch-probabilities", str(data)]
    done = subprocess.run(command, cwd=data.parent, capture_output=True, check=True)
    for line in done.stdout.splitlines():
        for file in json.loads(line)["files"]:
            name = os.path.normpath(file["file"].rpartition("csrc/")[2])
            if name.startswith(ROOMS):
                for place in file["lines"]:
                    yield from of_line(name, place)


def of_line(name: str, place: dict[str, Any]) -> Iterator[tuple[Branch, int]]:
    branches = place["branches"]
    for n, branch in enumerate(branches):
        yield (name, place["line_number"], len(branches), n), branch["count"]


def table(taken: dict[Branch, int]) -> Iterator[str]:
    """A row per file, a sum per room."""
    for room in ROOMS:
        names = sorted({branch[0] for branch in taken if branch[0].startswith(f"{room}/")})
        for name in (*names, f"{room}/"):
            found = [count for branch, count in taken.items() if branch[0].startswith(name)]
            hit = sum(count > 0 for count in found)
            yield f"{name:28} {len(found):5} branches {hit:5} taken {100 * hit / len(found):6.1f} %"


def missed(taken: dict[Branch, int]) -> Iterator[str]:
    lines: dict[tuple[str, int], list[int]] = defaultdict(list)
    for (name, line, _, n), count in taken.items():
        if not count:
            lines[name, line].append(n)
    for (name, line), which in sorted(lines.items()):
        text = (ROOT / "csrc" / name).read_text(encoding="ascii").splitlines()[line - 1].strip()
        yield f"{name}:{line}: {sorted(which)} {text}"


def main(arguments: list[str]) -> int:
    chosen = [argument for argument in arguments if argument != "--missed"] or list(TESTS)
    with tempfile.TemporaryDirectory(prefix="pyexit-branches-") as name:
        folder = Path(name)
        tree = copy(folder)
        python = sys.executable
        if run(tree, python, "setup.py", "-q", "build_ext", "--inplace"):
            return 2
        options = ("-q", "-p", "no:cacheprovider", f"--basetemp={folder / 'pytest'}")
        failed = run(tree, python, "-m", "pytest", *options, *chosen) + run_programs(tree, folder)
        taken: dict[Branch, int] = defaultdict(int)
        for data in folder.rglob("*.gcda"):
            for branch, count in counts(data):
                taken[branch] += count
    print(*table(taken), sep="\n")
    if "--missed" in arguments:
        print(*missed(taken), sep="\n")
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
