# SPDX-License-Identifier: BSD-3-Clause
"""hw/tlbops: tlbsx, tlbre, tlbwe, tlbilx, tlbivax, flash invalidation, next victim (mmu-hardware 6, 7)."""

from __future__ import annotations

from collections.abc import Callable

from pyexit.ref.events import DONE, EVENT_TLBILX, EVENT_TLBIVAX, EVENT_TLBSX, EVENT_TLBWE
from pyexit.ref.hw.core import (
    OP_TLBILX,
    OP_TLBIVAX,
    OP_TLBRE,
    OP_TLBSX,
    OP_TLBWE,
    End,
    Hardware,
    Htlb0,
    Htlb1,
    Params,
    core_of,
    count,
    is_mav2,
    kept,
    log,
    set_mas,
    ulong,
)
from pyexit.ref.hw.interrupt import Cause, multi_hit_cause, ppc_interrupt, ppc_program, ppc_raise
from pyexit.ref.hw.lrat import lrat_translate, ppc_lrat_read, ppc_lrat_write
from pyexit.ref.hw.regs import (
    ESR_PIL,
    HID0_EN_MAS7_UPDATE,
    IVOR_LRAT_ERROR,
    IVOR_PROGRAM,
    MAS0_ATSEL,
    MAS0_ESEL_MASK,
    MAS0_ESEL_SHIFT,
    MAS0_HES,
    MAS0_NV_MASK,
    MAS0_TLBSEL_SHIFT,
    MAS0_WQ_SHIFT,
    MAS1_IND,
    MAS1_IPROT,
    MAS1_TID_SHIFT,
    MAS1_TS,
    MAS1_TSIZE_MASK,
    MAS1_TSIZE_SHIFT,
    MAS1_V,
    MAS2_ATTRIBUTES,
    MAS3_U_MASK,
    MAS4_INDD,
    MAS5_SGS,
    MAS6_SAS,
    MAS6_SIND,
    MAS6_SPID_MASK,
    MAS6_SPID_SHIFT,
    MAS8_TGS,
    MCSR_LD,
    MMUCFG_TWC,
    MMUCSR0_TLB0FI,
    MMUCSR0_TLB1FI,
    MSR_CM,
    TLBCFG_HES,
    TLBCFG_IND,
    TLBCFG_IPROT,
    TLBIVAX_IA,
    TLBIVAX_TLBSEL_SHIFT,
)
from pyexit.ref.hw.tlb import (
    PAGE_OFFSET,
    Entry,
    Place,
    Space,
    entries,
    htlb,
    log_multi_hit,
    multi_hit_checked,
    page_size,
    place_word,
    ppc_tlb_search,
    same_page,
    set_of,
    tid_of,
    tsize_of,
)

_NO_HIT = 0xFFFFFFFF_FFFFFFFF
_WORD = 0xFFFFFFFF
_TLB0_TSIZE = 2
#: Page sizes of TLB1 on MAV 1: 4^n KiB, n = 1..11 (mmu-hardware 4.5).
_MAV1_TSIZES = range(2, 23, 2)


def load_entry(hw: Hardware, core: int, place: Place) -> Entry:
    """An entry as it is stored."""
    tlb, number = htlb(hw, core, place.tlbsel), place.entry
    return Entry(tlb.mas1[number], tlb.mas2[number], tlb.mas3[number], tlb.mas7[number], tlb.mas8[number])


def store_entry(hw: Hardware, core: int, place: Place, entry: Entry) -> None:
    """Replace an entry."""
    tlb, number = htlb(hw, core, place.tlbsel), place.entry
    tlb.mas1[number], tlb.mas2[number], tlb.mas3[number] = entry.mas1, entry.mas2, entry.mas3
    tlb.mas7[number], tlb.mas8[number] = entry.mas7, entry.mas8


def next_victim(hw: Hardware, core: int) -> int:
    """TLB0[NV] (mmu-hardware 7.1)."""
    return hw.core[core].tlb0_nv % hw.params.tlb0_ways


# tlbsx (mmu-hardware 6.2)


