# SPDX-License-Identifier: BSD-3-Clause
"""kvm/emulate: a privileged instruction of the guest that the processor leaves to KVM (emulate 2).

Covers emulate.c. Nobody looks at MSR[PR] or at reserved bits: the processor has looked at the privilege.
"""

from __future__ import annotations

from collections.abc import Callable

from pyexit.ref.hw.core import log, ppc_mfspr, ppc_mtspr, ulong
from pyexit.ref.hw.regs import (
    ESR_PTR,
    SPR_GSPRG0,
    SPR_GSPRG1,
    SPR_GSPRG2,
    SPR_GSPRG3,
    SPR_GSRR0,
    SPR_GSRR1,
    SPR_PIR,
    SPR_PVR,
    SPR_SPRG0,
    SPR_SRR0,
    SPR_SRR1,
    SPR_TBWL,
    SPR_TBWU,
)
from pyexit.ref.kvm.debug import KVMPPC_INST_SW_BREAKPOINT
from pyexit.ref.kvm.emulate_booke import (
    FLAVOUR_64,
    NOT_EMULATED,
    Emulated,
    Instruction,
    emulate_by,
    get_op,
    get_rs,
    get_rt,
    get_sprn,
    get_xop,
)
from pyexit.ref.kvm.emulate_e500 import (
    kvmppc_core_emulate_mfspr_e500,
    kvmppc_core_emulate_mtspr_e500,
    kvmppc_core_emulate_op_e500,
)
from pyexit.ref.kvm.host_services import get_tb
from pyexit.ref.kvm.irqprio import kvmppc_core_queue_program
from pyexit.ref.kvm.kvm_run import KVM_EXIT_DEBUG, set_debug
from pyexit.ref.kvm.last_inst import INST_GENERIC, kvmppc_get_last_inst
from pyexit.ref.kvm.timer import kvmppc_emulate_dec, kvmppc_get_dec
from pyexit.ref.kvm.timing import (
    EMULATED_INST_EXITS,
    EMULATED_MFSPR_EXITS,
    EMULATED_MTSPR_EXITS,
    kvmppc_set_exit_type,
)
from pyexit.ref.kvm.trace import (
    EVENT_TRACE_INSTR,
    MSG_CANNOT_EMULATE,
    MSG_MFSPR_UNKNOWN,
    MSG_MTSPR_UNKNOWN,
    printk,
)
from pyexit.ref.kvm.vcpu import EMULATE_DONE, EMULATE_EXIT_USER, EMULATE_FAIL, KVM_INST_FETCH_FAILED, World

_WORD = (1 << 32) - 1
_INSTRUCTION_SIZE = 4

SPR_DEC = 22

# Primary opcodes that have no extended one (emulate 2.3)
_OP_NONE = 0
_OP_TWI = 3


def kvmppc_emulate_instruction(world: World, vcpu: int) -> int:
    """2.1: EMULATE_*; the pc goes on where the instruction does not decide it itself."""
    kvmppc_set_exit_type(world, vcpu, EMULATED_INST_EXITS)
    fetch = kvmppc_get_last_inst(world, vcpu, INST_GENERIC)
    if fetch.ret != EMULATE_DONE:
        return fetch.ret
    inst = KVM_INST_FETCH_FAILED if fetch.instr is None else fetch.instr
    emulated = _emulate(world, vcpu, inst)
    trace_kvm_ppc_instr(world, vcpu, inst, emulated.result)
    if emulated.advance:
        kvmppc_next_instruction(world, vcpu)
    return emulated.result


def _emulate(world: World, vcpu: int, inst: int) -> Emulated:
    """2.1 steps 3 and 4. Q6: what fails here is tried by the core, an unknown SPR too."""
    emulated = _emulate_generic(world, vcpu, inst)
    if emulated.result == EMULATE_FAIL:
        emulated = kvmppc_core_emulate_op_e500(world, vcpu, inst)
    if emulated.result == EMULATE_FAIL:
        printk(world, MSG_CANNOT_EMULATE, inst, get_op(inst), get_xop(inst))
    return emulated


def _emulate_generic(world: World, vcpu: int, inst: int) -> Emulated:
    """2.3: what every PowerPC has."""
    if get_op(inst) == _OP_TWI:
        return _trap(world, vcpu, inst)
    if get_op(inst) == _OP_NONE:
        return _software_breakpoint(world, vcpu, inst)
    return emulate_by(INSTRUCTIONS, world, vcpu, inst)


def kvmppc_next_instruction(world: World, vcpu: int) -> None:
    """Q31: not cut to 32 bits for a 32-bit guest of a 64-bit kernel."""
    regs = world.vcpu[vcpu].arch.regs
    regs.nip = ulong(world.hw.params, regs.nip + _INSTRUCTION_SIZE)


def trace_kvm_ppc_instr(world: World, vcpu: int, inst: int, result: int) -> None:
    """kvm_ppc_instr: an emulated instruction, its address, what came of it (exit 14)."""
    log(world.hw, EVENT_TRACE_INSTR, 0, inst, world.vcpu[vcpu].arch.regs.nip, result)


# Instructions (emulate 2.3)


