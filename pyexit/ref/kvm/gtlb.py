# SPDX-License-Identifier: BSD-3-Clause
"""kvm/gtlb: the guest's TLB as KVM emulates it: search, miss, and the TLB instructions (mmu-kvm 3 to 5).

Covers e500_mmu.c. An index is tlbsel << 16 | position.
"""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.hw.core import ulong
from pyexit.ref.hw.memory import PAGE_SIZE
from pyexit.ref.hw.regs import (
    MAS0_ESEL_MASK,
    MAS0_ESEL_SHIFT,
    MAS0_NV_MASK,
    MAS0_TLBSEL_SHIFT,
    MAS1_IPROT,
    MAS1_TID_SHIFT,
    MAS1_TS,
    MAS1_TSIZE_MASK,
    MAS1_TSIZE_SHIFT,
    MAS1_V,
    MAS3_U_MASK,
    MAS6_SAS,
    MAS6_SPID_MASK,
    MAS6_SPID_SHIFT,
    MMUCSR0_TLB0FI,
    MMUCSR0_TLB1FI,
    MSR_CM,
    MSR_DS,
    MSR_IS,
    TLBIVAX_IA,
    TLBIVAX_TLBSEL_SHIFT,
)
from pyexit.ref.hw.tlb import PAGE_OFFSET
from pyexit.ref.kvm.gtlb_array import (
    E500_TLB_BITMAP,
    E500_TLB_VALID,
    Gtlbe,
    esel_of_index,
    g2h_slots,
    get_entry,
    get_tlb_bytes,
    get_tlb_eaddr,
    get_tlb_end,
    get_tlb_raddr,
    get_tlb_tid,
    get_tlb_ts,
    gtlb_entries,
    gtlb_of,
    gtlb_params,
    index_of,
    ref_flags,
    set_entry,
    set_g2h_slots,
    set_ref_flags,
    tlbsel_of_index,
)
from pyexit.ref.kvm.memslot import gfn_to_memslot
from pyexit.ref.kvm.stlb import (
    MAS2_ATTRIB_MASK,
    inval_gtlbe_on_host,
    kvmppc_core_flush_tlb,
    kvmppc_mmu_map,
)
from pyexit.ref.kvm.timing import EMULATED_TLBSX_EXITS, EMULATED_TLBWE_EXITS, kvmppc_set_exit_type
from pyexit.ref.kvm.trace import trace_kvm_booke206_gtlb_write
from pyexit.ref.kvm.vcpu import EMULATE_DONE, Shared, World

#: MAS6 bits that a reflected miss keeps (mmu-kvm 1.3, 4).
MAS6_SPID1_MASK = 0x7FFE

#: No entry.
NO_INDEX = -1
_ANY_AS = -1  # any address space

# Kinds of tlbilx (mmu-kvm 5.6)
_TLBILX_ALL = 0
_TLBILX_TID = 1
_TLBILX_ADDRESS = 3

_PID_MASK = 0xFF  # KVM's guest PIDs have 8 bits
_TSIZE_4K = 2
_WORD = (1 << 32) - 1


class Translated(NamedTuple):
    """What KVM_TRANSLATE writes of struct kvm_translation."""

    valid: int
    physical_address: int


# Search (mmu-kvm 3)


def kvmppc_e500_tlb_index(world: World, vcpu: int, ea: int, tlbsel: int, pid: int, address_space: int) -> int:
    """The position in guest TLB `tlbsel` of the first entry that holds an address, or -1."""
    ea = ulong(world.hw.params, ea)
    for position in _candidates(world, vcpu, ea, tlbsel):
        if _matches(world, get_entry(world, vcpu, tlbsel, position), ea, pid, address_space):
            return position
    return NO_INDEX


def _candidates(world: World, vcpu: int, ea: int, tlbsel: int) -> range:
    """Rules 1 and 2: the ways of a TLB0 set; all of TLB1, within the bounds of what it maps."""
    e500 = world.e500[vcpu]
    if tlbsel == 0:
        base = _set_base(world, vcpu, ea)
        return range(base, min(base + gtlb_params(world, vcpu, 0).ways, gtlb_of(world, vcpu, 0).entries))
    if not e500.tlb1_min_eaddr <= ea <= e500.tlb1_max_eaddr:
        return range(0)
    return gtlb_entries(world, vcpu, 1)


def _set_base(world: World, vcpu: int, ea: int) -> int:
    """The first entry of an address's set in TLB0."""
    params = gtlb_params(world, vcpu, 0)
    return (ea >> 12 & (params.sets - 1 & _WORD)) * params.ways & _WORD


