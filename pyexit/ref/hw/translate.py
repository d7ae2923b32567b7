# SPDX-License-Identifier: BSD-3-Clause
"""hw/translate: effective to real address, or the interrupt that results (mmu-hardware 5, 6.6, 12)."""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.events import DONE, DROPPED, TAKEN_BY_GUEST
from pyexit.ref.hw.core import Hardware, core_of, ea_of, is_mav2, set_mas
from pyexit.ref.hw.interrupt import Cause, multi_hit_cause, ppc_interrupt, ppc_interrupt_end
from pyexit.ref.hw.memory import PAGE_SIZE
from pyexit.ref.hw.regs import (
    EPCR_DMIUH,
    ESR_BO,
    ESR_ST,
    IVOR_DATA_STORAGE,
    IVOR_DTLB_MISS,
    IVOR_INST_STORAGE,
    IVOR_ITLB_MISS,
    IVOR_MACHINE_CHECK,
    MAS1_TSIZE_MASK,
    MAS2_ATTRIBUTES,
    MAS2_E,
    MAS3_PERMS,
    MAS3_SR,
    MAS3_SW,
    MAS3_SX,
    MAS3_UR,
    MAS3_UW,
    MAS3_UX,
    MAS4_INDD,
    MAS6_SAS,
    MAS6_SIND,
    MAS6_SPID_MASK,
    MAS6_SPID_SHIFT,
    MAS8_VF,
    MCSR_IF,
    MCSR_LD,
    MCSR_ST,
    MSR_DS,
    MSR_GS,
    MSR_IS,
    MSR_PR,
)
from pyexit.ref.hw.tlb import Place, Space, log_multi_hit, multi_hit_checked, page_size, ppc_tlb_search
from pyexit.ref.hw.tlbops import Entry, load_entry, propose_entry

# Kinds of access that translation tells apart.
FETCH = 0
LOAD = 1
STORE = 2  # stores, dcbz, dcba, dcbi, stwcx.
CACHE_LOAD = 3  # dcbst, dcbf, icbi: a load
TOUCH_LOAD = 4  # dcbt, icbt: never interrupts
TOUCH_STORE = 5  # dcbtst: never interrupts


class Row(NamedTuple):
    """What an access needs and how its faults are told (mmu-hardware 5.1, 12)."""

    supervisor: int  # MAS3 permission with MSR[PR]=0
    user: int
    mcsr: int
    esr: int = 0
    fetch: bool = False
    touch: bool = False


ROWS = {
    FETCH: Row(MAS3_SX, MAS3_UX, MCSR_IF, fetch=True),
    LOAD: Row(MAS3_SR, MAS3_UR, MCSR_LD),
    STORE: Row(MAS3_SW, MAS3_UW, MCSR_ST, esr=ESR_ST),
    CACHE_LOAD: Row(MAS3_SR, MAS3_UR, MCSR_LD),
    TOUCH_LOAD: Row(MAS3_SR, MAS3_UR, MCSR_LD, touch=True),
    TOUCH_STORE: Row(MAS3_SW, MAS3_UW, MCSR_ST, touch=True),
}


class Translation(NamedTuple):
    """The answer: where the access goes, or how it ended; all other fields are 0 if not DONE."""

    outcome: int
    ivor: int = 0
    real: int = 0
    real2: int = 0  # of the first byte in the second page
    page_size: int = 0
    perms: int = 0
    attributes: int = 0


class Page(NamedTuple):
    """What of an access lies in one 4 KiB page, and the entries that translate it: none is a miss."""

    ea: int
    found: list[Place]
    entry: Entry = Entry()  # the first of them
    size: int = 0  # bytes that it maps


def ppc_translate(hw: Hardware, thread: int, ea: int, size: int, access: int, probe: bool) -> Translation:
    """Translate an access of the code that runs on the thread; with `probe` nothing changes."""
    row, ea = ROWS[access], ea_of(hw, thread, ea)
    pages = [_search(hw, thread, row, ea, probe)]
    cause = _entry_cause(hw, thread, row, pages[0])
    if cause is None and ea % PAGE_SIZE + size > PAGE_SIZE:
        second = ea_of(hw, thread, ea - ea % PAGE_SIZE + PAGE_SIZE)
        pages.append(_search(hw, thread, row, second, probe))
    if cause is None:
        cause = _access_cause(hw, thread, row, pages)
    if cause is not None:
        return _fault(hw, thread, row, cause, probe)
    return _hit(pages)


def _search(hw: Hardware, thread: int, row: Row, ea: int, probe: bool) -> Page:
    """The entries for one page of the access."""
    core = core_of(hw, thread)
    found = ppc_tlb_search(hw, core, ea, _space(hw, thread, row))
    if not probe:
        log_multi_hit(hw, ea, found)
    if not found:
        return Page(ea, found)
    entry = load_entry(hw, core, found[0])
    return Page(ea, found, entry, page_size(entry.mas1))


def _space(hw: Hardware, thread: int, row: Row) -> Space:
    """The state of the thread as what a search compares (mmu-hardware 5)."""
    params, spr, msr = hw.params, hw.spr[thread], hw.thread[thread].msr
    return Space(
        ts=msr & (MSR_IS if row.fetch else MSR_DS),
        pid=spr.PID & params.pid_mask,
        gs=msr & MSR_GS,
        lpid=spr.LPID & params.lpid_mask,
    )


