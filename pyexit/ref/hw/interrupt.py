# SPDX-License-Identifier: BSD-3-Clause
"""hw/interrupt: who takes an interrupt, and what the processor saves and sets (mmu-hardware 12)."""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.events import EVENT_HOST_EXCEPTION, EXIT, TAKEN_BY_GUEST, TAKEN_BY_HOST
from pyexit.ref.hw.core import End, Hardware, log, next_pc, ulong
from pyexit.ref.hw.regs import (
    EPCR_DSIGS,
    EPCR_DTLBGS,
    EPCR_EXTGS,
    EPCR_GICM,
    EPCR_ICM,
    EPCR_ISIGS,
    EPCR_ITLBGS,
    ESR_DATA,
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
    MCSR_L2MMU_MHIT,
    MCSR_MAV,
    MCSR_MEA,
    MSR_CE,
    MSR_CM,
    MSR_DE,
    MSR_GS,
    MSR_ME,
    MSR_PMM,
    MSR_UCLE,
    MSRP_DEP,
    MSRP_PMMP,
    MSRP_UCLEP,
)


class Row(NamedTuple):
    """How one interrupt is delivered (mmu-hardware 12, the table of delivery and "New MSR"; exit 11.2)."""

    givor: str = ""  # the guest's vector; without one the hypervisor takes it always
    epcr: int = 0  # the bit that sends it there; 0: it always goes
    save: str = "SRR"  # the hypervisor's save registers
    kept: int = MSR_CE | MSR_ME | MSR_DE
    esr: bool = False  # ESR is written
    dear: bool = False
    next: bool = False  # the saved address is that of the next instruction


_CRITICAL = Row(save="CSRR", kept=MSR_ME)

ROWS = {
    IVOR_CRITICAL: _CRITICAL,
    IVOR_MACHINE_CHECK: Row(save="MCSRR", kept=0),
    IVOR_DATA_STORAGE: Row("GIVOR2", EPCR_DSIGS, esr=True, dear=True),
    IVOR_INST_STORAGE: Row("GIVOR3", EPCR_ISIGS, esr=True),
    IVOR_EXTERNAL: Row("GIVOR4", EPCR_EXTGS),
    IVOR_ALIGNMENT: Row(esr=True, dear=True),
    IVOR_PROGRAM: Row(esr=True),
    IVOR_FP_UNAVAIL: Row(),
    IVOR_SYSCALL: Row("GIVOR8", next=True),
    IVOR_AP_UNAVAIL: Row(),
    IVOR_DECREMENTER: Row(),
    IVOR_FIT: Row(),
    IVOR_WATCHDOG: _CRITICAL,
    IVOR_DTLB_MISS: Row("GIVOR13", EPCR_DTLBGS, esr=True, dear=True),
    IVOR_ITLB_MISS: Row("GIVOR14", EPCR_ITLBGS, esr=True),
    IVOR_DEBUG: Row(save="DSRR", kept=MSR_ME),
    IVOR_ALTIVEC_UNAVAIL: Row(),
    IVOR_ALTIVEC_ASSIST: Row(),
    IVOR_PERFORMANCE_MONITOR: Row(),
    IVOR_DBELL: Row(),
    IVOR_DBELL_CRIT: _CRITICAL,
    IVOR_GDBELL: Row(save="GSRR"),
    IVOR_GDBELL_CRIT: _CRITICAL,
    IVOR_HV_SYSCALL: Row(next=True),
    IVOR_HV_PRIV: Row(),
    IVOR_LRAT_ERROR: Row(esr=True, dear=True),
}


class Cause(NamedTuple):
    """An interrupt that is due; its row says whether esr and dear are written."""

    ivor: int
    address: int  # the failing EA or PTE, or the pc
    esr: int = 0
    dear: int = 0
    mcsr: int = 0  # of a machine check
    lper: int | None = None  # of an LRAT error in a page-table walk
    hypervisor_only: bool = False  # a DSI by VF, TLB ineligible
    from_host: bool = False  # caused by an instruction of the hypervisor, whatever MSR says


def ppc_interrupt_end(hw: Hardware, thread: int, cause: Cause) -> End:
    """Who takes the interrupt; nothing changes (mmu-hardware 12, delivery)."""
    if cause.from_host or not hw.thread[thread].msr & MSR_GS:
        return End(TAKEN_BY_HOST, cause.ivor)
    row = ROWS[cause.ivor]
    sent = row.givor and (not row.epcr or hw.spr[thread].EPCR & row.epcr)
    return End(TAKEN_BY_GUEST if sent and not cause.hypervisor_only else EXIT, cause.ivor)


