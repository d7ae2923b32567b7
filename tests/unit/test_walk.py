# SPDX-License-Identifier: BSD-3-Clause
"""hw/walk: from an indirect entry to a direct one in TLB0 (mmu-hardware 11, 14.3 A22-A24); e6500 only."""

from __future__ import annotations

from typing import Any

import pytest

from pyexit import Machine, Outcome

from .support import (
    CM,
    DSI,
    DTLB,
    GS,
    IND,
    ISI,
    ITLB,
    MACHINE_CHECK,
    PR,
    SR,
    ST,
    TAKEN_BY_HOST,
    TGS,
    TS,
    VF,
    M,
    MachineFactory,
    V,
    changed,
    each_mav1,
    events_of,
    guest_vector,
    host_vector,
    mas,
    put,
    run_as,
    stored,
    tlb0_index,
    tsize,
    vectors,
)

EA, TABLE = 0x00234567, 0x12345000
PTE_AT = 0x123451A0
DATA, TLBI, PT, EPID = 0x400, 0x200, 0x100, 0x40
LRAT = 42
#: A23: ARPN=77777, M=1, R=1, C=0, PS=2, SR=1, V=1.
PTE = 0x0000077777240205
R, C, PTE_V = 1 << 18, 1 << 12, 1
ALL = 0x3F << 2
SPSIZE_4K = 2 << 1


def indirect(m: Machine, *, size: int = 11, index: int = 0, table: int = TABLE, **tags: int) -> None:
    """A22: an IND entry of 00200000."""
    mas1 = V | IND | tags.get("tid", 0) << 16 | tags.get("ts", 0) * TS | tsize(size)
    base = 0x00200000 & -(1 << (size + 10))
    put(m, 1, index, mas1, tags.get("epn", base) | M, table | SPSIZE_4K, mas8=tags.get("mas8", 0))


def write_pte(m: Machine, pte: int, at: int = PTE_AT) -> None:
    m.write_ram(at, pte.to_bytes(8, "big"))


def walker(machine: MachineFactory, pte: int = PTE, **options: Any) -> Machine:
    m = machine(model="e6500", ram=((0x12345000, 0x2000), (0x77777000, 0x1000)), **options)
    vectors(m)
    run_as(m)
    indirect(m)
    write_pte(m, pte)
    return m


def made(m: Machine, way: int = 0, core: int = 0) -> tuple[int, int, int, int, int]:
    return stored(m, 0, tlb0_index(EA, way, ways=8), core)


def test_a22_a23_a_load_makes_an_entry(machine: MachineFactory) -> None:
    """11.2, 11.3, 11.7: the PTE at 123451A0; TLB0 entry RPN 77777000, M, SR; address 77777567."""
    m = walker(machine)
    found = m.translate(EA)
    assert (found.outcome, found.real) == (Outcome.DONE, 0x77777567)
    assert (found.page_size, found.perms, found.attributes) == (4096, SR, M)
    assert made(m) == (V | tsize(2), 0x00234000 | M, 0x77777000 | SR, 0, 0)


def test_reload_is_an_event(machine: MachineFactory) -> None:
    """pyexit.h: ea entry pte."""
    m = walker(machine)
    m.translate(EA)
    events = events_of(m, "reload")
    assert [event.arg[:3] for event in events] == [(EA, tlb0_index(EA, 0, ways=8), PTE)]
    m.translate(EA)
    assert events_of(m, "reload") == []


def test_a24_invalid_pte_is_dsi(machine: MachineFactory) -> None:
    m = walker(machine, PTE & ~PTE_V)
    before = mas(m)
    found = m.translate(EA)
    assert (found.outcome, found.ivor) == (TAKEN_BY_HOST, DSI)
    assert (m["spr.ESR"], m["spr.DEAR"], m["thread.pc"]) == (PT | DATA, EA, host_vector(DSI))
    assert mas(m) == before
    assert made(m)[0] == 0


