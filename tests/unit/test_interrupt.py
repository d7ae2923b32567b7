# SPDX-License-Identifier: BSD-3-Clause
"""hw/interrupt: who takes it, save registers, vector and new MSR (mmu-hardware 12)."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from pyexit import Machine

from .support import (
    ALL_PERMS,
    CE,
    CM,
    DE,
    DS,
    DSI,
    DTLB,
    EE,
    EXIT,
    FE0,
    FE1,
    FP,
    GS,
    IS,
    ISI,
    ITLB,
    MACHINE_CHECK,
    ME,
    MHD,
    PIL,
    PMM,
    PR,
    PROGRAM,
    RI,
    SPV,
    ST,
    TAKEN_BY_GUEST,
    TAKEN_BY_HOST,
    TGS,
    UBLE,
    UCLE,
    VF,
    WE,
    WIDTH,
    M,
    MachineFactory,
    V,
    changed,
    each_model,
    each_model64,
    guest_vector,
    host_vector,
    put,
    run_as,
    tsize,
    vectors,
)

DTLBGS, ITLBGS, DSIGS, ISIGS = 0x40000000, 0x20000000, 0x10000000, 0x08000000
ICM, GICM = 0x02000000, 0x01000000
UCLEP, PMMP = 0x04000000, 0x4

#: Pages of this test, in both guest and hypervisor space: no permission at all; VF; two entries.
FORBIDDEN, FAULTING, DOUBLE, MISSING, PC = 0x5000, 0x6000, 0x7000, 0x9008, 0x5008


class Cause(NamedTuple):
    """An access that ends in one interrupt, and who takes it with MSR[GS]=1 (mmu-hardware 12)."""

    ea: int
    access: str
    ivor: int
    guest_bit: int  # the EPCR bit that sends it to the guest; 0: nothing does
    esr: int = 0


CAUSES = {
    "DSI": Cause(FORBIDDEN | 8, "store", DSI, DSIGS, ST),
    "ISI": Cause(FORBIDDEN | 8, "fetch", ISI, ISIGS),
    "DTLB error": Cause(MISSING, "store", DTLB, DTLBGS, ST),
    "ITLB error": Cause(MISSING, "fetch", ITLB, ITLBGS),
    "VF": Cause(FAULTING, "load", DSI, 0),
    "machine check": Cause(DOUBLE, "load", MACHINE_CHECK, 0),
}

each_cause = pytest.mark.parametrize("name", CAUSES)


def world(m: Machine, msr: int, epcr: int = 0, msrp: int = 0) -> None:
    """Vectors, the pages of this test, and a thread in that state."""
    vectors(m)
    tag, space = TGS if msr & GS else 0, 0x1000 if msr & DS else 0
    put(m, 1, 0, V | space | tsize(2), FORBIDDEN | M, 0, mas8=tag)
    put(m, 1, 1, V | space | tsize(2), FAULTING | M, ALL_PERMS, mas8=tag | VF)
    for index in (2, 3):
        put(m, 1, index, V | space | tsize(2), DOUBLE | M, ALL_PERMS, mas8=tag)
    run_as(m, msr=msr, pc=PC)
    m.set({"spr.EPCR": epcr, "spr.MSRP": msrp, "spr.HID0": MHD})


@each_model
@each_cause
@pytest.mark.parametrize("state", [0, GS])
@pytest.mark.parametrize("all_bits", [False, True])
def test_delivery_table(machine: MachineFactory, model: str, name: str, state: int, all_bits: bool) -> None:
    """mmu-hardware 12: to the guest iff GS=1 and its EPCR bit is 1; no other bit counts.

    Virtualization faults and machine checks never.
    """
    m, cause = machine(model=model), CAUSES[name]
    others = (DTLBGS | ITLBGS | DSIGS | ISIGS | 0x80000000) & ~cause.guest_bit
    for own_bit in (0, cause.guest_bit):
        world(m, state, (others if all_bits else 0) | own_bit)
        found = m.translate(cause.ea, access=cause.access, probe=True)
        expected = TAKEN_BY_HOST if not state else TAKEN_BY_GUEST if own_bit else EXIT
        assert (found.outcome, found.ivor) == (expected, cause.ivor)


@each_model
@pytest.mark.parametrize("name", ["DSI", "ISI", "DTLB error", "ITLB error"])
def test_guest_takes_it_with_its_own_registers(machine: MachineFactory, model: str, name: str) -> None:
    """mmu-hardware 12: GSRR0/1, GESR, GDEAR, GIVPR | GIVORn; the host's registers keep their values."""
    m, cause = machine(model=model), CAUSES[name]
    world(m, GS | EE | PR, cause.guest_bit)
    m.set({f"spr.{reg}": 0x777 for reg in ("GESR", "GDEAR", "ESR", "DEAR", "SRR0", "SRR1")})
    before = m.snapshot()
    assert m.translate(cause.ea, access=cause.access).outcome == TAKEN_BY_GUEST
    assert (m["spr.GSRR0"], m["spr.GSRR1"]) == (PC, GS | EE | PR)
    assert (m["thread.pc"], m["thread.msr"]) == (guest_vector(cause.ivor), GS)
    assert m["spr.GESR"] == cause.esr
    assert m["spr.GDEAR"] == (0x777 if cause.access == "fetch" else cause.ea)
    assert not changed(m, before) & {"spr.ESR", "spr.DEAR", "spr.SRR0", "spr.SRR1"}