def _matches(world: World, entry: Gtlbe, ea: int, pid: int, address_space: int) -> bool:
    """Rules 3 and 5: range, PID, valid, address space; neither permissions nor LPID nor IND."""
    return (
        get_tlb_eaddr(world, entry) <= ea <= get_tlb_end(world, entry)
        and get_tlb_tid(entry) in (0, pid)
        and bool(entry.mas1 & MAS1_V)
        and address_space in (_ANY_AS, get_tlb_ts(entry))
    )


def _search(world: World, vcpu: int, ea: int, pid: int, address_space: int) -> int:
    """Rule 6: TLB0, then TLB1; an index, or -1."""
    for tlbsel in (0, 1):
        position = kvmppc_e500_tlb_index(world, vcpu, ea, tlbsel, pid, address_space)
        if position != NO_INDEX:
            return index_of(tlbsel, position)
    return NO_INDEX


def _current_pid(world: World, vcpu: int) -> int:
    return world.vcpu[vcpu].arch.pid & _PID_MASK


def kvmppc_mmu_itlb_index(world: World, vcpu: int, ea: int) -> int:
    """The entry that holds an instruction's address."""
    address_space = int(bool(world.vcpu[vcpu].arch.shared.msr & MSR_IS))
    return _search(world, vcpu, ea, _current_pid(world, vcpu), address_space)


def kvmppc_mmu_dtlb_index(world: World, vcpu: int, ea: int) -> int:
    """The entry that holds a datum's address."""
    address_space = int(bool(world.vcpu[vcpu].arch.shared.msr & MSR_DS))
    return _search(world, vcpu, ea, _current_pid(world, vcpu), address_space)


def kvmppc_mmu_xlate(world: World, vcpu: int, index: int, ea: int) -> int:
    """The guest real address. Q35: joined with OR, so a misaligned page number shows through."""
    entry = get_entry(world, vcpu, tlbsel_of_index(index), esel_of_index(index))
    return get_tlb_raddr(entry) | ulong(world.hw.params, ea) & get_tlb_bytes(entry) - 1


def kvmppc_core_vcpu_translate(world: World, vcpu: int, linear_address: int) -> Translated:
    """KVM_TRANSLATE. A 64-bit host takes PID and address space, above bit 31, for bits of the address too."""
    ea = ulong(world.hw.params, linear_address)
    pid, address_space = linear_address >> 32 & _PID_MASK, linear_address >> 40 & 1
    index = _search(world, vcpu, ea, pid, address_space)
    if index == NO_INDEX:
        return Translated(0, 0)
    return Translated(1, kvmppc_mmu_xlate(world, vcpu, index, ea))


# The reviewer's fetch (design 6)


def kvmppc_e500_ref_evicted(world: World, vcpu: int, ea: int, mas0: int) -> None:
    """The shadow entry that MAS0 names, of the page of `ea`, is gone: the guest entry no longer claims it.

    A TLB0 entry has one shadow entry; one of TLB1 keeps its other slots (mmu-kvm 9, rules 2 and 5).
    """
    index = kvmppc_mmu_itlb_index(world, vcpu, ea)
    if index == NO_INDEX:
        return
    if not tlbsel_of_index(index):
        set_ref_flags(world, vcpu, 0, esel_of_index(index), 0)
    elif mas0 >> MAS0_TLBSEL_SHIFT & 1:
        esel = (mas0 & MAS0_ESEL_MASK) >> MAS0_ESEL_SHIFT
        _drop_slot(world, vcpu, esel_of_index(index), world.hw.params.tlb1_entries - 1 - esel)


def _drop_slot(world: World, vcpu: int, entry: int, slot: int) -> None:
    """Guest TLB1 entry `entry` loses a host slot, and with the last of them its claim."""
    slots = g2h_slots(world, vcpu, entry)
    if slot < 0 or not slots >> slot & 1:
        return
    set_g2h_slots(world, vcpu, entry, slots & ~(1 << slot))
    world.e500[vcpu].h2g_tlb1_rmap[slot] = 0
    if slots == 1 << slot:
        flags = ref_flags(world, vcpu, 1, entry) & ~(E500_TLB_BITMAP | E500_TLB_VALID)
        set_ref_flags(world, vcpu, 1, entry, flags)


# The guest's own miss (mmu-kvm 4)


def kvmppc_mmu_itlb_miss(world: World, vcpu: int) -> None:
    """For the pc."""
    arch = world.vcpu[vcpu].arch
    kvmppc_e500_deliver_tlb_miss(world, vcpu, arch.regs.nip, bool(arch.shared.msr & MSR_IS))