def ppc_tlbsx(hw: Hardware, thread: int, ea: int) -> End:
    """Search both TLBs for `ea` as MAS5 and MAS6 say; the answer is in the MAS registers."""
    count(hw, thread, OP_TLBSX)
    ea = ulong(hw.params, ea)
    found = ppc_tlb_search(hw, core_of(hw, thread), ea, _search_space(hw, thread))
    _log_tlbsx(hw, thread, ea, found)
    log_multi_hit(hw, ea, found)
    if multi_hit_checked(hw, thread, found):
        return ppc_interrupt(hw, thread, multi_hit_cause(ea, MCSR_LD, from_host=True))
    if found:
        _tlbsx_hit(hw, thread, found[0])
    else:
        _tlbsx_miss(hw, thread, ea)
    return End(DONE)


def _search_space(hw: Hardware, thread: int) -> Space:
    """MAS5 and MAS6 as what a search compares (mmu-hardware 6.2.2)."""
    params, spr = hw.params, hw.spr[thread]
    return Space(
        ts=spr.MAS6 & MAS6_SAS,
        pid=(spr.MAS6 & MAS6_SPID_MASK) >> MAS6_SPID_SHIFT & params.pid_mask,
        gs=spr.MAS5 & MAS5_SGS,
        lpid=spr.MAS5 & params.lpid_mask,
        ind=spr.MAS6 & MAS6_SIND,
    )


def _log_tlbsx(hw: Hardware, thread: int, ea: int, found: list[Place]) -> None:
    """The event, with the registers as they are before the search changes them."""
    spr, hit = hw.spr[thread], place_word(found[0]) if found else _NO_HIT
    log(hw, EVENT_TLBSX, 0, ea, *_words(hw.params, spr.MAS5, spr.MAS6, spr.MAS4), hit)


def _words(params: Params, *values: int) -> list[int]:
    """Registers of the width of the machine."""
    return [ulong(params, value) for value in values]


def _tlbsx_hit(hw: Hardware, thread: int, place: Place) -> None:
    """MAS0 names the entry, the others are the entry, MAS8 too (mmu-hardware 6.2.3)."""
    params, core = hw.params, core_of(hw, thread)
    esel = place.entry if place.tlbsel else place.entry % params.tlb0_ways
    # The recorded host leaves NV 0 after a hit in TLB1 (vectors/SCHEMA.md).
    nv = 0 if params.raw and place.tlbsel else next_victim(hw, core)
    mas0 = place.tlbsel << MAS0_TLBSEL_SHIFT | esel << MAS0_ESEL_SHIFT | nv
    if is_mav2(params) and params.hit_hes:
        mas0 |= (0 if place.tlbsel else MAS0_HES) | 1 << MAS0_WQ_SHIFT
    set_mas(hw, thread, 0, mas0)
    _show_entry(hw, thread, load_entry(hw, core, place))


def _show_entry(hw: Hardware, thread: int, entry: Entry) -> None:
    """MAS1, MAS2, MAS3, MAS7, MAS8 := the entry as it is stored (mmu-hardware 2.8, 6.1.2, 6.1.6)."""
    spr = hw.spr[thread]
    spr.MAS1, spr.MAS2, spr.MAS3 = entry.mas1, ulong(hw.params, entry.mas2), entry.mas3
    if _updates_mas7(hw, thread):
        spr.MAS7 = entry.mas7
    spr.MAS8 = entry.mas8


def _updates_mas7(hw: Hardware, thread: int) -> bool:
    """HID0[EN_MAS7_UPDATE]; the recorded host does not look at it."""
    return bool(hw.params.raw or hw.spr[thread].HID0 & HID0_EN_MAS7_UPDATE)


def _tlbsx_miss(hw: Hardware, thread: int, ea: int) -> None:
    """Defaults for a new entry, V=0 (mmu-hardware 6.6, column tlbsx miss)."""
    epn = {1: 0, 2: ea}.get(hw.params.miss_epn, hw.spr[thread].MAS2)
    propose_entry(hw, thread, epn, _search_space(hw, thread), valid=False)
    if _updates_mas7(hw, thread):
        set_mas(hw, thread, 7, 0)


