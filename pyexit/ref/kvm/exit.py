# SPDX-License-Identifier: BSD-3-Clause
"""kvm/exit: the exit handler: its ordered steps, and a row per exit number (exit 3 to 6; covers booke.c)."""

from __future__ import annotations

from collections.abc import Callable

from pyexit.ref.hw.core import ppc_mfspr
from pyexit.ref.hw.memory import PAGE_SIZE
from pyexit.ref.hw.regs import (
    ESR_PIL,
    ESR_PPR,
    IVOR_ALIGNMENT,
    IVOR_ALTIVEC_ASSIST,
    IVOR_ALTIVEC_UNAVAIL,
    IVOR_CRITICAL,
    IVOR_DATA_STORAGE,
    IVOR_DBELL,
    IVOR_DEBUG,
    IVOR_DECREMENTER,
    IVOR_DTLB_MISS,
    IVOR_EXTERNAL,
    IVOR_FP_UNAVAIL,
    IVOR_GDBELL,
    IVOR_GDBELL_CRIT,
    IVOR_HV_PRIV,
    IVOR_HV_SYSCALL,
    IVOR_INST_STORAGE,
    IVOR_ITLB_MISS,
    IVOR_MACHINE_CHECK,
    IVOR_PERFORMANCE_MONITOR,
    IVOR_PROGRAM,
    IVOR_WATCHDOG,
    MSR_GS,
    MSR_PR,
    SPR_DBSR,
    SPR_MCSR,
)
from pyexit.ref.kvm.debug import (
    KVM_GUESTDBG_USE_SW_BP,
    KVMPPC_INST_SW_BREAKPOINT,
    kvmppc_handle_debug,
)
from pyexit.ref.kvm.emulate import kvmppc_emulate_instruction
from pyexit.ref.kvm.entry import (
    RESUME_FLAG_HOST,
    RESUME_FLAG_NV,
    RESUME_GUEST,
    RESUME_GUEST_NV,
    RESUME_HOST,
    kvmppc_clear_dbsr,
    kvmppc_prepare_to_enter,
)
from pyexit.ref.kvm.gtlb import (
    NO_INDEX,
    kvmppc_mmu_dtlb_index,
    kvmppc_mmu_dtlb_miss,
    kvmppc_mmu_itlb_index,
    kvmppc_mmu_itlb_miss,
    kvmppc_mmu_xlate,
)
from pyexit.ref.kvm.hcall import kvmppc_kvm_pv
from pyexit.ref.kvm.host_services import (
    SITE_EXIT_NR,
    SITE_INST_LOAD,
    Bug,
    has_altivec,
    host_handler,
    kvmppc_fix_ee_before_entry,
    kvmppc_load_guest_altivec,
    kvmppc_load_guest_fp,
    set_irqs,
)
from pyexit.ref.kvm.irqprio import (
    BOOKE_IRQPRIO_ALTIVEC_ASSIST,
    BOOKE_IRQPRIO_MACHINE_CHECK,
    kvmppc_booke_queue_irqprio,
    kvmppc_core_queue_alignment,
    kvmppc_core_queue_data_storage,
    kvmppc_core_queue_dtlb_miss,
    kvmppc_core_queue_fpunavail,
    kvmppc_core_queue_inst_storage,
    kvmppc_core_queue_itlb_miss,
    kvmppc_core_queue_program,
    kvmppc_core_queue_vec_unavail,
)
from pyexit.ref.kvm.kvm_run import KVM_EXIT_DEBUG, KVM_EXIT_UNKNOWN, set_hardware_exit_reason
from pyexit.ref.kvm.last_inst import INST_GENERIC, Fetch, kvmppc_get_last_inst
from pyexit.ref.kvm.loadstore import kvmppc_emulate_mmio
from pyexit.ref.kvm.memslot import kvm_is_visible_gfn
from pyexit.ref.kvm.stlb import kvmppc_mmu_map
from pyexit.ref.kvm.timing import (
    DBELL_EXITS,
    DEBUG_EXITS,
    DEC_EXITS,
    DSI_EXITS,
    DTLB_REAL_MISS_EXITS,
    DTLB_VIRT_MISS_EXITS,
    EMULATED_INST_EXITS,
    EXT_INTR_EXITS,
    FP_UNAVAIL,
    GDBELL_EXITS,
    ISI_EXITS,
    ITLB_REAL_MISS_EXITS,
    ITLB_VIRT_MISS_EXITS,
    MMIO_EXITS,
    USR_PR_INST,
    kvmppc_account_exit,
    kvmppc_account_exit_stat,
    kvmppc_update_timing_stats,
)
from pyexit.ref.kvm.trace import (
    HOST_DO_IRQ,
    HOST_DOORBELL_EXCEPTION,
    HOST_PERFORMANCE_MONITOR_EXCEPTION,
    HOST_TIMER_INTERRUPT,
    HOST_UNKNOWN_EXCEPTION,
    MSG_DUMP_EXCEPTIONS,
    MSG_DUMP_GPR,
    MSG_DUMP_LR,
    MSG_DUMP_PC,
    MSG_DUMP_SRR,
    MSG_EMULATION_FAILED,
    MSG_EXIT_NR,
    MSG_MACHINE_CHECK,
    printk,
    trace_kvm_exit,
)
from pyexit.ref.kvm.vcpu import EMULATE_AGAIN, EMULATE_DONE, EMULATE_FAIL, KVM_INST_FETCH_FAILED, World

