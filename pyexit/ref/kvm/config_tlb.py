# SPDX-License-Identifier: BSD-3-Clause
"""kvm/config_tlb: the guest's TLB in memory of user space: KVM_CAP_SW_TLB, KVM_DIRTY_TLB (mmu-kvm 2).

Covers the rest of e500_mmu.c. The array is at one place, whatever its address (vectors/SCHEMA.md).
"""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.hw.core import log, ulong
from pyexit.ref.hw.memory import PAGE_SIZE
from pyexit.ref.hw.regs import TLBCFG_ASSOC, TLBCFG_ASSOC_SHIFT, TLBCFG_N_ENTRY
from pyexit.ref.kvm.gtlb import kvmppc_recalc_tlb1map_range
from pyexit.ref.kvm.gtlb_array import g2h_tlb1_map, gtlb_of, is_shared
from pyexit.ref.kvm.host_services import KVM_EFAULT, KVM_EINVAL, KVM_ENOMEM, host_of
from pyexit.ref.kvm.stlb import kvmppc_core_flush_tlb
from pyexit.ref.kvm.trace import (
    EVENT_ALLOC,
    EVENT_FREE,
    EVENT_GET_USER_PAGES,
    EVENT_PUT_PAGE,
    EVENT_SERVICE,
    EVENT_SET_PAGE_DIRTY,
    EVENT_VMAP,
    OBJECT_G2H_TLB1_MAP,
    OBJECT_GTLB_ARCH,
    OBJECT_GTLB_PRIV0,
    OBJECT_GTLB_PRIV1,
    OBJECT_PAGES_ARRAY,
    SERVICE_VFREE,
)
from pyexit.ref.kvm.user import SW_TLB1_ENTRIES, SW_TLB_ENTRIES, USER_TLB_PARAMS, UserTlbParams
from pyexit.ref.kvm.vcpu import E500, World

#: The one mmu_type that KVM takes, also under HV.
KVM_MMU_FSL_BOOKE_NOHV = 0
_N_ENTRY_MOST = 2048  # that TLB0CFG can tell; more are told as 0
_ENTRY_SIZE = 24  # struct kvm_book3e_206_tlb_entry, bytes

_WORD = (1 << 32) - 1

#: Most pages that an array of SW_TLB_ENTRIES can touch.
_PAGES_MOST = (SW_TLB_ENTRIES * _ENTRY_SIZE + 2 * (PAGE_SIZE - 1)) // PAGE_SIZE

#: The private data of a guest TLB, in the order in which they are allocated.
_PRIVATE = (OBJECT_GTLB_PRIV0, OBJECT_GTLB_PRIV1, OBJECT_G2H_TLB1_MAP)


class Geometry(NamedTuple):
    """What user space asks for."""

    sizes: tuple[int, int]
    ways: tuple[int, int]
    sets: int  # of TLB0
    array_bytes: int  # an unsigned long: a large size wraps


def kvm_vcpu_ioctl_dirty_tlb(world: World, vcpu: int) -> int:
    """KVM_DIRTY_TLB: whatever the bitmap says, all is looked at again."""
    kvmppc_recalc_tlb1map_range(world, vcpu)
    kvmppc_core_flush_tlb(world, vcpu)
    return 0


def kvm_vcpu_ioctl_config_tlb(world: World, vcpu: int) -> int:
    """KVM_CAP_SW_TLB, as user.config_tlb says: the array of user space becomes the guest's TLB as it is."""
    config = world.user[vcpu].config_tlb
    if config.mmu_type != KVM_MMU_FSL_BOOKE_NOHV:
        return -KVM_EINVAL
    if ulong(world.hw.params, config.params) != USER_TLB_PARAMS:
        return -KVM_EFAULT
    geometry = _geometry(world, world.user[vcpu].tlb_params)
    if geometry is None or config.array_len < geometry.array_bytes:
        return -KVM_EINVAL
    pages = (config.array % PAGE_SIZE + geometry.array_bytes + PAGE_SIZE - 1) // PAGE_SIZE
    ret = _pin_and_allocate(world, vcpu, geometry, pages)
    if ret == 0:
        free_gtlb(world, vcpu)
        _adopt(world, vcpu, geometry, pages)
    return ret


def _geometry(world: World, asked: UserTlbParams) -> Geometry | None:
    """Checks 2 to 6; None for -EINVAL. TLB1 need not have a power of two of entries."""
    (entries0, entries1, *others), (ways0, ways1, *other_ways) = asked.tlb_sizes, asked.tlb_ways
    if entries1 > SW_TLB1_ENTRIES or ways1 != entries1 or any(others) or any(other_ways):
        return None
    if not _is_power_of_2(ways0):
        return None
    sets = entries0 >> ways0.bit_length() - 1
    if not _is_power_of_2(sets):
        return None
    array_bytes = ulong(world.hw.params, _ENTRY_SIZE * (entries0 + entries1))
    return Geometry((entries0, entries1), (ways0, ways1), sets, array_bytes)


def _is_power_of_2(value: int) -> bool:
    return value.bit_count() == 1


# Host services


class _NoMemory(Exception):
    """An allocation failed."""


