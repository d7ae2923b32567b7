# SPDX-License-Identifier: BSD-3-Clause
"""hw/translate: effective to real address, or the interrupt that results (mmu-hardware 5, 6.6, 9, 11, 12)."""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.events import DONE, DROPPED, EXTERNAL, TAKEN_BY_GUEST
from pyexit.ref.hw.core import Hardware, core_of, ea_of, is_mav2, set_mas, ulong
from pyexit.ref.hw.interrupt import Cause, multi_hit_cause, ppc_interrupt, ppc_interrupt_end
from pyexit.ref.hw.memory import PAGE_SIZE
from pyexit.ref.hw.regs import (
    EPC_EAS,
    EPC_EGS,
    EPC_ELPID_MASK,
    EPC_ELPID_SHIFT,
    EPC_EPID_MASK,
    EPC_EPR,
    EPCR_DMIUH,
    ESR_BO,
    ESR_DATA,
    ESR_EPID,
    ESR_PT,
    ESR_ST,
    ESR_TLBI,
    IVOR_DATA_STORAGE,
    IVOR_DTLB_MISS,
    IVOR_INST_STORAGE,
    IVOR_ITLB_MISS,
    IVOR_LRAT_ERROR,
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
    MCSR_MAV,
    MCSR_ST,
    MSR_DS,
    MSR_GS,
    MSR_IS,
    MSR_PR,
)
from pyexit.ref.hw.tlb import (
    Entry,
    Place,
    Space,
    log_multi_hit,
    multi_hit_checked,
    page_size,
    ppc_tlb_search,
)
from pyexit.ref.hw.tlbops import load_entry, propose_entry
from pyexit.ref.hw.walk import (
    INELIGIBLE,
    INVALID,
    NOT_RAM,
    RELOADED,
    Walk,
    ppc_reload,
    ppc_walk,
    pte_page,
    pte_size,
)

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
    store: bool = False


ROWS = {
    FETCH: Row(MAS3_SX, MAS3_UX, MCSR_IF, fetch=True),
    LOAD: Row(MAS3_SR, MAS3_UR, MCSR_LD),
    STORE: Row(MAS3_SW, MAS3_UW, MCSR_ST, esr=ESR_ST, store=True),
    CACHE_LOAD: Row(MAS3_SR, MAS3_UR, MCSR_LD),
    TOUCH_LOAD: Row(MAS3_SR, MAS3_UR, MCSR_LD, touch=True),
    TOUCH_STORE: Row(MAS3_SW, MAS3_UW, MCSR_ST, touch=True, store=True),
}


class Access(NamedTuple):
    """An access and its context: that of the running code, or of EPLC or EPSC (mmu-hardware 5, 9.2)."""

    row: Row
    space: Space
    user: bool
    esr: int  # the bits that every data fault has: ST, EPID
    byte_order: int  # ESR of a byte-order exception
    probe: bool
    from_host: bool  # the code is the hypervisor's, whatever MSR says


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
    """What of an access lies in one 4 KiB page, and the entry that translates it, or why none does."""

    ea: int
    entry: Entry = Entry()
    found: tuple[Place, ...] = ()  # more than one is a multiple hit
    missing: Cause | None = None

    @property
    def size(self) -> int:
        """Bytes that the entry maps."""
        return page_size(self.entry.mas1)


def _formed(hw: Hardware, thread: int, ea: int, from_host: bool) -> int:
    """The address as the code forms it: KVM's own hands over a whole unsigned long (docs/choices.md)."""
    return ulong(hw.params, ea) if from_host else ea_of(hw, thread, ea)


