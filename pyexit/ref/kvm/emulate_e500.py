# SPDX-License-Identifier: BSD-3-Clause
"""kvm/emulate_e500: the instructions and SPRs of the e500 family that KVM emulates (emulate 4, 7).

Covers e500_emulate.c; what is not here is looked for in kvm/emulate_booke.
"""

from __future__ import annotations

from typing import Any

from pyexit.ref.hw.core import ulong
from pyexit.ref.hw.regs import (
    MMUCFG_MAVN,
    MMUCFG_MAVN_V2,
    MSG_BROADCAST,
    MSG_DBELL,
    MSG_DBELL_CRIT,
    MSG_PIR_MASK,
    MSG_TYPE_MASK,
    MSG_TYPE_SHIFT,
    MSR_CM,
    SPR_EPTCFG,
    SPR_HID0,
    SPR_IVOR32,
    SPR_MMUCFG,
    SPR_MMUCSR0,
    SPR_SVR,
    SPR_TLB0CFG,
    SPR_TLB0PS,
    SPR_TLB1CFG,
    SPR_TLB1PS,
)
from pyexit.ref.kvm.emulate_booke import (
    FLAVOUR_ALTIVEC,
    NOT_EMULATED,
    SPR_DECAR,
    Access,
    Emulated,
    GuestSpr,
    Instruction,
    emulate_by,
    get_oc,
    get_ra,
    get_rb,
    get_rt,
    get_tmrn,
    ivor,
    kvmppc_booke_emulate_mfspr,
    kvmppc_booke_emulate_mtspr,
    kvmppc_booke_emulate_op,
    read_field,
    write_field,
)
from pyexit.ref.kvm.gtlb import (
    kvmppc_e500_emul_mt_mmucsr0,
    kvmppc_e500_emul_tlbilx,
    kvmppc_e500_emul_tlbivax,
    kvmppc_e500_emul_tlbre,
    kvmppc_e500_emul_tlbsx,
    kvmppc_e500_emul_tlbwe,
)
from pyexit.ref.kvm.host_services import kvm_vcpu_kick
from pyexit.ref.kvm.irqprio import (
    BOOKE_IRQPRIO_ALTIVEC_ASSIST,
    BOOKE_IRQPRIO_ALTIVEC_UNAVAIL,
    BOOKE_IRQPRIO_DBELL,
    BOOKE_IRQPRIO_DBELL_CRIT,
    BOOKE_IRQPRIO_PERFORMANCE_MONITOR,
)
from pyexit.ref.kvm.kvm_run import KVM_EXIT_DEBUG, set_debug
from pyexit.ref.kvm.timing import DEBUG_EXITS, kvmppc_account_exit
from pyexit.ref.kvm.vcpu import EMULATE_DONE, EMULATE_EXIT_USER, EMULATE_FAIL, World

_WORD = (1 << 32) - 1

#: The operand of ehpriv with which user space's debugger is called (emulate 4.1).
EHPRIV_OC_DEBUG = 1

#: TMCFG0, the one thread management register, and what it says: one thread.
TMRN_TMCFG0 = 16
TMCFG0_ONE_THREAD = 0x101

# L1CSR0 and L1CSR1: flashing is over at once, so its bits read back as 0; a lock that failed
L1CSR0_DCFI = 0x2
L1CSR0_CLFC = 0x100
L1CSR0_CUL = 0x400
L1CSR1_ICFI = 0x2
L1CSR1_ICLFR = 0x100

#: The bits of RT that are tlbilx's type.
_TLBILX_TYPE = 3

_DONE = Emulated(EMULATE_DONE)


def kvmppc_get_ea_indexed(world: World, vcpu: int, ra: int, rb: int) -> int:
    """emulate 1: the EA of an X-form instruction, 32 bits unless MSR[CM]."""
    arch = world.vcpu[vcpu].arch
    ea = ulong(world.hw.params, arch.regs.gpr[rb] + (arch.regs.gpr[ra] if ra else 0))
    return ea if arch.shared.msr & MSR_CM else ea & _WORD


def _ea(world: World, vcpu: int, inst: int) -> int:
    return kvmppc_get_ea_indexed(world, vcpu, get_ra(inst), get_rb(inst))


# The MMU's instructions: kvm/gtlb's business, which also accounts tlbsx and tlbwe (emulate 4.2)


def _tlbilx(world: World, vcpu: int, inst: int) -> Emulated:
    """tlbilx: its type is in the low bits of RT. Q13: type 2 does nothing."""
    return Emulated(kvmppc_e500_emul_tlbilx(world, vcpu, get_rt(inst) & _TLBILX_TYPE, _ea(world, vcpu, inst)))


