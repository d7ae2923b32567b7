# SPDX-License-Identifier: BSD-3-Clause
"""kvm/entry_fetch: the fetch's part in the entry path, step E6 of exit 11.3 (exit 11.6-11.8).

The cache is preset; or the external-PID load is made that the patch removes, alone or with one of the two
alternatives that the seed names. Covers bookehv_interrupts.S.
"""

from __future__ import annotations

from pyexit.ref.events import DONE
from pyexit.ref.hw.core import (
    OP_FORWARD,
    OP_ISYNC,
    OP_LOCK,
    OP_MFSPR,
    OP_MTSPR,
    End,
    Hardware,
    core_of,
    count,
    ppc_mfspr,
    ppc_mtspr,
    ulong,
)
from pyexit.ref.hw.epid import ppc_lwepx
from pyexit.ref.hw.regs import (
    EPC_EAS,
    EPC_EGS,
    EPC_EPID_MASK,
    EPC_EPR,
    ESR_EPID,
    IVOR_DATA_STORAGE,
    IVOR_DTLB_MISS,
    IVOR_LRAT_ERROR,
    MMUCFG_LRAT,
    MSR_IS,
    MSR_PR,
    SPR_EPLC,
    SPR_ESR,
)
from pyexit.ref.kvm.interleave import POINT_MAS_SET, POINT_READ, kvmppc_point
from pyexit.ref.kvm.last_inst import FETCH_LWEPX, FETCH_LWEPX_DO_KVM, FETCH_LWEPX_HIJACK
from pyexit.ref.kvm.vcpu import KVM_INST_FETCH_FAILED, World

#: IVORs of a hijacked vector begin here (exit 11.8 leaves the address open).
KVM_HIJACK_STUB = 0xF000

_INSTRUCTION = 4  # bytes
_WORD = 0xFFFFFFFF


def kvmppc_entry_fetch(world: World, vcpu: int) -> End:
    """E6: DONE and arch.last_inst set, or the host exception that the load took unhandled."""
    if world.fetch == FETCH_LWEPX_HIJACK:
        return _load_hijacked(world, vcpu)
    if world.fetch in (FETCH_LWEPX, FETCH_LWEPX_DO_KVM):
        return _load(world, vcpu)
    world.vcpu[vcpu].arch.last_inst = KVM_INST_FETCH_FAILED
    return End(DONE)


def _load(world: World, vcpu: int) -> End:
    """O1 to O4; a fault that nothing recognises leaves EPLC and the cache as they are at that moment."""
    hw, thread, arch = world.hw, world.vcpu_thread[vcpu], world.vcpu[vcpu].arch
    saved = ppc_mfspr(hw, thread, SPR_EPLC)[1]
    ppc_mtspr(hw, thread, SPR_EPLC, _guest_context(world, vcpu, saved))
    count(hw, thread, OP_ISYNC)
    kvmppc_point(world, POINT_MAS_SET)
    end, word = ppc_lwepx(hw, thread, ulong(hw.params, arch.regs.nip), True)
    if end.outcome != DONE:
        if not _recognised(world, thread, end.ivor):
            return end
        word = _recover(hw, thread)
    kvmppc_point(world, POINT_READ)
    ppc_mtspr(hw, thread, SPR_EPLC, saved)
    arch.last_inst = word
    return End(DONE)


def _guest_context(world: World, vcpu: int, eplc: int) -> int:
    """O2: the guest's address space, privilege and PID; EGS and ELPID are there since vcpu_load."""
    arch = world.vcpu[vcpu].arch
    return (
        eplc & ~(EPC_EAS | EPC_EPR | EPC_EPID_MASK)
        | (EPC_EAS if arch.shared.msr & MSR_IS else 0)
        | (EPC_EPR if arch.shared.msr & MSR_PR else 0)
        | arch.pid & EPC_EPID_MASK
    )


def _recover(hw: Hardware, thread: int) -> int:
    """11.7: a recognised fault goes on behind the load, with no instruction fetched."""
    spr, state = hw.spr[thread], hw.thread[thread]
    state.msr, state.pc = spr.SRR1, ulong(hw.params, spr.SRR0 + _INSTRUCTION)
    return KVM_INST_FETCH_FAILED


def _recognised(world: World, thread: int, ivor: int) -> bool:
    """Does a fault of the load come back to KVM?"""
    if world.fetch == FETCH_LWEPX_HIJACK:
        return ivor in _vectors(world.hw)
    return kvmppc_do_kvm(world, thread, ivor)


def _vectors(hw: Hardware) -> tuple[int, ...]:
    """11.8: the host vectors that the load can raise; LRAT errors where there is an LRAT."""
    lrat = (IVOR_LRAT_ERROR,) if hw.params.mmucfg & MMUCFG_LRAT else ()
    return (IVOR_DTLB_MISS, IVOR_DATA_STORAGE, *lrat)


# Alternative 1 (exit 11.7)


def kvmppc_do_kvm(world: World, thread: int, ivor: int) -> bool:
    """What the host's vectors ask of each fault from hypervisor state: was the address a guest's?"""
    if world.fetch != FETCH_LWEPX_DO_KVM or ivor not in _vectors(world.hw):
        return False
    if not ppc_mfspr(world.hw, thread, SPR_ESR)[1] & ESR_EPID:
        return False
    return bool(ppc_mfspr(world.hw, thread, SPR_EPLC)[1] & EPC_EGS)


# Alternative 2 (exit 11.8)


def _load_hijacked(world: World, vcpu: int) -> End:
    """The load between two changes of the vectors; threads that share IVORs take turns by a lock."""
    hw, thread = world.hw, world.vcpu_thread[vcpu]
    if hw.params.threads > 1:
        count(hw, thread, OP_LOCK)
    _hijack(world, thread)
    end = _load(world, vcpu)
    _give_back(world, thread)
    return end


def _hijack(world: World, thread: int) -> None:
    """Save the vectors' IVORs and point them to KVM's stubs."""
    hw = world.hw
    world.hijacker, world.hijacked = thread, {}
    for ivor in _vectors(hw):
        count(hw, thread, OP_MFSPR)
        world.hijacked[ivor] = hw.spr[thread].IVOR[ivor]
        _set_vector(hw, thread, ivor, KVM_HIJACK_STUB | ivor << 4)
    count(hw, thread, OP_ISYNC)


def _give_back(world: World, thread: int) -> None:
    """Restore the IVORs."""
    for ivor, saved in world.hijacked.items():
        _set_vector(world.hw, thread, ivor, saved)
    count(world.hw, thread, OP_ISYNC)
    world.hijacker, world.hijacked = None, {}


def _set_vector(hw: Hardware, thread: int, ivor: int, value: int) -> None:
    """One mtspr: the threads of a core share their IVORs (mmu-hardware 9, rule 8)."""
    count(hw, thread, OP_MTSPR)
    for sibling, spr in enumerate(hw.spr):
        if core_of(hw, sibling) == core_of(hw, thread):
            spr.IVOR[ivor] = value


def kvmppc_forward(world: World, thread: int, ivor: int) -> None:
    """A host fault of another thread in a vector that is hijacked: the stub sends it on to the saved one."""
    hw = world.hw
    if world.hijacker is None or core_of(hw, world.hijacker) != core_of(hw, thread):
        return
    if ivor in world.hijacked:
        count(hw, thread, OP_FORWARD)
        hw.thread[thread].pc = ulong(hw.params, hw.spr[thread].IVPR | world.hijacked[ivor])