def propose_entry(hw: Hardware, thread: int, epn: int, space: Space, valid: bool) -> None:
    """MAS0-MAS3 after a TLB error and after a tlbsx miss: a victim, an entry to fill (mmu-hardware 6.6)."""
    params, spr = hw.params, hw.spr[thread]
    set_mas(hw, thread, 0, _victim(hw, thread))
    mas1 = (MAS1_V if valid else 0) | space.pid << MAS1_TID_SHIFT | spr.MAS4 & MAS1_TSIZE_MASK
    mas1 |= MAS1_TS if space.ts else 0
    mas1 |= MAS1_IND if is_mav2(params) and spr.MAS4 & MAS4_INDD else 0
    set_mas(hw, thread, 1, mas1)
    set_mas(hw, thread, 2, epn & ~PAGE_OFFSET | spr.MAS4 & MAS2_ATTRIBUTES)
    set_mas(hw, thread, 3, spr.MAS3 & MAS3_U_MASK if params.miss_u else 0)


def _victim(hw: Hardware, thread: int) -> int:
    """MAS0 after a miss: the entry to replace; TLB0[NV] itself does not move (mmu-hardware 6.6, 7.2)."""
    params = hw.params
    tlbsel = tlbsel_of(hw.spr[thread].MAS4)
    mas0 = tlbsel << MAS0_TLBSEL_SHIFT
    if tlbsel == 0:
        nv = next_victim(hw, core_of(hw, thread))
        mas0 |= nv << MAS0_ESEL_SHIFT | (nv + 1) % params.tlb0_ways
    if is_mav2(params):
        mas0 |= (MAS0_HES if tlbcfg(params, tlbsel) & TLBCFG_HES else 0) | params.miss_wq << MAS0_WQ_SHIFT
    return mas0


def tlbsel_of(word: int) -> int:
    """MAS0[TLBSEL] or MAS4[TLBSELD]: 2 and 3 act as 0 and 1 (mmu-hardware 2.8)."""
    return word >> MAS0_TLBSEL_SHIFT & 1


def tlbcfg(params: Params, tlbsel: int) -> int:
    """TLB0CFG or TLB1CFG."""
    return params.tlb1cfg if tlbsel else params.tlb0cfg


# tlbre, tlbwe (mmu-hardware 6.1, 6.3)


def ppc_tlbre(hw: Hardware, thread: int) -> End:
    """Read the entry that MAS0 and MAS2 select."""
    count(hw, thread, OP_TLBRE)
    spr, core = hw.spr[thread], core_of(hw, thread)
    spr.MAS0 = ulong(hw.params, spr.MAS0 & ~MAS0_NV_MASK | next_victim(hw, core))
    if _selects_lrat(hw, thread):
        _show_entry(hw, thread, ppc_lrat_read(hw, thread))
    else:
        _show_entry(hw, thread, load_entry(hw, core, _selected(hw, thread)))
    return End(DONE)


def ppc_tlbwe(hw: Hardware, thread: int) -> End:
    """Write the entry that MAS0 and MAS2 select, or refuse a page size (mmu-hardware 6.3)."""
    count(hw, thread, OP_TLBWE)
    if _selects_lrat(hw, thread):
        return ppc_lrat_write(hw, thread)
    entry = _entry_to_write(hw, thread)
    if not _size_fits(hw, thread, entry.mas1):
        return ppc_program(hw, thread, ESR_PIL)
    return _write_entry(hw, thread, entry, hw.spr[thread].MAS3, hw.spr[thread].MAS7)