def ppc_translate(
    hw: Hardware, thread: int, ea: int, size: int, access: int, probe: bool, from_host: bool = False
) -> Translation:
    """Translate an access of the code that runs on the thread; with `probe` nothing changes."""
    context, ea = _context(hw, thread, access, probe, from_host), _formed(hw, thread, ea, from_host)
    pages = [_direct(hw, thread, context, ea) or _walk(hw, thread, context, ea)]
    cause = _entry_cause(hw, thread, context, pages[0])
    if cause is None and ea % PAGE_SIZE + size > PAGE_SIZE:
        second = _formed(hw, thread, ea - ea % PAGE_SIZE + PAGE_SIZE, from_host)
        upper = _direct(hw, thread, context, second)
        if upper is None:  # a walk is part of the upper access: only if the lower one may be made
            cause = _permission(context, pages[0])
        if cause is None:
            pages.append(upper or _walk(hw, thread, context, second))
    if cause is None:
        cause = _access_cause(hw, thread, context, pages)
    if cause is not None:
        return _fault(hw, thread, context, cause)
    return _hit(pages)


def _context(hw: Hardware, thread: int, access: int, probe: bool, from_host: bool) -> Access:
    """What the access is made with: the state of the thread, or EPLC and EPSC (mmu-hardware 5, 9.2)."""
    row, spr, msr = ROWS[access & ~EXTERNAL], hw.spr[thread], hw.thread[thread].msr
    if access & EXTERNAL:
        word, esr = spr.EPSC if row.store else spr.EPLC, row.esr | ESR_EPID
        return Access(row, _external_space(word), bool(word & EPC_EPR), esr, ESR_BO | esr, probe, from_host)
    space = Space(
        ts=msr & (MSR_IS if row.fetch else MSR_DS),
        pid=spr.PID & hw.params.pid_mask,
        gs=msr & MSR_GS,
        lpid=spr.LPID & hw.params.lpid_mask,
    )
    return Access(row, space, bool(msr & MSR_PR), row.esr, ESR_BO, probe, from_host)


def _external_space(word: int) -> Space:
    """EPLC or EPSC as what a search compares (mmu-hardware 9)."""
    return Space(
        ts=word & EPC_EAS,
        pid=word & EPC_EPID_MASK,
        gs=word & EPC_EGS,
        lpid=(word & EPC_ELPID_MASK) >> EPC_ELPID_SHIFT,
    )


def _direct(hw: Hardware, thread: int, access: Access, ea: int) -> Page | None:
    """One page of the access and the entry in the TLBs that translates it."""
    core = core_of(hw, thread)
    found = ppc_tlb_search(hw, core, ea, access.space)
    if not found:
        return None
    if not access.probe:
        log_multi_hit(hw, ea, found)
    return Page(ea, load_entry(hw, core, found[0]), tuple(found))


def _walk(hw: Hardware, thread: int, access: Access, ea: int) -> Page:
    """One page without a direct entry: a walk from the indirect one, or a miss (mmu-hardware 11.1)."""
    core = core_of(hw, thread)
    found = ppc_tlb_search(hw, core, ea, access.space._replace(ind=1)) if is_mav2(hw.params) else []
    if not found:
        return Page(ea, missing=_miss(access, ea))
    if not access.probe:
        log_multi_hit(hw, ea, found)
    if multi_hit_checked(hw, thread, found):
        return Page(ea, missing=multi_hit_cause(ea, access.row.mcsr, access.from_host))
    walk = ppc_walk(hw, core, load_entry(hw, core, found[0]), ea, access.space)
    if walk.result != RELOADED:
        return Page(ea, missing=_walk_cause(access, ea, walk))
    if not access.probe:
        ppc_reload(hw, core, ea, walk)
    return Page(ea, walk.entry)


# Causes, in the order in which they count (mmu-hardware 12, docs/choices.md)


def _access_cause(hw: Hardware, thread: int, access: Access, pages: list[Page]) -> Cause | None:
    """Byte order, then permission of the lower page; then the upper page."""
    cause = _byte_order(access, pages) or _permission(access, pages[0])
    if cause is not None or len(pages) == 1:
        return cause
    return _entry_cause(hw, thread, access, pages[1]) or _permission(access, pages[1])


