# SPDX-License-Identifier: BSD-3-Clause
"""kvm/lowlevel: the assembly between the guest and kvmppc_handle_exit: save, resume (exit 11.2-11.5).

Covers bookehv_interrupts.S, and KVM_RUN's two halves around a guest that runs outside (exit 7.8). Registers
move between the hardware thread and the vcpu; docs/choices.md says which moves are counted. The host's own
general registers, stack, LR and CR are not modelled: in the host the thread keeps what the guest left.
"""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.events import DONE
from pyexit.ref.hw.core import (
    OP_ISYNC,
    Params,
    count,
    ea_of,
    ppc_mfspr,
    ppc_mtspr,
    ulong,
)
from pyexit.ref.hw.interrupt import ROWS
from pyexit.ref.hw.regs import (
    EPCR_DMIUH,
    EPCR_ICM,
    IVOR_ALIGNMENT,
    IVOR_ALTIVEC_ASSIST,
    IVOR_ALTIVEC_UNAVAIL,
    IVOR_AP_UNAVAIL,
    IVOR_CRITICAL,
    IVOR_DATA_STORAGE,
    IVOR_DBELL,
    IVOR_DBELL_CRIT,
    IVOR_DEBUG,
    IVOR_DECREMENTER,
    IVOR_DTLB_MISS,
    IVOR_EXTERNAL,
    IVOR_FIT,
    IVOR_FP_UNAVAIL,
    IVOR_GDBELL,
    IVOR_GDBELL_CRIT,
    IVOR_HV_PRIV,
    IVOR_HV_SYSCALL,
    IVOR_INST_STORAGE,
    IVOR_ITLB_MISS,
    IVOR_LRAT_ERROR,
    IVOR_MACHINE_CHECK,
    IVOR_PERFORMANCE_MONITOR,
    IVOR_PROGRAM,
    IVOR_SYSCALL,
    IVOR_WATCHDOG,
    MSR_CE,
    MSR_CM,
    MSR_ME,
    SPR_CSRR0,
    SPR_CSRR1,
    SPR_DEAR,
    SPR_DSRR0,
    SPR_DSRR1,
    SPR_EPCR,
    SPR_ESR,
    SPR_GSRR0,
    SPR_GSRR1,
    SPR_MAS0,
    SPR_MAS1,
    SPR_MAS2,
    SPR_MAS3,
    SPR_MAS4,
    SPR_MAS6,
    SPR_MAS7,
    SPR_MCSRR0,
    SPR_MCSRR1,
    SPR_PID,
    SPR_SPRG0,
    SPR_SPRG9,
    SPR_SRR0,
    SPR_SRR1,
    SPR_TABLE,
    SPR_VRSAVE,
)
from pyexit.ref.kvm.entry import (
    IN_GUEST_MODE,
    RESUME_FLAG_HOST,
    RESUME_FLAG_NV,
    ioctl_vcpu_load,
    ioctl_vcpu_put,
    kvmppc_vcpu_run_begin,
    kvmppc_vcpu_run_end,
)
from pyexit.ref.kvm.entry_fetch import kvmppc_entry_fetch
from pyexit.ref.kvm.exit import kvmppc_handle_exit
from pyexit.ref.kvm.host_services import (
    KVM_EINTR,
    SITE_ENTRY_FETCH,
    Oops,
    enter_guest,
    get_tb,
    set_irqs,
)
from pyexit.ref.kvm.last_inst import FETCH_LWEPX_DO_KVM, FETCH_LWEPX_HIJACK
from pyexit.ref.kvm.mmio import kvm_run_complete
from pyexit.ref.kvm.vcpu import World

#: Recoverable interrupt (exit 1.5).
MSR_RI = 0x00000002

# What a handler saves besides the registers that all save (exit 11.2)
_NEED_EMU = 1  # r15-r31, and the instruction is fetched
_NEED_DEAR = 2
_NEED_ESR = 4

# Where a vcpu goes on (pyexit.h)
WHERE_GUEST = 0  # the hardware thread holds the guest
WHERE_HOST = 1  # KVM_RUN has returned

_WORD = (1 << 32) - 1
_VOLATILE = slice(0, 15)  # r0-r14, always saved
_NON_VOLATILE = slice(15, 32)  # r15-r31, in the thread's registers while C runs
_R14 = 14


