# SPDX-License-Identifier: BSD-3-Clause
"""hw/tlb: the match rule conjunct by conjunct, page sizes, wildcards, several hits (mmu-hardware 4, 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from pyexit import Machine

from .support import (
    ALL_PERMS,
    CM,
    DONE,
    DS,
    EXIT,
    GS,
    IND,
    IS,
    MACHINE_CHECK,
    MCSR_IF,
    MCSR_LD,
    MCSR_ST,
    MHD,
    MHIT_MAV_MEA,
    REAL_BITS,
    SGS,
    TAKEN_BY_HOST,
    TGS,
    TS,
    TSIZES,
    WAYS,
    WIDTH,
    M,
    MachineFactory,
    V,
    changed,
    each_model,
    each_model64,
    events_of,
    host_vector,
    mas,
    ones,
    page_bytes,
    put,
    run_as,
    set_mas,
    tlb0_index,
    tlbsx,
    tsize,
    vectors,
)

PID, LPID = 0x2A, 0x15
TID_BITS = {"e500mc": 8, "e5500": 14, "e6500": 14}


class Words(NamedTuple):
    """An entry: MAS1, MAS2, MAS3, MAS7, MAS8."""

    mas1: int
    mas2: int
    mas3: int
    mas7: int
    mas8: int


def page_of(model: str, size: int) -> int:
    """An aligned effective page address with as many bits set as the model and the size allow."""
    return 0xA5A5A5A5_A5A5A000 & ones(WIDTH[model]) & -page_bytes(size)


def real_of(model: str, size: int) -> int:
    return 0x5A_5A5A_5000 & ones(REAL_BITS[model]) & -page_bytes(size)


def matching(model: str, size: int) -> Words:
    """The entry that fits guest() exactly, without wildcards."""
    real = real_of(model, size)
    mas1 = V | PID << 16 | TS | tsize(size)
    return Words(mas1, page_of(model, size) | M, real & 0xFFFFF000 | ALL_PERMS, real >> 32, TGS | LPID)


def guest(m: Machine) -> None:
    """Guest state, AS 1, that PID and LPID; 64-bit mode where the core has it. MAS5 and MAS6 say the same."""
    mode = CM if m.params["width"] == 64 else 0
    run_as(m, msr=mode | GS | IS | DS, pid=PID, lpid=LPID)
    set_mas(m, {5: SGS | LPID, 6: PID << 16 | 1})


def entry_fields(words: Words, index: int = 7) -> dict[str, int]:
    names = (f"htlb1.mas{n}[{index}]" for n in (1, 2, 3, 7, 8))
    return dict(zip(names, words, strict=True))


def finds(m: Machine, ea: int) -> tuple[bool, bool, bool]:
    """Is `ea` found by a load, by a fetch, by tlbsx with the same tags?"""
    load = m.translate(ea, access="load", probe=True)
    fetch = m.translate(ea, access="fetch", probe=True)
    m.tlbsx(ea)
    return load.outcome == DONE, fetch.outcome == DONE, bool(m["spr.MAS1"] & V)


def one_conjunct_off(model: str, size: int) -> Iterator[tuple[str, Words]]:
    """The matching entry with one bit turned round, by what the bit belongs to (mmu-hardware 5.1-5.6).

    Every bit at the smallest size; at the others those at the ends of a field and beside the page size.
    """
    entry, shift, every = matching(model, size), size + 10, size == 2
    yield "V", entry._replace(mas1=entry.mas1 ^ V)
    yield "TS", entry._replace(mas1=entry.mas1 ^ TS)
    yield "TGS", entry._replace(mas8=entry.mas8 ^ TGS)
    for bit in range(TID_BITS[model]) if every else (0, TID_BITS[model] - 1):
        yield f"TID bit {bit}", entry._replace(mas1=entry.mas1 ^ 1 << (16 + bit))
    for bit in range(6) if every else (0, 5):
        yield f"TLPID bit {bit}", entry._replace(mas8=entry.mas8 ^ 1 << bit)
    ends = {shift, shift + 1, 31, 32, WIDTH[model] - 1}
    for bit in range(shift, WIDTH[model]):
        if every or bit in ends:
            yield f"EPN bit {bit}", entry._replace(mas2=entry.mas2 ^ 1 << bit)


@each_model
def test_each_conjunct_alone_decides_the_match_at_every_page_size(
    machine: MachineFactory, model: str
) -> None:
    """mmu-hardware 5.1-5.6, for translation and tlbsx alike (6.2.2)."""
    m = machine(model=model)
    guest(m)
    clean = m.snapshot()
    for size in TSIZES[model]:
        ea = page_of(model, size) | 0xABC
        m.restore(clean.replace(entry_fields(matching(model, size))))
        assert finds(m, ea) == (True, True, True), f"TSIZE {size}"
        for what, words in one_conjunct_off(model, size):
            m.restore(clean.replace(entry_fields(words)))
            assert finds(m, ea) == (False, False, False), f"TSIZE {size}, {what}"


@each_model
def test_page_ends_where_its_size_says(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 5.6, 4.5: first and last byte hit, the bytes around them do not."""
    m = machine(model=model)
    guest(m)
    for size in TSIZES[model]:
        base, end = page_of(model, size), page_of(model, size) + page_bytes(size)
        put(m, 1, 0, *matching(model, size))
        for ea, inside in ((base, True), (end - 1, True), (base - 1, False), (end, False)):
            if 0 <= ea <= ones(WIDTH[model]):
                got = m.translate(ea, 1, "load", probe=True).outcome == DONE
                assert got == inside, f"TSIZE {size}, EA {ea:x}"


