# SPDX-License-Identifier: BSD-3-Clause
"""The lexer that derives cffi's declarations from the header (design.md 3): what it keeps and refuses."""

from __future__ import annotations

import runpy

import pytest
from cffi import FFI, VerificationMissing
from tree import HEADER

from pyexit.backends import cdef as module
from pyexit.backends.cdef import CdefError, cdef

GUARDED = "#ifndef H\n#define H\n{}\n#endif\n"


def of(text: str) -> list[str]:
    """The non-empty lines that a guarded header comes to, white space made plain."""
    return [" ".join(line.split()) for line in cdef(GUARDED.format(text)).splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("#define A 16", ["#define A ..."]),
        ("#define A 0x10u\t/* why */", ["#define A ..."]),
        ("#define N 4\nstruct s { int a[N]; };", ["#define N ...", "struct s { int a[4]; };"]),
        ("enum e { A = 1, B };", ["enum e { A = ... , B = ...};"]),
        ("enum e f(enum e x, int y);", ["enum e f(enum e x, int y);"]),
        ("PYEXIT_API int f(void);", ["int f(void);"]),
        ("#include <stdint.h>\nint x(void); // C99", ["int x(void);"]),
        ('#ifdef __cplusplus\nextern "C" {\n#endif', []),
        ("#if defined(__GNUC__)\n#define X a(b)\n#else\n#define X\n#endif", []),
    ],
)
def test_keeps(header: str, expected: list[str]) -> None:
    plain = [line.replace("= ... }", "= ...}") for line in of(header)]
    assert plain == expected


def test_line_numbers_stay() -> None:
    header = GUARDED.format("/* one\n * two\n */\nstruct s {\n\tint a;\t/* a */\n};")
    lines = cdef(header).splitlines()
    assert len(lines) == len(header.splitlines())
    assert lines[5] == "struct s {"


def test_runs_by_path_before_there_is_a_package() -> None:
    header = HEADER.read_text(encoding="ascii")
    derive = runpy.run_path(module.__file__)["cdef"]
    assert derive(header) == cdef(header)
    assert "PYEXIT_H " not in derive(header)


def test_guard_is_no_constant() -> None:
    assert of("") == []


def test_enumerators_are_left_to_the_compiler() -> None:
    ffi = FFI()
    ffi.cdef(cdef(GUARDED.format("enum e { A = 1, B = 0x2 };\n#define C 3")))
    with pytest.raises(VerificationMissing):
        ffi.typeof("enum e")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("#define F(x) x", r"line 3: directive '#define F\(x\) x'"),
        ("#define A (1 << 2)", r"line 3: directive '#define A \(1 << 2\)'"),
        ('\n#define A "text"', r"line 4: directive '#define A \"text\"'"),
        ("#include <stdio.h>", "line 3: directive '#include <stdio.h>'"),
        ('#include "other.h"', "line 3: directive"),
        ("#pragma once", "line 3: directive '#pragma once'"),
        ("#if X\n#endif", "line 3: conditional '#if X'"),
        ("#ifdef __cplusplus\n#ifdef __cplusplus\n#endif\n#endif", "line 4: conditional"),
        ("#ifdef __cplusplus\n#pragma once\n#endif", "line 4: directive"),
        ("#ifdef __cplusplus", "line 1: conditional without #endif: '#ifndef H'"),
        ("int a[N];", "line 3: array size 'N'"),
        ("int a = 'x';", r"line 3: character"),
        ("#else", "line 3: directive '#else'"),
    ],
)
def test_refuses_by_line(header: str, message: str) -> None:
    with pytest.raises(CdefError, match=message):
        cdef(GUARDED.format(header))


def test_endif_without_if_is_refused() -> None:
    with pytest.raises(CdefError, match="line 1: directive '#endif'"):
        cdef("#endif\n")