class Handler(NamedTuple):
    """A hooked vector: where it finds the guest's pc and MSR, what it needs, on which kernels it exists."""

    save0: int
    save1: int
    flags: int = 0
    widths: tuple[int, ...] = (32, 64)


_GENERAL = Handler(SPR_SRR0, SPR_SRR1)
_CRITICAL = Handler(SPR_CSRR0, SPR_CSRR1)
_64 = (64,)

#: 11.2, a row per exit number. The cores here save a DEBUG interrupt in DSRR0/1, so its handler for CSRR0/1
#: is never used. Q12: a guest doorbell has overwritten the guest's own GSRR0/1, which nobody restores.
HANDLERS = {
    IVOR_CRITICAL: _CRITICAL,
    IVOR_MACHINE_CHECK: Handler(SPR_MCSRR0, SPR_MCSRR1),
    IVOR_DATA_STORAGE: _GENERAL._replace(flags=_NEED_EMU | _NEED_DEAR | _NEED_ESR),
    IVOR_INST_STORAGE: _GENERAL._replace(flags=_NEED_ESR),
    IVOR_EXTERNAL: _GENERAL,
    IVOR_ALIGNMENT: _GENERAL._replace(flags=_NEED_DEAR | _NEED_ESR),
    IVOR_PROGRAM: _GENERAL._replace(flags=_NEED_EMU | _NEED_ESR),
    IVOR_FP_UNAVAIL: _GENERAL,
    IVOR_SYSCALL: _GENERAL._replace(widths=(32,)),
    IVOR_AP_UNAVAIL: _GENERAL,
    IVOR_DECREMENTER: _GENERAL,
    IVOR_FIT: _GENERAL,
    IVOR_WATCHDOG: _CRITICAL,
    IVOR_DTLB_MISS: _GENERAL._replace(flags=_NEED_EMU | _NEED_DEAR | _NEED_ESR),
    IVOR_ITLB_MISS: _GENERAL,
    IVOR_DEBUG: Handler(SPR_DSRR0, SPR_DSRR1),
    IVOR_ALTIVEC_UNAVAIL: _GENERAL._replace(widths=_64),
    IVOR_ALTIVEC_ASSIST: _GENERAL._replace(widths=_64),
    IVOR_PERFORMANCE_MONITOR: _GENERAL,
    IVOR_DBELL: _GENERAL,
    IVOR_DBELL_CRIT: _CRITICAL,
    IVOR_GDBELL: Handler(SPR_GSRR0, SPR_GSRR1),
    IVOR_GDBELL_CRIT: _CRITICAL,
    IVOR_HV_SYSCALL: _GENERAL,
    IVOR_HV_PRIV: _GENERAL._replace(flags=_NEED_EMU),
    IVOR_LRAT_ERROR: _GENERAL._replace(flags=_NEED_EMU | _NEED_DEAR | _NEED_ESR, widths=_64),
}

#: E5: bits that a handler does not set in the host's MSR, by its save register: it masks them itself.
_MASKED = {SPR_CSRR1: MSR_CE, SPR_MCSRR1: MSR_CE | MSR_ME | MSR_RI}


def kvmppc_handler(params: Params, exit_nr: int) -> Handler | None:
    """The hooked vector of an exit, if this kernel has one."""
    handler = HANDLERS.get(exit_nr)
    return handler if handler and params.width in handler.widths else None


def _mfspr(world: World, vcpu: int, spr: int) -> int:
    return ppc_mfspr(world.hw, world.vcpu_thread[vcpu], spr)[1]


def _mtspr(world: World, vcpu: int, spr: int, value: int) -> None:
    ppc_mtspr(world.hw, world.vcpu_thread[vcpu], spr, value)


def _isync(world: World, vcpu: int) -> None:
    count(world.hw, world.vcpu_thread[vcpu], OP_ISYNC)


def _cut(world: World, values: list[int]) -> list[int]:
    """Registers, cut to their width."""
    return [ulong(world.hw.params, value) for value in values]


def _stored(world: World, old: int, new: int) -> int:
    """Q39: a 32-bit kernel stores the low word only; the high one keeps old data."""
    return new if world.hw.params.width == 64 else old & ~_WORD | new & _WORD


