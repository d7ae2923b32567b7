# SPDX-License-Identifier: BSD-3-Clause
"""kvm/gtlb_array: where the guest's TLB lies, and its entries by number (mmu-kvm 1, 2).

KVM's own arrays, or with KVM_CAP_SW_TLB the array of user space. Geometry and numbers may be anything: an
entry that is not there is all zeros, and nothing changes that.
"""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.hw.core import ulong
from pyexit.ref.hw.regs import (
    MAS1_TID_SHIFT,
    MAS1_TS,
    MAS1_TSIZE_MASK,
    MAS1_TSIZE_SHIFT,
)
from pyexit.ref.hw.tlb import PAGE_OFFSET
from pyexit.ref.kvm.user import SwtlbArray, SwtlbPriv0, SwtlbPriv1
from pyexit.ref.kvm.vcpu import Gtlb0, Gtlb1, GtlbParams, GtlbPriv0, GtlbPriv1, World

# tlbe_ref flags (mmu-kvm 1.2)
E500_TLB_VALID = 0x80000000
E500_TLB_BITMAP = 0x40000000
E500_TLB_TLB0 = 0x20000000
E500_TLB_MAS2_ATTR = 0x0000007F  # attributes of the shadow entry

_TID_MASK = 0xFF  # KVM's guest PIDs have 8 bits
_ESEL_MASK = 0xFFFF


class Gtlbe(NamedTuple):
    """struct kvm_book3e_206_tlb_entry; KVM never looks at mas8."""

    mas1: int
    mas2: int
    mas7_3: int


class Gtlb(NamedTuple):
    """The arrays of one guest TLB."""

    tlb: Gtlb0 | Gtlb1 | SwtlbArray
    first: int  # its entry 0 in tlb
    priv: GtlbPriv0 | GtlbPriv1 | SwtlbPriv0 | SwtlbPriv1
    entries: int


def is_shared(world: World, vcpu: int) -> bool:
    """Is the array of user space the guest's TLB?"""
    return bool(world.e500[vcpu].num_shared_tlb_pages and world.swtlb)


def gtlb_of(world: World, vcpu: int, tlbsel: int) -> Gtlb:
    """Guest TLB `tlbsel`, wherever it is, with as many of its entries as there is room for."""
    e500, entries = world.e500[vcpu], gtlb_params(world, vcpu, tlbsel).entries
    if not is_shared(world, vcpu):
        if tlbsel:
            return Gtlb(e500.gtlb1, 0, e500.gtlb_priv1, min(entries, len(e500.gtlb1.mas1)))
        return Gtlb(e500.gtlb0, 0, e500.gtlb_priv0, min(entries, len(e500.gtlb0.mas1)))
    shared, first = world.swtlb[vcpu], e500.gtlb_offset[tlbsel]
    priv = shared.priv1 if tlbsel else shared.priv0
    room = min(len(priv.flags), max(len(shared.tlb.mas1) - first, 0))
    return Gtlb(shared.tlb, first, priv, min(entries, room))


def gtlb_params(world: World, vcpu: int, tlbsel: int) -> GtlbParams:
    """Its geometry."""
    e500 = world.e500[vcpu]
    return e500.gtlb_params1 if tlbsel else e500.gtlb_params0


def gtlb_entries(world: World, vcpu: int, tlbsel: int) -> range:
    """The numbers of its entries."""
    return range(gtlb_of(world, vcpu, tlbsel).entries)


# Entries


def get_entry(world: World, vcpu: int, tlbsel: int, esel: int) -> Gtlbe:
    """Entry `esel` of guest TLB `tlbsel`."""
    tlb, first, _, entries = gtlb_of(world, vcpu, tlbsel)
    if esel >= entries:
        return Gtlbe(0, 0, 0)
    return Gtlbe(tlb.mas1[first + esel], tlb.mas2[first + esel], tlb.mas7_3[first + esel])


def set_entry(world: World, vcpu: int, tlbsel: int, esel: int, entry: Gtlbe) -> None:
    """Replace an entry; its mas8 stays."""
    tlb, first, _, entries = gtlb_of(world, vcpu, tlbsel)
    if esel < entries:
        tlb.mas1[first + esel], tlb.mas2[first + esel], tlb.mas7_3[first + esel] = entry


