# SPDX-License-Identifier: BSD-3-Clause
"""Every exception from the laws that the house tests check, with its reason. There is no other list.

A test fails for a row that is no longer needed.
"""

from __future__ import annotations

#: Rooms of the core without a Python room of the same word, or the other way round, or without a unit test.
ONE_WORD: dict[str, str] = {}

#: Files of tests/unit that are named after no room: what they test instead.
UNIT_TESTS: dict[str, str] = {}

#: Constants of the C headers that the reference does not have.
C_ONLY: dict[str, str] = {}

#: Constants of the reference that no C header has.
REFERENCE_ONLY: dict[str, str] = {}

#: Standard headers that a file of the core may include beyond string.h, stddef.h and stdint.h.
INCLUDES: dict[tuple[str, str], str] = {
    ("csrc/api/new.c", "stdlib.h"): "pyexit_machine_new() is size and init over malloc, for who has it",
}

#: errno.h is the one header that several files may include besides: it has numbers, and no code.
NUMBERS_ONLY = "errno.h"

#: Top-level entries that design.md 8 does not list.
TOP_LEVEL: dict[str, str] = {
    "MANIFEST.in": "setuptools asks for it: the source distribution holds csrc",
    ".gitignore": "what building leaves behind",
    ".clang-format": "style.md: in the repository",
}
