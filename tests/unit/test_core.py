# SPDX-License-Identifier: BSD-3-Clause
"""hw/core: reset, parameters, and what the threads of a core share (mmu-hardware 0.3, 0.4, 2.9, 4.8)."""

from __future__ import annotations

from typing import Any

import pytest

from .support import (
    DONE,
    EXIT,
    GS,
    IPROT,
    MODELS,
    SETS,
    SPR,
    TGS,
    WAYS,
    WIDTH,
    M,
    MachineFactory,
    V,
    each_model,
    is_valid,
    mas,
    numbered,
    put,
    run_as,
    set_mas,
    tlb0_index,
    tlbre,
    tlbsx,
    tlbwe,
    tsize,
)

#: SPRs that are not 0 at reset (mmu-hardware 2.9, 3; U16).
AT_RESET = {
    "PVR",
    "SVR",
    "MMUCFG",
    "TLB0CFG",
    "TLB1CFG",
    "TLB0PS",
    "TLB1PS",
    "EPTCFG",
    "LRATCFG",
    "LRATPS",
    "HID0",
}

TINY: dict[str, Any] = {"tlb0_ways": 2, "tlb0_sets": 2, "tlb1_entries": 2}


@each_model
def test_reset_leaves_only_configuration_and_hid0(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 2.9: every other register is 0."""
    state = machine(model=model).state()
    names = {name.removeprefix("spr.") for name in state if name.startswith("spr.")}
    assert names <= AT_RESET
    assert state["spr.HID0"] == 0x80


@each_model
def test_reset_leaves_hypervisor_state_and_an_empty_tlb(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 2.9: MSR 0, TLB0[NV] 0, all entries zero (U21)."""
    state = machine(model=model).state()
    assert not [name for name in state if name.startswith(("thread.", "core.", "htlb"))]


@each_model
def test_entry_never_written_reads_all_zero(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 2.9, M7.2 #22-24: also in TLB0, whose TSIZE would be 2."""
    m = machine(model=model)
    for mas0 in (0, 0x00030000, 0x10000000, 0x103F0000):
        set_mas(m, {1: V, 3: 0xFFFFF000, 7: 0xF, 8: TGS})
        found = tlbre(m, {0: mas0, 2: 0x10003000})
        assert [found[n] for n in (1, 2, 3, 7, 8)] == [0, 0, 0, 0, 0]


@each_model
def test_core_parameters_are_those_of_the_model(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 0.3, 4.1, 4.3."""
    params = machine(model=model).params
    got = [
        params[name] for name in ("width", "threads", "mav", "tlb0_ways", "tlb0_sets", "tlb1_entries", "raw")
    ]
    threads, mav = (2, 2) if model == "e6500" else (1, 1)
    assert got == [WIDTH[model], threads, mav, WAYS[model], SETS, 64, 0]


@each_model
def test_recorded_parameters_are_the_fourth_machine(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 0.4."""
    params = machine(model=model, params="recorded").params
    got = [
        params[name] for name in ("width", "threads", "mav", "tlb0_ways", "tlb0_sets", "tlb1_entries", "raw")
    ]
    assert got == [WIDTH[model], 1, 1, 4, 128, 64, 1]


@each_model
def test_params_dict_changes_single_points_of_the_core(machine: MachineFactory, model: str) -> None:
    """design 7: `params` names a set or gives a geometry."""
    m = machine(model=model, params=TINY | {"tsize_check": 0})
    assert {name: m.params[name] for name in TINY} == TINY
    assert m.params["pid_mask"] == machine(model=model).params["pid_mask"]


@each_model
def test_pvr_and_svr_can_be_given(machine: MachineFactory, model: str) -> None:
    """design 7: the registers and what a new vcpu copies from them (exit 12.2 C7)."""
    m = machine(model=model, pvr=0x80230011, svr=0x82090012)
    assert (m.mfspr("PVR"), m.mfspr("SVR")) == (0x80230011, 0x82090012)
    assert (m["vcpu.arch.pvr"], m["e500.svr"]) == (0x80230011, 0x82090012)


@each_model
@pytest.mark.parametrize("ways", [1, 2, 4, 8])
@pytest.mark.parametrize("sets", [1, 2, 8])
def test_tiny_tlb0_indexes_by_the_low_epn_bits(
    machine: MachineFactory, model: str, ways: int, sets: int
) -> None:
    """mmu-hardware 4.2 with another number of sets: set = EPN mod sets; 4.4: ESEL by its low bits."""
    m = machine(model=model, params={"tlb0_ways": ways, "tlb0_sets": sets})
    for page, way in ((0x10001, 0), (0x10006, ways - 1), (0x10003, ways)):
        tlbwe(m, {0: way << 16, 1: V, 2: page << 12, 3: 0x5015})
        index = tlb0_index(page << 12, way % ways, ways=ways, sets=sets)
        assert m[f"htlb0.mas2[{index}]"] == page << 12
        assert tlbsx(m, page << 12)


@each_model
@pytest.mark.parametrize("entries", [1, 2, 8])
def test_tiny_tlb1_selects_by_the_low_esel_bits(machine: MachineFactory, model: str, entries: int) -> None:
    """mmu-hardware 4.4."""
    m = machine(model=model, params={"tlb1_entries": entries})
    tlbwe(m, {0: 0x10000000 | (entries + entries - 1) << 16, 1: V | tsize(2), 2: 0x5000, 3: 0x5015})
    assert is_valid(m, 1, entries - 1)


@pytest.mark.parametrize("ways", [1, 2, 4])
def test_next_victim_wraps_at_the_number_of_ways(machine: MachineFactory, ways: int) -> None:
    """mmu-hardware 6.6: NV = (TLB0[NV] + 1) mod ways."""
    m = machine(model="e500mc", params={"tlb0_ways": ways, "tlb0_sets": 4})
    m["core.tlb0_nv"] = ways - 1
    assert not tlbsx(m, 0x1000)
    assert mas(m)[0] == (ways - 1) << 16


def test_tlbwe_keeps_log2_ways_bits_of_nv(machine: MachineFactory) -> None:
    """mmu-hardware 2.8: only the low log2(ways) bits of MAS0[NV] reach TLB0[NV]."""
    for model in MODELS:
        m = machine(model=model)
        tlbwe(m, {0: 0xFFD})
        assert m["core.tlb0_nv"] == 0xFFD % WAYS[model]


@each_model
def test_number_of_threads_follows_the_core(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 0.3: two threads on e6500, and PIR tells them apart."""
    m = machine(model=model, cores=2)
    threads = 4 if model == "e6500" else 2
    assert [m[f"{numbered('spr', n)}.PIR"] for n in range(threads)] == list(range(threads))
    with pytest.raises(LookupError):
        m[f"spr{threads}.PIR"]


def test_threads_of_a_core_have_their_own_registers(machine: MachineFactory) -> None:
    """mmu-hardware 4.8: each thread has its own MAS, PID, LPIDR, EPLC and EPSC."""
    m = machine(model="e6500")
    names = [*(f"MAS{n}" for n in range(9)), "PID", "LPID", "EPLC", "EPSC", "EPCR"]
    before = m.snapshot()
    for name in names:
        m.mtspr(SPR[name], 0x1, thread=1)
    assert {name: m.mfspr(SPR[name]) for name in names} == dict.fromkeys(names, 0)
    fields = {difference.field for difference in m.diff(before)}
    assert all(field.startswith(("spr1.", "thread1.ops", "thread.ops")) for field in fields)


def test_threads_of_a_core_share_the_tlbs(machine: MachineFactory) -> None:
    """mmu-hardware 4.8: a tlbwe by one is seen by the other at once."""
    m = machine(model="e6500")
    tlbwe(m, {0: 0x00030005, 1: V, 2: 0x10003004, 3: 0x20007015}, thread=1)
    tlbwe(m, {0: 0x10090000, 1: V | tsize(2), 2: 0x10004004, 3: 0x20007015}, thread=0)
    for thread in (0, 1):
        assert tlbsx(m, 0x10003000, thread=thread)
        assert mas(m, thread)[0] == 0x00030005
        assert tlbsx(m, 0x10004000, thread=thread)


def test_tlbilx_of_one_thread_removes_entries_of_the_other(machine: MachineFactory) -> None:
    """mmu-hardware 4.8."""
    m = machine(model="e6500")
    tlbwe(m, {1: V, 2: 0x10003004, 3: 0x20007015, 8: 2}, thread=1)
    set_mas(m, {5: 2}, thread=0)
    m.tlbilx(0, thread=0)
    assert not is_valid(m, 0, tlb0_index(0x10003000, 0, ways=8))


def test_translation_uses_the_registers_of_the_vcpus_thread(machine: MachineFactory) -> None:
    """mmu-hardware 4.8, 5: same TLB, own PID and MSR."""
    m = machine(model="e6500", vcpus=2, vcpu_thread=(0, 1))
    put(m, 1, 0, V | 5 << 16 | tsize(2), 0x1000 | M, 0x3F, mas8=TGS)
    run_as(m, msr=GS, pid=5, thread=0)
    run_as(m, msr=GS, pid=6, thread=1)
    assert m.translate(0x1000, vcpu=0).outcome == DONE
    assert m.translate(0x1000, vcpu=1).outcome == EXIT
    assert m["spr1.DEAR"] == 0x1000
    assert m["spr.DEAR"] == 0


@each_model
def test_cores_have_their_own_tlbs(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.4: tlbilx and MMUCSR0 act on this core, tlbivax on all."""
    m = machine(model=model, cores=2)
    second = 2 if model == "e6500" else 1
    entry = {0: 0x10050000, 1: V | tsize(2), 2: 0x5000, 3: 0x5015}
    tlbwe(m, entry, thread=second)
    assert not tlbsx(m, 0x5000, thread=0)
    assert tlbsx(m, 0x5000, thread=second)

    m.tlbilx(0, thread=0)
    m.mtspr(SPR["MMUCSR0"], 6, thread=0)
    assert is_valid(m, 1, 5, core=1)

    tlbwe(m, entry, thread=0)
    m.tlbivax(0x5008, thread=0)
    assert (is_valid(m, 1, 5, core=0), is_valid(m, 1, 5, core=1)) == (False, False)


def test_next_victim_belongs_to_the_core(machine: MachineFactory) -> None:
    """mmu-hardware 7.1: one counter for the whole array, so both threads of a core see it."""
    m = machine(model="e6500", cores=2)
    tlbwe(m, {0: 0x6}, thread=1)
    assert (m["core.tlb0_nv"], m["core1.tlb0_nv"]) == (6, 0)


def hes_write(m: Any, page: int) -> list[int]:
    """The ways of the page's set that a tlbwe with HES=1 changed."""
    before = m.snapshot()
    result = tlbwe(m, {0: 0x00074005, 1: V | IPROT | page << 16 & 0x3FFF0000, 2: page << 12, 3: 0x5015})
    assert result.ret == DONE
    places = [d.field for d in m.diff(before) if d.field.startswith("htlb0.mas1")]
    return [int(place[11:-1]) % 8 for place in places]


def test_hes_write_takes_the_lowest_invalid_way(machine: MachineFactory) -> None:
    """mmu-hardware 6.3.8, U11: ESEL is ignored, TLB0[NV] neither used nor changed, MAS0 not written back."""
    m = machine(model="e6500")
    for way in (0, 1, 3):
        put(m, 0, tlb0_index(0x11000, way, ways=8), V, 0x11000, 0x3F)
    assert hes_write(m, 0x11) == [2]
    assert (m["core.tlb0_nv"], m["spr.MAS0"], m["core.hes_victim[17]"]) == (0, 0x00074005, 0)


def test_hes_write_to_a_full_set_goes_round_by_the_sets_counter(machine: MachineFactory) -> None:
    """mmu-hardware 6.3.8, U11: the counter starts at 0 and advances by one modulo the ways."""
    m = machine(model="e6500")
    pages = [0x11 + 0x80 * n for n in range(19)]
    ways = [way for page in pages for way in hes_write(m, page)]
    assert ways == [*range(8), *range(8), 0, 1, 2]
    assert m["core.hes_victim[17]"] == 3
    assert m["core.hes_victim[18]"] == 0


def test_hes_is_reserved_on_mav1(machine: MachineFactory) -> None:
    """mmu-hardware 2.1: ESEL chooses the way."""
    m = machine(model="e5500")
    tlbwe(m, {0: 0x00024000, 1: V, 2: 0x11000, 3: 0x5015})
    assert is_valid(m, 0, tlb0_index(0x11000, 2))


@each_model
def test_timebase_is_written_by_halves(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 1: TBWL and TBWU."""
    m = machine(model=model)
    m["core.tb"] = 0x11223344_55667788
    m.mtspr("TBWL", 0xAABBCCDD)
    assert m["core.tb"] == 0x11223344_AABBCCDD
    m.mtspr("TBWU", 0x99)
    assert m["core.tb"] == 0x00000099_AABBCCDD


def test_lperu_is_the_high_half(machine: MachineFactory) -> None:
    """mmu-hardware 10.5a."""
    m = machine(model="e6500")
    m["spr.LPER"] = 0x11223344_55667788
    assert m.mfspr("LPERU") == 0x11223344
    m.mtspr("LPERU", 0xAA)
    assert m["spr.LPER"] == 0x000000AA_55667788