# Which exit handler (exit 3.2)
HANDLER_MERGED = 0
HANDLER_SEED_V4 = 1

# High words of hardware_exit_reason (Q18)
KVM_EXIT_INST_FAILED = 0xFFFFFFFF_00000000
KVM_EXIT_MACHINE_CHECK = 0xFFFFFFFE_00000000

_WORD = (1 << 32) - 1


def kvmppc_handle_exit(world: World, vcpu: int, exit_nr: int) -> int:
    """3.1: what to do next (RESUME_*, or an error composed with it)."""
    kvmppc_update_timing_stats(world, vcpu)
    kvmppc_restart_interrupt(world, vcpu, exit_nr)
    fetch = _early_fetch(world, vcpu, exit_nr)
    _leave_guest_context(world, vcpu, exit_nr)
    world.run[vcpu].exit_reason = KVM_EXIT_UNKNOWN
    world.run[vcpu].ready_for_interrupt_injection = 1
    if fetch.ret == EMULATE_DONE:
        r = _handle(world, vcpu, exit_nr, fetch.instr)
    else:
        r = kvmppc_resume_inst_load(world, vcpu, fetch)
    return r if r & RESUME_FLAG_HOST else _resume_guest(world, vcpu, r)


def _leave_guest_context(world: World, vcpu: int, exit_nr: int) -> None:
    """H4 to H6; in v4 interrupts are on before the trace event."""
    if world.handler == HANDLER_SEED_V4:
        set_irqs(world, vcpu, True)
        trace_kvm_exit(world, vcpu, exit_nr)
    else:
        trace_kvm_exit(world, vcpu, exit_nr)
        set_irqs(world, vcpu, True)


def _resume_guest(world: World, vcpu: int, r: int) -> int:
    """H10: back into the guest if nothing stands against it; signals are seen only here."""
    s = kvmppc_prepare_to_enter(world, vcpu)
    if s <= 0:
        return s << 2 | RESUME_FLAG_HOST | r & RESUME_FLAG_NV
    kvmppc_fix_ee_before_entry(world, vcpu)
    kvmppc_load_guest_fp(world, vcpu)
    kvmppc_load_guest_altivec(world, vcpu)
    return r


# H2: interrupts that belong to the host (exit 6)


#: The host's own handlers; without CONFIG_BOOKE_WDT the watchdog has none. FIT and the guest's doorbells need
#: none, MACHINE_CHECK would.
RESTARTED = {
    IVOR_EXTERNAL: HOST_DO_IRQ,
    IVOR_DECREMENTER: HOST_TIMER_INTERRUPT,
    IVOR_DBELL: HOST_DOORBELL_EXCEPTION,
    IVOR_PERFORMANCE_MONITOR: HOST_PERFORMANCE_MONITOR_EXCEPTION,
    IVOR_WATCHDOG: HOST_UNKNOWN_EXCEPTION,
    IVOR_CRITICAL: HOST_UNKNOWN_EXCEPTION,
}