def _trap(world: World, vcpu: int, inst: int) -> Emulated:
    """twi, tw, td. Q3: a trap whatever the condition; its syndrome starts from the shared page's old ESR."""
    kvmppc_core_queue_program(world, vcpu, world.vcpu[vcpu].arch.shared.esr | ESR_PTR)
    return Emulated(EMULATE_DONE, False)


def _software_breakpoint(world: World, vcpu: int, inst: int) -> Emulated:
    """Q28: reached only if the word has changed since the trap; whether user space debugs is not asked."""
    if inst != KVMPPC_INST_SW_BREAKPOINT:
        return NOT_EMULATED
    world.run[vcpu].exit_reason = KVM_EXIT_DEBUG
    set_debug(world.run[vcpu], world.vcpu[vcpu].arch.regs.nip, 0)
    return Emulated(EMULATE_EXIT_USER, False)


def _tlbsync(world: World, vcpu: int, inst: int) -> Emulated:
    """tlbsync: there is nothing to wait for."""
    return Emulated(EMULATE_DONE)


def _mtspr(world: World, vcpu: int, inst: int) -> Emulated:
    """mtspr: accounted whether there is such an SPR or not."""
    value = ulong(world.hw.params, world.vcpu[vcpu].arch.regs.gpr[get_rs(inst)])
    result = kvmppc_emulate_mtspr(world, vcpu, get_sprn(inst), value)
    kvmppc_set_exit_type(world, vcpu, EMULATED_MTSPR_EXITS)
    return Emulated(result, result == EMULATE_DONE)


def _mfspr(world: World, vcpu: int, inst: int) -> Emulated:
    """mfspr: the same; without such an SPR the register stays."""
    value = kvmppc_emulate_mfspr(world, vcpu, get_sprn(inst))
    kvmppc_set_exit_type(world, vcpu, EMULATED_MFSPR_EXITS)
    if value is None:
        return NOT_EMULATED
    world.vcpu[vcpu].arch.regs.gpr[get_rt(inst)] = ulong(world.hw.params, value)
    return Emulated(EMULATE_DONE)


#: emulate 2.3, by opcode and extended opcode; Q3: tdi has no row.
INSTRUCTIONS = {
    (31, 4): Instruction(_trap),
    (31, 68): Instruction(_trap, flavour=FLAVOUR_64),
    (31, 339): Instruction(_mfspr),
    (31, 467): Instruction(_mtspr),
    (31, 566): Instruction(_tlbsync),
}


# SPRs (emulate 2.4, 2.5)

#: SPRs that are the processor's own for the guest (emulate 0.4.1).
HARDWARE_SPRS = {
    SPR_SRR0: SPR_GSRR0,
    SPR_SRR1: SPR_GSRR1,
    SPR_SPRG0: SPR_GSPRG0,
    SPR_SPRG0 + 1: SPR_GSPRG1,
    SPR_SPRG0 + 2: SPR_GSPRG2,
    SPR_SPRG0 + 3: SPR_GSPRG3,
}

#: Writes that are accepted and forgotten.
IGNORED_WRITES = (SPR_TBWL, SPR_TBWU, SPR_PIR)


def kvmppc_emulate_mtspr(world: World, vcpu: int, sprn: int, value: int) -> int:
    """2.4: EMULATE_DONE, or EMULATE_FAIL and a message."""
    if sprn in HARDWARE_SPRS:
        ppc_mtspr(world.hw, world.vcpu_thread[vcpu], HARDWARE_SPRS[sprn], value)
        return EMULATE_DONE
    if sprn == SPR_DEC:
        world.vcpu[vcpu].arch.dec = value & _WORD
        kvmppc_emulate_dec(world, vcpu)
        return EMULATE_DONE
    if sprn in IGNORED_WRITES:
        return EMULATE_DONE
    result = kvmppc_core_emulate_mtspr_e500(world, vcpu, sprn, value)
    if result == EMULATE_FAIL:
        printk(world, MSG_MTSPR_UNKNOWN, sprn)
    return result


def kvmppc_emulate_mfspr(world: World, vcpu: int, sprn: int) -> int | None:
    """2.5: the value, or None and a message."""
    if sprn in HARDWARE_SPRS:
        return ppc_mfspr(world.hw, world.vcpu_thread[vcpu], HARDWARE_SPRS[sprn])[1]
    if sprn in READS:
        return READS[sprn](world, vcpu)
    value = kvmppc_core_emulate_mfspr_e500(world, vcpu, sprn)
    if value is None:
        printk(world, MSG_MFSPR_UNKNOWN, sprn)
    return value


def _pvr(world: World, vcpu: int) -> int:
    return world.vcpu[vcpu].arch.pvr


def _pir(world: World, vcpu: int) -> int:
    """The vcpu's number, not what doorbells compare with."""
    return world.vcpu[vcpu].vcpu_id


def _tbwl(world: World, vcpu: int) -> int:
    """Q2: the upper half."""
    return get_tb(world, vcpu) >> 32


def _dec(world: World, vcpu: int) -> int:
    return kvmppc_get_dec(world, vcpu, get_tb(world, vcpu))


#: 2.5: what is read of more than a register. Q2: TBWU has the lower half, or all of it on a 64-bit kernel.
READS: dict[int, Callable[[World, int], int]] = {
    SPR_PVR: _pvr,
    SPR_PIR: _pir,
    SPR_TBWL: _tbwl,
    SPR_TBWU: get_tb,
    SPR_DEC: _dec,
}
