# SPDX-License-Identifier: BSD-3-Clause
"""kvm/last_inst: reading the guest's last instruction (exit 4, 11.6; mmu-kvm 15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyexit.ref.events import (
    DONE,
    EVENT_KMAP,
    EVENT_PRINTK,
    MSG_FETCH_ATTRIBUTES,
    MSG_FETCH_NO_EXECUTE,
    MSG_FETCH_NOT_RAM,
)
from pyexit.ref.hw.core import (
    OP_ISYNC,
    OP_LOAD,
    OP_PAGE_MAP,
    OP_PAGE_UNMAP,
    Hardware,
    count,
    log,
    ppc_mfspr,
    ppc_mtspr,
    ulong,
)
from pyexit.ref.hw.memory import PAGE_SIZE, is_ram_page, load32
from pyexit.ref.hw.regs import (
    MAS1_TSIZE_MASK,
    MAS1_TSIZE_SHIFT,
    MAS1_V,
    MAS2_I,
    MAS2_M,
    MAS2_W,
    MAS3_SX,
    MAS3_UX,
    MAS5_SGS,
    MAS6_SPID_SHIFT,
    MMUCFG_MAVN,
    MMUCFG_MAVN_V2,
    MSR_IS,
    MSR_IS_SHIFT,
    MSR_PR,
    SPR_MAS1,
    SPR_MAS2,
    SPR_MAS3,
    SPR_MAS5,
    SPR_MAS6,
    SPR_MAS7,
    SPR_MAS7_MAS3,
    SPR_MAS8,
)
from pyexit.ref.hw.tlbops import ppc_tlbsx, ppc_tlbwe
from pyexit.ref.kvm.gtlb import kvmppc_e500_ref_evicted
from pyexit.ref.kvm.interleave import (
    POINT_MAPPED,
    POINT_MAS_READ,
    POINT_MAS_SET,
    POINT_READ,
    POINT_SEARCHED,
    POINT_TRANSLATED,
    kvmppc_point,
)
from pyexit.ref.kvm.vcpu import (
    EMULATE_AGAIN,
    EMULATE_DONE,
    EMULATE_FAIL,
    KVM_INST_FETCH_FAILED,
    World,
    kvmppc_get_lpid,
    kvmppc_vm_lpid,
)

# The strategies (design.md 6); those with lwepx fetch in kvm/entry_fetch.
FETCH_MERGED = 0
FETCH_SEED_V4 = 1
FETCH_REVIEW = 2
FETCH_LWEPX = 3
FETCH_LWEPX_DO_KVM = 4
FETCH_LWEPX_HIJACK = 5


#: The instruction type that a fetch is asked for (exit 1.3); nothing looks at it.
INST_GENERIC = 0


class Strategy(NamedTuple):
    """In what the ways of fetching with a TLB search differ (mmu-kvm 15.3, 15.4)."""

    lpid: Callable[[World, int], int]  # point 2
    refused: int  # the answer to points 4, 5 and 6
    logs: bool  # whether these are error messages; debug messages are compiled out
    evicts: bool = False  # point 4: the entry goes, so that the guest faults again
    guards: bool = False  # no preemption while the page is mapped


#: No row: the fetch was made on entry, and this one finds nothing more.
STRATEGIES = {
    FETCH_MERGED: Strategy(kvmppc_get_lpid, EMULATE_AGAIN, True),
    FETCH_SEED_V4: Strategy(kvmppc_vm_lpid, EMULATE_FAIL, False),
    FETCH_REVIEW: Strategy(kvmppc_get_lpid, EMULATE_AGAIN, True, evicts=True, guards=True),
}


class Fetch(NamedTuple):
    """The answer to a fetch: an EMULATE_* result, and the word, None where nothing was written."""

    ret: int
    instr: int | None


class Entry(NamedTuple):
    """What the search left in the MAS registers."""

    mas1: int
    mas2: int
    mas3: int
    mas7_mas3: int


def kvmppc_get_last_inst(world: World, vcpu: int, type: int) -> Fetch:
    """The cached instruction, loaded first if there is none (exit 4.1); on failure the empty cache."""
    arch = world.vcpu[vcpu].arch
    if arch.last_inst != KVM_INST_FETCH_FAILED:
        return Fetch(EMULATE_DONE, arch.last_inst)
    loaded = kvmppc_load_last_inst(world, vcpu, type)
    if loaded.instr is not None:
        arch.last_inst = loaded.instr
    return Fetch(loaded.ret, arch.last_inst)


def kvmppc_load_last_inst(world: World, vcpu: int, type: int) -> Fetch:
    """Find the guest's pc in the host TLB, check the entry, read the word (mmu-kvm 15.2).

    `type` has no effect on HV Book E (exit 4.1, rule b).
    """
    if world.fetch not in STRATEGIES:
        return Fetch(EMULATE_AGAIN, None)
    entry = _search(world, vcpu)
    if entry is None or not entry.mas1 & MAS1_V:
        return Fetch(EMULATE_AGAIN, None)
    if not _may_execute(world, vcpu, entry):
        return _refuse(world, MSG_FETCH_NO_EXECUTE, _pc(world, vcpu))
    if not _attributes_fit(world, vcpu, entry):
        return _refuse(world, MSG_FETCH_ATTRIBUTES, _pc(world, vcpu))
    addr = _real_address(entry, _pc(world, vcpu))
    if not is_ram_page(world.hw.memory, addr // PAGE_SIZE):
        return _refuse(world, MSG_FETCH_NOT_RAM, addr)
    kvmppc_point(world, POINT_TRANSLATED)
    return Fetch(EMULATE_DONE, _read_word(world, vcpu, addr))


def _pc(world: World, vcpu: int) -> int:
    """The guest's pc, an unsigned long of the host."""
    return ulong(world.hw.params, world.vcpu[vcpu].arch.regs.nip)