def kvmppc_mmu_dtlb_miss(world: World, vcpu: int) -> None:
    """For the failing address."""
    arch = world.vcpu[vcpu].arch
    kvmppc_e500_deliver_tlb_miss(world, vcpu, arch.fault_dear, bool(arch.shared.msr & MSR_DS))


def kvmppc_e500_deliver_tlb_miss(world: World, vcpu: int, ea: int, address_space: bool) -> None:
    """4: the guest's MAS registers as the hardware would leave them, but for W, I, M of MAS4."""
    shared, pid = world.vcpu[vcpu].arch.shared, _current_pid(world, vcpu)
    shared.mas0 = _propose_victim(world, vcpu)
    shared.mas1 = MAS1_V | address_space * MAS1_TS | pid << MAS1_TID_SHIFT | shared.mas4 & MAS1_TSIZE_MASK
    shared.mas2 = ea & ~PAGE_OFFSET | shared.mas4 & MAS2_ATTRIB_MASK
    shared.mas7_3 &= MAS3_U_MASK
    shared.mas6 = shared.mas6 & MAS6_SPID1_MASK | pid << MAS6_SPID_SHIFT | address_space * MAS6_SAS


def _propose_victim(world: World, vcpu: int) -> int:
    """MAS0 after a miss: an entry to fill of the TLB that MAS4 names, and the one after it."""
    tlbsel = world.vcpu[vcpu].arch.shared.mas4 >> MAS0_TLBSEL_SHIFT & 1
    victim = 0 if tlbsel else _next_victim(world, vcpu)
    return _mas0(world, vcpu, tlbsel, victim)


def _next_victim(world: World, vcpu: int) -> int:
    """The way of TLB0 to replace; the one after it is next."""
    gtlb_nv = world.e500[vcpu].gtlb_nv
    victim = gtlb_nv[0]
    gtlb_nv[0] = victim + 1 if victim + 1 < gtlb_params(world, vcpu, 0).ways else 0
    return victim


def _mas0(world: World, vcpu: int, tlbsel: int, esel: int) -> int:
    """MAS0 that names an entry, with the TLB's next victim."""
    nv = world.e500[vcpu].gtlb_nv[tlbsel]
    return tlbsel << MAS0_TLBSEL_SHIFT | esel << MAS0_ESEL_SHIFT & MAS0_ESEL_MASK | nv & MAS0_NV_MASK


# Instructions (mmu-kvm 5); each is done


def _selected(world: World, vcpu: int) -> tuple[int, int]:
    """The entry that the guest's MAS registers select: TLB, position."""
    shared = world.vcpu[vcpu].arch.shared
    tlbsel = shared.mas0 >> MAS0_TLBSEL_SHIFT & 1
    esel = (shared.mas0 & MAS0_ESEL_MASK) >> MAS0_ESEL_SHIFT
    params = gtlb_params(world, vcpu, tlbsel)
    if tlbsel:
        return 1, esel & (params.entries - 1 & _WORD)
    base = _set_base(world, vcpu, ulong(world.hw.params, shared.mas2))
    return 0, base + (esel & (params.ways - 1 & _WORD)) & _WORD


def _search_pid(shared: Shared) -> int:
    """MAS6[SPID], as far as KVM looks at it."""
    return shared.mas6 >> MAS6_SPID_SHIFT & _PID_MASK


def _show_entry(shared: Shared, entry: Gtlbe) -> None:
    shared.mas1, shared.mas2, shared.mas7_3 = entry


def kvmppc_e500_emul_tlbre(world: World, vcpu: int) -> int:
    """5.1: the bits of MAS0 that are no bits of the number stay."""
    shared = world.vcpu[vcpu].arch.shared
    tlbsel, esel = _selected(world, vcpu)
    shared.mas0 = shared.mas0 & ~MAS0_NV_MASK | world.e500[vcpu].gtlb_nv[tlbsel] & MAS0_NV_MASK
    _show_entry(shared, get_entry(world, vcpu, tlbsel, esel))
    return EMULATE_DONE


def kvmppc_e500_emul_tlbsx(world: World, vcpu: int, ea: int) -> int:
    """5.2."""
    shared = world.vcpu[vcpu].arch.shared
    index = _search(world, vcpu, ea, _search_pid(shared), shared.mas6 & MAS6_SAS)
    if index == NO_INDEX:
        _tlbsx_miss(world, vcpu)
    else:
        tlbsel, esel = tlbsel_of_index(index), esel_of_index(index)
        way = esel & (gtlb_params(world, vcpu, tlbsel).ways - 1 & _WORD)
        shared.mas0 = _mas0(world, vcpu, tlbsel, way)
        _show_entry(shared, get_entry(world, vcpu, tlbsel, esel))
    kvmppc_set_exit_type(world, vcpu, EMULATED_TLBSX_EXITS)
    return EMULATE_DONE


