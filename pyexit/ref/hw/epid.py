# SPDX-License-Identifier: BSD-3-Clause
"""hw/epid: external-PID accesses, made in the context of EPLC or EPSC (mmu-hardware 9)."""

from __future__ import annotations

from pyexit.ref.events import DONE, DROPPED, EXTERNAL
from pyexit.ref.hw.core import OP_LWEPX, End, Hardware, count, ea_of
from pyexit.ref.hw.memory import PAGE_SIZE, find_ram, write
from pyexit.ref.hw.translate import LOAD, STORE, Translation, ppc_translate

#: What dcbzep zeroes: the line of e500mc, e5500 and e6500.
PPC_CACHE_LINE = 64


def ppc_load_external(hw: Hardware, thread: int, ea: int, size: int, host: bool) -> tuple[End, int]:
    """Load `size` bytes as EPLC says; with `host` the code is the hypervisor's, whatever MSR says."""
    found = ppc_translate(hw, thread, ea, size, LOAD | EXTERNAL, probe=False, from_host=host)
    if found.outcome != DONE:
        return End(found.outcome, found.ivor), 0
    places = _places(hw, thread, ea, size, found)
    return End(DONE), int.from_bytes(bytes(_byte(hw, place) for place in places), "big")


def ppc_store_external(hw: Hardware, thread: int, ea: int, size: int, value: int) -> End:
    """Store the low `size` bytes of `value` as EPSC says."""
    found = ppc_translate(hw, thread, ea, size, STORE | EXTERNAL, probe=False)
    if found.outcome == DONE:
        data = (value & (1 << 8 * size) - 1).to_bytes(size, "big")
        for place, byte in zip(_places(hw, thread, ea, size, found), data, strict=True):
            _store(hw, place, byte)
    return End(found.outcome, found.ivor)


def ppc_zero_line_external(hw: Hardware, thread: int, ea: int) -> End:
    """dcbzep: the whole line of real memory that the operand lies in."""
    found = ppc_translate(hw, thread, ea, 1, STORE | EXTERNAL, probe=False)
    if found.outcome == DONE:
        line = found.real - found.real % PPC_CACHE_LINE
        for place in range(line, line + PPC_CACHE_LINE):
            _store(hw, place, 0)
    return End(found.outcome, found.ivor)


def ppc_touch_external(hw: Hardware, thread: int, ea: int, access: int) -> End:
    """A cache instruction; a touch that faults is a no-op (mmu-hardware 5.1)."""
    found = ppc_translate(hw, thread, ea, 1, access | EXTERNAL, probe=False)
    return End(DONE) if found.outcome == DROPPED else End(found.outcome, found.ivor)


def ppc_lwepx(hw: Hardware, thread: int, ea: int, host: bool) -> tuple[End, int]:
    """Load the word at `ea` as EPLC says."""
    count(hw, thread, OP_LWEPX)
    return ppc_load_external(hw, thread, ea, 4, host)


def _places(hw: Hardware, thread: int, ea: int, size: int, found: Translation) -> list[int]:
    """The real address of each byte; those behind a page's end are in the second page."""
    below = min(PAGE_SIZE - ea_of(hw, thread, ea) % PAGE_SIZE, size)
    return [found.real + n for n in range(below)] + [found.real2 + n for n in range(size - below)]


def _byte(hw: Hardware, place: int) -> int:
    """The byte at a real address; what is not RAM reads 0."""
    ram = find_ram(hw.memory, place)
    return 0 if ram is None else ram.data[place - ram.base]


def _store(hw: Hardware, place: int, byte: int) -> None:
    """Store a byte; what is not RAM drops it."""
    if find_ram(hw.memory, place) is not None:
        write(hw.memory, place, bytes((byte,)))