def ppc_interrupt(hw: Hardware, thread: int, cause: Cause) -> End:
    """Take the interrupt whole: save registers, syndrome, MSR, pc (mmu-hardware 12)."""
    end = ppc_interrupt_end(hw, thread, cause)
    if end.outcome == TAKEN_BY_GUEST:
        _take_in_guest(hw, thread, cause)
    else:
        _take_in_hypervisor(hw, thread, cause)
    if end.outcome == TAKEN_BY_HOST:
        log(hw, EVENT_HOST_EXCEPTION, 0, cause.ivor, cause.address)
    return end


def ppc_raise(hw: Hardware, thread: int, ivor: int, esr: int = 0, dear: int = 0) -> End:
    """Take an interrupt of the running code, with its syndrome where it has one."""
    address = ulong(hw.params, dear if ROWS[ivor].dear else hw.thread[thread].pc)
    return ppc_interrupt(hw, thread, Cause(ivor, address, esr, ulong(hw.params, dear)))


def ppc_program(hw: Hardware, thread: int, esr: int) -> End:
    """A program interrupt of an instruction of the hypervisor."""
    pc = ulong(hw.params, hw.thread[thread].pc)
    return ppc_interrupt(hw, thread, Cause(IVOR_PROGRAM, pc, esr, from_host=True))


def multi_hit_cause(ea: int, access: int, from_host: bool) -> Cause:
    """The machine check of several hits; `access` is MCSR[IF], [LD] or [ST] (mmu-hardware 5.3)."""
    mcsr = MCSR_L2MMU_MHIT | MCSR_MAV | MCSR_MEA | access
    return Cause(IVOR_MACHINE_CHECK, ea, mcsr=mcsr, from_host=from_host)


def _take_in_guest(hw: Hardware, thread: int, cause: Cause) -> None:
    """The guest's own vector: GSRR0/1, GESR, GDEAR, GIVPR | GIVORn."""
    spr, state, row = hw.spr[thread], hw.thread[thread], ROWS[cause.ivor]
    _save(hw, thread, "GSRR", row)
    if row.esr:
        spr.GESR = cause.esr
    if row.dear:
        spr.GDEAR = cause.dear
    state.msr = _new_msr(hw, thread, row.kept | MSR_GS | protected_msr(spr.MSRP), EPCR_GICM)
    state.pc = ulong(hw.params, spr.GIVPR | getattr(spr, row.givor))


def _take_in_hypervisor(hw: Hardware, thread: int, cause: Cause) -> None:
    """The host's vector: save registers, ESR and DEAR or MCSR and MCAR, IVPR | IVORn."""
    spr, state, row = hw.spr[thread], hw.thread[thread], ROWS[cause.ivor]
    _save(hw, thread, row.save, row)
    if row.esr:
        spr.ESR = cause.esr
    if row.dear and (cause.ivor != IVOR_LRAT_ERROR or cause.esr & ESR_DATA):
        spr.DEAR = cause.dear
    if cause.lper is not None:
        spr.LPER = cause.lper
    if cause.ivor == IVOR_MACHINE_CHECK:
        spr.MCSR = ulong(hw.params, spr.MCSR | cause.mcsr)
    if cause.mcsr & MCSR_MAV:
        spr.MCAR = cause.address
    state.msr = _new_msr(hw, thread, row.kept, EPCR_ICM)
    state.pc = ulong(hw.params, spr.IVPR | spr.IVOR[cause.ivor])


def _save(hw: Hardware, thread: int, pair: str, row: Row) -> None:
    """Where the interrupted code goes on, and its MSR, into a pair of save registers."""
    state = hw.thread[thread]
    pc = next_pc(hw, thread) if row.next else state.pc
    setattr(hw.spr[thread], f"{pair}0", ulong(hw.params, pc))
    setattr(hw.spr[thread], f"{pair}1", ulong(hw.params, state.msr))


def _new_msr(hw: Hardware, thread: int, keep: int, mode: int) -> int:
    """MSR at the handler: the bits that are kept, and CM from EPCR; a 32-bit core has no CM."""
    msr = hw.thread[thread].msr & keep
    if hw.params.width == 64 and hw.spr[thread].EPCR & mode:
        msr |= MSR_CM
    return msr


def protected_msr(msrp: int) -> int:
    """The MSR bits that MSRP keeps from the guest (mmu-hardware 6.5, U25 for PMM)."""
    bits = ((MSRP_UCLEP, MSR_UCLE), (MSRP_DEP, MSR_DE), (MSRP_PMMP, MSR_PMM))
    return sum(msr for protection, msr in bits if msrp & protection)
