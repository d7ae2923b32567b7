# SPDX-License-Identifier: BSD-3-Clause
"""kvm/irqprio: interrupts that KVM owes the guest: queue, deliver, doorbells (exit 7.1-7.5; of booke.c)."""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.hw.core import ppc_mtspr, ulong
from pyexit.ref.hw.doorbell import ppc_msgsnd
from pyexit.ref.hw.regs import (
    EPCR_ICM,
    MSG_GDBELL,
    MSG_GDBELL_CRIT,
    MSG_GDBELL_MC,
    MSG_LPID_SHIFT,
    MSG_TAG_MASK,
    MSG_TYPE_SHIFT,
    MSR_CE,
    MSR_CM,
    MSR_DE,
    MSR_EE,
    MSR_GS,
    MSR_ME,
    MSR_PR,
    SPR_GDEAR,
    SPR_GESR,
    SPR_GSRR0,
    SPR_GSRR1,
)
from pyexit.ref.kvm.host_services import SITE_EPR_KERNEL, Bug, has_altivec
from pyexit.ref.kvm.trace import trace_kvm_booke_queue_irqprio
from pyexit.ref.kvm.vcpu import BOOKE_IRQPRIO_MAX, World, kvmppc_get_lpid

# Bits of arch.pending_exceptions; the lower is delivered first. Q36: not the architecture's order (exit 1.2).
BOOKE_IRQPRIO_DATA_STORAGE = 0
BOOKE_IRQPRIO_INST_STORAGE = 1
BOOKE_IRQPRIO_ALIGNMENT = 2
BOOKE_IRQPRIO_PROGRAM = 3
BOOKE_IRQPRIO_FP_UNAVAIL = 4
BOOKE_IRQPRIO_ALTIVEC_UNAVAIL = 5
BOOKE_IRQPRIO_ALTIVEC_ASSIST = 6
BOOKE_IRQPRIO_SYSCALL = 8
BOOKE_IRQPRIO_AP_UNAVAIL = 9
BOOKE_IRQPRIO_DTLB_MISS = 10
BOOKE_IRQPRIO_ITLB_MISS = 11
BOOKE_IRQPRIO_MACHINE_CHECK = 12
BOOKE_IRQPRIO_DEBUG = 13
BOOKE_IRQPRIO_CRITICAL = 14
BOOKE_IRQPRIO_WATCHDOG = 15
BOOKE_IRQPRIO_EXTERNAL = 16
BOOKE_IRQPRIO_FIT = 17
BOOKE_IRQPRIO_DECREMENTER = 18
BOOKE_IRQPRIO_PERFORMANCE_MONITOR = 19
BOOKE_IRQPRIO_EXTERNAL_LEVEL = 20
BOOKE_IRQPRIO_DBELL = 21
BOOKE_IRQPRIO_DBELL_CRIT = 22

BOOKE_IRQMASK_EE = 0x003F0000
BOOKE_IRQMASK_CE = 0x0040C000

# vcpu request bits (exit 1.4)
KVM_REQ_TLB_FLUSH = 0
KVM_REQ_WATCHDOG = 8
KVM_REQ_EPR_EXIT = 9
KVM_REQ_PENDING_TIMER = 10

# enum int_class (exit 1.2)
INT_CLASS_NONCRIT = 0
INT_CLASS_CRIT = 1
INT_CLASS_MC = 2
INT_CLASS_DBG = 3

# Who answers an acknowledged external interrupt, and which controller is connected (exit 1.4)
KVMPPC_EPR_USER = 1
KVMPPC_EPR_KERNEL = 2
KVMPPC_IRQ_MPIC = 1

#: The number of KVM_INTERRUPT that is a level (exit 7.1).
KVM_INTERRUPT_SET_LEVEL = 0xFFFFFFFD

#: 64-bit mode as Book3S has it: never 1 on these cores, where it is MSR[CM]; 32-bit hosts have no such bit.
MSR_SF = 1 << 63

_WORD = (1 << 32) - 1


def kvm_requests(world: World, vcpu: int) -> int:
    """The requests that the kernel sees: an unsigned long."""
    return ulong(world.hw.params, world.vcpu[vcpu].requests)


def kvm_make_request(world: World, vcpu: int, request: int) -> None:
    """Raise a request."""
    world.vcpu[vcpu].requests |= 1 << request


def kvm_clear_request(world: World, vcpu: int, request: int) -> None:
    """Withdraw a request."""
    world.vcpu[vcpu].requests &= ~(1 << request)


def kvm_check_request(world: World, vcpu: int, request: int) -> bool:
    """Was there such a request? It is gone after this."""
    raised = bool(world.vcpu[vcpu].requests >> request & 1)
    kvm_clear_request(world, vcpu, request)
    return raised