def ppc_guest_tlbwe(hw: Hardware, thread: int) -> End:
    """tlbwe by a guest that may: its RPN is a logical address; an LRAT error is no write (10.1, 10.5)."""
    core, entry = core_of(hw, thread), _entry_to_write(hw, thread)
    if not _size_fits(hw, thread, entry.mas1):
        count(hw, thread, OP_TLBWE)
        return ppc_raise(hw, thread, IVOR_PROGRAM, ESR_PIL)
    if entry.mas1 & MAS1_V:
        logical = (entry.mas7 << 32 | entry.mas3) & ~PAGE_OFFSET
        lpid = entry.mas8 & hw.params.lpid_mask
        real = lrat_translate(hw, core, logical, lpid, tsize_of(entry.mas1))
        if real is None:
            return ppc_interrupt(hw, thread, Cause(IVOR_LRAT_ERROR, ulong(hw.params, hw.thread[thread].pc)))
        entry = with_real_page(hw.params, entry, real)
    count(hw, thread, OP_TLBWE)
    return _write_entry(hw, thread, entry, entry.mas3, entry.mas7)


def with_real_page(params: Params, entry: Entry, real: int) -> Entry:
    """An entry that maps to another real page."""
    mas3 = real & _WORD & ~PAGE_OFFSET | entry.mas3 & PAGE_OFFSET
    return entry._replace(mas3=mas3, mas7=kept(params, "MAS7", real >> 32))


def _write_entry(hw: Hardware, thread: int, entry: Entry, mas3: int, mas7: int) -> End:
    """The write itself, and its event: the registers, a guest's with the real page and without ATSEL."""
    spr = hw.spr[thread]
    mas0 = spr.MAS0 & ~MAS0_ATSEL if is_mav2(hw.params) else spr.MAS0
    words = (mas0, spr.MAS1, spr.MAS2, mas3, mas7, spr.MAS8)
    log(hw, EVENT_TLBWE, 0, *_words(hw.params, *words))
    store_entry(hw, core_of(hw, thread), _place_to_write(hw, thread), entry)
    return End(DONE)


def _place_to_write(hw: Hardware, thread: int) -> Place:
    """Where tlbwe writes; in TLB0 it loads TLB0[NV] too, unless the hardware picks the way (6.3.5, 6.3.8)."""
    params, core, mas0 = hw.params, core_of(hw, thread), hw.spr[thread].MAS0
    if is_mav2(params) and tlbsel_of(mas0) == 0 and mas0 & MAS0_HES:
        return hes_place(hw, core, hw.spr[thread].MAS2)
    if tlbsel_of(mas0) == 0:
        hw.core[core].tlb0_nv = (mas0 & MAS0_NV_MASK) % params.tlb0_ways
    return _selected(hw, thread)


def _selects_lrat(hw: Hardware, thread: int) -> bool:
    """MAS0[ATSEL] = 1, on MAV 2 (mmu-hardware 2.1)."""
    return is_mav2(hw.params) and bool(hw.spr[thread].MAS0 & MAS0_ATSEL)


def _selected(hw: Hardware, thread: int) -> Place:
    """The entry of MAS0[TLBSEL, ESEL] and, in TLB0, MAS2[EPN]; ESEL by its low bits (mmu-hardware 4)."""
    params, spr = hw.params, hw.spr[thread]
    esel = (spr.MAS0 & MAS0_ESEL_MASK) >> MAS0_ESEL_SHIFT
    if tlbsel_of(spr.MAS0):
        return Place(1, esel % params.tlb1_entries)
    return Place(0, set_of(params, spr.MAS2) * params.tlb0_ways + esel % params.tlb0_ways)


def hes_place(hw: Hardware, core: int, ea: int) -> Place:
    """The lowest invalid way of the set, else the set's counter, which then advances (U11)."""
    params, number = hw.params, set_of(hw.params, ea)
    first, counters = number * params.tlb0_ways, hw.core[core].hes_victim
    for way in range(params.tlb0_ways):
        if not hw.htlb0[core].mas1[first + way] & MAS1_V:
            return Place(0, first + way)
    way = counters[number] % params.tlb0_ways
    counters[number] = (way + 1) % params.tlb0_ways
    return Place(0, first + way)


