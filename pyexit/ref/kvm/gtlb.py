# SPDX-License-Identifier: BSD-3-Clause
"""kvm/gtlb: the guest's TLB as KVM emulates it: search, and what a miss shows the guest (mmu-kvm 3, 4).

Covers e500_mmu.c. An index is tlbsel << 16 | position.
"""

from __future__ import annotations

from pyexit.ref.hw.core import ulong
from pyexit.ref.hw.regs import (
    MAS0_ESEL_MASK,
    MAS0_ESEL_SHIFT,
    MAS0_NV_MASK,
    MAS0_TLBSEL_SHIFT,
    MAS1_TID_SHIFT,
    MAS1_TS,
    MAS1_TSIZE_MASK,
    MAS1_TSIZE_SHIFT,
    MAS1_V,
    MAS3_U_MASK,
    MAS6_SAS,
    MAS6_SPID_SHIFT,
    MSR_DS,
    MSR_IS,
)
from pyexit.ref.kvm.vcpu import (
    E500,
    KVM_E500_TLB0_ENTRIES,
    KVM_E500_TLB0_WAYS,
    Gtlb0,
    Gtlb1,
    World,
)

# tlbe_ref flags (mmu-kvm 1.2)
E500_TLB_VALID = 0x80000000
E500_TLB_BITMAP = 0x40000000

# MAS bits that a reflected miss takes from MAS4, or keeps (mmu-kvm 1.3, 4)
MAS2_ATTRIB_MASK = 0x63
MAS6_SPID1_MASK = 0x7FFE

#: No entry.
NO_INDEX = -1

_PAGE_MASK = 0xFFF
_TID_MASK = 0xFF  # KVM's guest PIDs have 8 bits
_TLB0_SETS = KVM_E500_TLB0_ENTRIES // KVM_E500_TLB0_WAYS


def kvmppc_e500_tlb_index(world: World, vcpu: int, ea: int, tlbsel: int, pid: int, address_space: int) -> int:
    """mmu-kvm 3: the position in guest TLB `tlbsel` of the first entry that holds an address, or -1."""
    e500 = world.e500[vcpu]
    gtlb: Gtlb0 | Gtlb1 = e500.gtlb1 if tlbsel else e500.gtlb0
    for position in _candidates(world, vcpu, ea, tlbsel):
        if _matches(world, gtlb, position, ea, pid, address_space):
            return position
    return NO_INDEX


def _candidates(world: World, vcpu: int, ea: int, tlbsel: int) -> range:
    """Rules 1 and 2: the ways of a TLB0 set; all of TLB1, within the bounds of what it maps."""
    e500 = world.e500[vcpu]
    if tlbsel == 0:
        base = (ea >> 12 & _TLB0_SETS - 1) * KVM_E500_TLB0_WAYS
        return range(base, base + KVM_E500_TLB0_WAYS)
    if not e500.tlb1_min_eaddr <= ea <= e500.tlb1_max_eaddr:
        return range(0)
    return range(len(e500.gtlb1.mas1))


def _matches(world: World, gtlb: Gtlb0 | Gtlb1, position: int, ea: int, pid: int, address_space: int) -> bool:
    """Rules 3 and 5: range, PID, valid, address space; neither permissions nor LPID nor IND."""
    mas1 = gtlb.mas1[position]
    first = ulong(world.hw.params, gtlb.mas2[position] & ~_PAGE_MASK)
    last = ulong(world.hw.params, first + _size(mas1) - 1)
    tid = mas1 >> MAS1_TID_SHIFT & _TID_MASK
    return (
        first <= ea <= last
        and tid in (0, pid)
        and bool(mas1 & MAS1_V)
        and bool(mas1 & MAS1_TS) == bool(address_space)
    )