@pytest.mark.parametrize(
    ("access", "external", "ivor", "esr"),
    [
        ("load", False, DSI, PT | DATA),
        ("cache_load", False, DSI, PT | DATA),
        ("store", False, DSI, PT | DATA | ST),
        ("load", True, DSI, PT | DATA | EPID),
        ("store", True, DSI, PT | DATA | ST | EPID),
        ("fetch", False, ISI, PT),
    ],
)
def test_page_table_fault_by_access(
    machine: MachineFactory, access: str, external: bool, ivor: int, esr: int
) -> None:
    """11.4, 12."""
    m = walker(machine, 0)
    found = m.translate(EA, access=access, external=external)
    assert (found.ivor, m["spr.ESR"]) == (ivor, esr)


def test_no_indirect_entry_is_a_tlb_error(machine: MachineFactory) -> None:
    """11.1."""
    m = walker(machine)
    put(m, 1, 0, 0, 0, 0)
    assert m.translate(EA).ivor == DTLB
    run_as(m)
    assert m.translate(EA, access="fetch").ivor == ITLB


@pytest.mark.parametrize(
    "tags", [{"tid": 6}, {"ts": 1}, {"mas8": TGS}, {"mas8": 5}, {"epn": 0x00400000}]
)  # the code: PID 5, LPID 0
def test_indirect_entry_must_match(machine: MachineFactory, tags: dict[str, int]) -> None:
    """11.1: same TS, TID, TGS, TLPID rules."""
    m = walker(machine)
    run_as(m, pid=5)
    indirect(m, **tags)
    assert m.translate(EA).ivor == DTLB
    indirect(m, tid=5)
    run_as(m, pid=5)
    assert m.translate(EA).outcome == Outcome.DONE


def test_direct_entry_comes_first(machine: MachineFactory) -> None:
    """11.1: only when no IND=0 entry matches."""
    m = walker(machine)
    put(m, 1, 1, V | tsize(2), 0x00234000 | M, 0x55555000 | SR)
    assert m.translate(EA).real == 0x55555567
    assert made(m)[0] == 0


def test_table_of_2_kib_uses_mas3_bit_11(machine: MachineFactory) -> None:
    """11.2: 1 MiB / 4 KiB: the table may start in the middle of a page."""
    m = walker(machine, 0)
    put(m, 1, 0, V | IND | tsize(10), 0x00200000 | M, TABLE | 0x800 | SPSIZE_4K)
    write_pte(m, PTE, TABLE + 0x800 + 0x34 * 8)
    assert m.translate(EA).real == 0x77777567


def test_low_table_address_bits_are_replaced(machine: MachineFactory) -> None:
    """11.2: 4 MiB / 4 KiB: a table of 8 KiB, RPN bit 12 is not used."""
    m = walker(machine, 0, params={"eptcfg": 2})
    put(m, 1, 0, V | IND | tsize(12), M, TABLE | SPSIZE_4K)
    m.write_ram(0x12346000 - 0x1000, bytes(0x1000))
    page = EA >> 12  # 234 within 4 MiB: offset 11A0 of a table at 12344000
    assert page * 8 == 0x11A0
    write_pte(m, PTE, 0x12344000 + 0x11A0)
    assert m.translate(EA).real == 0x77777567


def test_entry_has_the_tags_of_the_indirect_one(machine: MachineFactory) -> None:
    """11.7: TID, TS, TGS and VF of the IND entry; guest entries need the LRAT."""
    m = walker(machine, PTE)
    m.set({"lrat.mas1[0]": V | tsize(20), "lrat.mas2[0]": 0x40000000, "lrat.mas3[0]": 0x40000000})
    indirect(m, tid=5, ts=1, mas8=TGS | 3)
    run_as(m, msr=GS | 0x10, pid=5, lpid=3)
    assert m.translate(EA).real == 0x77777567
    assert made(m) == (V | TS | 5 << 16 | tsize(2), 0x00234000 | M, 0x77777000 | SR, 0, TGS | 3)


