# SPDX-License-Identifier: BSD-3-Clause
"""hw/interrupt: who takes an interrupt, and what the processor saves and sets (mmu-hardware 12)."""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.events import EVENT_HOST_EXCEPTION, EXIT, TAKEN_BY_GUEST, TAKEN_BY_HOST
from pyexit.ref.hw.core import End, Hardware, log, ulong
from pyexit.ref.hw.regs import (
    EPCR_DSIGS,
    EPCR_DTLBGS,
    EPCR_GICM,
    EPCR_ICM,
    EPCR_ISIGS,
    EPCR_ITLBGS,
    IVOR_DATA_STORAGE,
    IVOR_DTLB_MISS,
    IVOR_INST_STORAGE,
    IVOR_ITLB_MISS,
    IVOR_MACHINE_CHECK,
    IVOR_PROGRAM,
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
    MSRP_PMMP,
    MSRP_UCLEP,
)


class Row(NamedTuple):
    """How one interrupt is delivered (mmu-hardware 12, the table of delivery and "New MSR")."""

    epcr: int = 0  # the bit that sends it to the guest; 0: nothing does
    givor: str = ""
    save: str = "SRR"  # the host's save registers
    kept: int = MSR_CE | MSR_ME | MSR_DE


#: The interrupts that the hardware causes itself.
ROWS = {
    IVOR_MACHINE_CHECK: Row(save="MCSRR", kept=0),
    IVOR_DATA_STORAGE: Row(EPCR_DSIGS, "GIVOR2"),
    IVOR_INST_STORAGE: Row(EPCR_ISIGS, "GIVOR3"),
    IVOR_PROGRAM: Row(),
    IVOR_DTLB_MISS: Row(EPCR_DTLBGS, "GIVOR13"),
    IVOR_ITLB_MISS: Row(EPCR_ITLBGS, "GIVOR14"),
}


class Cause(NamedTuple):
    """An interrupt that is due."""

    ivor: int
    address: int  # the failing EA, or the pc for a program interrupt
    esr: int | None = None  # None: no syndrome is written
    dear: int | None = None
    mcsr: int = 0  # of a machine check
    hypervisor_only: bool = False  # a DSI by VF
    from_host: bool = False  # caused by an instruction of the hypervisor, whatever MSR says


def ppc_interrupt_end(hw: Hardware, thread: int, cause: Cause) -> End:
    """Who takes the interrupt; nothing changes (mmu-hardware 12, delivery)."""
    if cause.from_host or not hw.thread[thread].msr & MSR_GS:
        return End(TAKEN_BY_HOST, cause.ivor)
    to_guest = hw.spr[thread].EPCR & ROWS[cause.ivor].epcr and not cause.hypervisor_only
    return End(TAKEN_BY_GUEST if to_guest else EXIT, cause.ivor)


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
    spr.GSRR0, spr.GSRR1 = ulong(hw.params, state.pc), ulong(hw.params, state.msr)
    if cause.esr is not None:
        spr.GESR = cause.esr
    if cause.dear is not None:
        spr.GDEAR = cause.dear
    state.msr = _new_msr(hw, thread, row.kept | MSR_GS | _protected(spr.MSRP), EPCR_GICM)
    state.pc = ulong(hw.params, spr.GIVPR | getattr(spr, row.givor))


def _take_in_hypervisor(hw: Hardware, thread: int, cause: Cause) -> None:
    """The host's vector: (MC)SRR0/1, ESR and DEAR or MCSR and MCAR, IVPR | IVORn."""
    spr, state, row = hw.spr[thread], hw.thread[thread], ROWS[cause.ivor]
    setattr(spr, f"{row.save}0", ulong(hw.params, state.pc))
    setattr(spr, f"{row.save}1", ulong(hw.params, state.msr))
    if cause.esr is not None:
        spr.ESR = cause.esr
    if cause.dear is not None:
        spr.DEAR = cause.dear
    if cause.ivor == IVOR_MACHINE_CHECK:
        spr.MCSR, spr.MCAR = ulong(hw.params, spr.MCSR | cause.mcsr), cause.address
    state.msr = _new_msr(hw, thread, row.kept, EPCR_ICM)
    state.pc = ulong(hw.params, spr.IVPR | spr.IVOR[cause.ivor])


def _new_msr(hw: Hardware, thread: int, keep: int, mode: int) -> int:
    """MSR at the handler: the bits that are kept, and CM from EPCR; a 32-bit core has no CM."""
    msr = hw.thread[thread].msr & keep
    if hw.params.width == 64 and hw.spr[thread].EPCR & mode:
        msr |= MSR_CM
    return msr


def _protected(msrp: int) -> int:
    """MSR bits that an interrupt to the guest keeps because MSRP protects them (U25 for PMM)."""
    return (MSR_UCLE if msrp & MSRP_UCLEP else 0) | (MSR_PMM if msrp & MSRP_PMMP else 0)
