# SPDX-License-Identifier: BSD-3-Clause
"""hw/walk: the page-table walk of MAV 2: from an indirect entry to a direct one in TLB0 (mmu-hardware 11)."""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.events import EVENT_RELOAD
from pyexit.ref.hw.core import Hardware, kept, log
from pyexit.ref.hw.lrat import lrat_translate
from pyexit.ref.hw.memory import find_ram, read
from pyexit.ref.hw.regs import (
    MAS1_TID_MASK,
    MAS1_TS,
    MAS1_TSIZE_SHIFT,
    MAS1_V,
    MAS3_PERMS,
    MAS3_SPSIZE_MASK,
    MAS3_SPSIZE_SHIFT,
    MAS3_SW,
    MAS3_UW,
    PTE_ARPN_SHIFT,
    PTE_C,
    PTE_PERMS_SHIFT,
    PTE_PS_SHIFT,
    PTE_R,
    PTE_U_SHIFT,
    PTE_V,
    PTE_WIMGE_SHIFT,
    TLBCFG_PT,
)
from pyexit.ref.hw.tlb import Entry, Place, Space, page_size
from pyexit.ref.hw.tlbops import hes_place, store_entry, with_real_page

_PAGE_SHIFT = 12
_PTE_BYTES = 8
#: The address of a page table is a multiple of 2 KiB (mmu-hardware 2.4, 11.2).
_TABLE_ALIGNMENT = 0x800
_KIB_SHIFT = 10
_WIMGE = 0x1F
_U_SHIFT = 6
_U = 0xF
_PS = 0xF

# How a walk ends.
RELOADED = 0
NOT_RAM = 1  # the page-table entry is not in RAM
INVALID = 2  # page-table fault
INELIGIBLE = 3  # TLB0 cannot hold the page
LRAT_MISS = 4


class Walk(NamedTuple):
    """What a walk came to: the new entry, or why there is none."""

    result: int
    address: int  # of the page-table entry
    pte: int = 0
    entry: Entry = Entry()


def ppc_walk(hw: Hardware, core: int, indirect: Entry, ea: int, space: Space) -> Walk:
    """Follow an indirect entry; nothing changes. The order of the checks is that of mmu-hardware 11."""
    params, address = hw.params, pte_address(indirect, ea)
    if find_ram(hw.memory, address) is None:
        return Walk(NOT_RAM, address)
    pte = int.from_bytes(read(hw.memory, address, _PTE_BYTES), "big")
    if not pte & PTE_V:
        return Walk(INVALID, address, pte)
    if not params.tlb0cfg & TLBCFG_PT or not params.tlb0ps >> pte_size(pte) & 1:
        return Walk(INELIGIBLE, address, pte)
    real: int | None = pte_page(pte)
    if space.gs:
        real = lrat_translate(hw, core, pte_page(pte), space.lpid, pte_size(pte))
    if real is None:
        return Walk(LRAT_MISS, address, pte)
    return Walk(RELOADED, address, pte, _direct(hw, indirect, ea, pte, real))


def ppc_reload(hw: Hardware, core: int, ea: int, walk: Walk) -> Place:
    """Put the entry of a walk into TLB0, in the way that HES=1 would pick (mmu-hardware 11.7)."""
    place = hes_place(hw, core, ea)
    store_entry(hw, core, place, walk.entry)
    log(hw, EVENT_RELOAD, 0, ea, place.entry, walk.pte)
    return place


def pte_address(indirect: Entry, ea: int) -> int:
    """Where the page-table entry is: the table's address, its low bits those of the page (11.2)."""
    spsize = (indirect.mas3 & MAS3_SPSIZE_MASK) >> MAS3_SPSIZE_SHIFT
    sub_page_shift = spsize + _KIB_SHIFT
    pages = max(page_size(indirect.mas1) >> sub_page_shift, 1)
    table = indirect.mas7 << 32 | indirect.mas3 & ~(_TABLE_ALIGNMENT - 1)
    return table & ~(pages * _PTE_BYTES - 1) | (ea >> sub_page_shift) % pages * _PTE_BYTES


def pte_page(pte: int) -> int:
    """The page that a page-table entry maps to: real, or logical for a guest (mmu-hardware 11.3)."""
    return pte >> PTE_ARPN_SHIFT << _PAGE_SHIFT


def pte_size(pte: int) -> int:
    """The size code of the page, PS."""
    return pte >> PTE_PS_SHIFT & _PS


def _direct(hw: Hardware, indirect: Entry, ea: int, pte: int, real: int) -> Entry:
    """The entry that a page-table entry makes; tags and VF are those of the indirect one (11.7)."""
    params = hw.params
    mas1 = MAS1_V | indirect.mas1 & (MAS1_TID_MASK | MAS1_TS) | pte_size(pte) << MAS1_TSIZE_SHIFT
    epn = ea & ~(page_size(mas1) - 1)
    entry = Entry(
        mas1=kept(params, "MAS1", mas1),
        mas2=kept(params, "MAS2", epn | pte >> PTE_WIMGE_SHIFT & _WIMGE),
        mas3=(pte >> PTE_U_SHIFT & _U) << _U_SHIFT | _permissions(pte),
        mas8=indirect.mas8,
    )
    return with_real_page(params, entry, real)


def _permissions(pte: int) -> int:
    """The rights of a page: none that was not referenced, no store to one not yet changed (U13)."""
    if not pte & PTE_R:
        return 0
    perms = pte >> PTE_PERMS_SHIFT & MAS3_PERMS
    return perms if pte & PTE_C else perms & ~(MAS3_UW | MAS3_SW)