def entry_at(world: World, vcpu: int, position: int) -> Gtlbe:
    """The entry at a position in the array of both TLBs."""
    first = world.e500[vcpu].gtlb_offset[1]
    return (
        get_entry(world, vcpu, 1, position - first)
        if position >= first
        else get_entry(world, vcpu, 0, position)
    )


# Their references (mmu-kvm 1.2)


def ref_flags(world: World, vcpu: int, tlbsel: int, esel: int) -> int:
    """The flags of an entry's reference."""
    gtlb = gtlb_of(world, vcpu, tlbsel)
    return gtlb.priv.flags[esel] if esel < gtlb.entries else 0


def set_ref_flags(world: World, vcpu: int, tlbsel: int, esel: int, value: int) -> None:
    """Change them."""
    gtlb = gtlb_of(world, vcpu, tlbsel)
    if esel < gtlb.entries:
        gtlb.priv.flags[esel] = value


def ref_pfn(world: World, vcpu: int, tlbsel: int, esel: int) -> int:
    """The page of an entry's reference."""
    gtlb = gtlb_of(world, vcpu, tlbsel)
    return gtlb.priv.pfn[esel] if esel < gtlb.entries else 0


def set_ref(world: World, vcpu: int, tlbsel: int, esel: int, pfn: int, flags: int) -> None:
    """Replace a reference."""
    gtlb = gtlb_of(world, vcpu, tlbsel)
    if esel < gtlb.entries:
        gtlb.priv.pfn[esel], gtlb.priv.flags[esel] = pfn, flags


def g2h_tlb1_map(world: World, vcpu: int) -> list[int]:
    """For each guest TLB1 entry, a bitmap of the host slots that it has."""
    return world.swtlb[vcpu].g2h_tlb1_map if is_shared(world, vcpu) else world.e500[vcpu].g2h_tlb1_map


def g2h_slots(world: World, vcpu: int, esel: int) -> int:
    """The bitmap of one entry."""
    return g2h_tlb1_map(world, vcpu)[esel] if esel in gtlb_entries(world, vcpu, 1) else 0


def set_g2h_slots(world: World, vcpu: int, esel: int, slots: int) -> None:
    """Change it."""
    if esel in gtlb_entries(world, vcpu, 1):
        g2h_tlb1_map(world, vcpu)[esel] = slots


# Fields (mmu-kvm 1.3)


def index_of(tlbsel: int, esel: int) -> int:
    """An index: tlbsel << 16 | esel."""
    return tlbsel << 16 | esel & _ESEL_MASK


def tlbsel_of_index(index: int) -> int:
    """The TLB of an index."""
    return index >> 16 & 1


def esel_of_index(index: int) -> int:
    """The entry of an index."""
    return index & _ESEL_MASK


def get_tlb_size(entry: Gtlbe) -> int:
    """The size code."""
    return (entry.mas1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT


def get_tlb_bytes(entry: Gtlbe) -> int:
    """The bytes that an entry maps."""
    return 1024 << get_tlb_size(entry)


def get_tlb_eaddr(world: World, entry: Gtlbe) -> int:
    """Its first address as it is written: not aligned to the size."""
    return ulong(world.hw.params, entry.mas2 & ~PAGE_OFFSET)


def get_tlb_end(world: World, entry: Gtlbe) -> int:
    """Its last address, cut to the host's width (mmu-kvm 13)."""
    return ulong(world.hw.params, get_tlb_eaddr(world, entry) + get_tlb_bytes(entry) - 1)


def get_tlb_raddr(entry: Gtlbe) -> int:
    """Its guest real address, not aligned to the size either."""
    return entry.mas7_3 & ~PAGE_OFFSET


def get_tlb_tid(entry: Gtlbe) -> int:
    """Its PID."""
    return entry.mas1 >> MAS1_TID_SHIFT & _TID_MASK


def get_tlb_ts(entry: Gtlbe) -> int:
    """Its address space, 0 or 1."""
    return int(bool(entry.mas1 & MAS1_TS))