def test_vf_of_the_indirect_entry_is_kept(machine: MachineFactory) -> None:
    """11.7, 11.8, 5.1: the retried access takes DSI."""
    m = walker(machine)
    indirect(m, mas8=VF)
    assert m.translate(EA).ivor == DSI
    assert m["spr.ESR"] & PT == 0
    assert made(m)[4] == VF


@pytest.mark.parametrize(("r", "c", "perms"), [(R, C, 0x3F), (R, 0, 0x33), (0, C, 0), (0, 0, 0)])
def test_r_and_c_withhold_permissions(machine: MachineFactory, r: int, c: int, perms: int) -> None:
    """11.7, U13: R=0 no access permission; C=0 drops SW and UW."""
    m = walker(machine, PTE & ~R & ~C | ALL | r | c)
    m.translate(EA)
    assert made(m)[0] & V
    assert made(m)[2] & 0x3F == perms


def test_permission_may_still_fault(machine: MachineFactory) -> None:
    """11.8: DSI without PT."""
    m = walker(machine)
    found = m.translate(EA, access="store")
    assert (found.ivor, m["spr.ESR"]) == (DSI, ST)
    assert made(m)[0] & V


def test_wimge_and_u_come_from_the_pte(machine: MachineFactory) -> None:
    """11.3: WIMGE 40:44, U0-3 46:49."""
    wimge, u = 0b10101, 0b1010
    m = walker(machine, 0x77777 << 24 | wimge << 19 | R | u << 14 | C | 2 << 8 | ALL | PTE_V)
    assert m.translate(EA).attributes == wimge
    assert made(m)[2] == 0x77777000 | u << 6 | 0x3F


def test_40_bits_of_real_page(machine: MachineFactory) -> None:
    """11.3: ARPN 0:39."""
    m = walker(machine, 0xFE77777 << 24 | PTE & 0xFFFFFF)
    assert m.translate(EA).real == 0xFE_77777567
    assert made(m)[3] == 0xFE


@pytest.mark.parametrize("ps", [0, 1, 3, 4, 6, 15])
@pytest.mark.parametrize(("access", "ivor", "esr"), [("load", DSI, TLBI | DATA), ("fetch", ISI, TLBI)])
def test_other_page_sizes_are_ineligible(
    machine: MachineFactory, ps: int, access: str, ivor: int, esr: int
) -> None:
    """11.5: a size that TLB0 does not have."""
    m = walker(machine, PTE & ~0xF00 | ps << 8)
    assert m.translate(EA, access=access).ivor == ivor
    assert m["spr.ESR"] == esr
    assert made(m)[0] == 0


def test_tlb0_without_pt_is_ineligible(machine: MachineFactory) -> None:
    """11.5: TLB0CFG[PT]=0."""
    m = walker(machine, params={"tlb0cfg": 0x08012400})
    assert m.translate(EA).ivor == DSI
    assert m["spr.ESR"] == TLBI | DATA


def test_pte_outside_ram_is_a_machine_check(machine: MachineFactory) -> None:
    """11.6, U24: MCAR = that address, MEA = 0."""
    m = walker(machine)
    indirect(m, table=0x20000000)
    assert m.translate(EA).ivor == MACHINE_CHECK
    assert m["spr.MCAR"] == 0x200001A0
    assert m["spr.MCSR"] & 0x40000 == 0


# A guest's walk: section 10 as well


def guest_walk(machine: MachineFactory, pte: int = PTE, **lrat: int) -> Machine:
    m = walker(machine, pte)
    indirect(m, mas8=TGS | 3)
    run_as(m, msr=GS, lpid=3)
    if lrat:
        m.set({"lrat.mas1[0]": V | tsize(2), "lrat.mas2[0]": 0x77777000, "lrat.mas3[0]": 0x55555000})
        m["lrat.mas8[0]"] = lrat["lpid"]
    return m