# From the guest (exit 11.3)


def kvmppc_handler_common(world: World, vcpu: int, handler: Handler) -> None:
    """E1 to E9: the state that kvmppc_handle_exit finds."""
    msr = _save_guest(world, vcpu, handler)
    _fix_host_msr(world, vcpu, handler, msr)
    if world.fetch in _SURVIVING_FETCHES:
        _save_syndrome(world, vcpu, handler)
    if handler.flags & _NEED_EMU:
        _save_for_emulation(world, vcpu)
    if world.fetch not in _SURVIVING_FETCHES:
        _save_syndrome(world, vcpu, handler)
    kvmppc_resume_host(world, vcpu)


def _save_guest(world: World, vcpu: int, handler: Handler) -> int:
    """E1 to E4: what every exit saves; the guest's MSR."""
    thread, arch = world.hw.thread[world.vcpu_thread[vcpu]], world.vcpu[vcpu].arch
    arch.regs.ccr = thread.cr & _WORD
    arch.regs.gpr[_VOLATILE] = _cut(world, thread.gpr[_VOLATILE])
    arch.regs.ctr = ulong(world.hw.params, thread.ctr)
    pc = _mfspr(world, vcpu, handler.save0)
    msr = _mfspr(world, vcpu, handler.save1)
    arch.pid = _mfspr(world, vcpu, SPR_PID) & _WORD
    _mtspr(world, vcpu, SPR_PID, arch.host_pid)
    arch.timing_exit = get_tb(world, vcpu)
    arch.shared.msr = _stored(world, arch.shared.msr, msr)
    arch.regs.nip = pc
    return msr


def _fix_host_msr(world: World, vcpu: int, handler: Handler, msr: int) -> None:
    """E5: the host runs with CE, ME and RI, unless the vector's own kind of interrupt must stay off."""
    wanted = MSR_CE | MSR_ME | MSR_RI
    if msr & wanted != wanted:
        world.hw.thread[world.vcpu_thread[vcpu]].msr |= wanted & ~_MASKED.get(handler.save1, 0)


#: Fetches whose faults are survived: they would destroy the guest's syndrome, which is saved before (11.7).
_SURVIVING_FETCHES = (FETCH_LWEPX_DO_KVM, FETCH_LWEPX_HIJACK)


def _save_syndrome(world: World, vcpu: int, handler: Handler) -> None:
    """E7, E8: the hypervisor's copies, not the guest's GESR and GDEAR."""
    arch = world.vcpu[vcpu].arch
    if handler.flags & _NEED_ESR:
        arch.fault_esr = _mfspr(world, vcpu, SPR_ESR)
    if handler.flags & _NEED_DEAR:
        arch.fault_dear = _mfspr(world, vcpu, SPR_DEAR)


def _save_for_emulation(world: World, vcpu: int) -> None:
    """E6."""
    thread, arch = world.hw.thread[world.vcpu_thread[vcpu]], world.vcpu[vcpu].arch
    arch.regs.gpr[_NON_VOLATILE] = _cut(world, thread.gpr[_NON_VOLATILE])
    if kvmppc_entry_fetch(world, vcpu).outcome != DONE:
        raise Oops(SITE_ENTRY_FETCH)


_SHARED_SPRGS = tuple((SPR_SPRG0 + n, f"sprg{n}") for n in range(4, 8))


def kvmppc_resume_host(world: World, vcpu: int) -> None:
    """E9: the rest of the guest's state; the host's MAS defaults; MAS updates as the host wants them."""
    thread, arch = world.hw.thread[world.vcpu_thread[vcpu]], world.vcpu[vcpu].arch
    shared = arch.shared
    arch.regs.link, arch.regs.xer = ulong(world.hw.params, thread.lr), ulong(world.hw.params, thread.xer)
    arch.vrsave = _mfspr(world, vcpu, SPR_VRSAVE) & _WORD
    for spr, name in _SHARED_SPRGS:
        setattr(shared, name, _stored(world, getattr(shared, name), _mfspr(world, vcpu, spr)))
    arch.sprg9 = _stored(world, arch.sprg9, _mfspr(world, vcpu, SPR_SPRG9))
    _save_mas(world, vcpu)
    _mtspr(world, vcpu, SPR_MAS4, arch.host_mas4)
    _mtspr(world, vcpu, SPR_MAS6, arch.host_mas6)
    _mtspr(world, vcpu, SPR_EPCR, _mfspr(world, vcpu, SPR_EPCR) & ~EPCR_DMIUH)
    _isync(world, vcpu)
    set_irqs(world, vcpu, False)


