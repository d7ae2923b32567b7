# SPDX-License-Identifier: BSD-3-Clause
"""Where a load or store goes: the engine knows only the page that was refused (linux-guest.md pitfall 20)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

LINE = 64  # bytes of an e500mc cache line
_U32 = 0xFFFFFFFF


class Access(NamedTuple):
    """A data access: effective address, bytes, and what Machine.translate() calls it."""

    ea: int
    size: int
    access: str


#: Primary opcode: bytes and kind; the opcode after an even one is its form with update.
_D_FORM = {32: (4, "load"), 34: (1, "load"), 36: (4, "store"), 38: (1, "store"), 40: (2, "load")}
_D_FORM |= {42: (2, "load"), 44: (2, "store"), 48: (4, "load"), 50: (8, "load"), 52: (4, "store")}
_D_FORM |= {54: (8, "store")}
_D_FORM |= {opcode + 1: row for opcode, row in _D_FORM.items()}

#: Extended opcodes of 31 by kind and bytes.
_X_FORM: dict[int, tuple[int, str]] = {
    **dict.fromkeys((87, 119, 52), (1, "load")),
    **dict.fromkeys((279, 311, 343, 375, 790, 116), (2, "load")),
    **dict.fromkeys((20, 23, 55, 534, 535, 567), (4, "load")),
    **dict.fromkeys((599, 631), (8, "load")),
    **dict.fromkeys((215, 247, 694), (1, "store")),
    **dict.fromkeys((407, 439, 918, 726), (2, "store")),
    **dict.fromkeys((150, 151, 183, 662, 663, 695, 983), (4, "store")),
    **dict.fromkeys((727, 759), (8, "store")),
    **dict.fromkeys((54, 86, 982), (1, "cache_load")),
    **dict.fromkeys((470, 1014), (1, "store")),
}
_LMW, _STMW = 46, 47
_LSWI, _STSWI = 597, 725


def data_access(word: int, gpr: Sequence[int]) -> Access | None:
    """The access of an instruction; None if this table does not have it."""
    opcode, rt, ra, rb = word >> 26, word >> 21 & 31, word >> 16 & 31, word >> 11 & 31
    base = gpr[ra] if ra else 0
    if opcode in _D_FORM or opcode in (_LMW, _STMW):
        displacement = (word & 0x7FFF) - (word & 0x8000)
        multiple = (4 * (32 - rt), "load" if opcode == _LMW else "store")
        return Access((base + displacement) & _U32, *_D_FORM.get(opcode, multiple))
    extended = word >> 1 & 0x3FF
    if opcode != 31:
        return None
    if extended in (_LSWI, _STSWI):
        return Access(base, rb or 32, "load" if extended == _LSWI else "store")
    if extended not in _X_FORM:
        return None
    return Access((base + gpr[rb]) & _U32, *_X_FORM[extended])