@pytest.mark.parametrize("lpid", [0, 3])
def test_guest_pte_goes_through_the_lrat(machine: MachineFactory, lpid: int) -> None:
    """10.1, 11.6; the table pointer is real already."""
    m = guest_walk(machine, lpid=lpid)
    assert m.translate(EA).real == 0x55555567
    assert made(m) == (V | tsize(2), 0x00234000 | M, 0x55555000 | SR, 0, TGS | 3)


@pytest.mark.parametrize(
    ("access", "external", "esr"),
    [
        ("load", False, PT | DATA),
        ("store", False, PT | DATA | ST),
        ("fetch", False, PT),
        ("load", True, PT | DATA | EPID),
    ],
)
def test_lrat_miss_of_a_walk(machine: MachineFactory, access: str, external: bool, esr: int) -> None:
    """10.5: IVOR42 to the hypervisor; LPER takes the ALPN and the PTE's size, DEAR = EA for data."""
    m = guest_walk(machine)
    m.set({"spr.EPLC": 0x20030000, "spr.EPCR": 0xF8000000, "spr.DEAR": 0x99})
    before = mas(m)
    found = m.translate(EA, access=access, external=external)
    assert (found.outcome, found.ivor) == (Outcome.EXIT, LRAT)
    assert (m["spr.ESR"], m["thread.pc"]) == (esr, host_vector(LRAT))
    assert m["spr.DEAR"] == (0x99 if access == "fetch" else EA)
    assert m["spr.LPER"] == 0x77777000 | 2
    assert (mas(m), made(m)[0]) == (before, 0)


def test_lrat_entry_of_another_lpid_does_not_serve(machine: MachineFactory) -> None:
    """10.2."""
    assert guest_walk(machine, lpid=4).translate(EA).ivor == LRAT


def test_external_load_walks_with_its_own_tags(machine: MachineFactory) -> None:
    """11.6: EGS, ELPID, EPID: lwepx of the hypervisor takes an LRAT error to the host (9.4)."""
    m = guest_walk(machine)
    run_as(m)
    m["spr.EPLC"] = 0x20030000
    result = m.call("ppc_lwepx", 0, EA & ~3)
    assert (result.ret, result.value[0]) == (TAKEN_BY_HOST, LRAT)
    assert m["spr.ESR"] == PT | DATA | EPID


@pytest.mark.parametrize(
    ("bit", "pte", "ivor", "access", "outcome"),
    [
        (0x10000000, 0, DSI, "load", Outcome.TAKEN_BY_GUEST),
        (0, 0, DSI, "load", Outcome.EXIT),
        (0x08000000, 0, ISI, "fetch", Outcome.TAKEN_BY_GUEST),
        (0x10000000, PTE & ~0xF00, DSI, "load", Outcome.EXIT),
        (0x08000000, PTE & ~0xF00, ISI, "fetch", Outcome.EXIT),
    ],
)
def test_who_takes_page_table_fault_and_ineligible(
    machine: MachineFactory, bit: int, pte: int, ivor: int, access: str, outcome: Outcome
) -> None:
    """12: DSIGS and ISIGS send the fault to the guest, but never TLB ineligible."""
    m = guest_walk(machine, pte)
    m["spr.EPCR"] = bit
    found = m.translate(EA, access=access)
    assert (found.outcome, found.ivor) == (outcome, ivor)
    taken = outcome == Outcome.TAKEN_BY_GUEST
    assert m["thread.pc"] == (guest_vector if taken else host_vector)(ivor)
    assert m["spr.GESR" if taken else "spr.ESR"] & (PT if not pte else TLBI)


# The rest


