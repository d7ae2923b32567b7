# SPDX-License-Identifier: BSD-3-Clause
"""kvm/emulate_booke: the instructions and SPRs of every Book E core, as KVM emulates them (emulate 1, 3).

Covers booke_emulate.c, and the instruction fields that all emulation reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Flag, auto
from typing import Any, NamedTuple

from pyexit.ref.hw.core import ppc_mtspr, ulong
from pyexit.ref.hw.regs import (
    MSR_EE,
    SPR_CSRR0,
    SPR_CSRR1,
    SPR_DBSR,
    SPR_DEAR,
    SPR_DSRR0,
    SPR_DSRR1,
    SPR_EPCR,
    SPR_EPR,
    SPR_ESR,
    SPR_GIVOR2,
    SPR_GIVOR8,
    SPR_GIVPR,
    SPR_IVOR0,
    SPR_IVPR,
    SPR_MCSR,
    SPR_SPRG0,
)
from pyexit.ref.kvm.debug import DBSR_IDE
from pyexit.ref.kvm.entry import kvmppc_set_epcr
from pyexit.ref.kvm.host_services import has_altivec, host_of, switch_booke_debug_regs
from pyexit.ref.kvm.irqprio import (
    BOOKE_IRQPRIO_ALIGNMENT,
    BOOKE_IRQPRIO_AP_UNAVAIL,
    BOOKE_IRQPRIO_CRITICAL,
    BOOKE_IRQPRIO_DATA_STORAGE,
    BOOKE_IRQPRIO_DEBUG,
    BOOKE_IRQPRIO_DECREMENTER,
    BOOKE_IRQPRIO_DTLB_MISS,
    BOOKE_IRQPRIO_EXTERNAL,
    BOOKE_IRQPRIO_FIT,
    BOOKE_IRQPRIO_FP_UNAVAIL,
    BOOKE_IRQPRIO_INST_STORAGE,
    BOOKE_IRQPRIO_ITLB_MISS,
    BOOKE_IRQPRIO_MACHINE_CHECK,
    BOOKE_IRQPRIO_PROGRAM,
    BOOKE_IRQPRIO_SYSCALL,
    BOOKE_IRQPRIO_WATCHDOG,
    kvmppc_core_dequeue_debug,
    kvmppc_set_msr,
)
from pyexit.ref.kvm.timer import TCR_WRC_MASK, kvmppc_clr_tsr_bits, kvmppc_set_tcr
from pyexit.ref.kvm.timing import (
    EMULATED_MFMSR_EXITS,
    EMULATED_MTMSR_EXITS,
    EMULATED_RFCI_EXITS,
    EMULATED_RFDI_EXITS,
    EMULATED_RFI_EXITS,
    EMULATED_WRTEE_EXITS,
    kvmppc_set_exit_type,
)
from pyexit.ref.kvm.vcpu import EMULATE_DONE, EMULATE_FAIL, World

# Numbers of SPRs that only the emulation knows
SPR_DBCR0 = 308
SPR_DBCR1 = 309
SPR_DBCR2 = 310
SPR_IAC1 = 312
SPR_IAC2 = 313
SPR_DAC1 = 316
SPR_DAC2 = 317
SPR_TSR = 336
SPR_TCR = 340
SPR_DECAR = 54

_WORD = (1 << 32) - 1

#: Bits that a write to a register of the kernel's type unsigned long keeps: all that the value has.
_ULONG = (1 << 64) - 1


# Instruction fields (emulate 1)


def get_op(inst: int) -> int:
    """The primary opcode."""
    return inst >> 26


def get_xop(inst: int) -> int:
    """The extended opcode; neither Rc nor a reserved bit is part of it."""
    return inst >> 1 & 0x3FF


def get_rt(inst: int) -> int:
    """The target register."""
    return inst >> 21 & 0x1F


def get_rs(inst: int) -> int:
    """The source register: where the target is."""
    return get_rt(inst)


def get_ra(inst: int) -> int:
    """Register A."""
    return inst >> 16 & 0x1F


def get_rb(inst: int) -> int:
    """Register B."""
    return inst >> 11 & 0x1F


def get_oc(inst: int) -> int:
    """The operand of ehpriv: RT, RA and RB in one."""
    return inst >> 11 & 0x7FFF


def get_sprn(inst: int) -> int:
    """The number of an SPR, its halves swapped."""
    return inst >> 16 & 0x1F | inst >> 6 & 0x3E0


def get_tmrn(inst: int) -> int:
    """The number of a thread management register: as an SPR's."""
    return get_sprn(inst)