def _size(mas1: int) -> int:
    """The bytes that an entry maps."""
    return 1024 << ((mas1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT)


def _search(world: World, vcpu: int, ea: int, address_space: int) -> int:
    """Rule 6: TLB0, then TLB1; an index, or -1."""
    pid = world.vcpu[vcpu].arch.pid & _TID_MASK
    for tlbsel in (0, 1):
        position = kvmppc_e500_tlb_index(world, vcpu, ea, tlbsel, pid, address_space)
        if position != NO_INDEX:
            return tlbsel << 16 | position
    return NO_INDEX


def kvmppc_mmu_itlb_index(world: World, vcpu: int, ea: int) -> int:
    """The entry that holds an instruction's address."""
    return _search(world, vcpu, ea, world.vcpu[vcpu].arch.shared.msr & MSR_IS)


def kvmppc_mmu_dtlb_index(world: World, vcpu: int, ea: int) -> int:
    """The entry that holds a datum's address."""
    return _search(world, vcpu, ea, world.vcpu[vcpu].arch.shared.msr & MSR_DS)


def kvmppc_e500_ref_evicted(world: World, vcpu: int, ea: int, mas0: int) -> None:
    """The shadow entry that MAS0 names, of the page of `ea`, is gone: the guest entry no longer claims it.

    A TLB0 entry has one shadow entry; one of TLB1 keeps its other slots (mmu-kvm 9, rules 2 and 5).
    """
    e500, index = world.e500[vcpu], kvmppc_mmu_itlb_index(world, vcpu, ea)
    if index == NO_INDEX:
        return
    if not index >> 16:
        e500.gtlb_priv0.flags[index] = 0
    elif mas0 >> MAS0_TLBSEL_SHIFT & 1:
        esel = (mas0 & MAS0_ESEL_MASK) >> MAS0_ESEL_SHIFT
        _drop_slot(e500, index & 0xFFFF, world.hw.params.tlb1_entries - 1 - esel)


def _drop_slot(e500: E500, entry: int, slot: int) -> None:
    """Guest TLB1 entry `entry` loses a host slot, and with the last of them its claim."""
    if slot < 0 or not e500.g2h_tlb1_map[entry] >> slot & 1:
        return
    e500.g2h_tlb1_map[entry] &= ~(1 << slot)
    e500.h2g_tlb1_rmap[slot] = 0
    if e500.g2h_tlb1_map[entry] == 0:
        e500.gtlb_priv1.flags[entry] &= ~(E500_TLB_BITMAP | E500_TLB_VALID)


def kvmppc_mmu_itlb_miss(world: World, vcpu: int) -> None:
    """mmu-kvm 4, for the pc."""
    arch = world.vcpu[vcpu].arch
    _deliver_tlb_miss(world, vcpu, arch.regs.nip, bool(arch.shared.msr & MSR_IS))


def kvmppc_mmu_dtlb_miss(world: World, vcpu: int) -> None:
    """mmu-kvm 4, for the failing address."""
    arch = world.vcpu[vcpu].arch
    _deliver_tlb_miss(world, vcpu, arch.fault_dear, bool(arch.shared.msr & MSR_DS))


def _deliver_tlb_miss(world: World, vcpu: int, ea: int, address_space: bool) -> None:
    """mmu-kvm 4: the guest's MAS registers as the hardware would leave them, but for W, I, M of MAS4."""
    arch, gtlb_nv = world.vcpu[vcpu].arch, world.e500[vcpu].gtlb_nv
    shared, pid = arch.shared, arch.pid & _TID_MASK
    tlbsel = shared.mas4 >> MAS0_TLBSEL_SHIFT & 1
    victim = _next_victim(gtlb_nv) if tlbsel == 0 else 0
    shared.mas0 = (
        tlbsel << MAS0_TLBSEL_SHIFT
        | victim << MAS0_ESEL_SHIFT & MAS0_ESEL_MASK
        | gtlb_nv[tlbsel] & MAS0_NV_MASK
    )
    shared.mas1 = MAS1_V | address_space * MAS1_TS | pid << MAS1_TID_SHIFT | shared.mas4 & MAS1_TSIZE_MASK
    shared.mas2 = ea & ~_PAGE_MASK | shared.mas4 & MAS2_ATTRIB_MASK
    shared.mas7_3 &= MAS3_U_MASK
    shared.mas6 = shared.mas6 & MAS6_SPID1_MASK | pid << MAS6_SPID_SHIFT | address_space * MAS6_SAS


def _next_victim(gtlb_nv: list[int]) -> int:
    """The way of TLB0 to replace; the one after it is next."""
    victim = gtlb_nv[0]
    gtlb_nv[0] = 0 if victim + 1 >= KVM_E500_TLB0_WAYS else victim + 1
    return victim