def _save_mas(world: World, vcpu: int) -> None:
    shared = world.vcpu[vcpu].arch.shared
    shared.mas0 = _mfspr(world, vcpu, SPR_MAS0) & _WORD
    shared.mas1 = _mfspr(world, vcpu, SPR_MAS1) & _WORD
    shared.mas2 = _stored(world, shared.mas2, _mfspr(world, vcpu, SPR_MAS2))
    mas3 = _mfspr(world, vcpu, SPR_MAS3) & _WORD
    shared.mas4 = _mfspr(world, vcpu, SPR_MAS4) & _WORD
    shared.mas6 = _mfspr(world, vcpu, SPR_MAS6) & _WORD
    shared.mas7_3 = (_mfspr(world, vcpu, SPR_MAS7) & _WORD) << 32 | mas3


# After kvmppc_handle_exit (exit 11.4)


def kvmppc_reload_gprs(world: World, vcpu: int, non_volatile: bool) -> None:
    """X1, X2. Q42: what C wrote to r15-r31 reaches the guest only with flag NV; r14 always does."""
    thread, gpr = world.hw.thread[world.vcpu_thread[vcpu]], _cut(world, world.vcpu[vcpu].arch.regs.gpr)
    thread.gpr[_R14] = gpr[_R14]
    if non_volatile:
        thread.gpr[_NON_VOLATILE] = gpr[_NON_VOLATILE]


def heavyweight_exit(world: World, vcpu: int) -> None:
    """X4: r15-r31 as they are live; without flag NV C's writes to them are lost (Q42)."""
    thread, arch = world.hw.thread[world.vcpu_thread[vcpu]], world.vcpu[vcpu].arch
    arch.regs.gpr[_NON_VOLATILE] = _cut(world, thread.gpr[_NON_VOLATILE])


# Into the guest (exit 11.4, 11.5)


def __kvmppc_vcpu_run(world: World, vcpu: int) -> None:
    """11.4: the way in from C."""
    kvmppc_reload_gprs(world, vcpu, non_volatile=True)
    lightweight_exit(world, vcpu)


def lightweight_exit(world: World, vcpu: int) -> None:
    """11.5: the guest's registers into the thread, which then runs it."""
    hw, arch = world.hw, world.vcpu[vcpu].arch
    thread = hw.thread[world.vcpu_thread[vcpu]]
    arch.host_pid = _mfspr(world, vcpu, SPR_PID) & _WORD
    _mtspr(world, vcpu, SPR_PID, arch.pid)
    _mtspr(world, vcpu, SPR_EPCR, _mfspr(world, vcpu, SPR_EPCR) | EPCR_DMIUH)
    _isync(world, vcpu)
    arch.host_mas4 = _mfspr(world, vcpu, SPR_MAS4) & _WORD
    arch.host_mas6 = _mfspr(world, vcpu, SPR_MAS6) & _WORD
    for spr, value in _guest_registers(world, vcpu):
        _mtspr(world, vcpu, spr, value)
    thread.lr, thread.xer, thread.ctr = _cut(world, [arch.regs.link, arch.regs.xer, arch.regs.ctr])
    thread.gpr[_VOLATILE] = _cut(world, arch.regs.gpr[_VOLATILE])
    arch.timing_last_enter = get_tb(world, vcpu)
    thread.cr = arch.regs.ccr & _WORD
    _rfi(world, vcpu)