def kvmppc_restart_interrupt(world: World, vcpu: int, exit_nr: int) -> None:
    """6. Q40: DBSR is read twice, and what the second read shows is cleared."""
    if exit_nr in RESTARTED:
        host_handler(world, RESTARTED[exit_nr])
    elif exit_nr == IVOR_DEBUG:
        world.vcpu[vcpu].arch.dbsr = _mfspr(world, vcpu, SPR_DBSR) & _WORD
        kvmppc_clear_dbsr(world, vcpu)


def _mfspr(world: World, vcpu: int, spr: int) -> int:
    return ppc_mfspr(world.hw, world.vcpu_thread[vcpu], spr)[1]


# H3, H8: the early instruction fetch (exit 3.1, 4.3)


#: Exits that always fetch.
FETCHING = (IVOR_DATA_STORAGE, IVOR_DTLB_MISS, IVOR_HV_PRIV)


def _early_fetch(world: World, vcpu: int, exit_nr: int) -> Fetch:
    """H3: the instruction, where the handler needs it."""
    wanted = exit_nr in FETCHING or (
        exit_nr == IVOR_PROGRAM
        and world.handler == HANDLER_MERGED
        and bool(world.vcpu[vcpu].guest_debug & KVM_GUESTDBG_USE_SW_BP)
    )
    if not wanted:
        return Fetch(EMULATE_DONE, KVM_INST_FETCH_FAILED)
    return kvmppc_get_last_inst(world, vcpu, INST_GENERIC)


def kvmppc_resume_inst_load(world: World, vcpu: int, fetch: Fetch) -> int:
    """4.3. Q20: on AGAIN the exit is dropped and the guest tries again; only the v4 fetch says FAIL."""
    if fetch.ret == EMULATE_AGAIN:
        return RESUME_GUEST
    if fetch.ret != EMULATE_FAIL:
        raise Bug(SITE_INST_LOAD)
    instr = KVM_INST_FETCH_FAILED if fetch.instr is None else fetch.instr
    set_hardware_exit_reason(world.run[vcpu], KVM_EXIT_INST_FAILED | instr)
    kvmppc_core_queue_program(world, vcpu, ESR_PIL)
    return RESUME_HOST


# H9: the big switch (exit 3.3)


def _handle(world: World, vcpu: int, exit_nr: int, instr: int | None) -> int:
    """3.3. Q23: exits without a row are the end of the host, though some have an entry vector."""
    if exit_nr == IVOR_PROGRAM:
        return _program(world, vcpu, instr)
    if exit_nr in NOTHING_BUT_ACCOUNTED:
        return _account(world, vcpu, NOTHING_BUT_ACCOUNTED[exit_nr])
    handler = EXITS.get(exit_nr)
    if handler is None or (exit_nr in ALTIVEC_EXITS and not has_altivec(world)):
        printk(world, MSG_EXIT_NR, exit_nr)
        raise Bug(SITE_EXIT_NR)
    return handler(world, vcpu)


def _account(world: World, vcpu: int, account: int | None) -> int:
    """Back to the guest, accounted."""
    if account is not None:
        kvmppc_account_exit(world, vcpu, account)
    return RESUME_GUEST


def _machine_check(world: World, vcpu: int) -> int:
    """Exit 1: a host matter, reported to user space; MCSR stays and the guest hears nothing."""
    printk(world, MSG_MACHINE_CHECK, _mfspr(world, vcpu, SPR_MCSR))
    kvmppc_dump_vcpu(world, vcpu)
    mcsr = _mfspr(world, vcpu, SPR_MCSR)
    set_hardware_exit_reason(world.run[vcpu], KVM_EXIT_MACHINE_CHECK | mcsr)
    return RESUME_HOST


