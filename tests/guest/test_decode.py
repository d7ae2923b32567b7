# SPDX-License-Identifier: BSD-3-Clause
"""Where loads and stores go, and how long they are (words as the assembler makes them)."""

from __future__ import annotations

import pytest

from pyexit.guest.decode import data_access

GPR = [0x100 * n for n in range(32)]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (0x80640010, (0x410, 4, "load")),  # lwz r3, 16(r4)
        (0x8064FFF0, (0x3F0, 4, "load")),  # lwz r3, -16(r4)
        (0x80600010, (0x10, 4, "load")),  # lwz r3, 16(0)
        (0x94640004, (0x404, 4, "store")),  # stwu r3, 4(r4)
        (0x98640001, (0x401, 1, "store")),  # stb r3, 1(r4)
        (0xA8640002, (0x402, 2, "load")),  # lha r3, 2(r4)
        (0xBBC40000, (0x400, 8, "load")),  # lmw r30, 0(r4)
        (0xBFC40000, (0x400, 8, "store")),  # stmw r30, 0(r4)
        (0xD8240008, (0x408, 8, "store")),  # stfd f1, 8(r4)
        (0x7C64282E, (0x900, 4, "load")),  # lwzx r3, r4, r5
        (0x7C602828, (0x500, 4, "load")),  # lwarx r3, 0, r5
        (0x7C60292D, (0x500, 4, "store")),  # stwcx. r3, 0, r5
        (0x7C002FEC, (0x500, 1, "store")),  # dcbz 0, r5
        (0x7C002FAC, (0x500, 1, "cache_load")),  # icbi 0, r5
    ],
)
def test_access(word: int, expected: tuple[int, int, str]) -> None:
    assert data_access(word, GPR) == expected


@pytest.mark.parametrize("word", [0x38600001, 0x4E800020, 0x7C0004AC, 0])
def test_other_instructions_have_no_access(word: int) -> None:
    assert data_access(word, GPR) is None