def _search(world: World, vcpu: int) -> Entry | None:
    """Step 2: tlbsx for the guest's pc; None when the search itself ended in a machine check."""
    hw, thread, arch = world.hw, world.vcpu_thread[vcpu], world.vcpu[vcpu].arch
    address_space = (arch.shared.msr & MSR_IS) >> MSR_IS_SHIFT
    ppc_mtspr(hw, thread, SPR_MAS6, (arch.pid << MAS6_SPID_SHIFT) & 0xFFFFFFFF | address_space)
    ppc_mtspr(hw, thread, SPR_MAS5, MAS5_SGS | STRATEGIES[world.fetch].lpid(world, vcpu))
    kvmppc_point(world, POINT_MAS_SET)
    end = ppc_tlbsx(hw, thread, _pc(world, vcpu))
    kvmppc_point(world, POINT_SEARCHED)
    entry = _take_entry(world, vcpu, end.outcome == DONE)
    kvmppc_point(world, POINT_MAS_READ)
    return entry if end.outcome == DONE else None


def _take_entry(world: World, vcpu: int, searched: bool) -> Entry:
    """Read the entry and clear the tags of the search; to evict, both happen in the other order."""
    hw, thread = world.hw, world.vcpu_thread[vcpu]
    if not STRATEGIES[world.fetch].evicts:
        _clear_tags(hw, thread)
        return _read_entry(hw, thread)
    entry = _read_entry(hw, thread)
    if searched and entry.mas1 & MAS1_V and not _may_execute(world, vcpu, entry):
        _evict(world, vcpu, entry)
    _clear_tags(hw, thread)
    return entry


def _clear_tags(hw: Hardware, thread: int) -> None:
    """What a search in the host's own space expects; MAS8 is also the tag that tlbwe writes."""
    ppc_mtspr(hw, thread, SPR_MAS5, 0)
    ppc_mtspr(hw, thread, SPR_MAS8, 0)


def _evict(world: World, vcpu: int, entry: Entry) -> None:
    """15.4: the shadow entry found goes, and the guest entry no longer claims it."""
    hw, thread = world.hw, world.vcpu_thread[vcpu]
    mas0 = hw.spr[thread].MAS0
    ppc_mtspr(hw, thread, SPR_MAS1, entry.mas1 & ~MAS1_V)
    ppc_tlbwe(hw, thread)  # an invalid entry is never refused
    count(hw, thread, OP_ISYNC)
    kvmppc_e500_ref_evicted(world, vcpu, _pc(world, vcpu), mas0)


def _read_entry(hw: Hardware, thread: int) -> Entry:
    """MAS1, MAS2, MAS3 and the real page: in one read on a 64-bit host, else in two (exit 11.6)."""
    mas1 = ppc_mfspr(hw, thread, SPR_MAS1)[1]
    mas2 = ppc_mfspr(hw, thread, SPR_MAS2)[1]
    mas3 = ppc_mfspr(hw, thread, SPR_MAS3)[1]
    if hw.params.width == 64:
        return Entry(mas1, mas2, mas3, ppc_mfspr(hw, thread, SPR_MAS7_MAS3)[1])
    return Entry(mas1, mas2, mas3, ppc_mfspr(hw, thread, SPR_MAS7)[1] << 32 | mas3)


def _may_execute(world: World, vcpu: int, entry: Entry) -> bool:
    """Step 4: the execute right of the state that the guest is in; a read right is not needed."""
    user = world.vcpu[vcpu].arch.shared.msr & MSR_PR
    return bool(entry.mas3 & (MAS3_UX if user else MAS3_SX))


def _attributes_fit(world: World, vcpu: int, entry: Entry) -> bool:
    """Step 5: on MMU version 2 the page must be cacheable, not write-through, coherent."""
    if world.vcpu[vcpu].arch.mmucfg & MMUCFG_MAVN != MMUCFG_MAVN_V2:
        return True
    return entry.mas2 & (MAS2_I | MAS2_W | MAS2_M) == MAS2_M


def _real_address(entry: Entry, pc: int) -> int:
    """Step 6: the entry's page above, the pc below; pages under 4 KiB let MAS3's low bits in (exit 4.2)."""
    shift = ((entry.mas1 & MAS1_TSIZE_MASK) >> MAS1_TSIZE_SHIFT) + 10
    offset = (1 << shift) - 1
    return entry.mas7_mas3 & ~offset | pc & offset


def _read_word(world: World, vcpu: int, addr: int) -> int:
    """Step 8: map the page, read, unmap."""
    hw, thread, pfn = world.hw, world.vcpu_thread[vcpu], addr // PAGE_SIZE
    log(hw, EVENT_KMAP, 0, pfn)
    count(hw, thread, OP_PAGE_MAP)
    kvmppc_point(world, POINT_MAPPED, None if STRATEGIES[world.fetch].guards else pfn)
    count(hw, thread, OP_LOAD)
    word = load32(hw.memory, addr)
    count(hw, thread, OP_PAGE_UNMAP)
    kvmppc_point(world, POINT_READ)
    return word


def _refuse(world: World, message: int, value: int) -> Fetch:
    """Steps 4, 5 and 7: a log line with its value, and the strategy's answer."""
    strategy = STRATEGIES[world.fetch]
    if strategy.logs:
        log(world.hw, EVENT_PRINTK, message, value)
    return Fetch(strategy.refused, None)