# What the host's kernel was built with (emulate 0.1)


# Flavours: what a row needs of the kernel
FLAVOUR_ALL = 0  # nothing
FLAVOUR_64 = 1  # to be a 64-bit one
FLAVOUR_ALTIVEC = 2  # CONFIG_ALTIVEC


def is_built(world: World, flavour: int) -> bool:
    """Does this kernel have a row of this flavour? AltiVec is an option of 64-bit kernels only."""
    if flavour == FLAVOUR_ALL:
        return True
    return world.hw.params.width == 64 and (flavour == FLAVOUR_64 or has_altivec(world))


# Instructions (emulate 3.1)


class Emulated(NamedTuple):
    """An EMULATE_* result, and whether the pc goes on."""

    result: int
    advance: bool = True


class Instruction(NamedTuple):
    """How an instruction is emulated, and the account of its exit: None is that of all emulation."""

    execute: Callable[[World, int, int], Emulated]
    exit_type: int | None = None
    flavour: int = FLAVOUR_ALL


#: The result of what has no row: the next table's business.
NOT_EMULATED = Emulated(EMULATE_FAIL, False)

_DONE = Emulated(EMULATE_DONE)
_JUMPED = Emulated(EMULATE_DONE, False)


def emulate_by(table: dict[tuple[int, int], Instruction], world: World, vcpu: int, inst: int) -> Emulated:
    """Look (opcode, extended opcode) up and do what the row says; the account is set before that."""
    row = table.get((get_op(inst), get_xop(inst)))
    if row is None or not is_built(world, row.flavour):
        return NOT_EMULATED
    if row.exit_type is not None:
        kvmppc_set_exit_type(world, vcpu, row.exit_type)
    return row.execute(world, vcpu, inst)


def _return(world: World, vcpu: int, pc: int, msr: int) -> Emulated:
    """Q16: every bit of the MSR is taken, and of the pc also the low two."""
    world.vcpu[vcpu].arch.regs.nip = ulong(world.hw.params, pc)
    kvmppc_set_msr(world, vcpu, msr)
    return _JUMPED


def kvmppc_emul_rfi(world: World, vcpu: int, inst: int) -> Emulated:
    """rfi. Q4: from the shared page, where mtspr SRR0 and SRR1 do not write."""
    shared = world.vcpu[vcpu].arch.shared
    return _return(world, vcpu, shared.srr0, shared.srr1)


def kvmppc_emul_rfci(world: World, vcpu: int, inst: int) -> Emulated:
    """rfci."""
    arch = world.vcpu[vcpu].arch
    return _return(world, vcpu, arch.csrr0, arch.csrr1)


def kvmppc_emul_rfdi(world: World, vcpu: int, inst: int) -> Emulated:
    """rfdi."""
    arch = world.vcpu[vcpu].arch
    return _return(world, vcpu, arch.dsrr0, arch.dsrr1)


def _mfmsr(world: World, vcpu: int, inst: int) -> Emulated:
    """mfmsr: the guest sees its GS."""
    arch = world.vcpu[vcpu].arch
    arch.regs.gpr[get_rt(inst)] = ulong(world.hw.params, arch.shared.msr)
    return _DONE


def _mtmsr(world: World, vcpu: int, inst: int) -> Emulated:
    """mtmsr. Q16."""
    kvmppc_set_msr(world, vcpu, world.vcpu[vcpu].arch.regs.gpr[get_rs(inst)])
    return _DONE


def _wrtee(world: World, vcpu: int, inst: int) -> Emulated:
    """wrtee."""
    return _write_ee(world, vcpu, world.vcpu[vcpu].arch.regs.gpr[get_rs(inst)])