def _guest_registers(world: World, vcpu: int) -> tuple[tuple[int, int], ...]:
    """11.5, in its order. Q39: a 32-bit kernel loads the low word of wide fields; ppc_mtspr cuts them."""
    arch = world.vcpu[vcpu].arch
    shared = arch.shared
    return (
        (SPR_MAS0, shared.mas0),
        (SPR_MAS1, shared.mas1),
        (SPR_MAS2, shared.mas2),
        (SPR_MAS3, shared.mas7_3 & _WORD),
        (SPR_MAS4, shared.mas4),
        (SPR_MAS6, shared.mas6),
        (SPR_MAS7, shared.mas7_3 >> 32),
        (SPR_VRSAVE, arch.vrsave),
        *((spr, getattr(shared, name)) for spr, name in _SHARED_SPRGS),
        (SPR_SPRG9, arch.sprg9),
        (SPR_SRR0, arch.regs.nip),
        (SPR_SRR1, shared.msr),
    )


def _rfi(world: World, vcpu: int) -> None:
    """The hypervisor's rfi: MSR and pc from SRR1 and SRR0."""
    hw, number = world.hw, world.vcpu_thread[vcpu]
    spr, thread = hw.spr[number], hw.thread[number]
    thread.msr = ulong(hw.params, spr.SRR1)
    thread.pc = ea_of(hw, number, spr.SRR0 & ~3)


# KVM_RUN around a guest that runs outside (exit 7.8)


class ExitRecord(NamedTuple):
    """struct pyexit_exit_record: one exit of a batch."""

    vcpu: int
    exit_nr: int
    pc: int
    msr: int
    dear: int
    esr: int


class Way(NamedTuple):
    """Where a vcpu goes on, and with the host what KVM_RUN returns."""

    where: int
    ret: int = 0


def kvmppc_thread_busy(world: World, vcpu: int) -> bool:
    """Is a vcpu of this one's thread in the guest: between an entry and the exit that leads to the host?"""
    thread = world.vcpu_thread[vcpu]
    return any(
        state.mode == IN_GUEST_MODE and world.vcpu_thread[other] == thread
        for other, state in enumerate(world.vcpu)
    )


def kvmppc_set_exit(world: World, handler: Handler, record: ExitRecord) -> None:
    """The thread as the processor leaves it at the vector of an exit."""
    hw, number = world.hw, world.vcpu_thread[record.vcpu]
    spr, thread = hw.spr[number], hw.thread[number]
    setattr(spr, SPR_TABLE[handler.save0].field, ulong(hw.params, record.pc))
    setattr(spr, SPR_TABLE[handler.save1].field, ulong(hw.params, record.msr))
    spr.ESR, spr.DEAR = record.esr, ulong(hw.params, record.dear)
    mode = MSR_CM if hw.params.width == 64 and spr.EPCR & EPCR_ICM else 0
    thread.msr = record.msr & ROWS[record.exit_nr].kept | mode
    thread.pc = ulong(hw.params, spr.IVPR | spr.IVOR[record.exit_nr])


def kvmppc_enter(world: World, vcpu: int) -> Way:
    """KVM_RUN up to the guest."""
    state = world.vcpu[vcpu]
    state.wants_to_run = int(not world.run[vcpu].immediate_exit)
    ioctl_vcpu_load(world, vcpu)
    if not kvm_run_complete(world, vcpu):
        return _leave(world, vcpu, 0)
    if not state.wants_to_run:
        return _leave(world, vcpu, -KVM_EINTR)
    ret = kvmppc_vcpu_run_begin(world, vcpu)
    if ret <= 0:
        return _leave(world, vcpu, ret)
    enter_guest(world, vcpu)
    __kvmppc_vcpu_run(world, vcpu)
    return Way(WHERE_GUEST)


def kvmppc_exit(world: World, vcpu: int, exit_nr: int, handler: Handler) -> Way:
    """An exit, and the way back into the guest or out of KVM_RUN."""
    kvmppc_handler_common(world, vcpu, handler)
    r = kvmppc_handle_exit(world, vcpu, exit_nr)
    kvmppc_reload_gprs(world, vcpu, bool(r & RESUME_FLAG_NV))
    if not r & RESUME_FLAG_HOST:
        lightweight_exit(world, vcpu)
        return Way(WHERE_GUEST)
    heavyweight_exit(world, vcpu)
    kvmppc_vcpu_run_end(world, vcpu)
    return _leave(world, vcpu, r >> 2)


def _leave(world: World, vcpu: int, ret: int) -> Way:
    """The end of KVM_RUN."""
    ioctl_vcpu_put(world, vcpu)
    return Way(WHERE_HOST, ret)