def _tlbsx_miss(world: World, vcpu: int) -> None:
    """5.2: an entry to fill, not valid; all bits of SPID become its TID."""
    shared = world.vcpu[vcpu].arch.shared
    shared.mas0 = _propose_victim(world, vcpu)
    shared.mas1 = (
        shared.mas6 & MAS6_SPID_MASK | (shared.mas6 & MAS6_SAS) * MAS1_TS | shared.mas4 & MAS1_TSIZE_MASK
    )
    shared.mas2 = shared.mas2 & ~PAGE_OFFSET | shared.mas4 & MAS2_ATTRIB_MASK
    shared.mas7_3 &= MAS3_U_MASK


def kvmppc_e500_emul_tlbwe(world: World, vcpu: int) -> int:
    """5.3: the old shadow goes, the entry is stored as it is, and what is memory is mapped at once."""
    tlbsel, esel = _selected(world, vcpu)
    old = get_entry(world, vcpu, tlbsel, esel)
    recalc = False
    if old.mas1 & MAS1_V:
        inval_gtlbe_on_host(world, vcpu, tlbsel, esel)
        recalc = bool(tlbsel) and _need_recalc_tlb1map_range(world, vcpu, old)
    entry = _written_entry(world, vcpu)
    set_entry(world, vcpu, tlbsel, esel, entry)
    trace_kvm_booke206_gtlb_write(world, world.vcpu[vcpu].arch.shared.mas0, *entry)
    if tlbsel and recalc:
        kvmppc_recalc_tlb1map_range(world, vcpu)
    elif tlbsel and entry.mas1 & MAS1_V:
        _add_tlb1map_range(world, vcpu, entry)
    _premap(world, vcpu, tlbsel, esel)
    kvmppc_set_exit_type(world, vcpu, EMULATED_TLBWE_EXITS)
    return EMULATE_DONE


def _written_entry(world: World, vcpu: int) -> Gtlbe:
    """Rule 3: verbatim, but for an address that a guest in 32-bit mode cannot write."""
    shared = world.vcpu[vcpu].arch.shared
    mas2 = shared.mas2 if shared.msr & MSR_CM else shared.mas2 & _WORD
    return Gtlbe(shared.mas1, mas2, shared.mas7_3)


def _is_host_safe(world: World, vcpu: int, entry: Gtlbe) -> bool:
    """Rule 6: valid, and of a memory slot, even of one that is marked invalid."""
    gfn = get_tlb_raddr(entry) // PAGE_SIZE
    return bool(entry.mas1 & MAS1_V) and gfn_to_memslot(world, vcpu, gfn) is not None


def _premap(world: World, vcpu: int, tlbsel: int, esel: int) -> None:
    """Rule 7, if the host may map what is stored now: TLB0 has pages of 4 KiB only."""
    entry = get_entry(world, vcpu, tlbsel, esel)
    if not _is_host_safe(world, vcpu, entry):
        return
    if tlbsel == 0:
        mas1 = entry.mas1 & ~MAS1_TSIZE_MASK | _TSIZE_4K << MAS1_TSIZE_SHIFT
        entry = entry._replace(mas1=mas1)
        set_entry(world, vcpu, 0, esel, entry)
    eaddr, raddr = get_tlb_eaddr(world, entry), get_tlb_raddr(entry)
    kvmppc_mmu_map(world, vcpu, eaddr, raddr, index_of(tlbsel, esel))


# Bounds of what guest TLB1 maps: a filter for its search (mmu-kvm 5.3)


def _aligned_range(world: World, entry: Gtlbe) -> tuple[int, int]:
    """First and last address of the page that a real TLB would map."""
    size = get_tlb_bytes(entry)
    start = get_tlb_eaddr(world, entry) & -size
    return start, ulong(world.hw.params, start + size - 1)


def _need_recalc_tlb1map_range(world: World, vcpu: int, entry: Gtlbe) -> bool:
    """Rule 2: does the entry reach a bound?"""
    e500, (start, end) = world.e500[vcpu], _aligned_range(world, entry)
    return start == e500.tlb1_min_eaddr or end == e500.tlb1_max_eaddr