def _wrteei(world: World, vcpu: int, inst: int) -> Emulated:
    """wrteei: its E is where the MSR has EE."""
    return _write_ee(world, vcpu, inst)


def _write_ee(world: World, vcpu: int, value: int) -> Emulated:
    """Q17: neither GS nor DE is forced; a 32-bit kernel drops the high half of the shared MSR."""
    shared = world.vcpu[vcpu].arch.shared
    shared.msr = ulong(world.hw.params, shared.msr & ~MSR_EE) | value & MSR_EE
    return _DONE


#: emulate 3.1, by opcode and extended opcode. Q7: rfmci is not there.
BOOKE_INSTRUCTIONS = {
    (19, 50): Instruction(kvmppc_emul_rfi, EMULATED_RFI_EXITS),
    (19, 51): Instruction(kvmppc_emul_rfci, EMULATED_RFCI_EXITS),
    (19, 39): Instruction(kvmppc_emul_rfdi, EMULATED_RFDI_EXITS),
    (31, 83): Instruction(_mfmsr, EMULATED_MFMSR_EXITS),
    (31, 146): Instruction(_mtmsr, EMULATED_MTMSR_EXITS),
    (31, 131): Instruction(_wrtee, EMULATED_WRTEE_EXITS),
    (31, 163): Instruction(_wrteei, EMULATED_WRTEE_EXITS),
}


def kvmppc_booke_emulate_op(world: World, vcpu: int, inst: int) -> Emulated:
    """3.1: what the core's own table does not have. Nobody looks at MSR[PR]."""
    return emulate_by(BOOKE_INSTRUCTIONS, world, vcpu, inst)


# SPRs that are a field (emulate 3.2)


class Access(Flag):
    """What the guest may do with an SPR."""

    READ = auto()
    WRITE = auto()


_BOTH = Access.READ | Access.WRITE
_READ, _WRITE = Access.READ, Access.WRITE


class GuestSpr(NamedTuple):
    """The field of an SPR: which record has it, and what a write does besides."""

    owner: Callable[[World, int], Any]
    field: str
    element: int | None = None
    access: Access = _BOTH
    kept: int = _WORD  # the bits that a write keeps
    also: Callable[[World, int, int], None] | None = None
    flavour: int = FLAVOUR_ALL


def _arch(world: World, vcpu: int) -> Any:
    return world.vcpu[vcpu].arch


def _shared(world: World, vcpu: int) -> Any:
    return world.vcpu[vcpu].arch.shared


def read_field(table: dict[int, GuestSpr], world: World, vcpu: int, sprn: int) -> int | None:
    """The value of an SPR that is a field, None if the table has none to read."""
    row = table.get(sprn)
    if row is None or Access.READ not in row.access or not is_built(world, row.flavour):
        return None
    value = getattr(row.owner(world, vcpu), row.field)
    return ulong(world.hw.params, value if row.element is None else value[row.element])


def write_field(table: dict[int, GuestSpr], world: World, vcpu: int, sprn: int, value: int) -> int:
    """Write an SPR that is a field."""
    row = table.get(sprn)
    if row is None or Access.WRITE not in row.access or not is_built(world, row.flavour):
        return EMULATE_FAIL
    owner = row.owner(world, vcpu)
    if row.element is None:
        setattr(owner, row.field, value & row.kept)
    else:
        getattr(owner, row.field)[row.element] = value & row.kept
    if row.also is not None:
        row.also(world, vcpu, value)
    return EMULATE_DONE


def _set_hardware(spr: int) -> Callable[[World, int, int], None]:
    """The guest's own register in the processor takes the value, too."""

    def also(world: World, vcpu: int, value: int) -> None:
        ppc_mtspr(world.hw, world.vcpu_thread[vcpu], spr, value)

    return also


def ivor(priority: int, access: Access = _BOTH, **more: Any) -> GuestSpr:
    """3.6: an interrupt vector offset. Q27: no bit of it is masked."""
    return GuestSpr(_arch, "ivor", priority, access, **more)