def _tlbivax(world: World, vcpu: int, inst: int) -> Emulated:
    """tlbivax."""
    return Emulated(kvmppc_e500_emul_tlbivax(world, vcpu, _ea(world, vcpu, inst)))


def _tlbsx(world: World, vcpu: int, inst: int) -> Emulated:
    """tlbsx."""
    return Emulated(kvmppc_e500_emul_tlbsx(world, vcpu, _ea(world, vcpu, inst)))


def _tlbre(world: World, vcpu: int, inst: int) -> Emulated:
    """tlbre."""
    return Emulated(kvmppc_e500_emul_tlbre(world, vcpu))


def _tlbwe(world: World, vcpu: int, inst: int) -> Emulated:
    """tlbwe."""
    return Emulated(kvmppc_e500_emul_tlbwe(world, vcpu))


# Doorbells (emulate 7)

#: Which doorbell a type of message is; the other types are none.
DOORBELLS = {MSG_DBELL: BOOKE_IRQPRIO_DBELL, MSG_DBELL_CRIT: BOOKE_IRQPRIO_DBELL_CRIT}


def _type(message: int) -> int:
    return message >> MSG_TYPE_SHIFT & MSG_TYPE_MASK


def kvmppc_e500_emul_msgsnd(world: World, vcpu: int, inst: int) -> Emulated:
    """msgsnd, to vcpus of this VM. Q1: its type comes from the register's number, not from its content."""
    rb = get_rb(inst)
    message = world.vcpu[vcpu].arch.regs.gpr[rb]
    priority = DOORBELLS[_type(rb)]
    for target, state in enumerate(world.vcpu):
        if world.vcpu_vm[target] != world.vcpu_vm[vcpu]:
            continue
        if message & MSG_BROADCAST or state.arch.shared.pir == message & MSG_PIR_MASK:
            state.arch.pending_exceptions |= 1 << priority
            kvm_vcpu_kick(world, target)
    return _DONE


def kvmppc_e500_emul_msgclr(world: World, vcpu: int, inst: int) -> Emulated:
    """msgclr: of this vcpu only, and by the register's content."""
    arch = world.vcpu[vcpu].arch
    priority = DOORBELLS.get(_type(arch.regs.gpr[get_rb(inst)]))
    if priority is None:
        return NOT_EMULATED
    arch.pending_exceptions &= ~(1 << priority)
    return _DONE


# The rest (emulate 4.1)


def _dcbtls(world: World, vcpu: int, inst: int) -> Emulated:
    """dcbtls: the lock always fails."""
    world.e500[vcpu].l1csr0 |= L1CSR0_CUL
    return _DONE


def kvmppc_e500_emul_ehpriv(world: World, vcpu: int, inst: int) -> Emulated:
    """ehpriv 1 stops for user space. Q32: whether it debugs or not."""
    if get_oc(inst) != EHPRIV_OC_DEBUG:
        return NOT_EMULATED
    world.run[vcpu].exit_reason = KVM_EXIT_DEBUG
    set_debug(world.run[vcpu], world.vcpu[vcpu].arch.regs.nip, 0)
    kvmppc_account_exit(world, vcpu, DEBUG_EXITS)
    return Emulated(EMULATE_EXIT_USER, False)


def kvmppc_e500_emul_mftmr(world: World, vcpu: int, inst: int) -> Emulated:
    """mftmr TMCFG0."""
    if get_tmrn(inst) != TMRN_TMCFG0:
        return NOT_EMULATED
    world.vcpu[vcpu].arch.regs.gpr[get_rt(inst)] = TMCFG0_ONE_THREAD
    return _DONE


#: emulate 4.1, by opcode and extended opcode.
E500_INSTRUCTIONS = {
    (31, 18): Instruction(_tlbilx),
    (31, 166): Instruction(_dcbtls),
    (31, 206): Instruction(kvmppc_e500_emul_msgsnd),
    (31, 238): Instruction(kvmppc_e500_emul_msgclr),
    (31, 270): Instruction(kvmppc_e500_emul_ehpriv),
    (31, 366): Instruction(kvmppc_e500_emul_mftmr),
    (31, 786): Instruction(_tlbivax),
    (31, 914): Instruction(_tlbsx),
    (31, 946): Instruction(_tlbre),
    (31, 978): Instruction(_tlbwe),
}


