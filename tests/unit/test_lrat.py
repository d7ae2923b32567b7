# SPDX-License-Identifier: BSD-3-Clause
"""hw/lrat: logical to real addresses of guests (mmu-hardware 10, 14.3 A25-A28); e6500 only."""

from __future__ import annotations

from typing import Any

import pytest

from pyexit import End, Machine, Outcome

from .support import (
    GS,
    IPROT,
    PIL,
    TAKEN_BY_HOST,
    TGS,
    TS,
    M,
    MachineFactory,
    V,
    changed,
    each_mav1,
    host_vector,
    is_valid,
    set_mas,
    stored,
    tlb0_index,
    tsize,
    vectors,
)

TLBWE = 0x7C0007A4
ATSEL, HES = 0x80000000, 0x4000
LRAT, PROGRAM, HV_PRIV = 42, 6, 41
PC, EA = 0x00700100, 0x10005000
MIB1, GIB1 = 10, 20
DONE = End(Outcome.DONE, 0)
LRAT_ERROR = End(Outcome.EXIT, LRAT)


def guest(machine: MachineFactory, **options: Any) -> Machine:
    """A25: an e6500 guest of LPID 7 about to write a TLB0 entry, HES=1, RPN 00001000; the LRAT is empty."""
    m = machine(model="e6500", **options)
    vectors(m)
    m.set({"thread.msr": GS, "thread.pc": PC, "spr.LPID": 7})
    wanted = {0: HES, 1: V | 5 << 16 | tsize(2), 2: EA | M, 3: 0x1000 | 0x15, 7: 0, 8: TGS | 7}
    m.set({f"spr.MAS{n}": value for n, value in wanted.items()})
    return m


def put_lrat(m: Machine, index: int, *, lpn: int, rpn: int, size: int, lpid: int = 0, valid: int = 1) -> None:
    """An LRAT entry, straight into the state."""
    words = {"mas1": V * valid | tsize(size), "mas2": lpn, "mas3": rpn & 0xFFFFF000, "mas7": rpn >> 32}
    m.set({f"lrat.{name}[{index}]": value for name, value in words.items()} | {f"lrat.mas8[{index}]": lpid})


def made(m: Machine, ea: int = EA) -> tuple[int, int, int, int, int]:
    """The entry in way 0 of the set."""
    return stored(m, 0, tlb0_index(ea, 0, ways=8))


def test_a25_empty_lrat_is_lrat_error(machine: MachineFactory) -> None:
    """10.5: IVOR42 to the hypervisor, SRR0 the tlbwe, ESR[PT]=0; DEAR, LPER, MAS and the TLB stay (U18)."""
    m = guest(machine)
    m.set({"spr.DEAR": 0x1234, "spr.LPER": 0x5678})
    before = m.snapshot()
    assert m.guest_op(TLBWE) == LRAT_ERROR
    assert (m["spr.SRR0"], m["spr.SRR1"], m["thread.pc"]) == (PC, GS, host_vector(LRAT))
    assert m["spr.ESR"] == 0
    assert changed(m, before) <= {"spr.SRR0", "spr.SRR1", "spr.ESR", "thread.pc", "thread.msr"}


@pytest.mark.parametrize("epcr", [0, 0xF8000000])
def test_lrat_error_is_never_the_guests(machine: MachineFactory, epcr: int) -> None:
    """12: LRAT error never."""
    m = guest(machine)
    m["spr.EPCR"] = epcr
    assert m.guest_op(TLBWE) == LRAT_ERROR


def test_a26_no_look_up_with_v_0(machine: MachineFactory) -> None:
    m = guest(machine)
    m["spr.MAS1"] = tsize(2)
    assert m.guest_op(TLBWE) == DONE
    assert made(m)[2] == 0x1015


def test_a27_the_entry_gets_the_real_page(machine: MachineFactory) -> None:
    """10.2, 6.3.1: LPID 0 serves any; TGS and TLPID are MAS8's."""
    m = guest(machine)
    put_lrat(m, 0, lpn=0, rpn=0x40000000, size=GIB1)
    assert m.guest_op(TLBWE) == DONE
    assert made(m) == (V | 5 << 16 | tsize(2), EA | M, 0x40001015, 0, TGS | 7)
    assert m["spr.MAS3"] == 0x1015