#: 3.6: the priority of IVOR0 to IVOR15.
IVORS = (
    BOOKE_IRQPRIO_CRITICAL,
    BOOKE_IRQPRIO_MACHINE_CHECK,
    BOOKE_IRQPRIO_DATA_STORAGE,
    BOOKE_IRQPRIO_INST_STORAGE,
    BOOKE_IRQPRIO_EXTERNAL,
    BOOKE_IRQPRIO_ALIGNMENT,
    BOOKE_IRQPRIO_PROGRAM,
    BOOKE_IRQPRIO_FP_UNAVAIL,
    BOOKE_IRQPRIO_SYSCALL,
    BOOKE_IRQPRIO_AP_UNAVAIL,
    BOOKE_IRQPRIO_DECREMENTER,
    BOOKE_IRQPRIO_FIT,
    BOOKE_IRQPRIO_WATCHDOG,
    BOOKE_IRQPRIO_DTLB_MISS,
    BOOKE_IRQPRIO_ITLB_MISS,
    BOOKE_IRQPRIO_DEBUG,
)

#: emulate 3.3, 3.4; BOOKE_WRITES has the writes that are more than that, and the core's own list reads DECAR.
#: Q5: DEAR and ESR are the shared page's copies. Q7: MCSRR0 and others are not there.
BOOKE_SPRS: dict[int, GuestSpr] = {
    SPR_DEAR: GuestSpr(_shared, "dar", kept=_ULONG),
    SPR_ESR: GuestSpr(_shared, "esr"),
    SPR_CSRR0: GuestSpr(_arch, "csrr0", kept=_ULONG),
    SPR_CSRR1: GuestSpr(_arch, "csrr1", kept=_ULONG),
    SPR_DSRR0: GuestSpr(_arch, "dsrr0", kept=_ULONG),
    SPR_DSRR1: GuestSpr(_arch, "dsrr1", kept=_ULONG),
    SPR_EPR: GuestSpr(_arch, "epr", access=_READ),
    SPR_SPRG0 + 4: GuestSpr(_shared, "sprg4", access=_WRITE, kept=_ULONG),
    SPR_SPRG0 + 5: GuestSpr(_shared, "sprg5", access=_WRITE, kept=_ULONG),
    SPR_SPRG0 + 6: GuestSpr(_shared, "sprg6", access=_WRITE, kept=_ULONG),
    SPR_SPRG0 + 7: GuestSpr(_shared, "sprg7", access=_WRITE, kept=_ULONG),
    SPR_IVPR: GuestSpr(_arch, "ivpr", also=_set_hardware(SPR_GIVPR), kept=_ULONG),
    **{SPR_IVOR0 + number: ivor(priority) for number, priority in enumerate(IVORS)},
    SPR_IVOR0 + 2: ivor(BOOKE_IRQPRIO_DATA_STORAGE, also=_set_hardware(SPR_GIVOR2)),
    SPR_IVOR0 + 8: ivor(BOOKE_IRQPRIO_SYSCALL, also=_set_hardware(SPR_GIVOR8)),
    SPR_DECAR: GuestSpr(_arch, "decar", access=_WRITE),
    SPR_EPCR: GuestSpr(_arch, "epcr", access=_READ, flavour=FLAVOUR_64),
    SPR_DBSR: GuestSpr(_arch, "dbsr", access=_READ),
    SPR_TSR: GuestSpr(_arch, "tsr", access=_READ),
    SPR_TCR: GuestSpr(_arch, "tcr", access=_READ),
    SPR_MCSR: GuestSpr(_arch, "mcsr", access=_READ),
}


# The debug registers (emulate 3.3, 3.4; exit 9.3)

#: What a guest may have in DBCR0: IDM, IC, BT, TIE, IAC1 to IAC4, DAC1 and DAC2; EDM is put in for reading.
DBCR0_GUEST_MASK = 0x4DFF0000
DBCR0_EDM = 0x80000000


def _debug(world: World, vcpu: int) -> Any:
    return world.vcpu[vcpu].arch.dbg_reg