def _entry_to_write(hw: Hardware, thread: int) -> Entry:
    """The MAS registers as tlbwe stores them; the recorded host keeps every bit (mmu-hardware 0.4, 6.3)."""
    params, spr = hw.params, hw.spr[thread]
    entry = Entry(
        *(kept(params, name, getattr(spr, name)) for name in ("MAS1", "MAS2", "MAS3", "MAS7", "MAS8"))
    )
    if params.raw:
        return entry
    mas1 = _stored_mas1(params, tlbsel_of(spr.MAS0), entry.mas1)
    return entry._replace(mas1=mas1, mas2=_stored_mas2(hw, thread, mas1, entry.mas2))


def _stored_mas1(params: Params, tlbsel: int, mas1: int) -> int:
    """MAS1 without what the array cannot hold (mmu-hardware 6.3.1, 4.6)."""
    config = tlbcfg(params, tlbsel)
    if not config & TLBCFG_IPROT:
        mas1 &= ~MAS1_IPROT
    if not (is_mav2(params) and config & TLBCFG_IND):
        mas1 &= ~MAS1_IND
    if tlbsel == 0:
        mas1 = mas1 & ~MAS1_TSIZE_MASK | _TLB0_TSIZE << MAS1_TSIZE_SHIFT
    return mas1


def _stored_mas2(hw: Hardware, thread: int, mas1: int, mas2: int) -> int:
    """MAS2 with its EPN aligned to the page, and 32 bits of it where MSR[CM] = 0 (mmu-hardware 6.3.2-3)."""
    offset = page_size(mas1) - 1
    mas2 &= ~offset | MAS2_ATTRIBUTES
    return mas2 if hw.thread[thread].msr & MSR_CM else mas2 & _WORD


def _size_fits(hw: Hardware, thread: int, mas1: int) -> bool:
    """Whether the TLB takes this size: TLB0 any, TLB1 any of an invalid entry (mmu-hardware 6.3.4, U22)."""
    params = hw.params
    if tlbsel_of(hw.spr[thread].MAS0) == 0:
        return True
    if params.raw or not params.tsize_check or not mas1 & MAS1_V:
        return True
    if is_mav2(params):
        return bool(params.tlb1ps >> tsize_of(mas1) & 1)
    return tsize_of(mas1) in _MAV1_TSIZES


# Invalidations (mmu-hardware 6.4)

#: Says of an entry whether an invalidation is meant for it: its TLB, its place there.
Condition = Callable[[Htlb0 | Htlb1, Place], bool]


def _invalidate(hw: Hardware, core: int, tlbsel: int, condition: Condition) -> None:
    """Clear V of the entries of one TLB that fulfil `condition` and have no IPROT."""
    tlb = htlb(hw, core, tlbsel)
    for number in range(entries(hw.params, tlbsel)):
        if not tlb.mas1[number] & MAS1_IPROT and condition(tlb, Place(tlbsel, number)):
            tlb.mas1[number] &= ~MAS1_V


def ppc_tlbilx(hw: Hardware, thread: int, t: int, ea: int) -> End:
    """Invalidate in this core by LPID (T=0), LPID and PID (1), or address (3); no other form exists."""
    count(hw, thread, OP_TLBILX)
    ea = ulong(hw.params, ea)
    conditions: dict[int, Condition] = {
        0: lambda tlb, place: _lpid_is(hw, thread, tlb, place),
        1: lambda tlb, place: _lpid_is(hw, thread, tlb, place) and _pid_is(hw, thread, tlb, place),
        3: lambda tlb, place: _address_is(hw, thread, tlb, place, ea),
    }
    condition = conditions.get(t)
    if condition is None:
        return ppc_program(hw, thread, ESR_PIL)
    spr = hw.spr[thread]
    log(hw, EVENT_TLBILX, t, *_words(hw.params, spr.MAS5, spr.MAS6), ea)
    for tlbsel in (0, 1):
        _invalidate(hw, core_of(hw, thread), tlbsel, condition)
    return End(DONE)


def _lpid_is(hw: Hardware, thread: int, tlb: Htlb0 | Htlb1, place: Place) -> bool:
    """TLPID = SLPID, exactly (rule 1)."""
    return tlb.mas8[place.entry] & hw.params.lpid_mask == _search_space(hw, thread).lpid