def kvmppc_booke_queue_irqprio(world: World, vcpu: int, priority: int) -> None:
    """7.1: the trace shows what was pending before."""
    arch = world.vcpu[vcpu].arch
    trace_kvm_booke_queue_irqprio(world, vcpu, priority)
    if priority < world.hw.params.width:
        arch.pending_exceptions |= 1 << priority


def _dequeue(world: World, vcpu: int, priority: int) -> None:
    """7.1: no trace."""
    world.vcpu[vcpu].arch.pending_exceptions &= ~(1 << priority)


def _set_syndrome(world: World, vcpu: int, dear: int | None, esr: int) -> None:
    """7.1. Q5: one slot for all: a later exception overwrites the syndrome of an earlier one."""
    arch = world.vcpu[vcpu].arch
    if dear is not None:
        arch.queued_dear = ulong(world.hw.params, dear)
    arch.queued_esr = ulong(world.hw.params, esr)


def kvmppc_core_queue_dtlb_miss(world: World, vcpu: int, dear: int, esr: int) -> None:
    """The guest missed its own data TLB."""
    _set_syndrome(world, vcpu, dear, esr)
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_DTLB_MISS)


def kvmppc_core_queue_data_storage(world: World, vcpu: int, dear: int, esr: int) -> None:
    """The guest gets a data storage interrupt."""
    _set_syndrome(world, vcpu, dear, esr)
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_DATA_STORAGE)


def kvmppc_core_queue_itlb_miss(world: World, vcpu: int) -> None:
    """The guest missed its own instruction TLB; nothing but the bit tells it."""
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_ITLB_MISS)


def kvmppc_core_queue_inst_storage(world: World, vcpu: int, esr: int) -> None:
    """The guest gets an instruction storage interrupt."""
    _set_syndrome(world, vcpu, None, esr)
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_INST_STORAGE)


def kvmppc_core_queue_alignment(world: World, vcpu: int, dear: int, esr: int) -> None:
    """The guest gets an alignment interrupt."""
    _set_syndrome(world, vcpu, dear, esr)
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_ALIGNMENT)


def kvmppc_core_queue_program(world: World, vcpu: int, esr: int) -> None:
    """The guest gets a program interrupt."""
    _set_syndrome(world, vcpu, None, esr)
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_PROGRAM)


def kvmppc_core_queue_fpunavail(world: World, vcpu: int) -> None:
    """The guest used the FPU while its MSR has it off."""
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_FP_UNAVAIL)


def kvmppc_core_queue_vec_unavail(world: World, vcpu: int) -> None:
    """The guest used AltiVec while its MSR has it off."""
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_ALTIVEC_UNAVAIL)


def kvmppc_core_queue_dec(world: World, vcpu: int) -> None:
    """The guest's decrementer has passed zero."""
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_DECREMENTER)


def kvmppc_core_pending_dec(world: World, vcpu: int) -> int:
    """Is the decrementer pending?"""
    return world.vcpu[vcpu].arch.pending_exceptions >> BOOKE_IRQPRIO_DECREMENTER & 1


def kvmppc_core_dequeue_dec(world: World, vcpu: int) -> None:
    """The decrementer is no longer pending."""
    _dequeue(world, vcpu, BOOKE_IRQPRIO_DECREMENTER)


def kvmppc_core_queue_external(world: World, vcpu: int, irq: int) -> None:
    """KVM_INTERRUPT. Q33: every number but the level's is an edge."""
    level = irq == KVM_INTERRUPT_SET_LEVEL
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_EXTERNAL_LEVEL if level else BOOKE_IRQPRIO_EXTERNAL)


def kvmppc_core_dequeue_external(world: World, vcpu: int) -> None:
    """KVM_INTERRUPT_UNSET. Q33: edge and level."""
    _dequeue(world, vcpu, BOOKE_IRQPRIO_EXTERNAL)
    _dequeue(world, vcpu, BOOKE_IRQPRIO_EXTERNAL_LEVEL)


def kvmppc_core_queue_watchdog(world: World, vcpu: int) -> None:
    """The guest's watchdog wants attention."""
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_WATCHDOG)


def kvmppc_core_dequeue_watchdog(world: World, vcpu: int) -> None:
    """The watchdog is no longer pending."""
    _dequeue(world, vcpu, BOOKE_IRQPRIO_WATCHDOG)


def kvmppc_core_queue_debug(world: World, vcpu: int) -> None:
    """The guest gets a debug interrupt."""
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_DEBUG)


def kvmppc_core_dequeue_debug(world: World, vcpu: int) -> None:
    """The debug interrupt is no longer pending."""
    _dequeue(world, vcpu, BOOKE_IRQPRIO_DEBUG)