def _entry_cause(hw: Hardware, thread: int, access: Access, page: Page) -> Cause | None:
    """Miss, several hits, virtualization fault of one page; VF does not stop a fetch (mmu-hardware 5.1)."""
    if page.missing is not None:
        return page.missing
    if multi_hit_checked(hw, thread, list(page.found)):
        return multi_hit_cause(page.ea, access.row.mcsr, access.from_host)
    if page.entry.mas8 & MAS8_VF and not access.row.fetch:
        return _storage(access, page.ea, access.esr, hypervisor_only=True)
    return None


def _byte_order(access: Access, pages: list[Page]) -> Cause | None:
    """Two pages of which one is little-endian: the second is the one that disagrees (mmu-hardware 5.2)."""
    endian = {page.entry.mas2 & MAS2_E for page in pages if page.missing is None}
    if len(endian) < 2:
        return None
    return _storage(access, pages[1].ea, access.byte_order)


def _permission(access: Access, page: Page) -> Cause | None:
    """The right that the access needs in the state it is made in (mmu-hardware 5.1)."""
    needed = access.row.user if access.user else access.row.supervisor
    if page.entry.mas3 & needed:
        return None
    return _storage(access, page.ea, access.esr)


def _miss(access: Access, ea: int) -> Cause:
    """D- or ITLB error."""
    if access.row.fetch:
        return Cause(IVOR_ITLB_MISS, ea, from_host=access.from_host)
    return Cause(IVOR_DTLB_MISS, ea, access.esr, ea, from_host=access.from_host)


def _storage(access: Access, ea: int, esr: int, hypervisor_only: bool = False) -> Cause:
    """DSI or ISI."""
    ivor = IVOR_INST_STORAGE if access.row.fetch else IVOR_DATA_STORAGE
    return Cause(ivor, ea, esr, ea, hypervisor_only=hypervisor_only, from_host=access.from_host)


def _walk_cause(access: Access, ea: int, walk: Walk) -> Cause:
    """What a walk that makes no entry ends in (mmu-hardware 11.4-11.6, U24)."""
    data = 0 if access.row.fetch else ESR_DATA | access.esr
    if walk.result == NOT_RAM:
        mcsr = MCSR_MAV | access.row.mcsr
        return Cause(IVOR_MACHINE_CHECK, walk.address, mcsr=mcsr, from_host=access.from_host)
    if walk.result == INVALID:
        return _storage(access, ea, ESR_PT | data)
    if walk.result == INELIGIBLE:
        return _storage(access, ea, ESR_TLBI | data, hypervisor_only=True)
    lper = pte_page(walk.pte) | pte_size(walk.pte)
    return Cause(IVOR_LRAT_ERROR, ea, ESR_PT | data, ea, lper=lper, from_host=access.from_host)


# Ends


def _fault(hw: Hardware, thread: int, access: Access, cause: Cause) -> Translation:
    """Take the interrupt; a touch ends without one, unless the TLB is broken (mmu-hardware 5.1)."""
    if access.row.touch and cause.ivor != IVOR_MACHINE_CHECK:
        return Translation(DROPPED)
    end = ppc_interrupt_end(hw, thread, cause)
    if not access.probe:
        if cause.ivor in (IVOR_DTLB_MISS, IVOR_ITLB_MISS) and _updates_mas(hw, thread, access, end.outcome):
            _load_mas(hw, thread, access.space, cause.address)
        ppc_interrupt(hw, thread, cause)
    return Translation(end.outcome, end.ivor)


def _updates_mas(hw: Hardware, thread: int, access: Access, outcome: int) -> bool:
    """EPCR[DMIUH] stops the update by the state of the handler, or of the access (mmu-hardware 6.5, U10)."""
    if not hw.spr[thread].EPCR & EPCR_DMIUH:
        return True
    if hw.params.dmiuh_access:
        return bool(access.space.gs) or access.user
    return outcome == TAKEN_BY_GUEST


def _load_mas(hw: Hardware, thread: int, space: Space, ea: int) -> None:
    """The MAS registers after a TLB error: an entry for the missing page, to be filled (mmu-hardware 6.6)."""
    spr = hw.spr[thread]
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