def _pin_and_allocate(world: World, vcpu: int, geometry: Geometry, pages: int) -> int:
    """Check 8. Only pages that are pinned are given back; the mapping of them is not (Linux 6.1)."""
    if not _alloc(world, vcpu, OBJECT_PAGES_ARRAY, 1):
        return -KVM_ENOMEM
    start = ulong(world.hw.params, world.user[vcpu].config_tlb.array)
    log(world.hw, EVENT_GET_USER_PAGES, 0, start, pages)
    if host_of(world, vcpu).gup_mode:
        _free_pages(world, _pinned(world, vcpu, pages), dirty=False)
        return -KVM_EFAULT
    log(world.hw, EVENT_VMAP, 0, pages)
    if host_of(world, vcpu).vmap_fail or not _alloc_private(world, vcpu, geometry):
        _free_pages(world, pages, dirty=False)
        return -KVM_ENOMEM
    return 0


def _pinned(world: World, vcpu: int, pages: int) -> int:
    """How many pages get_user_pages_fast() pinned before it failed (host.gup_mode)."""
    return pages - 1 if host_of(world, vcpu).gup_mode == 2 else 0


def _alloc(world: World, vcpu: int, what: int, number: int) -> bool:
    """The `number`-th allocation of the call; host.alloc_fail names one that fails."""
    fails = host_of(world, vcpu).alloc_fail == number
    log(world.hw, EVENT_ALLOC, what, int(fails))
    return not fails


def _alloc_private(world: World, vcpu: int, geometry: Geometry) -> bool:
    """The private data; what was allocated before one fails is freed.

    A machine has room for SW_TLB_ENTRIES, or none: more are not even asked for, like a size that wraps.
    """
    if not world.swtlb or sum(geometry.sizes) > SW_TLB_ENTRIES:
        return False
    for done, what in enumerate(_PRIVATE):
        if not _alloc(world, vcpu, what, 2 + done):
            for new in reversed(_PRIVATE[:done]):
                log(world.hw, EVENT_FREE, new, 1)
            return False
    return True


def _free_pages(world: World, pages: int, dirty: bool) -> None:
    """Unpin user space's pages; KVM may have written to those of an array that was in use."""
    for page in range(pages):
        if dirty:
            log(world.hw, EVENT_SET_PAGE_DIRTY, 0, page)
        log(world.hw, EVENT_PUT_PAGE, 0, page)
    log(world.hw, EVENT_FREE, OBJECT_PAGES_ARRAY, 0)


# Success


def free_gtlb(world: World, vcpu: int) -> None:
    """The guest TLB in use goes, its shadows first; what is freed reads as 0, user space's array stays."""
    kvmppc_core_flush_tlb(world, vcpu)
    for what in (OBJECT_G2H_TLB1_MAP, OBJECT_GTLB_PRIV0, OBJECT_GTLB_PRIV1):
        log(world.hw, EVENT_FREE, what, 0)
    for tlbsel in (0, 1):
        priv = gtlb_of(world, vcpu, tlbsel).priv
        _clear(priv.pfn, priv.flags)
    _clear(g2h_tlb1_map(world, vcpu))
    if is_shared(world, vcpu):
        log(world.hw, EVENT_SERVICE, SERVICE_VFREE)
        _free_pages(world, min(world.e500[vcpu].num_shared_tlb_pages, _PAGES_MOST), dirty=True)
        world.e500[vcpu].num_shared_tlb_pages = 0
    else:
        log(world.hw, EVENT_FREE, OBJECT_GTLB_ARCH, 0)
        for tlb in (world.e500[vcpu].gtlb0, world.e500[vcpu].gtlb1):
            _clear(tlb.mas1, tlb.mas2, tlb.mas7_3, tlb.mas8)


def _clear(*arrays: list[int]) -> None:
    for array in arrays:
        array[:] = [0] * len(array)


def _adopt(world: World, vcpu: int, geometry: Geometry, pages: int) -> None:
    """The new array with empty private data; gtlb_nv and host_tlb1_nv stay."""
    shared = world.swtlb[vcpu]
    _clear(shared.priv0.pfn, shared.priv0.flags, shared.priv1.pfn, shared.priv1.flags, shared.g2h_tlb1_map)
    _set_geometry(world.e500[vcpu], geometry)
    world.e500[vcpu].num_shared_tlb_pages = pages
    tlbcfg, (entries0, entries1) = world.vcpu[vcpu].arch.tlbcfg, geometry.sizes
    tlbcfg[0] = _tlbcfg(tlbcfg[0], entries0 if entries0 <= _N_ENTRY_MOST else 0, geometry.ways[0])
    tlbcfg[1] = _tlbcfg(tlbcfg[1], entries1, geometry.ways[1])
    kvmppc_recalc_tlb1map_range(world, vcpu)


def _set_geometry(e500: E500, geometry: Geometry) -> None:
    """TLB1 is one set."""
    params0, params1 = e500.gtlb_params0, e500.gtlb_params1
    params0.entries, params0.ways, params0.sets = geometry.sizes[0], geometry.ways[0], geometry.sets
    params1.entries, params1.ways, params1.sets = geometry.sizes[1], geometry.ways[1], 1
    e500.gtlb_offset[:] = [0, geometry.sizes[0]]


def _tlbcfg(old: int, entries: int, ways: int) -> int:
    """TLBnCFG with another geometry."""
    return old & ~(TLBCFG_ASSOC | TLBCFG_N_ENTRY) | entries | ways << TLBCFG_ASSOC_SHIFT & _WORD
