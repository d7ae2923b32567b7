# SPDX-License-Identifier: BSD-3-Clause
"""The core as the compiler sees it (design.md 3): builds alone, exports the header, has no global state."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tree import C11, HEADER, UNITS, c_compiler, compile_units, run, tool, without_comments

_FUNCTION = re.compile(r"^PYEXIT_API\b[^;]*?\b(pyexit_\w+)\(", re.MULTILINE)

#: Freestanding C11 still asks for these: the compiler itself calls them for copies and comparisons.
STRING_H = {"memcpy", "memset", "memcmp", "memmove", "strcmp"}
HEAP = {"aligned_alloc", "free"}
LINKER = {"_GLOBAL_OFFSET_TABLE_"}
CPUID = {"__cpu_model", "__cpu_indicator_init"}  # the compiler's own, behind __builtin_cpu_supports()

WARNINGS = ("-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror")


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The core built by the compiler alone, position independent as a library is."""
    return compile_units(tmp_path_factory.mktemp("objects"), "-fPIC", "-fno-stack-protector")


def symbols(arguments: list[str], path: Path) -> set[str]:
    """The last words of nm's lines: symbol names."""
    return {line.split()[-1] for line in run([tool("nm"), *arguments, path]).splitlines()}


def test_exports_exactly_the_functions_of_the_header(objects: list[Path], tmp_path: Path) -> None:
    library = tmp_path / "libpyexit.so"
    run([*c_compiler(), "-shared", *objects, "-o", library])
    declared = set(_FUNCTION.findall(without_comments(HEADER)))
    assert len(declared) > 10
    assert symbols(["-D", "--defined-only"], library) == declared


def test_has_no_mutable_globals(objects: list[Path]) -> None:
    mutable = re.compile(r"^\.(data|bss|tdata|tbss|sdata|sbss)(?!\.rel\.ro)\S*\s+([1-9]\d*)\s", re.MULTILINE)
    sizes = {path.name: run([tool("size"), "-A", path]) for path in objects}
    assert all(".text" in listing for listing in sizes.values())
    assert {
        name: mutable.findall(listing) for name, listing in sizes.items() if mutable.search(listing)
    } == {}


def test_needs_no_libc_beyond_string_h(objects: list[Path]) -> None:
    for path in objects:
        needed = {name for name in symbols(["-u"], path) if not name.startswith("pyexit_")}
        special = {"new": HEAP, "search": CPUID}.get(path.stem, set())
        assert needed <= STRING_H | LINKER | special, path.name


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compiles_without_a_warning(compiler: str, tmp_path: Path) -> None:
    for unit in UNITS:
        made = tmp_path / f"{unit.stem}.o"
        run([tool(compiler), "-O2", *C11, *WARNINGS, "-c", unit, "-o", made])
        assert made.stat().st_size > 0