def _pid_is(hw: Hardware, thread: int, tlb: Htlb0 | Htlb1, place: Place) -> bool:
    """TID = SPID, exactly (rule 1)."""
    return tid_of(hw.params, tlb.mas1[place.entry]) == _search_space(hw, thread).pid


def _gs_is(hw: Hardware, thread: int, tlb: Htlb0 | Htlb1, place: Place) -> bool:
    """TGS = SGS."""
    return bool(tlb.mas8[place.entry] & MAS8_TGS) == bool(_search_space(hw, thread).gs)


def _ind_is(hw: Hardware, thread: int, tlb: Htlb0 | Htlb1, place: Place) -> bool:
    """IND = SIND; MAV 1 has neither (rule 8)."""
    ind = tlb.mas1[place.entry] & MAS1_IND
    return not is_mav2(hw.params) or bool(ind) == bool(_search_space(hw, thread).ind)


def _address_is(hw: Hardware, thread: int, tlb: Htlb0 | Htlb1, place: Place, ea: int) -> bool:
    """The condition of T=3 (mmu-hardware 6.4, U6, U7)."""
    params, mas1 = hw.params, tlb.mas1[place.entry]
    any_pid = params.tlbilx_tid0 and tid_of(params, mas1) == 0
    any_as = not params.tlbilx_as or bool(mas1 & MAS1_TS) == bool(_search_space(hw, thread).ts)
    return (
        _lpid_is(hw, thread, tlb, place)
        and _gs_is(hw, thread, tlb, place)
        and bool(any_pid or _pid_is(hw, thread, tlb, place))
        and any_as
        and same_page(mas1, tlb.mas2[place.entry], ea)
        and _ind_is(hw, thread, tlb, place)
        and _size_is(hw, thread, place, mas1)
    )


def _size_is(hw: Hardware, thread: int, place: Place, mas1: int) -> bool:
    """TSIZE = ISIZE, on MAV 2 with TWC or in an array with HES (mmu-hardware 6.4)."""
    params = hw.params
    compared = params.mmucfg & MMUCFG_TWC or tlbcfg(params, place.tlbsel) & TLBCFG_HES
    if not is_mav2(params) or not compared:
        return True
    return tsize_of(mas1) == tsize_of(hw.spr[thread].MAS6)


def ppc_tlbivax(hw: Hardware, thread: int, ea: int) -> End:
    """Invalidate by address, or a whole TLB, in every core (mmu-hardware 6.4)."""
    count(hw, thread, OP_TLBIVAX)
    ea, spr = ulong(hw.params, ea), hw.spr[thread]
    log(hw, EVENT_TLBIVAX, 0, ea, *_words(hw.params, spr.MAS5, spr.MAS6))

    def condition(tlb: Htlb0 | Htlb1, place: Place) -> bool:
        return bool(ea & TLBIVAX_IA) or _broadcast_is(hw, thread, tlb, place, ea)

    for core in range(len(hw.core)):
        _invalidate(hw, core, ea >> TLBIVAX_TLBSEL_SHIFT & 1, condition)
    return End(DONE)


def _broadcast_is(hw: Hardware, thread: int, tlb: Htlb0 | Htlb1, place: Place, ea: int) -> bool:
    """The condition of tlbivax without IA: the EPN, and the tags where U8 says so."""
    if not same_page(tlb.mas1[place.entry], tlb.mas2[place.entry], ea):
        return False
    tests = (_lpid_is, _gs_is, _pid_is, _ind_is) if hw.params.tlbivax_tags else ()
    return all(test(hw, thread, tlb, place) for test in tests)


def ppc_tlb_flash(hw: Hardware, core: int, mmucsr0: int) -> None:
    """What a write to MMUCSR0 does: everything without IPROT goes (U9)."""
    for tlbsel, bit in ((0, MMUCSR0_TLB0FI), (1, MMUCSR0_TLB1FI)):
        if mmucsr0 & bit:
            _invalidate(hw, core, tlbsel, lambda tlb, place: True)