def test_a28_the_page_of_the_lrat_must_be_as_large(machine: MachineFactory) -> None:
    """6.5: HV-priv on e6500; 10.3: with GTWE in TLB1, LRAT error."""
    wanted = {"spr.MAS0": 0x10000000 | HES, "spr.MAS1": V | tsize(14), "spr.MAS2": 0x10000000 | M}
    m = guest(machine)
    put_lrat(m, 0, lpn=0, rpn=0x40000000, size=MIB1)
    m.set(wanted)
    assert m.guest_op(TLBWE) == End(Outcome.EXIT, HV_PRIV)
    m = guest(machine, params={"tlb1cfg": 0x40038040})
    put_lrat(m, 0, lpn=0, rpn=0x40000000, size=MIB1)
    m.set(wanted)
    assert m.guest_op(TLBWE) == LRAT_ERROR
    put_lrat(m, 0, lpn=0, rpn=0x40000000, size=14)
    m.set({"thread.msr": GS, "thread.pc": PC})
    assert m.guest_op(TLBWE) == DONE


@pytest.mark.parametrize(
    ("lpid", "tlpid", "end"),
    [(7, 7, DONE), (0, 7, DONE), (6, 7, LRAT_ERROR), (7, 6, LRAT_ERROR), (6, 6, DONE), (7, 0, LRAT_ERROR)],
)
def test_lpid_is_that_of_the_entry_being_made(
    machine: MachineFactory, lpid: int, tlpid: int, end: End
) -> None:
    """10.2: MAS8[TLPID] for a tlbwe, not LPIDR."""
    m = guest(machine)
    m["spr.MAS8"] = TGS | tlpid
    put_lrat(m, 3, lpn=0, rpn=0x40000000, size=GIB1, lpid=lpid)
    assert m.guest_op(TLBWE) == end


def test_invalid_entry_does_not_match(machine: MachineFactory) -> None:
    m = guest(machine)
    put_lrat(m, 0, lpn=0, rpn=0x40000000, size=GIB1, valid=0)
    assert m.guest_op(TLBWE) == LRAT_ERROR


@pytest.mark.parametrize(
    ("logical", "real"),
    [(0x100000, 0x7_40000000), (0x1FF000, 0x7_400FF000), (0x0FF000, None), (0x200000, None)],
)
def test_the_logical_page_is_compared_above_the_size(
    machine: MachineFactory, logical: int, real: int | None
) -> None:
    """10.2, 10.5b: LPN and RPN bits below the page size are ignored."""
    m = guest(machine)
    put_lrat(m, 7, lpn=0x1AB000, rpn=0x7_400CD000, size=MIB1)
    m["spr.MAS3"] = logical | 0x15
    if real is None:
        assert m.guest_op(TLBWE) == LRAT_ERROR
        return
    assert m.guest_op(TLBWE) == DONE
    assert made(m)[2:4] == (real & 0xFFFFF000 | 0x15, real >> 32)


def test_40_bits_of_logical_address(machine: MachineFactory) -> None:
    """3.3: LASIZE 40: MAS7 is part of the logical page."""
    m = guest(machine)
    put_lrat(m, 0, lpn=0xFF_00000000, rpn=0x40000000, size=GIB1)
    m.set({"spr.MAS7": 0xFF, "spr.MAS3": 0x1015})
    assert m.guest_op(TLBWE) == DONE
    assert made(m)[2:4] == (0x40001015, 0)


def test_two_hits_are_a_miss(machine: MachineFactory) -> None:
    """10.4."""
    m = guest(machine)
    put_lrat(m, 0, lpn=0, rpn=0x40000000, size=GIB1)
    put_lrat(m, 1, lpn=0, rpn=0x40000000, size=MIB1, lpid=7)
    assert m.guest_op(TLBWE) == LRAT_ERROR
    put_lrat(m, 1, lpn=0, rpn=0x40000000, size=MIB1, lpid=6)
    m.set({"thread.msr": GS, "thread.pc": PC})
    assert m.guest_op(TLBWE) == DONE


def test_tlb0_entries_are_4_kib_for_the_lrat(machine: MachineFactory) -> None:
    """10.5b: whatever MAS1[TSIZE] says."""
    m = guest(machine)
    m["spr.MAS1"] = V | tsize(14)
    put_lrat(m, 0, lpn=0x1000, rpn=0x40000000, size=2)
    assert m.guest_op(TLBWE) == DONE
    assert made(m)[2] == 0x40000015


def test_hypervisor_bypasses_the_lrat(machine: MachineFactory) -> None:
    """10.1: even for an entry with TGS=1."""
    m = guest(machine)
    m["thread.msr"] = 0
    assert m.guest_op(TLBWE) == DONE
    assert made(m)[2] == 0x1015


# Entries


def write(m: Machine, esel: int, *, size: int = MIB1, low: int = 0) -> int:
    """tlbwe of an LRAT entry in hypervisor state."""
    set_mas(m, {0: ATSEL | esel << 16 | low, 1: V | IPROT | 5 << 16 | TS | tsize(size), 2: 0x12300000 | 0x1F})
    set_mas(m, {3: 0x45600000 | 0x3FF, 7: 2, 8: TGS | 7})
    return m.tlbwe().ret


