# SPDX-License-Identifier: BSD-3-Clause
"""The public header and what cffi made of it (design.md 3; style.md, "Known traps")."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tree import HEADER, run, tool, without_comments

from pyexit.backends._core import ffi, lib
from pyexit.backends.cdef import cdef

TEXT = without_comments(HEADER)
STRUCTS = sorted(set(re.findall(r"\bstruct[ \t]+(\w+)[ \t]*\{", TEXT)))
ENUMS = sorted(set(re.findall(r"\benum[ \t]+(\w+)[ \t]*\{", TEXT)))
FUNCTIONS = sorted(set(re.findall(r"^PYEXIT_API\b[^;]*?\b(pyexit_\w+)\(", TEXT, re.MULTILINE)))
VALUES = {
    name: int(value, 0)
    for pattern in (r"^#define[ \t]+(\w+)[ \t]+(\w+)[ \t]*$", r"^\t(PYEXIT_\w+)[ \t]*=[ \t]*(\w+)")
    for name, value in re.findall(pattern, TEXT, re.MULTILINE)
}
DIALECTS = {"c99": ("gcc", "c"), "c11": ("clang", "c"), "c++17": ("g++", "c++"), "c++11": ("clang++", "c++")}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_header_is_pedantic_in(dialect: str, tmp_path: Path) -> None:
    compiler, language = DIALECTS[dialect]
    source = tmp_path / "only_the_header.c"
    source.write_text(
        '#include "pyexit.h"\nint pyexit_seen(void);\nint pyexit_seen(void) { return PYEXIT_OPS; }\n'
    )
    made = tmp_path / "only_the_header.o"
    strict = ("-pedantic", "-Wall", "-Wextra", "-Werror", f"-std={dialect}", f"-I{HEADER.parent}")
    # Anonymous unions came to C with C11; kvm_run's is one, in C99 as an extension that every compiler has.
    extension = ("-Wno-error=pedantic",) if dialect == "c99" else ()
    run([tool(compiler), "-x", language, *strict, *extension, "-c", source, "-o", made])
    assert made.stat().st_size > 0


def test_header_was_read() -> None:
    assert len(STRUCTS) > 30
    assert len(ENUMS) > 5
    assert len(VALUES) > 60


@pytest.mark.parametrize("struct", STRUCTS)
def test_layout_is_the_compilers(struct: str) -> None:
    # cffi compares a layout at first use only: here it is.
    assert ffi.sizeof(f"struct {struct}") > 0
    assert ffi.typeof(f"struct {struct}").fields


@pytest.mark.parametrize("name", VALUES)
def test_value_is_the_headers(name: str) -> None:
    assert getattr(lib, name) == VALUES[name]


@pytest.mark.parametrize("enum", ENUMS)
def test_enum_has_the_headers_members(enum: str) -> None:
    body = re.search(rf"\benum[ \t]+{enum}[ \t]*\{{([^}}]*)\}}", TEXT)
    assert body
    assert set(ffi.typeof(f"enum {enum}").elements.values()) == set(re.findall(r"\bPYEXIT_\w+", body[1]))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_is_there(function: str) -> None:
    assert ffi.typeof(getattr(lib, function)).kind == "function"


def test_installed_core_was_built_from_this_header() -> None:
    # A stale build has other structs: sizes are compared by the compiler, names here.
    declared = cdef(HEADER.read_text(encoding="ascii"))
    assert {name for name in dir(lib) if name.startswith("PYEXIT_")} == VALUES.keys()
    assert {name for name in dir(lib) if name.startswith("pyexit_")} == set(FUNCTIONS)
    assert all(f"struct {name} {{" in declared for name in STRUCTS)