@each_model
@pytest.mark.parametrize("name", ["DSI", "ISI", "DTLB error", "ITLB error", "VF"])
@pytest.mark.parametrize("state", [0, GS])
def test_hypervisor_takes_it_with_srr0_and_srr1(
    machine: MachineFactory, model: str, name: str, state: int
) -> None:
    """mmu-hardware 12: IVPR | IVORn, GS := 0; the guest's registers keep their values."""
    m, cause = machine(model=model), CAUSES[name]
    world(m, state | EE | PR)
    m.set({f"spr.{reg}": 0x777 for reg in ("GSRR0", "GSRR1", "GESR", "GDEAR", "DEAR")})
    before = m.snapshot()
    m.translate(cause.ea, access=cause.access)
    assert (m["spr.SRR0"], m["spr.SRR1"]) == (PC, state | EE | PR)
    assert (m["thread.pc"], m["thread.msr"]) == (host_vector(cause.ivor), 0)
    assert (m["spr.ESR"], m["spr.DEAR"]) == (cause.esr, 0x777 if cause.access == "fetch" else cause.ea)
    assert not changed(m, before) & {
        "spr.GSRR0",
        "spr.GSRR1",
        "spr.GESR",
        "spr.GDEAR",
        "spr.MCSRR0",
        "spr.MCSRR1",
    }


@each_model
def test_mas_of_a_miss_are_written_whoever_takes_it(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 12, 6.6."""
    for epcr in (0, DTLBGS):
        m = machine(model=model)
        world(m, GS, epcr)
        m.translate(MISSING)
        assert m["spr.MAS1"] & V
        assert m["spr.MAS2"] & ~0xFFF == MISSING & ~0xFFF


@each_model
def test_vector_is_prefix_or_offset(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 12: OR, not a sum."""
    m = machine(model=model)
    world(m, 0)
    m.set({"spr.IVPR": 0x40000000 | DTLB << 4, "spr.IVOR[13]": DTLB << 4 | 0x1000})
    m.translate(MISSING)
    assert m["thread.pc"] == host_vector(DTLB) | 0x1000


@each_model
def test_illegal_instruction_is_the_hosts_program_interrupt(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 12, 6.5; pyexit.h pyexit_call: ppc_* run in hypervisor state."""
    m = machine(model=model)
    world(m, EE)
    result = m.tlbilx(2)
    assert (result.ret, result.value[0]) == (TAKEN_BY_HOST, PROGRAM)
    assert (m["spr.SRR0"], m["spr.SRR1"], m["spr.ESR"]) == (PC, EE, PIL)
    assert (m["thread.pc"], m["thread.msr"]) == (host_vector(PROGRAM), 0)


# The new MSR (mmu-hardware 12, docs/choices.md for RI and UBLE)

EVERY = GS | UCLE | SPV | WE | CE | EE | PR | FP | ME | FE0 | UBLE | DE | FE1 | IS | DS | PMM | RI


def msr_after(machine: MachineFactory, model: str, name: str, epcr: int, msrp: int = 0) -> int:
    """MSR after the interrupt, every bit set before."""
    m, cause = machine(model=model), CAUSES[name]
    mode = CM if WIDTH[model] == 64 else 0
    world(m, EVERY | mode, epcr | cause.guest_bit, msrp)
    m.translate(cause.ea, access=cause.access)
    return m["thread.msr"]


@each_model
@pytest.mark.parametrize("name", ["VF"])
def test_hypervisor_msr_keeps_ce_me_de_only(machine: MachineFactory, model: str, name: str) -> None:
    """mmu-hardware 12: whatever MSRP says."""
    assert msr_after(machine, model, name, 0) == CE | ME | DE
    assert msr_after(machine, model, name, 0, UCLEP | PMMP) == CE | ME | DE


@each_model
def test_machine_check_clears_ce_me_de_too(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 12."""
    assert msr_after(machine, model, "machine check", 0) == 0


@each_model
@pytest.mark.parametrize("msrp", [0, UCLEP, PMMP, UCLEP | PMMP])
def test_guest_msr_keeps_gs_and_what_msrp_protects(machine: MachineFactory, model: str, msrp: int) -> None:
    """mmu-hardware 12: UCLE with UCLEP, PMM with PMMP (U25)."""
    kept = (UCLE if msrp & UCLEP else 0) | (PMM if msrp & PMMP else 0)
    assert msr_after(machine, model, "DTLB error", 0, msrp) == GS | CE | ME | DE | kept


@each_model64
@pytest.mark.parametrize(
    ("epcr", "host", "guest"), [(0, 0, 0), (ICM, CM, 0), (GICM, 0, CM), (ICM | GICM, CM, CM)]
)
def test_computation_mode_comes_from_epcr(
    machine: MachineFactory, model: str, epcr: int, host: int, guest: int
) -> None:
    """mmu-hardware 12: CM := EPCR[ICM] for the hypervisor, EPCR[GICM] for the guest."""
    assert msr_after(machine, model, "VF", epcr) & CM == host
    assert msr_after(machine, model, "machine check", epcr) & CM == host
    assert msr_after(machine, model, "DTLB error", epcr) & CM == guest


def test_e500mc_has_no_64_bit_mode(machine: MachineFactory) -> None:
    """docs/choices.md: EPCR[ICM], [GICM] change nothing there."""
    for name in ("VF", "DTLB error"):
        assert not msr_after(machine, "e500mc", name, ICM | GICM) & CM


@each_model64
def test_save_registers_hold_the_whole_pc(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    world(m, CM)
    m["thread.pc"] = 0x12345678_9ABCDEF0
    m.translate(MISSING)
    assert m["spr.SRR0"] == 0x12345678_9ABCDEF0
    assert m["spr.SRR1"] == CM
