# SPDX-License-Identifier: BSD-3-Clause
"""hw/lrat: logical to real addresses of guests, on MAV 2 (mmu-hardware 10, 6.1.5, 6.3.9)."""

from __future__ import annotations

from pyexit.ref.events import DONE
from pyexit.ref.hw.core import LRAT_ENTRIES, End, Hardware, Lrat, core_of, kept
from pyexit.ref.hw.interrupt import ppc_program
from pyexit.ref.hw.regs import (
    ESR_PIL,
    MAS0_ESEL_MASK,
    MAS0_ESEL_SHIFT,
    MAS0_HES,
    MAS0_WQ_SHIFT,
    MAS1_TSIZE_MASK,
    MAS1_V,
)
from pyexit.ref.hw.tlb import PAGE_OFFSET, Entry, page_size, same_page, tsize_of

_WQ_MASK = 3
#: MAS0[WQ] with which a write to the LRAT is illegal (mmu-hardware 6.3.9).
_WQ_ILLEGAL = (1, 2)


def lrat_selected(hw: Hardware, thread: int) -> int:
    """The entry that MAS0[ESEL] names (mmu-hardware 10.5b)."""
    return ((hw.spr[thread].MAS0 & MAS0_ESEL_MASK) >> MAS0_ESEL_SHIFT) % LRAT_ENTRIES


def ppc_lrat_read(hw: Hardware, thread: int) -> Entry:
    """The entry that tlbre reads; what the LRAT does not have is 0 (mmu-hardware 6.1.5)."""
    lrat, number = hw.lrat[core_of(hw, thread)], lrat_selected(hw, thread)
    return Entry(
        lrat.mas1[number], lrat.mas2[number], lrat.mas3[number], lrat.mas7[number], lrat.mas8[number]
    )


def ppc_lrat_write(hw: Hardware, thread: int) -> End:
    """What tlbwe does to the LRAT: V, TSIZE, LPN, RPN and TLPID are kept (mmu-hardware 6.3.9)."""
    params, spr = hw.params, hw.spr[thread]
    if not _may_write(hw, thread):
        return ppc_program(hw, thread, ESR_PIL)
    lrat, number = hw.lrat[core_of(hw, thread)], lrat_selected(hw, thread)
    lrat.mas1[number] = kept(params, "MAS1", spr.MAS1) & (MAS1_V | MAS1_TSIZE_MASK)
    lrat.mas2[number] = kept(params, "MAS2", spr.MAS2) & ~PAGE_OFFSET
    lrat.mas3[number] = kept(params, "MAS3", spr.MAS3) & ~PAGE_OFFSET
    lrat.mas7[number] = kept(params, "MAS7", spr.MAS7)
    lrat.mas8[number] = spr.MAS8 & params.lpid_mask
    return End(DONE)


def _may_write(hw: Hardware, thread: int) -> bool:
    """No entry select by hardware, no reservation, a size that the LRAT has (mmu-hardware 6.3.9)."""
    params, spr = hw.params, hw.spr[thread]
    if spr.MAS0 & MAS0_HES or spr.MAS0 >> MAS0_WQ_SHIFT & _WQ_MASK in _WQ_ILLEGAL:
        return False
    checked = params.tsize_check and spr.MAS1 & MAS1_V
    return not checked or bool(params.lratps >> tsize_of(spr.MAS1) & 1)


def lrat_translate(hw: Hardware, core: int, logical: int, lpid: int, tsize: int) -> int | None:
    """The real address of a page of 2^tsize KiB; None: no entry has all of it, or several (10.2-10.4)."""
    lrat = hw.lrat[core]
    found = [n for n in range(LRAT_ENTRIES) if _matches(hw, lrat, n, logical, lpid, tsize)]
    if len(found) != 1:
        return None
    number = found[0]
    offset = page_size(lrat.mas1[number]) - 1
    return (lrat.mas7[number] << 32 | lrat.mas3[number]) & ~offset | logical & offset


def _matches(hw: Hardware, lrat: Lrat, number: int, logical: int, lpid: int, tsize: int) -> bool:
    """Whether an entry maps the page for `lpid` (mmu-hardware 10.2, 10.3)."""
    mas1 = lrat.mas1[number]
    return (
        bool(mas1 & MAS1_V)
        and tsize_of(mas1) >= tsize
        and lrat.mas8[number] & hw.params.lpid_mask in (0, lpid)
        and same_page(mas1, lrat.mas2[number], logical)
    )