class Delivery(NamedTuple):
    """How one priority is delivered (exit 7.2 D4)."""

    gate: int  # the MSR bit that allows it, unless in a critical section; 0 = always allowed
    int_class: int  # where pc and MSR are saved
    kept: int  # MSR bits that survive
    esr: bool = False
    dear: bool = False
    keep: bool = False  # the pending bit stays


_CE_ME_DE = MSR_CE | MSR_ME | MSR_DE
_ALWAYS = Delivery(0, INT_CLASS_NONCRIT, _CE_ME_DE)
_ALWAYS_ESR = _ALWAYS._replace(esr=True)
_ALWAYS_ESR_DEAR = _ALWAYS._replace(esr=True, dear=True)
_EXTERNAL = Delivery(MSR_EE, INT_CLASS_NONCRIT, _CE_ME_DE)
_CRITICAL = Delivery(MSR_CE, INT_CLASS_CRIT, MSR_ME)

#: 7.2 D4, a row per priority; PERFORMANCE_MONITOR has none, so it would ring for ever (Q34).
DELIVERIES = {
    BOOKE_IRQPRIO_DATA_STORAGE: _ALWAYS_ESR_DEAR,
    BOOKE_IRQPRIO_INST_STORAGE: _ALWAYS_ESR,
    BOOKE_IRQPRIO_ALIGNMENT: _ALWAYS_ESR_DEAR,
    BOOKE_IRQPRIO_PROGRAM: _ALWAYS_ESR,
    BOOKE_IRQPRIO_FP_UNAVAIL: _ALWAYS,
    BOOKE_IRQPRIO_ALTIVEC_UNAVAIL: _ALWAYS,
    BOOKE_IRQPRIO_ALTIVEC_ASSIST: _ALWAYS,
    BOOKE_IRQPRIO_SYSCALL: _ALWAYS,
    BOOKE_IRQPRIO_AP_UNAVAIL: _ALWAYS,
    BOOKE_IRQPRIO_DTLB_MISS: _ALWAYS_ESR_DEAR,
    BOOKE_IRQPRIO_ITLB_MISS: _ALWAYS,
    BOOKE_IRQPRIO_MACHINE_CHECK: Delivery(MSR_ME, INT_CLASS_MC, 0),
    BOOKE_IRQPRIO_DEBUG: Delivery(MSR_DE, INT_CLASS_DBG, MSR_ME),
    BOOKE_IRQPRIO_CRITICAL: _CRITICAL,
    BOOKE_IRQPRIO_WATCHDOG: _CRITICAL,
    BOOKE_IRQPRIO_EXTERNAL: _EXTERNAL,
    BOOKE_IRQPRIO_FIT: _EXTERNAL._replace(keep=True),
    BOOKE_IRQPRIO_DECREMENTER: _EXTERNAL._replace(keep=True),
    BOOKE_IRQPRIO_DBELL: _EXTERNAL,
    BOOKE_IRQPRIO_DBELL_CRIT: _CRITICAL,
}

#: Rows that a kernel without AltiVec does not have.
ALTIVEC_PRIORITIES = (BOOKE_IRQPRIO_ALTIVEC_UNAVAIL, BOOKE_IRQPRIO_ALTIVEC_ASSIST)


def kvmppc_booke_irqprio_deliver(world: World, vcpu: int, priority: int) -> int:
    """7.2: deliver an interrupt if the guest lets it in; what stays pending rings a doorbell either way."""
    level = priority == BOOKE_IRQPRIO_EXTERNAL_LEVEL
    if level:
        priority = BOOKE_IRQPRIO_EXTERNAL
    row = _delivery(world, priority)
    allowed = row is not None and _allowed(world, vcpu, row)
    if row is not None and allowed:
        _deliver(world, vcpu, priority, row)
        if not (row.keep or level):
            _dequeue(world, vcpu, priority)
    _ring(world, vcpu)
    return int(allowed)


def _delivery(world: World, priority: int) -> Delivery | None:
    """D4: the row of a priority, if this kernel has one."""
    if priority in ALTIVEC_PRIORITIES and not has_altivec(world):
        return None
    return DELIVERIES.get(priority)


def _allowed(world: World, vcpu: int, row: Delivery) -> bool:
    """D4: the gate."""
    if row.gate == 0:
        return True
    return bool(world.vcpu[vcpu].arch.shared.msr & row.gate) and not _in_critical_section(world, vcpu)


def _in_critical_section(world: World, vcpu: int) -> bool:
    """D1. Q1: with shared.critical 0, a supervisor whose r1 ends in 32 zero bits is never interrupted."""
    arch = world.vcpu[vcpu].arch
    wide = world.hw.params.width == 64 and arch.shared.msr & MSR_SF
    mask = (1 << 64) - 1 if wide else _WORD
    return arch.shared.critical & mask == arch.regs.gpr[1] & mask and not arch.shared.msr & MSR_PR