# Causes, in the order in which they count (mmu-hardware 12, docs/choices.md)


def _access_cause(hw: Hardware, thread: int, row: Row, pages: list[Page]) -> Cause | None:
    """Byte order, then permission of the lower page; then the upper page."""
    cause = _byte_order(row, pages) or _permission(hw, thread, row, pages[0])
    if cause is not None or len(pages) == 1:
        return cause
    return _entry_cause(hw, thread, row, pages[1]) or _permission(hw, thread, row, pages[1])


def _entry_cause(hw: Hardware, thread: int, row: Row, page: Page) -> Cause | None:
    """Miss, several hits, virtualization fault of one page; VF does not stop a fetch (mmu-hardware 5.1)."""
    if not page.found:
        return _miss(row, page.ea)
    if multi_hit_checked(hw, thread, page.found):
        return multi_hit_cause(page.ea, row.mcsr, from_host=False)
    if page.entry.mas8 & MAS8_VF and not row.fetch:
        return _storage(row, page.ea, row.esr, hypervisor_only=True)
    return None


def _byte_order(row: Row, pages: list[Page]) -> Cause | None:
    """Two pages of which one is little-endian: the second is the one that disagrees (mmu-hardware 5.2)."""
    endian = {page.entry.mas2 & MAS2_E for page in pages if page.found}
    if len(endian) < 2:
        return None
    return _storage(row, pages[1].ea, ESR_BO)


def _permission(hw: Hardware, thread: int, row: Row, page: Page) -> Cause | None:
    """The right that the access needs in the state it is made in (mmu-hardware 5.1)."""
    needed = row.user if hw.thread[thread].msr & MSR_PR else row.supervisor
    if page.entry.mas3 & needed:
        return None
    return _storage(row, page.ea, row.esr)


def _miss(row: Row, ea: int) -> Cause:
    """D- or ITLB error."""
    if row.fetch:
        return Cause(IVOR_ITLB_MISS, ea, esr=0)
    return Cause(IVOR_DTLB_MISS, ea, esr=row.esr, dear=ea)


def _storage(row: Row, ea: int, esr: int, hypervisor_only: bool = False) -> Cause:
    """DSI or ISI."""
    if row.fetch:
        return Cause(IVOR_INST_STORAGE, ea, esr=esr)
    return Cause(IVOR_DATA_STORAGE, ea, esr=esr, dear=ea, hypervisor_only=hypervisor_only)


# Ends


def _fault(hw: Hardware, thread: int, row: Row, cause: Cause, probe: bool) -> Translation:
    """Take the interrupt; a touch ends without one, unless the TLB is broken (mmu-hardware 5.1)."""
    if row.touch and cause.ivor != IVOR_MACHINE_CHECK:
        return Translation(DROPPED)
    end = ppc_interrupt_end(hw, thread, cause)
    if not probe:
        if cause.ivor in (IVOR_DTLB_MISS, IVOR_ITLB_MISS) and _updates_mas(hw, thread, end.outcome):
            _load_mas(hw, thread, row, cause.address)
        ppc_interrupt(hw, thread, cause)
    return Translation(end.outcome, end.ivor)


def _updates_mas(hw: Hardware, thread: int, outcome: int) -> bool:
    """EPCR[DMIUH] stops the update by the state of the handler, or of the access (mmu-hardware 6.5, U10)."""
    if not hw.spr[thread].EPCR & EPCR_DMIUH:
        return True
    if hw.params.dmiuh_access:
        return bool(hw.thread[thread].msr & (MSR_GS | MSR_PR))
    return outcome == TAKEN_BY_GUEST


def _load_mas(hw: Hardware, thread: int, row: Row, ea: int) -> None:
    """The MAS registers after a TLB error: an entry for the missing page, to be filled (mmu-hardware 6.6)."""
    spr, space = hw.spr[thread], _space(hw, thread, row)
    propose_entry(hw, thread, ea, space, valid=True)
    set_mas(hw, thread, 7, 0)
    mas6 = spr.MAS6 & ~(MAS6_SPID_MASK | MAS6_SAS)
    mas6 |= space.pid << MAS6_SPID_SHIFT | (MAS6_SAS if space.ts else 0)
    if is_mav2(hw.params):
        mas6 &= ~(MAS1_TSIZE_MASK | MAS6_SIND)
        mas6 |= spr.MAS4 & MAS1_TSIZE_MASK | (MAS6_SIND if spr.MAS4 & MAS4_INDD else 0)
    set_mas(hw, thread, 6, mas6)


def _hit(pages: list[Page]) -> Translation:
    """Where the access goes."""
    first = pages[0]
    return Translation(
        outcome=DONE,
        real=_real(first),
        real2=_real(pages[1]) if len(pages) > 1 else 0,
        page_size=first.size,
        perms=first.entry.mas3 & MAS3_PERMS,
        attributes=first.entry.mas2 & MAS2_ATTRIBUTES,
    )


def _real(page: Page) -> int:
    """The entry's real page with the address's offset; RPN bits below the page size do not count (5.8)."""
    offset = page.size - 1
    return (page.entry.mas7 << 32 | page.entry.mas3) & ~offset | page.ea & offset