def test_entry_is_written_and_read(machine: MachineFactory) -> None:
    """6.3.9, 6.1.5: V, TSIZE, LPN, RPN, TLPID; the other fields read 0."""
    m = machine(model="e6500")
    assert write(m, 3) == 0
    set_mas(m, dict.fromkeys((1, 2, 3, 7, 8), 0))
    set_mas(m, {0: ATSEL | 3 << 16})
    assert m.tlbre().ret == 0
    assert [m[f"spr.MAS{n}"] for n in (1, 2, 3, 7)] == [V | tsize(MIB1), 0x12300000, 0x45600000, 2]
    assert m["spr.MAS8"] & 0x3F == 7
    assert m["spr.MAS0"] >> 16 == (ATSEL | 3 << 16) >> 16


def test_esel_indexes_by_its_low_3_bits(machine: MachineFactory) -> None:
    """10.5b."""
    m = machine(model="e6500")
    write(m, 8 + 5)
    assert m["lrat.mas1[5]"] & V


def test_a_write_changes_no_tlb_entry(machine: MachineFactory) -> None:
    """10.5b."""
    m = machine(model="e6500")
    before = m.snapshot()
    write(m, 3)
    assert {name.split(".")[0] for name in changed(m, before)} == {"spr", "lrat"}


@pytest.mark.parametrize("low", [HES, 0x1000, 0x2000])
def test_hes_or_wq_is_illegal(machine: MachineFactory, low: int) -> None:
    """6.3.9: HES=1, WQ=01 or 10 with ATSEL=1."""
    m = machine(model="e6500")
    assert write(m, 3, low=low) == TAKEN_BY_HOST
    assert m["spr.ESR"] == PIL
    assert m["lrat.mas1[3]"] == 0


@pytest.mark.parametrize(
    ("size", "ret"), [(2, 0), (30, 0), (1, TAKEN_BY_HOST), (0, TAKEN_BY_HOST), (31, TAKEN_BY_HOST)]
)
def test_size_must_be_in_lratps(machine: MachineFactory, size: int, ret: int) -> None:
    """6.3.9: 7FFFFFFC."""
    m = machine(model="e6500")
    assert write(m, 3, size=size) == ret


def test_invalidations_leave_the_lrat(machine: MachineFactory) -> None:
    """6.4.9."""
    m = machine(model="e6500")
    put_lrat(m, 0, lpn=0, rpn=0x40000000, size=GIB1, lpid=7)
    before = m["lrat.mas1[0]"]
    m["spr.MAS5"] = TGS | 7
    for t in (0, 1, 3):
        m.tlbilx(t, 0)
    for ea in (0, 4, 8, 12):
        m.tlbivax(ea)
    m.mtspr("MMUCSR0", 6)
    assert m["lrat.mas1[0]"] == before


def test_threads_of_a_core_share_it_and_cores_do_not(machine: MachineFactory) -> None:
    """4.8."""
    m = machine(model="e6500", cores=2)
    set_mas(m, {0: ATSEL, 1: V | tsize(2), 2: 0x1000, 3: 0x2000, 7: 0, 8: 0}, thread=1)
    assert m.tlbwe(thread=1).ret == 0
    assert m["lrat.mas1[0]"] & V
    assert m["lrat1.mas1[0]"] == 0


@each_mav1
def test_mav1_has_none(machine: MachineFactory, model: str) -> None:
    """2.1: ATSEL is reserved: the TLB entry is written."""
    m = machine(model=model)
    m.set({"spr.MAS0": 0, "spr.MAS8": 0})
    set_mas(m, {0: ATSEL | 0x10030000, 1: V | tsize(2), 2: 0x1000, 3: 0x2015, 7: 0})
    assert m.tlbwe().ret == 0
    assert is_valid(m, 1, 3)
    assert m["lrat.mas1[3]"] == 0


def test_invalid_lrat_entry_may_have_any_size(machine: MachineFactory) -> None:
    """6.3.9: LRATPS is for valid entries."""
    m = machine(model="e6500")
    for mas1, outcome in ((tsize(0), 0), (V | tsize(0), TAKEN_BY_HOST)):
        set_mas(m, {0: ATSEL | 3 << 16, 1: mas1, 2: 0, 3: 0, 7: 0, 8: 0})
        assert m.tlbwe().ret == outcome


def test_lrat_size_check_can_be_turned_off(machine: MachineFactory) -> None:
    """docs/choices.md U22."""
    m = machine(model="e6500", params={"tsize_check": 0})
    set_mas(m, {0: ATSEL | 3 << 16, 1: V | tsize(0), 2: 0, 3: 0, 7: 0, 8: 0})
    assert m.tlbwe().ret == 0
    assert m["lrat.mas1[3]"] == V | tsize(0)