def _deliver(world: World, vcpu: int, priority: int, row: Delivery) -> None:
    """D5, in its order; a BUG leaves the MSR and the pending bit as they were."""
    arch, thread = world.vcpu[vcpu].arch, world.vcpu_thread[vcpu]
    _save(world, vcpu, row.int_class)
    arch.regs.nip = ulong(world.hw.params, arch.ivpr | arch.ivor[priority])
    if row.esr:
        ppc_mtspr(world.hw, thread, SPR_GESR, arch.queued_esr)
    if row.dear:
        ppc_mtspr(world.hw, thread, SPR_GDEAR, arch.queued_dear)
    if priority == BOOKE_IRQPRIO_EXTERNAL:
        _update_epr(world, vcpu)
    new_msr = arch.shared.msr & row.kept
    if world.hw.params.width == 64 and arch.epcr & EPCR_ICM:
        new_msr |= MSR_CM
    kvmppc_set_msr(world, vcpu, new_msr)


#: D5.1: the save registers of the classes that KVM keeps itself; all cores here have a level for debug.
SAVE_REGISTERS = {
    INT_CLASS_CRIT: ("csrr0", "csrr1"),
    INT_CLASS_DBG: ("dsrr0", "dsrr1"),
    INT_CLASS_MC: ("mcsrr0", "mcsrr1"),
}


def _save(world: World, vcpu: int, int_class: int) -> None:
    """D5.1: pc and MSR, the latter cut to 32 bits."""
    arch, thread = world.vcpu[vcpu].arch, world.vcpu_thread[vcpu]
    pc, msr = arch.regs.nip, arch.shared.msr & _WORD
    if int_class == INT_CLASS_NONCRIT:
        ppc_mtspr(world.hw, thread, SPR_GSRR0, pc)
        ppc_mtspr(world.hw, thread, SPR_GSRR1, msr)
        return
    save0, save1 = SAVE_REGISTERS[int_class]
    setattr(arch, save0, pc)
    setattr(arch, save1, msr)


def _update_epr(world: World, vcpu: int) -> None:
    """D3, D5.5: user space is asked for the vector, or the kernel's controller, which does not exist here."""
    arch = world.vcpu[vcpu].arch
    if arch.epr_flags & KVMPPC_EPR_USER:
        kvm_make_request(world, vcpu, KVM_REQ_EPR_EXIT)
    elif arch.epr_flags & KVMPPC_EPR_KERNEL and arch.irq_type != KVMPPC_IRQ_MPIC:
        raise Bug(SITE_EPR_KERNEL)


def _ring(world: World, vcpu: int) -> None:
    """D6. Q3: the number of MACHINE_CHECK stands for its bit, so ALIGNMENT and PROGRAM ring instead."""
    arch = world.vcpu[vcpu].arch
    for mask, int_class in (
        (BOOKE_IRQMASK_EE, INT_CLASS_NONCRIT),
        (BOOKE_IRQMASK_CE, INT_CLASS_CRIT),
        (BOOKE_IRQPRIO_MACHINE_CHECK, INT_CLASS_MC),
    ):
        if arch.pending_exceptions & mask:
            kvmppc_set_pending_interrupt(world, vcpu, int_class)


#: 7.4: the message that announces a class; there is none for debug, and nobody asks for one.
DOORBELLS = {
    INT_CLASS_NONCRIT: MSG_GDBELL,
    INT_CLASS_CRIT: MSG_GDBELL_CRIT,
    INT_CLASS_MC: MSG_GDBELL_MC,
}


def kvmppc_set_pending_interrupt(world: World, vcpu: int, int_class: int) -> None:
    """7.4: a guest doorbell to this vcpu, taken when it has that class enabled."""
    tag = kvmppc_get_lpid(world, vcpu) << MSG_LPID_SHIFT | world.vcpu[vcpu].vcpu_id
    message = DOORBELLS[int_class] << MSG_TYPE_SHIFT | tag & MSG_TAG_MASK
    ppc_msgsnd(world.hw, world.vcpu_thread[vcpu], message)


def kvmppc_set_msr(world: World, vcpu: int, value: int) -> None:
    """7.3: the guest's MSR: 32 bits, always in guest state, DE held while user space debugs."""
    state = world.vcpu[vcpu]
    state.arch.shared.msr = value & _WORD | MSR_GS
    if state.guest_debug:
        state.arch.shared.msr |= MSR_DE


def kvmppc_core_check_exceptions(world: World, vcpu: int) -> None:
    """7.5: deliver the first pending interrupt that is allowed; every blocked one before it has rung."""
    arch = world.vcpu[vcpu].arch
    for priority in range(BOOKE_IRQPRIO_MAX):
        if arch.pending_exceptions >> priority & 1 and kvmppc_booke_irqprio_deliver(world, vcpu, priority):
            break
    arch.shared.int_pending = int(arch.pending_exceptions != 0)
