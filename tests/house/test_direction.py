# SPDX-License-Identifier: BSD-3-Clause
"""Who may see whom (design.md 2, 3, 4): hw never sees kvm, the reference never sees the C core, no libc."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from exceptions import INCLUDES, NUMBERS_ONLY
from tree import CSRC, HEADER, REFERENCE, c_files, python_files, relative, without_comments

#: A room may include what stands at or below it; the roots of csrc/ tie the rooms together.
MAY_INCLUDE = {"include": set(), "hw": {"include", "hw"}, "kvm": {"include", "hw", "kvm"}}
FREESTANDING = {"string.h", "stddef.h", "stdint.h", NUMBERS_ONLY}

_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"]+)[>\"]", re.MULTILINE)


def includes(path: Path, mark: str) -> list[str]:
    """What a C file includes with <> or with quotes."""
    return [name for kind, name in _INCLUDE.findall(without_comments(path)) if kind == mark]


def room_of(path: Path) -> str:
    """The folder below csrc/ that a file is in."""
    return path.resolve().relative_to(CSRC).parts[0]


def included_file(path: Path, name: str) -> Path:
    """The file that an #include with quotes means; -Icsrc/include is the one search path."""
    beside = (path.parent / name).resolve()
    return beside if beside.exists() else HEADER.parent / name


def imports(path: Path, package: str) -> set[str]:
    """What a Python file imports, anywhere in it, by full name; relative imports start from `package`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join([*parents, *filter(None, [node.module])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def package_of(path: Path) -> str:
    """The package of a module below pyexit/."""
    return ".".join(("pyexit", *path.relative_to(REFERENCE.parent).parent.parts))


@pytest.mark.parametrize(
    "path", [path for room in MAY_INCLUDE for path in c_files(f"csrc/{room}")], ids=relative
)
def test_room_includes_only_what_stands_below_it(path: Path) -> None:
    seen = {room_of(included_file(path, name)) for name in includes(path, '"')}
    assert seen <= MAY_INCLUDE[room_of(path)]


@pytest.mark.parametrize("path", c_files("csrc"), ids=relative)
def test_core_includes_no_libc_beyond_string_h(path: Path) -> None:
    allowed = {header for file, header in INCLUDES if file == relative(path)}
    assert set(includes(path, "<")) <= FREESTANDING | allowed


@pytest.mark.parametrize(("file", "header"), INCLUDES)
def test_exception_from_the_include_rule_is_needed(file: str, header: str) -> None:
    assert header in includes(REFERENCE.parents[1] / file, "<")


def test_public_header_includes_only_stddef_and_stdint() -> None:
    assert includes(HEADER, "<") == ["stddef.h", "stdint.h"]
    assert includes(HEADER, '"') == []


@pytest.mark.parametrize("path", python_files("pyexit/ref"), ids=relative)
def test_reference_never_sees_the_core(path: Path) -> None:
    foreign = ("pyexit", "cffi", "ctypes", "Cython")
    seen = {name for name in imports(path, package_of(path)) if name.split(".")[0] in foreign}
    assert [name for name in seen if not name.startswith("pyexit.ref.")] == []


@pytest.mark.parametrize("path", python_files("pyexit/ref/hw"), ids=relative)
def test_reference_hw_never_sees_kvm(path: Path) -> None:
    below = ("pyexit.ref.hw.", "pyexit.ref.events")
    seen = {name for name in imports(path, package_of(path)) if name.startswith("pyexit.")}
    assert [name for name in seen if not name.startswith(below)] == []


def test_reference_has_modules_to_look_at() -> None:
    assert len(python_files("pyexit/ref/hw")) > 5