def kvmppc_dump_vcpu(world: World, vcpu: int) -> None:
    """3.4. Q9: SRR0 and SRR1 are the shared page's, old while the vcpu is loaded."""
    arch = world.vcpu[vcpu].arch
    printk(world, MSG_DUMP_PC, arch.regs.nip, arch.shared.msr)
    printk(world, MSG_DUMP_LR, arch.regs.link, arch.regs.ctr)
    printk(world, MSG_DUMP_SRR, arch.shared.srr0, arch.shared.srr1)
    printk(world, MSG_DUMP_EXCEPTIONS, arch.pending_exceptions)
    for first in range(0, 32, 4):
        printk(world, MSG_DUMP_GPR, first, *arch.regs.gpr[first : first + 4])


def _data_storage(world: World, vcpu: int) -> int:
    """Exit 2."""
    arch = world.vcpu[vcpu].arch
    kvmppc_core_queue_data_storage(world, vcpu, arch.fault_dear, arch.fault_esr)
    return _account(world, vcpu, DSI_EXITS)


def _inst_storage(world: World, vcpu: int) -> int:
    """Exit 3."""
    kvmppc_core_queue_inst_storage(world, vcpu, world.vcpu[vcpu].arch.fault_esr)
    return _account(world, vcpu, ISI_EXITS)


def _alignment(world: World, vcpu: int) -> int:
    """Exit 5: not accounted."""
    arch = world.vcpu[vcpu].arch
    kvmppc_core_queue_alignment(world, vcpu, arch.fault_dear, arch.fault_esr)
    return RESUME_GUEST


def _program(world: World, vcpu: int, instr: int | None) -> int:
    """Exit 6: user space's software breakpoint, else the guest's own business. Q15: with an old arch.dbsr."""
    state = world.vcpu[vcpu]
    if state.guest_debug & KVM_GUESTDBG_USE_SW_BP and instr == KVMPPC_INST_SW_BREAKPOINT:
        return _debug(world, vcpu)
    if not state.arch.shared.msr & (MSR_PR | MSR_GS):
        return emulation_exit(world, vcpu)
    kvmppc_core_queue_program(world, vcpu, state.arch.fault_esr)
    return _account(world, vcpu, USR_PR_INST)


def _fp_unavail(world: World, vcpu: int) -> int:
    """Exit 7."""
    kvmppc_core_queue_fpunavail(world, vcpu)
    return _account(world, vcpu, FP_UNAVAIL)