def test_way_is_chosen_as_for_hes(machine: MachineFactory) -> None:
    """11.7, 6.3.8: the lowest invalid way, else the set's counter, which then advances."""
    m = walker(machine)
    for way in range(8):
        if way != 5:
            put(m, 0, tlb0_index(EA, way, ways=8), V | 9 << 16 | tsize(2), 0x00234000, 0)
    m.translate(EA)
    assert made(m, 5)[2] == 0x77777000 | SR
    put(m, 0, tlb0_index(EA, 5, ways=8), V | 9 << 16 | tsize(2), 0x00234000, 0)
    m.translate(EA)
    assert made(m, 0)[2] == 0x77777000 | SR
    assert m[f"core.hes_victim[{EA >> 12 & 127}]"] == 1
    assert m["core.tlb0_nv"] == 0


@pytest.mark.parametrize("pte", [PTE, 0, PTE & ~0xF00])
def test_probe_changes_nothing(machine: MachineFactory, pte: int) -> None:
    m = walker(machine, pte)
    before = m.snapshot()
    probed = m.translate(EA, probe=True)
    assert m.diff(before) == []
    assert m.translate(EA) == probed


@pytest.mark.parametrize("pte", [0, PTE & ~0xF00])
def test_touch_that_fails_is_dropped(machine: MachineFactory, pte: int) -> None:
    """5.1."""
    m = walker(machine, pte)
    before = m.snapshot()
    assert m.translate(EA, access="touch_load").outcome == Outcome.DROPPED
    assert changed(m, before) == set()


def test_both_threads_see_the_entry(machine: MachineFactory) -> None:
    """4.8."""
    m = walker(machine, vcpus=2)
    m.translate(EA)
    indirect(m, epn=0x00400000)
    assert m.translate(EA, vcpu=1).real == 0x77777567


def test_user_code_walks_as_itself(machine: MachineFactory) -> None:
    """11.8: permissions of the new entry, PR=1."""
    m = walker(machine)
    run_as(m, msr=PR | CM)
    found = m.translate(EA)
    assert (found.ivor, m["spr.ESR"]) == (DSI, 0)


def test_a_page_crossing_access_walks_twice(machine: MachineFactory) -> None:
    """5.1: two accesses; DEAR is the first byte in the page whose PTE is invalid."""
    m = walker(machine)
    found = m.translate(0x00234FFE)
    assert (found.ivor, m["spr.ESR"], m["spr.DEAR"]) == (DSI, PT | DATA, 0x00235000)
    write_pte(m, PTE, PTE_AT + 8)
    run_as(m)
    found = m.translate(0x00234FFE)
    assert (found.real, found.real2) == (0x77777FFE, 0x77777000)


def test_the_retried_access_sees_the_byte_order_of_the_new_entry(machine: MachineFactory) -> None:
    """11.8, 5.2: the access is retried with the entry: both pages are found and differ in E (choices.md)."""
    m = walker(machine)
    put(m, 1, 1, V | tsize(2), 0x00233000 | M | 1, 0x77777000 | SR)
    for _ in range(2):  # by the walk, then from TLB0: the same
        run_as(m)
        found = m.translate(0x00233FFE)
        assert (found.ivor, m["spr.ESR"], m["spr.DEAR"]) == (DSI, 0x20000, 0x00234000)


@each_mav1
def test_mav1_does_not_walk(machine: MachineFactory, model: str) -> None:
    """0.3: no E.PT; IND does not exist: the entry is direct (14.4, rows 144-148)."""
    m = machine(model=model)
    put(m, 1, 0, V | IND | tsize(10), 0x00200000 | M, 0x12300000 | SR)
    assert m.translate(EA, probe=True).real == 0x12334567


def test_two_indirect_entries_are_a_machine_check(machine: MachineFactory) -> None:
    """5.3: with HID0[EN_L2MMU_MHD]; without it the first is walked."""
    m = walker(machine)
    indirect(m, index=1)
    assert m.translate(EA, probe=True).outcome == Outcome.DONE
    m["spr.HID0"] = 0x40000000
    found = m.translate(EA)
    assert (found.outcome, found.ivor) == (TAKEN_BY_HOST, 1)
    assert made(m)[0] == 0