@each_model
def test_real_address_is_rpn_over_the_pages_offset(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 5.8: RPN bits below the page size are not used, neither added nor OR-ed."""
    m = machine(model=model)
    guest(m)
    for size in TSIZES[model]:
        words = matching(model, size)
        dirty = real_of(model, size) | 0xFFFF_F000 & ones(size + 10)
        put(m, 1, 0, *words._replace(mas3=dirty & 0xFFFFF000 | ALL_PERMS, mas7=dirty >> 32))
        offset = 0x1234_5678_9ABC & ones(size + 10) & ~0xFFF | 0x678
        found = m.translate(page_of(model, size) | offset, 1, "load")
        assert (found.outcome, found.real, found.page_size) == (
            DONE,
            real_of(model, size) | offset,
            page_bytes(size),
        )


@each_model
def test_hit_tells_permissions_and_attributes_of_the_entry(machine: MachineFactory, model: str) -> None:
    """pyexit.h struct pyexit_translation."""
    m = machine(model=model)
    guest(m)
    words = matching(model, 2)
    put(m, 1, 0, *words._replace(mas2=words.mas2 & ~0x7F | 0x5B, mas3=words.mas3 & ~0x3FF | 0x3C0 | 0x33))
    found = m.translate(page_of(model, 2) | 4)
    assert (found.outcome, found.ivor, found.perms, found.attributes, found.real2) == (DONE, 0, 0x33, 0x5B, 0)


@each_model
@pytest.mark.parametrize("pid", [0, 1, 0x2A, 0xFF])
def test_tid_0_matches_every_pid(machine: MachineFactory, model: str, pid: int) -> None:
    """mmu-hardware 5.3."""
    m = machine(model=model)
    run_as(m, pid=pid)
    put(m, 1, 0, V | tsize(2), 0x5000, ALL_PERMS)
    assert m.translate(0x5000).outcome == DONE
    assert tlbsx(m, 0x5000, pid << 16)


@each_model
def test_pid_0_matches_tid_0_only(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 5.3: the wildcard is the entry's, not the access's."""
    m = machine(model=model)
    put(m, 1, 0, V | 1 << 16 | tsize(2), 0x5000, ALL_PERMS)
    assert m.translate(0x5000, probe=True).outcome == TAKEN_BY_HOST
    assert not tlbsx(m, 0x5000, 0)


@each_model
@pytest.mark.parametrize("lpid", [0, 1, 0x15, 0x3F])
def test_tlpid_0_matches_every_lpid(machine: MachineFactory, model: str, lpid: int) -> None:
    """mmu-hardware 5.5."""
    m = machine(model=model)
    run_as(m, msr=GS, lpid=lpid)
    put(m, 1, 0, V | tsize(2), 0x5000, ALL_PERMS, mas8=TGS)
    assert m.translate(0x5000).outcome == DONE
    assert tlbsx(m, 0x5000, 0, SGS | lpid)


@each_model
def test_lpid_0_matches_tlpid_0_only(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 5.5."""
    m = machine(model=model)
    put(m, 1, 0, V | tsize(2), 0x5000, ALL_PERMS, mas8=1)
    assert m.translate(0x5000, probe=True).outcome == TAKEN_BY_HOST
    assert not tlbsx(m, 0x5000, 0, 0)


@each_model
@pytest.mark.parametrize("state", [0, GS])
@pytest.mark.parametrize("tlpid", [0, 3])
def test_tgs_has_no_wildcard(machine: MachineFactory, model: str, state: int, tlpid: int) -> None:
    """mmu-hardware 5.4: exact compare, whatever TLPID."""
    m = machine(model=model)
    run_as(m, msr=state, lpid=3)
    for tgs in (0, TGS):
        put(m, 1, 0, V | tsize(2), 0x5000, ALL_PERMS, mas8=tgs | tlpid)
        assert (m.translate(0x5000, probe=True).outcome == DONE) == (bool(tgs) == bool(state))


@each_model
@pytest.mark.parametrize(("access", "bit"), [("fetch", IS), ("load", DS), ("store", DS), ("touch_load", DS)])
def test_address_space_is_is_for_fetches_and_ds_for_data(
    machine: MachineFactory, model: str, access: str, bit: int
) -> None:
    """mmu-hardware 5.2."""
    m = machine(model=model)
    put(m, 1, 0, V | TS | tsize(2), 0x5000, ALL_PERMS)
    for msr in (0, IS, DS, IS | DS):
        run_as(m, msr=msr)
        assert (m.translate(0x5000, access=access, probe=True).outcome == DONE) == bool(msr & bit)


@each_model64
def test_32_bit_mode_takes_the_address_modulo_2_32(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 5.6."""
    m = machine(model=model)
    put(m, 1, 0, V | tsize(2), 0x5000, ALL_PERMS)
    run_as(m, msr=0)
    assert m.translate(0xFFFFFFFF_00005678).outcome == DONE
    run_as(m, msr=CM)
    assert m.translate(0xFFFFFFFF_00005678).outcome == TAKEN_BY_HOST


@each_model64
def test_entry_above_4_gib_is_out_of_reach_in_32_bit_mode(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 5.6: the address is cut, not the EPN."""
    m = machine(model=model)
    put(m, 1, 0, V | tsize(2), 0x1_0000_5000, ALL_PERMS)
    for msr, found in ((0, False), (CM, True)):
        run_as(m, msr=msr)
        assert (m.translate(0x1_0000_5000, probe=True).outcome == DONE) is found


@each_model64
@pytest.mark.parametrize("bit", [32, 40, 63])
def test_64_bit_mode_compares_the_high_half(machine: MachineFactory, model: str, bit: int) -> None:
    m = machine(model=model)
    put(m, 1, 0, V | tsize(2), 0x5000, ALL_PERMS)
    run_as(m, msr=CM)
    assert m.translate(0x5000, probe=True).outcome == DONE
    assert m.translate(0x5000 | 1 << bit, probe=True).outcome == TAKEN_BY_HOST


def test_indirect_entry_does_not_translate(machine: MachineFactory) -> None:
    """mmu-hardware 5.7, 6.2.2: IND=1 is no final translation; tlbsx finds it by SIND only."""
    m = machine(model="e6500")
    put(m, 1, 0, V | IND | tsize(11), 0x200000, 0x5004)
    assert m.translate(0x201000, probe=True).ivor == 2  # DSI: the walk finds PTE[V] = 0 (11.4)
    assert not tlbsx(m, 0x201000, 0)
    assert tlbsx(m, 0x201000, 2)
    put(m, 1, 0, V | tsize(11), 0x200000, ALL_PERMS)
    assert m.translate(0x201000, probe=True).outcome == DONE
    assert not tlbsx(m, 0x201000, 2)
    assert tlbsx(m, 0x201000, 0)


@each_model
def test_tlb0_is_searched_in_the_set_of_the_address_only(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 4.2: no hashing; every way of that set, no other set."""
    m, ways = machine(model=model), WAYS[model]
    for page in (0x10000, 0x10001, 0x1007F, 0x10080):
        for way in range(ways):
            index = tlb0_index(page << 12, way, ways=ways)
            put(m, 0, index, V | tsize(2), page << 12, ALL_PERMS)
            assert tlbsx(m, page << 12 | 0xFFC)
            assert mas(m)[0] == way << 16
            put(m, 0, index, 0, 0, 0)
    put(m, 0, tlb0_index(0x10002000, 0, ways=ways), V | tsize(2), 0x10001000, ALL_PERMS)
    assert not tlbsx(m, 0x10001000)
    assert m.translate(0x10001000, probe=True).outcome == TAKEN_BY_HOST


@each_model
def test_tlb1_is_searched_whole(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 4.3."""
    m = machine(model=model)
    for index in range(64):
        put(m, 1, index, V | tsize(2), 0x5000, ALL_PERMS)
        assert tlbsx(m, 0x5000)
        assert mas(m)[0] == 0x10000000 | index << 16
        put(m, 1, index, 0, 0, 0)


# Several hits (mmu-hardware 5.3). A place is tlbsel, index; the real page is 10 + its position here.
ORDER = ((0, 0), (0, 1), (0, 3), (1, 0), (1, 5), (1, 63))


def put_both(m: Machine, first: tuple[int, int], second: tuple[int, int]) -> None:
    for tlbsel, place in (first, second):
        ways = m.params["tlb0_ways"]
        index = tlb0_index(0x5000, place, ways=ways) if tlbsel == 0 else place
        put(m, tlbsel, index, V | tsize(2), 0x5000, 10 + ORDER.index((tlbsel, place)) << 12 | ALL_PERMS)


def code(m: Machine, place: tuple[int, int]) -> int:
    """tlbsel << 16 | index, as events have it."""
    if place[0] == 1:
        return 1 << 16 | place[1]
    return tlb0_index(0x5000, place[1], ways=m.params["tlb0_ways"])


PAIRS = [(a, b) for n, a in enumerate(ORDER) for b in ORDER[n + 1 :]]


@each_model
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_first_of_two_hits_wins_and_is_reported(
    machine: MachineFactory, model: str, first: tuple[int, int], second: tuple[int, int]
) -> None:
    """mmu-hardware 5.3, HID0[EN_L2MMU_MHD]=0: TLB0 ways ascending, then TLB1 entries ascending."""
    m = machine(model=model)
    put_both(m, first, second)
    report = (0x5004, code(m, first), code(m, second))
    assert m.translate(0x5004).real == (10 + ORDER.index(first)) << 12 | 4
    assert [event.arg[:3] for event in events_of(m, "multi_hit")] == [report]
    assert tlbsx(m, 0x5004)
    assert mas(m)[3] >> 12 == 10 + ORDER.index(first)
    assert [event.arg[:3] for event in events_of(m, "multi_hit")] == [report]


@each_model
@pytest.mark.parametrize(
    ("access", "bit"), [("fetch", MCSR_IF), ("load", MCSR_LD), ("store", MCSR_ST), ("cache_load", MCSR_LD)]
)
def test_two_hits_are_a_machine_check_with_mhd(
    machine: MachineFactory, model: str, access: str, bit: int
) -> None:
    """mmu-hardware 5.3, HID0[EN_L2MMU_MHD]=1 (U19): IVOR1, MCSRR0/1, MCAR = EA, MAS untouched."""
    m = machine(model=model)
    vectors(m)
    put_both(m, (1, 5), (1, 63))
    m["spr.HID0"] = MHD
    run_as(m, msr=0x1000, pc=0x5004)
    before = m.snapshot()
    found = m.translate(0x5004, access=access)
    assert (found.outcome, found.ivor) == (TAKEN_BY_HOST, MACHINE_CHECK)
    assert (m["spr.MCSRR0"], m["spr.MCSRR1"]) == (0x5004, 0x1000)
    assert (m["spr.MCAR"], m["spr.MCSR"]) == (0x5004, MHIT_MAV_MEA | bit)
    assert (m["thread.pc"], m["thread.msr"]) == (host_vector(MACHINE_CHECK), 0)
    names = {"spr.MCSRR0", "spr.MCSRR1", "spr.MCAR", "spr.MCSR", "thread.pc", "thread.msr"}
    assert changed(m, before) == names


@each_model
def test_machine_check_goes_to_the_hypervisor(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 12: never to the guest, whatever EPCR says."""
    m = machine(model=model)
    put_both(m, (1, 5), (1, 63))
    for place in ((1, 5), (1, 63)):
        m[f"htlb1.mas8[{place[1]}]"] = TGS
    m.set({"spr.HID0": MHD, "spr.EPCR": 0xFFFFFFFF})
    run_as(m, msr=GS)
    assert m.translate(0x5004).outcome == EXIT
    assert not m["thread.msr"] & GS


@each_model
def test_mcsr_of_a_machine_check_is_or_ed(machine: MachineFactory, model: str) -> None:
    """docs/choices.md: MCSR is write-one-to-clear."""
    m = machine(model=model)
    put_both(m, (1, 5), (1, 63))
    m.set({"spr.HID0": MHD, "spr.MCSR": 0x1})
    m.translate(0x5004)
    assert m["spr.MCSR"] == MHIT_MAV_MEA | MCSR_LD | 1


@each_model
def test_tlbsx_with_two_hits_is_a_machine_check_with_mhd(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 5.3, docs/choices.md: no MAS changes, MCSR[LD], MCAR = EA."""
    m = machine(model=model)
    put_both(m, (0, 1), (1, 5))
    m["spr.HID0"] = MHD
    set_mas(m, {0: 0x10050000, 1: 0x100, 4: 0x100, 5: 0, 6: 0})
    before = mas(m)
    result = m.tlbsx(0x5004)
    assert (result.ret, result.value[0]) == (TAKEN_BY_HOST, MACHINE_CHECK)
    assert mas(m) == before
    assert (m["spr.MCAR"], m["spr.MCSR"]) == (0x5004, MHIT_MAV_MEA | MCSR_LD)


@each_model
def test_touch_with_two_hits_is_a_machine_check_all_the_same(machine: MachineFactory, model: str) -> None:
    """docs/choices.md: a broken TLB is no access fault."""
    m = machine(model=model)
    put_both(m, (0, 1), (1, 5))
    m["spr.HID0"] = MHD
    found = m.translate(0x5004, access="touch_load")
    assert (found.outcome, found.ivor) == (TAKEN_BY_HOST, MACHINE_CHECK)


@each_model
def test_one_hit_is_no_machine_check_with_mhd(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    m["spr.HID0"] = MHD
    put(m, 1, 5, V | tsize(2), 0x5000, ALL_PERMS)
    put(m, 1, 6, V | tsize(2), 0x6000, ALL_PERMS)
    assert m.translate(0x5004).outcome == DONE
    assert m.events() == []


@each_model
def test_permission_is_that_of_the_first_hit(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 5.3: which of the matching entries a permission check uses."""
    m = machine(model=model)
    for index, perms in ((3, 0x01), (4, ALL_PERMS)):
        put(m, 1, index, V | tsize(2), 0x5000, perms)
    assert m.translate(0x5000, access="load", probe=True).outcome == DONE
    assert m.translate(0x5000, access="store", probe=True).outcome == TAKEN_BY_HOST


@each_model
@pytest.mark.parametrize("hid0", [0x80, MHD])
def test_recorded_host_takes_the_first_of_several_hits(
    machine: MachineFactory, model: str, hid0: int
) -> None:
    """mmu-hardware 0.4: first match, whatever IND and HID0 say."""
    m = machine(model=model, params="recorded")
    m["spr.HID0"] = hid0
    put(m, 1, 5, V | IND | tsize(2), 0x5000, 0xA000 | ALL_PERMS)
    put(m, 1, 6, V | tsize(2), 0x5000, 0xB000 | ALL_PERMS)
    assert m.translate(0x5000).real == 0xA000


@each_model
@pytest.mark.parametrize("size", [0, 1])
def test_recorded_page_is_never_under_4_kib(machine: MachineFactory, model: str, size: int) -> None:
    """mmu-hardware 0.4."""
    m = machine(model=model, params="recorded")
    put(m, 1, 5, V | tsize(size), 0x5000, 0xA000 | ALL_PERMS)
    assert tlbsx(m, 0x5FFC)
    assert not tlbsx(m, 0x6000)


@each_model
def test_recorded_tlb0_page_has_the_entrys_size(machine: MachineFactory, model: str) -> None:
    """vectors/SCHEMA.md: TSIZE of a TLB0 entry counts in the match, in the set of the address."""
    m = machine(model=model, params="recorded")
    put(m, 0, tlb0_index(0x13000, 0), V | tsize(6), 0x10000, 0xA0000 | ALL_PERMS)
    assert tlbsx(m, 0x13000)
    assert not tlbsx(m, 0x14000)
