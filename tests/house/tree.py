# SPDX-License-Identifier: BSD-3-Clause
"""The source tree as the house tests see it: its files, its header, and the compilers of this machine."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
HEADER = CSRC / "include" / "pyexit.h"
REFERENCE = ROOT / "pyexit" / "ref"

#: The translation units of the core (design.md 3), and the compiler's C dialect.
UNITS = [CSRC / "width32.c", CSRC / "width64.c", *sorted((CSRC / "api").glob("*.c"))]
C11 = ("-std=c11", f"-I{CSRC / 'include'}")

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def relative(path: Path) -> str:
    """A path as the tree's own documents write it."""
    return path.relative_to(ROOT).as_posix()


def c_files(*folders: str) -> list[Path]:
    """The C sources and headers below folders of the root."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.[ch]"))


def python_files(*folders: str) -> list[Path]:
    """The Python sources below folders of the root."""
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*.py*") if path.suffix != ".pyc"
    )


def without_comments(path: Path) -> str:
    """A C file without its comments."""
    return _COMMENT.sub(" ", path.read_text(encoding="utf-8"))


@cache
def tracked() -> list[Path]:
    """The files that belong to the tree; a visible skip where git cannot tell."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no git repository: which files belong to the tree is not known")
    listed = run(["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"])
    return [path for path in map(ROOT.joinpath, listed.splitlines()) if path.is_file()]


def tool(name: str) -> str:
    """A program of this machine; a visible skip where it is absent."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


def c_compiler() -> list[str]:
    """The C compiler under test: CC, else cc."""
    command = shlex.split(os.environ.get("CC") or "cc")
    tool(command[0])
    return command


def run(command: Iterable[str | Path]) -> str:
    """The output of a command that must succeed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


def compile_units(folder: Path, *flags: str) -> list[Path]:
    """The core's objects, built with nothing but the C compiler."""
    objects = [folder / f"{unit.stem}.o" for unit in UNITS]
    for unit, made in zip(UNITS, objects, strict=True):
        run([*c_compiler(), "-O2", *C11, *flags, "-c", unit, "-o", made])
    return objects
