# SPDX-License-Identifier: BSD-3-Clause
"""Every exception from the laws that the house tests check, with its reason. There is no other list.

A test fails for a row that is no longer needed.
"""

from __future__ import annotations

#: Rooms of the core without a Python room of the same word, or the other way round, or without a unit test.
ONE_WORD: dict[str, str] = {
    "csrc/kvm/host.c": "so far the host is only fields: in C struct pyexit_host of the header",
}

#: Files of tests/unit that are named after no room: what they test instead.
UNIT_TESTS: dict[str, str] = {
    "tests/unit/test_worked_examples.py": "the tables of mmu-hardware 14, which cross rooms",
}

_RECORDS = (
    "the state block is bytes; the codec between bytes and objects is outside the reference (design.md 3)"
)

#: Constants of the C headers that the reference does not have.
C_ONLY: dict[str, str] = {
    "ABI_MAJOR": "the reference has no binary interface",
    "ABI_MINOR": "the reference has no binary interface",
    "RECORDS": _RECORDS,
    "RECORD_HTLB0": _RECORDS,
    "RECORD_HTLB1": _RECORDS,
    "RECORD_CORE": _RECORDS,
    "RECORD_SPR": _RECORDS,
    "RECORD_THREAD": _RECORDS,
    "RECORD_HOST": _RECORDS,
    "RECORD_KVM": _RECORDS,
    "RECORD_VCPU": _RECORDS,
    "RECORD_RUN": _RECORDS,
    "RECORD_E500": _RECORDS,
}

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