def kvmppc_core_emulate_op_e500(world: World, vcpu: int, inst: int) -> Emulated:
    """4.1: the family's own instructions, then those of all Book E cores."""
    emulated = emulate_by(E500_INSTRUCTIONS, world, vcpu, inst)
    return kvmppc_booke_emulate_op(world, vcpu, inst) if emulated.result == EMULATE_FAIL else emulated


# SPRs (emulate 4.3, 4.4)

# Numbers of SPRs that only the emulation knows
SPR_HID1 = 1009
SPR_L1CSR0 = 1010
SPR_L1CSR1 = 1011
SPR_BUCSR = 1013
SPR_PWRMGTCR0 = 1019


def _arch(world: World, vcpu: int) -> Any:
    return world.vcpu[vcpu].arch


def _e500(world: World, vcpu: int) -> Any:
    return world.e500[vcpu]


_READ = Access.READ

#: 4.3, 4.4. The PIDs and MAS registers are the processor's on HV and not here; nor is IVOR34, which is SPE's.
E500_SPRS = {
    SPR_DECAR: GuestSpr(_arch, "decar", access=_READ),
    SPR_TLB0CFG: GuestSpr(_arch, "tlbcfg", 0, _READ),
    SPR_TLB1CFG: GuestSpr(_arch, "tlbcfg", 1, _READ),
    SPR_MMUCFG: GuestSpr(_arch, "mmucfg", access=_READ),
    SPR_SVR: GuestSpr(_e500, "svr", access=_READ),
    SPR_L1CSR0: GuestSpr(_e500, "l1csr0", kept=_WORD & ~(L1CSR0_DCFI | L1CSR0_CLFC)),
    SPR_L1CSR1: GuestSpr(_e500, "l1csr1", kept=_WORD & ~(L1CSR1_ICFI | L1CSR1_ICLFR)),
    SPR_HID0: GuestSpr(_e500, "hid0"),
    SPR_HID1: GuestSpr(_e500, "hid1"),
    SPR_PWRMGTCR0: GuestSpr(_arch, "pwrmgtcr0"),
    SPR_IVOR32: ivor(BOOKE_IRQPRIO_ALTIVEC_UNAVAIL, flavour=FLAVOUR_ALTIVEC),
    SPR_IVOR32 + 1: ivor(BOOKE_IRQPRIO_ALTIVEC_ASSIST, flavour=FLAVOUR_ALTIVEC),
    SPR_IVOR32 + 3: ivor(BOOKE_IRQPRIO_PERFORMANCE_MONITOR),
    SPR_IVOR32 + 4: ivor(BOOKE_IRQPRIO_DBELL),
    SPR_IVOR32 + 5: ivor(BOOKE_IRQPRIO_DBELL_CRIT),
}

#: 4.4: what only MMU version 2 has.
MMU_V2_SPRS = {
    SPR_TLB0PS: GuestSpr(_arch, "tlbps", 0, _READ),
    SPR_TLB1PS: GuestSpr(_arch, "tlbps", 1, _READ),
    SPR_EPTCFG: GuestSpr(_arch, "eptcfg", access=_READ),
}


def _has_mmu_v2(world: World, vcpu: int) -> bool:
    """The guest's MMU is of version 2: what its own MMUCFG says."""
    return world.vcpu[vcpu].arch.mmucfg & MMUCFG_MAVN == MMUCFG_MAVN_V2


def kvmppc_core_emulate_mtspr_e500(world: World, vcpu: int, sprn: int, value: int) -> int:
    """4.3: the family's own SPRs, then those of all Book E cores. BUCSR is accepted and forgotten."""
    if sprn == SPR_MMUCSR0:
        kvmppc_e500_emul_mt_mmucsr0(world, vcpu, value)
        return EMULATE_DONE
    if sprn == SPR_BUCSR or write_field(E500_SPRS, world, vcpu, sprn, value) == EMULATE_DONE:
        return EMULATE_DONE
    return kvmppc_booke_emulate_mtspr(world, vcpu, sprn, value)


def kvmppc_core_emulate_mfspr_e500(world: World, vcpu: int, sprn: int) -> int | None:
    """4.4: the value, None if there is no such SPR."""
    if sprn == SPR_MMUCSR0:
        return 0
    if sprn in MMU_V2_SPRS:
        return read_field(MMU_V2_SPRS, world, vcpu, sprn) if _has_mmu_v2(world, vcpu) else None
    value = read_field(E500_SPRS, world, vcpu, sprn)
    return kvmppc_booke_emulate_mfspr(world, vcpu, sprn) if value is None else value