def _add_tlb1map_range(world: World, vcpu: int, entry: Gtlbe) -> None:
    """Rule 4: widen by the aligned page."""
    e500, (start, end) = world.e500[vcpu], _aligned_range(world, entry)
    e500.tlb1_min_eaddr = min(e500.tlb1_min_eaddr, start)
    e500.tlb1_max_eaddr = max(e500.tlb1_max_eaddr, end)


def kvmppc_recalc_tlb1map_range(world: World, vcpu: int) -> None:
    """Rule 5, 16.1: all anew, by unaligned addresses: a bound may move inwards."""
    entries = [get_entry(world, vcpu, 1, esel) for esel in gtlb_entries(world, vcpu, 1)]
    valid = [entry for entry in entries if entry.mas1 & MAS1_V]
    e500, all_ones = world.e500[vcpu], ulong(world.hw.params, -1)
    e500.tlb1_min_eaddr = min((get_tlb_eaddr(world, entry) for entry in valid), default=all_ones)
    e500.tlb1_max_eaddr = max((get_tlb_end(world, entry) for entry in valid), default=0)


# Invalidation (mmu-kvm 5.4 to 5.7)


def kvmppc_e500_gtlbe_invalidate(world: World, vcpu: int, tlbsel: int, esel: int) -> None:
    """5.4, 16.1: the bounds are recomputed while the entry still counts, so they do not shrink by it."""
    entry = get_entry(world, vcpu, tlbsel, esel)
    if entry.mas1 & MAS1_IPROT:
        return
    if tlbsel and _need_recalc_tlb1map_range(world, vcpu, entry):
        kvmppc_recalc_tlb1map_range(world, vcpu)
    set_entry(world, vcpu, tlbsel, esel, entry._replace(mas1=0))


def _invalidate_all(world: World, vcpu: int, tlbsel: int) -> None:
    for esel in gtlb_entries(world, vcpu, tlbsel):
        kvmppc_e500_gtlbe_invalidate(world, vcpu, tlbsel, esel)


def kvmppc_e500_emul_tlbivax(world: World, vcpu: int, ea: int) -> int:
    """5.5: of the current PID, and of the low 32 bits of the address; then all shadows go."""
    tlbsel = ea >> TLBIVAX_TLBSEL_SHIFT & 1
    if ea & TLBIVAX_IA:
        _invalidate_all(world, vcpu, tlbsel)
    else:
        page = ea & _WORD & ~PAGE_OFFSET
        esel = kvmppc_e500_tlb_index(world, vcpu, page, tlbsel, _current_pid(world, vcpu), _ANY_AS)
        if esel != NO_INDEX:
            kvmppc_e500_gtlbe_invalidate(world, vcpu, tlbsel, esel)
    kvmppc_core_flush_tlb(world, vcpu)
    return EMULATE_DONE


def kvmppc_e500_emul_tlbilx(world: World, vcpu: int, type: int, ea: int) -> int:
    """5.6: all, those of a PID, or the first at an address; T=2 does nothing."""
    pid = _search_pid(world.vcpu[vcpu].arch.shared)
    if type in (_TLBILX_ALL, _TLBILX_TID):
        for tlbsel in (0, 1):
            _tlbilx_all(world, vcpu, tlbsel, pid if type == _TLBILX_TID else None)
    elif type == _TLBILX_ADDRESS:
        index = _search(world, vcpu, ea, pid, _ANY_AS)
        if index != NO_INDEX:
            _tlbilx_entry(world, vcpu, tlbsel_of_index(index), esel_of_index(index))
    return EMULATE_DONE


def _tlbilx_all(world: World, vcpu: int, tlbsel: int, pid: int | None) -> None:
    """T=0, and T=1 with a PID, which must be the entry's exactly."""
    for esel in gtlb_entries(world, vcpu, tlbsel):
        if pid in (None, get_tlb_tid(get_entry(world, vcpu, tlbsel, esel))):
            _tlbilx_entry(world, vcpu, tlbsel, esel)


def _tlbilx_entry(world: World, vcpu: int, tlbsel: int, esel: int) -> None:
    """The shadow goes even if IPROT keeps the entry."""
    inval_gtlbe_on_host(world, vcpu, tlbsel, esel)
    kvmppc_e500_gtlbe_invalidate(world, vcpu, tlbsel, esel)


def kvmppc_e500_emul_mt_mmucsr0(world: World, vcpu: int, value: int) -> int:
    """5.7: whatever the value, all shadows go."""
    for tlbsel, bit in ((0, MMUCSR0_TLB0FI), (1, MMUCSR0_TLB1FI)):
        if value & bit:
            _invalidate_all(world, vcpu, tlbsel)
    kvmppc_core_flush_tlb(world, vcpu)
    return EMULATE_DONE