#: Stored, and the hardware loaded, while user space does not debug; IAC3 and IAC4 are not compiled in.
DEBUG_SPRS: dict[int, GuestSpr] = {
    SPR_DBCR0: GuestSpr(_debug, "dbcr0", kept=DBCR0_GUEST_MASK),
    SPR_DBCR1: GuestSpr(_debug, "dbcr1"),
    SPR_DBCR2: GuestSpr(_debug, "dbcr2"),
    SPR_IAC1: GuestSpr(_debug, "iac1", kept=_ULONG),
    SPR_IAC2: GuestSpr(_debug, "iac2", kept=_ULONG),
    SPR_DAC1: GuestSpr(_debug, "dac1", kept=_ULONG),
    SPR_DAC2: GuestSpr(_debug, "dac2", kept=_ULONG),
}


def _write_debug(world: World, vcpu: int, sprn: int, value: int) -> int:
    """Q18: dropped without a word while user space debugs."""
    state = world.vcpu[vcpu]
    if state.guest_debug:
        return EMULATE_DONE
    write_field(DEBUG_SPRS, world, vcpu, sprn, value)
    host_of(world, vcpu).thread_debug = replace(state.arch.dbg_reg)
    switch_booke_debug_regs(world, vcpu)
    return EMULATE_DONE


def _read_debug(world: World, vcpu: int, sprn: int) -> int | None:
    """Q18: user space's registers show, with EDM in DBCR0."""
    value = read_field(DEBUG_SPRS, world, vcpu, sprn)
    if value is not None and sprn == SPR_DBCR0 and world.vcpu[vcpu].guest_debug:
        value |= DBCR0_EDM
    return value


# SPRs that do something (emulate 3.3)


def _mtspr_dbsr(world: World, vcpu: int, value: int) -> None:
    """Writing ones clears. Q18: IDE alone is no reason for a debug interrupt."""
    state = world.vcpu[vcpu]
    if state.guest_debug:
        return
    state.arch.dbsr &= ~value
    if not state.arch.dbsr & ~DBSR_IDE:
        kvmppc_core_dequeue_debug(world, vcpu)


def _mtspr_tcr(world: World, vcpu: int, value: int) -> None:
    """Q20: WRC, once set, stays; the ioctls may clear it."""
    tcr = world.vcpu[vcpu].arch.tcr
    if tcr & TCR_WRC_MASK:
        value = value & ~TCR_WRC_MASK | tcr & TCR_WRC_MASK
    kvmppc_set_tcr(world, vcpu, value)


def _mtspr_mcsr(world: World, vcpu: int, value: int) -> None:
    """Writing ones clears."""
    world.vcpu[vcpu].arch.mcsr &= ~value


def _mtspr_epcr(world: World, vcpu: int, value: int) -> None:
    """ICM becomes the hardware's GICM at once."""
    kvmppc_set_epcr(world, vcpu, value)
    ppc_mtspr(world.hw, world.vcpu_thread[vcpu], SPR_EPCR, world.vcpu[vcpu].arch.shadow_epcr)


class Write(NamedTuple):
    """A write that is more than storing a value."""

    write: Callable[[World, int, int], None]
    flavour: int = FLAVOUR_ALL


#: 3.3.
BOOKE_WRITES = {
    SPR_DBSR: Write(_mtspr_dbsr),
    SPR_TSR: Write(kvmppc_clr_tsr_bits),
    SPR_TCR: Write(_mtspr_tcr),
    SPR_MCSR: Write(_mtspr_mcsr),
    SPR_EPCR: Write(_mtspr_epcr, FLAVOUR_64),
}


def kvmppc_booke_emulate_mtspr(world: World, vcpu: int, sprn: int, value: int) -> int:
    """3.3: what the core's own list does not have."""
    if sprn in DEBUG_SPRS:
        return _write_debug(world, vcpu, sprn, value)
    row = BOOKE_WRITES.get(sprn)
    if row is None or not is_built(world, row.flavour):
        return write_field(BOOKE_SPRS, world, vcpu, sprn, value)
    row.write(world, vcpu, value)
    return EMULATE_DONE


def kvmppc_booke_emulate_mfspr(world: World, vcpu: int, sprn: int) -> int | None:
    """3.4: the value, None if there is no such SPR."""
    if sprn in DEBUG_SPRS:
        return _read_debug(world, vcpu, sprn)
    return read_field(BOOKE_SPRS, world, vcpu, sprn)
