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
from pyexit.ref.hw.tlbops import ppc_tlbsx
from pyexit.ref.kvm.vcpu import (
    EMULATE_AGAIN,
    EMULATE_DONE,
    EMULATE_FAIL,
    KVM_INST_FETCH_FAILED,
    World,
    kvmppc_get_lpid,
    kvmppc_vm_lpid,
)

FETCH_MERGED = 0
FETCH_SEED_V4 = 1


class Strategy(NamedTuple):
    """In what the two ways of fetching with a TLB search differ (mmu-kvm 15.3)."""

    lpid: Callable[[World, int], int]  # point 2
    refused: int  # the answer to points 4, 5 and 6
    logs: bool  # whether these are error messages; debug messages are compiled out


STRATEGIES = {
    FETCH_MERGED: Strategy(kvmppc_get_lpid, EMULATE_AGAIN, True),
    FETCH_SEED_V4: Strategy(kvmppc_vm_lpid, EMULATE_FAIL, False),
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
    end = ppc_tlbsx(hw, thread, _pc(world, vcpu))
    ppc_mtspr(hw, thread, SPR_MAS5, 0)
    ppc_mtspr(hw, thread, SPR_MAS8, 0)
    entry = _read_entry(hw, thread)
    return entry if end.outcome == DONE else None


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
    hw, thread = world.hw, world.vcpu_thread[vcpu]
    log(hw, EVENT_KMAP, 0, addr // PAGE_SIZE)
    count(hw, thread, OP_PAGE_MAP)
    count(hw, thread, OP_LOAD)
    word = load32(hw.memory, addr)
    count(hw, thread, OP_PAGE_UNMAP)
    return word


def _refuse(world: World, message: int, value: int) -> Fetch:
    """Steps 4, 5 and 7: a log line with its value, and the strategy's answer."""
    strategy = STRATEGIES[world.fetch]
    if strategy.logs:
        log(world.hw, EVENT_PRINTK, message, value)
    return Fetch(strategy.refused, None)