def _dtlb_miss(world: World, vcpu: int) -> int:
    """3.5: exit 13. The guest's own miss, its memory, or a device."""
    arch = world.vcpu[vcpu].arch
    eaddr = arch.fault_dear
    index = kvmppc_mmu_dtlb_index(world, vcpu, eaddr)
    if index == NO_INDEX:
        kvmppc_core_queue_dtlb_miss(world, vcpu, eaddr, arch.fault_esr)
        kvmppc_mmu_dtlb_miss(world, vcpu)
        return _account(world, vcpu, DTLB_REAL_MISS_EXITS)
    gpaddr = kvmppc_mmu_xlate(world, vcpu, index, eaddr)
    if kvm_is_visible_gfn(world, vcpu, gpaddr // PAGE_SIZE):
        kvmppc_mmu_map(world, vcpu, eaddr, gpaddr, index)
        return _account(world, vcpu, DTLB_VIRT_MISS_EXITS)
    arch.paddr_accessed, arch.vaddr_accessed = gpaddr, eaddr
    r = kvmppc_emulate_mmio(world, vcpu)
    kvmppc_account_exit(world, vcpu, MMIO_EXITS)
    return r


def _itlb_miss(world: World, vcpu: int) -> int:
    """3.6: exit 14. Neither ESR nor DEAR is written. Q24: code that is no memory: a machine check."""
    eaddr = world.vcpu[vcpu].arch.regs.nip
    index = kvmppc_mmu_itlb_index(world, vcpu, eaddr)
    if index == NO_INDEX:
        kvmppc_core_queue_itlb_miss(world, vcpu)
        kvmppc_mmu_itlb_miss(world, vcpu)
        return _account(world, vcpu, ITLB_REAL_MISS_EXITS)
    kvmppc_account_exit(world, vcpu, ITLB_VIRT_MISS_EXITS)
    gpaddr = kvmppc_mmu_xlate(world, vcpu, index, eaddr)
    if kvm_is_visible_gfn(world, vcpu, gpaddr // PAGE_SIZE):
        kvmppc_mmu_map(world, vcpu, eaddr, gpaddr, index)
    else:
        kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_MACHINE_CHECK)
    return RESUME_GUEST


def _debug(world: World, vcpu: int) -> int:
    """Exit 15: accounted whoever owns the debug registers."""
    r = kvmppc_handle_debug(world, vcpu)
    if r == RESUME_HOST:
        world.run[vcpu].exit_reason = KVM_EXIT_DEBUG
    kvmppc_account_exit(world, vcpu, DEBUG_EXITS)
    return r


def _altivec_unavail(world: World, vcpu: int) -> int:
    """Exit 32: not accounted."""
    kvmppc_core_queue_vec_unavail(world, vcpu)
    return RESUME_GUEST


def _altivec_assist(world: World, vcpu: int) -> int:
    """Exit 33: not accounted."""
    kvmppc_booke_queue_irqprio(world, vcpu, BOOKE_IRQPRIO_ALTIVEC_ASSIST)
    return RESUME_GUEST


def _hv_syscall(world: World, vcpu: int) -> int:
    """Exit 40: not accounted. Q16: a user's `sc 1` is a privileged instruction, reported after it."""
    arch = world.vcpu[vcpu].arch
    if arch.shared.msr & MSR_PR:
        kvmppc_core_queue_program(world, vcpu, ESR_PPR)
    else:
        arch.regs.gpr[3] = kvmppc_kvm_pv(world, vcpu)
    return RESUME_GUEST


def emulation_exit(world: World, vcpu: int) -> int:
    """5: exit 41, a privileged instruction. The count is apart from the account, which the emulator set."""
    arch, result = world.vcpu[vcpu].arch, kvmppc_emulate_instruction(world, vcpu)
    if result == EMULATE_DONE:
        kvmppc_account_exit_stat(world, vcpu, EMULATED_INST_EXITS)
        return RESUME_GUEST_NV
    if result == EMULATE_AGAIN:
        return RESUME_GUEST
    if result == EMULATE_FAIL:
        printk(world, MSG_EMULATION_FAILED, arch.regs.nip, arch.last_inst)
        set_hardware_exit_reason(world.run[vcpu], KVM_EXIT_INST_FAILED | arch.last_inst)
        kvmppc_core_queue_program(world, vcpu, ESR_PIL)
    return RESUME_HOST


#: 3.3: exits that lead to an account, or to nothing; H10 delivers for the guest's doorbells.
NOTHING_BUT_ACCOUNTED = {
    IVOR_EXTERNAL: EXT_INTR_EXITS,
    IVOR_DECREMENTER: DEC_EXITS,
    IVOR_WATCHDOG: None,
    IVOR_PERFORMANCE_MONITOR: None,
    IVOR_DBELL: DBELL_EXITS,
    IVOR_GDBELL: GDBELL_EXITS,
    IVOR_GDBELL_CRIT: GDBELL_EXITS,
}

#: 3.3: the other exits that have a row.
EXITS: dict[int, Callable[[World, int], int]] = {
    IVOR_MACHINE_CHECK: _machine_check,
    IVOR_DATA_STORAGE: _data_storage,
    IVOR_INST_STORAGE: _inst_storage,
    IVOR_ALIGNMENT: _alignment,
    IVOR_FP_UNAVAIL: _fp_unavail,
    IVOR_DTLB_MISS: _dtlb_miss,
    IVOR_ITLB_MISS: _itlb_miss,
    IVOR_DEBUG: _debug,
    IVOR_ALTIVEC_UNAVAIL: _altivec_unavail,
    IVOR_ALTIVEC_ASSIST: _altivec_assist,
    IVOR_HV_SYSCALL: _hv_syscall,
    IVOR_HV_PRIV: emulation_exit,
}

#: 3.3: rows that a kernel without AltiVec does not have.
ALTIVEC_EXITS = (IVOR_ALTIVEC_UNAVAIL, IVOR_ALTIVEC_ASSIST)
