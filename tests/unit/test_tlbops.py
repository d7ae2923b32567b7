# SPDX-License-Identifier: BSD-3-Clause
"""hw/tlbops: the TLB instructions and next victim, every UNSURE option both ways (mmu-hardware 6, 7)."""

from __future__ import annotations

from typing import Any

import pytest

from pyexit import Machine

from .support import (
    ALL_PERMS,
    CM,
    DONE,
    IND,
    IPROT,
    PIL,
    PROGRAM,
    SGS,
    TAKEN_BY_HOST,
    TGS,
    TS,
    TSIZES,
    VF,
    WAYS,
    M,
    MachineFactory,
    V,
    changed,
    each_mav1,
    each_model,
    each_model64,
    is_valid,
    mas,
    put,
    run_as,
    set_mas,
    stored,
    texts,
    tlb0_index,
    tlbre,
    tlbsx,
    tlbwe,
    tsize,
)

TLB1 = 0x10000000

# tlbre (mmu-hardware 6.1)


@each_model
def test_tlbre_reads_the_whole_entry(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.1.2: MAS1, 2, 3, 7, 8 from the entry, MAS0[NV] from TLB0[NV], the rest unchanged."""
    m = machine(model=model)
    index = tlb0_index(0x10003000, 2, ways=WAYS[model])
    put(m, 0, index, V | 5 << 16 | TS | tsize(2), 0x10003044, 0x2000703F, 0x1, TGS | VF | 9)
    m["core.tlb0_nv"] = 3
    found = tlbre(
        m, {0: 0x00020000, 1: 0, 2: 0x10003000, 3: 0, 4: 0x10000104, 5: SGS | 2, 6: 0x10001, 7: 0, 8: 0}
    )
    fields = {0: 0x00020003, 1: V | 5 << 16 | TS | 0x100, 2: 0x10003044, 3: 0x2000703F, 7: 1, 8: TGS | VF | 9}
    assert found == fields | {4: 0x10000104, 5: SGS | 2, 6: 0x10001}


@each_model
def test_tlbre_of_tlb1_does_not_look_at_mas2(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 4.3, 6.1.2: and MAS0[NV] comes from TLB0 all the same."""
    m = machine(model=model)
    put(m, 1, 37, V | IPROT | tsize(4), 0x10000004, 0x20000000 | ALL_PERMS)
    m["core.tlb0_nv"] = 1
    found = tlbre(m, {0: TLB1 | 37 << 16, 2: 0xABCDE000})
    assert (found[0], found[1], found[2]) == (TLB1 | 37 << 16 | 1, V | IPROT | tsize(4), 0x10000004)


@each_model
@pytest.mark.parametrize("way", [0, 1, 3])
def test_tlbre_takes_the_set_from_mas2(machine: MachineFactory, model: str, way: int) -> None:
    """mmu-hardware 4.2: all entries whose EPN has the same low 7 bits share a set."""
    m = machine(model=model)
    put(m, 0, tlb0_index(0x3000, way, ways=WAYS[model]), V | tsize(2), 0x3000, ALL_PERMS)
    for page in (0x3, 0x83, 0xFFF83):
        assert tlbre(m, {0: way << 16, 2: page << 12})[2] == 0x3000
    assert tlbre(m, {0: way << 16, 2: 0x4000})[1] == 0


@each_model
def test_out_of_range_esel_selects_by_its_low_bits_and_stays(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 4.4, 2.8."""
    m, ways = machine(model=model), WAYS[model]
    put(m, 0, tlb0_index(0, 1, ways=ways), V | tsize(2), 0x4, ALL_PERMS)
    put(m, 1, 5, V | tsize(4), 0x4, ALL_PERMS)
    for mas0, found in (((ways + 1) << 16, tsize(2)), (0x0FF10000, tsize(2)), (TLB1 | 69 << 16, tsize(4))):
        words = tlbre(m, {0: mas0, 2: 0})
        assert (words[0], words[1]) == (mas0, V | found)


@each_model
def test_tlbre_shows_an_invalid_entry_as_it_is(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.1.3: MAS1[V] tells."""
    m = machine(model=model)
    put(m, 1, 5, 9 << 16 | tsize(4), 0x10004, 0x7000 | ALL_PERMS)
    assert tlbre(m, {0: TLB1 | 5 << 16})[1] == 9 << 16 | tsize(4)


def test_tlbre_brings_sub_page_size_back(machine: MachineFactory) -> None:
    """mmu-hardware 6.1.4: SPSIZE and the extra address bit of an indirect entry, in MAS3."""
    m = machine(model="e6500")
    tlbwe(m, {0: TLB1, 1: V | IND | tsize(11), 2: 0x200004, 3: 0x12345804})
    found = tlbre(m, {0: TLB1, 1: 0, 3: 0})
    assert (found[1], found[3]) == (V | IND | tsize(11), 0x12345804)


@each_model
@pytest.mark.parametrize(("hid0", "mas7"), [(0x80, 1), (0, 7)])
def test_hid0_gates_mas7_of_tlbre_and_tlbsx_hit(
    machine: MachineFactory, model: str, hid0: int, mas7: int
) -> None:
    """mmu-hardware 6.1.6."""
    m = machine(model=model)
    put(m, 1, 5, V | tsize(4), 0x10004, 0x7000 | ALL_PERMS, 1)
    m["spr.HID0"] = hid0
    assert tlbre(m, {0: TLB1 | 5 << 16, 7: 7})[7] == mas7
    set_mas(m, {7: 7})
    assert tlbsx(m, 0x10000)
    assert m["spr.MAS7"] == mas7


@each_model
@pytest.mark.parametrize(("hid0", "mas7"), [(0x80, 0), (0, 7)])
def test_hid0_gates_mas7_of_a_tlbsx_miss_but_not_of_a_tlb_error(
    machine: MachineFactory, model: str, hid0: int, mas7: int
) -> None:
    """docs/choices.md: mmu-hardware 6.1.6 names tlbre and tlbsx."""
    m = machine(model=model)
    m["spr.HID0"] = hid0
    set_mas(m, {7: 7})
    assert not tlbsx(m, 0x10000)
    assert m["spr.MAS7"] == mas7
    m.translate(0x10000)
    assert m["spr.MAS7"] == 0


# tlbsx (mmu-hardware 6.2, 6.6)


@each_model
@pytest.mark.parametrize(("tlbsel", "place"), [(0, 2), (1, 41)])
def test_tlbsx_hit_brings_the_entry_and_its_place(
    machine: MachineFactory, model: str, tlbsel: int, place: int
) -> None:
    """mmu-hardware 6.2.3: MAS8 is overwritten; MAS4, 5, 6 unchanged; NV from TLB0[NV]."""
    m = machine(model=model)
    index = tlb0_index(0x10003000, place, ways=WAYS[model]) if tlbsel == 0 else place
    put(m, tlbsel, index, V | 5 << 16 | TS | tsize(2), 0x10003044, 0x20007000, 1, TGS | VF | 9)
    m["core.tlb0_nv"] = 2
    set_mas(m, {0: 0, 1: 0, 2: 0, 3: 0x3C0, 4: 0x104, 7: 0, 8: 0x3F})
    assert tlbsx(m, 0x10003ABC, 5 << 16 | 1, SGS | 9)
    place_word = tlbsel << 28 | place << 16 | 2
    fields = {0: place_word, 1: V | 5 << 16 | TS | 0x100, 2: 0x10003044, 3: 0x20007000, 7: 1, 8: TGS | VF | 9}
    assert mas(m) == fields | {4: 0x104, 5: SGS | 9, 6: 5 << 16 | 1}


@each_model
def test_tlbsx_does_not_compare_permissions(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.2.5."""
    m = machine(model=model)
    put(m, 1, 0, V | tsize(2), 0x5000, 0)
    assert tlbsx(m, 0x5000)


@pytest.mark.parametrize(("hit_hes", "tlb0", "tlb1"), [(0, 0, 0), (1, 0x5000, 0x1000)])
def test_tlbsx_hit_on_mav2_sets_hes_and_wq_by_option(
    machine: MachineFactory, hit_hes: int, tlb0: int, tlb1: int
) -> None:
    """docs/choices.md: hit_hes = 1 sets HES for a TLB0 hit and WQ = 01 for any hit, as A2 does."""
    m = machine(model="e6500", params={"hit_hes": hit_hes})
    put(m, 0, tlb0_index(0x5000, 3, ways=8), V | tsize(2), 0x5000, ALL_PERMS)
    put(m, 1, 9, V | tsize(2), 0x6000, ALL_PERMS)
    assert tlbsx(m, 0x5000)
    assert m["spr.MAS0"] == 0x00030000 | tlb0
    assert tlbsx(m, 0x6000)
    assert m["spr.MAS0"] == 0x10090000 | tlb1


@each_model
@pytest.mark.parametrize("tlbseld", [0, TLB1])
def test_tlbsx_miss_prepares_a_tlbwe(machine: MachineFactory, model: str, tlbseld: int) -> None:
    """mmu-hardware 6.6: V=0, tags from MAS6, defaults from MAS4; EPN, U bits (U3, U4) and MAS8 kept."""
    m = machine(model=model)
    m["core.tlb0_nv"] = 2
    mas4 = tlbseld | 0x8000 | 0x57F
    set_mas(m, {0: 0xFFF, 1: V | IPROT, 2: 0x12345000, 3: 0xFFFFFFFF, 4: mas4, 7: 0xF, 8: 0xC000003F})
    before = mas(m)
    assert not tlbsx(m, 0xDEADBEEF, 0x00070001, SGS | 3)
    hes_wq = 0 if model != "e6500" else 0x1000 if tlbseld else 0x5000
    ind = IND if model == "e6500" else 0
    victim = TLB1 if tlbseld else 0x00020003
    fields = {0: victim | hes_wq, 1: 0x00071500 | ind, 2: 0x1234507F, 3: 0x3C0, 7: 0}
    assert mas(m) == fields | {4: before[4], 5: SGS | 3, 6: 0x00070001, 8: 0xC000003F}
    assert m["core.tlb0_nv"] == 2


@each_model
@pytest.mark.parametrize(("miss_epn", "epn"), [(0, 0x12345000), (1, 0), (2, 0xDEADB000)])
def test_tlbsx_miss_treats_the_epn_by_option(
    machine: MachineFactory, model: str, miss_epn: int, epn: int
) -> None:
    """mmu-hardware U4: kept, zeroed, or the page of the EA."""
    m = machine(model=model, params={"miss_epn": miss_epn})
    set_mas(m, {2: 0x12345000, 4: 0x104})
    assert not tlbsx(m, 0xDEADBEEF)
    assert m["spr.MAS2"] == epn | 4


@each_model
@pytest.mark.parametrize(("miss_u", "mas3"), [(1, 0x3C0), (0, 0)])
def test_tlbsx_miss_treats_the_user_bits_by_option(
    machine: MachineFactory, model: str, miss_u: int, mas3: int
) -> None:
    """mmu-hardware U3."""
    m = machine(model=model, params={"miss_u": miss_u})
    set_mas(m, {3: 0xFFFFFFFF})
    assert not tlbsx(m, 0x5000)
    assert m["spr.MAS3"] == mas3


@pytest.mark.parametrize(("wq", "mas0"), [(0, 0x4001), (1, 0x5001)])
def test_tlbsx_miss_on_mav2_sets_wq_by_option(machine: MachineFactory, wq: int, mas0: int) -> None:
    """mmu-hardware U12."""
    m = machine(model="e6500", params={"miss_wq": wq})
    assert not tlbsx(m, 0x5000)
    assert m["spr.MAS0"] == mas0


@each_model
def test_tlbsx_leaves_an_event(machine: MachineFactory, model: str) -> None:
    """vectors/SCHEMA.md: hit is tlbsel<<16 | index, or -1."""
    m = machine(model=model)
    put(m, 1, 9, V | tsize(2), 0x5000, ALL_PERMS)
    set_mas(m, {4: 0x104})
    tlbsx(m, 0x5010, 0x20000)
    tlbsx(m, 0x6010, 0x20001, SGS | 1)
    assert texts(m) == [
        "tlbsx 0x5010 mas5=0x0 mas6=0x20000 mas4=0x104 hit=65545",
        "tlbsx 0x6010 mas5=0x80000001 mas6=0x20001 mas4=0x104 hit=-1",
    ]


@each_model64
def test_operand_is_cut_in_32_bit_mode(machine: MachineFactory, model: str) -> None:
    """docs/choices.md, mmu-hardware 5.6, 6.4.7: where the instruction forms the address."""
    m = machine(model=model)
    put(m, 1, 9, V | tsize(2), 0x5000, ALL_PERMS)
    assert tlbsx(m, 0x1_0000_5000)
    run_as(m, msr=CM)
    assert not tlbsx(m, 0x1_0000_5000)
    m.tlbivax(0x1_0000_5008)
    m.tlbilx(3, 0x1_0000_5000)
    assert is_valid(m, 1, 9)
    run_as(m, msr=0)
    m.tlbivax(0x1_0000_5008)
    assert not is_valid(m, 1, 9)


def test_recorded_tlbsx_follows_the_schema(machine: MachineFactory) -> None:
    """vectors/SCHEMA.md: NV is 0 after a hit in TLB1; a miss leaves the EA's page and MAS3 = MAS7 = 0."""
    for model in ("e500mc", "e6500"):
        m = machine(model=model, params="recorded")
        put(m, 1, 9, V | tsize(2), 0x5000, ALL_PERMS)
        put(m, 0, tlb0_index(0x6000, 3), V | tsize(2), 0x6000, ALL_PERMS)
        m["core.tlb0_nv"] = 2
        set_mas(m, {3: 0xFFFFFFFF, 4: 0x1FF, 8: 0x12345678})
        assert tlbsx(m, 0x5000)
        assert m["spr.MAS0"] == 0x10090000
        assert tlbsx(m, 0x6000)
        assert m["spr.MAS0"] == 0x00030002
        set_mas(m, {8: 0x12345678})
        assert not tlbsx(m, 0x9ABC, 0x3FFF0001)
        found = mas(m)
        assert (found[0], found[1], found[2]) == (0x00020003, 0x3FFF1180, 0x907F)
        assert (found[3], found[7], found[8]) == (0, 0, 0x12345678)


# tlbwe (mmu-hardware 6.3)

FULL = {1: 0xFFFFFFFF & ~IND, 2: 0x10003FFF, 3: 0xFFFFFFFF, 7: 0xFFFFFFFF, 8: 0xFFFFFFFF}

#: FULL as each model stores it: MAS1 of TLB0 (no IPROT, 4 KiB), MAS3, MAS7 (mmu-hardware 2.8, 6.3.1, 6.3.2).
STORED = {
    "e500mc": (0x80FF1100, 0xFFFFF3FF, 0xF),
    "e5500": (0xBFFF1100, 0xFFFFF3FF, 0xF),
    "e6500": (0xBFFF1100, 0xFFFFFBFF, 0xFF),
}


@each_model
def test_tlb0_stores_4_kib_and_no_iprot(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.3.1, 6.3.2: whatever TSIZE and IPROT say; tags from MAS8."""
    m = machine(model=model)
    assert tlbwe(m, FULL | {0: 0x00020000}).ret == DONE
    mas1, mas3, mas7 = STORED[model]
    index = tlb0_index(0x10003000, 2, ways=WAYS[model])
    assert stored(m, 0, index) == (mas1, 0x1000307F, mas3, mas7, 0xC000003F)


@each_model
def test_tlb1_stores_all_fields(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.3.1."""
    m = machine(model=model)
    tid = 0xFF if model == "e500mc" else 0x3FFF
    mas1 = V | IPROT | tid << 16 | TS | tsize(4)
    tlbwe(m, FULL | {0: TLB1 | 7 << 16, 1: mas1, 2: 0x1000007F})
    assert stored(m, 1, 7) == (mas1, 0x1000007F, *STORED[model][1:], 0xC000003F)


@each_model
def test_tlb1_clears_epn_bits_below_the_page_and_keeps_rpn_bits(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.3.2 (M7.2 #27-28), at every size."""
    m = machine(model=model)
    for size in TSIZES[model]:
        tlbwe(m, {0: TLB1, 1: V | tsize(size), 2: 0xFFFFF006, 3: 0xFFFFF015})
        words = stored(m, 1, 0)
        epn = 0xFFFFF000 & -(1 << (size + 10)) & 0xFFFFFFFF
        assert (words[1], words[2]) == (epn | 6, 0xFFFFF015), f"TSIZE {size}"


@each_model64
@pytest.mark.parametrize(("msr", "epn"), [(0, 0x10005000), (CM, 0xFFFFFFFF_10005000)])
def test_tlbwe_in_32_bit_mode_writes_no_high_epn(
    machine: MachineFactory, model: str, msr: int, epn: int
) -> None:
    """mmu-hardware 6.3.3."""
    m = machine(model=model)
    run_as(m, msr=msr)
    tlbwe(m, {1: V, 2: 0xFFFFFFFF_10005004})
    assert stored(m, 0, tlb0_index(0x10005000, 0, ways=WAYS[model]))[1] == epn | 4
    tlbwe(m, {0: TLB1, 1: V | tsize(2), 2: 0xFFFFFFFF_10005004})
    assert stored(m, 1, 0)[1] == epn | 4


@each_model
@pytest.mark.parametrize("size", range(32))
def test_tlb1_accepts_supported_sizes_only(machine: MachineFactory, model: str, size: int) -> None:
    """mmu-hardware 6.3.4, U14, U22: the low bit is absent on MAV 1; else program/PIL and nothing written."""
    m = machine(model=model)
    put(m, 1, 5, V | tsize(4), 0xABCD0004, 0x1)
    kept = size if model == "e6500" else size & ~1
    result = tlbwe(m, {0: TLB1 | 5 << 16, 1: V | tsize(size), 2: 0, 3: 0x3F})
    if kept in TSIZES[model]:
        assert result.ret == DONE
        assert stored(m, 1, 5)[0] == V | tsize(kept)
    else:
        assert (result.ret, result.value[0], m["spr.ESR"]) == (TAKEN_BY_HOST, PROGRAM, PIL)
        assert stored(m, 1, 5) == (V | tsize(4), 0xABCD0004, 0x1, 0, 0)


@each_model
@pytest.mark.parametrize("size", [0, 23, 31])
def test_tlb1_stores_any_size_with_v_0(machine: MachineFactory, model: str, size: int) -> None:
    """mmu-hardware 6.3.4 (M7.2 #31)."""
    m = machine(model=model)
    assert tlbwe(m, {0: TLB1, 1: tsize(size)}).ret == DONE
    assert stored(m, 1, 0)[0] == tsize(size if model == "e6500" else size & ~1)


@each_model
def test_size_check_can_be_turned_off(machine: MachineFactory, model: str) -> None:
    """docs/choices.md U22: tsize_check = 0 accepts."""
    m = machine(model=model, params={"tsize_check": 0})
    assert tlbwe(m, {0: TLB1, 1: V, 3: 0x3F}).ret == DONE
    assert stored(m, 1, 0)[0] == V


@each_mav1
def test_low_tsize_bit_can_be_kept_and_refused(machine: MachineFactory, model: str) -> None:
    """docs/choices.md U14: tsize_low = 1 makes an odd size an unsupported one."""
    m = machine(model=model, params={"tsize_low": 1})
    set_mas(m, {1: V | tsize(11)})
    assert m["spr.MAS1"] == V | tsize(11)
    result = tlbwe(m, {0: TLB1, 1: V | tsize(11), 2: 0x12400006})
    assert (result.ret, result.value[0]) == (TAKEN_BY_HOST, PROGRAM)
    assert not is_valid(m, 1, 0)
    assert tlbwe(m, {0: TLB1, 1: V | tsize(10)}).ret == DONE


@each_model
def test_tlbwe_replaces_an_entry_whatever_its_iprot(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.3.6, 13.4."""
    m = machine(model=model)
    put(m, 1, 5, V | IPROT | tsize(4), 0xABCD0004, 0x3F)
    tlbwe(m, {0: TLB1 | 5 << 16})
    assert stored(m, 1, 5) == (0, 0, 0, 0, 0)


@each_model
@pytest.mark.parametrize(("mas0", "nv"), [(0x00000003, 3), (0x00020001, 1), (TLB1 | 3, 2)])
def test_tlbwe_to_tlb0_commits_the_next_victim(
    machine: MachineFactory, model: str, mas0: int, nv: int
) -> None:
    """mmu-hardware 6.3.5: TLB1 writes do not; nothing else advances TLB0[NV]."""
    m = machine(model=model)
    m["core.tlb0_nv"] = 2
    tlbwe(m, {0: mas0})
    assert m["core.tlb0_nv"] == nv


@each_model
def test_tlbwe_changes_one_entry_and_no_register(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.3.1: MAS registers are inputs only."""
    m = machine(model=model)
    set_mas(m, {0: 0x00010002, 1: V, 2: 0x5004, 3: 0x7015, 4: 0x104, 5: SGS, 6: 1, 7: 1, 8: TGS | 2})
    before = m.snapshot()
    m.tlbwe()
    index = tlb0_index(0x5000, 1, ways=WAYS[model])
    entry = {f"htlb0.mas{n}[{index}]" for n in (1, 2, 3, 7, 8)}
    assert changed(m, before) == {"core.tlb0_nv", *entry}


@each_model
def test_tlbwe_leaves_an_event(machine: MachineFactory, model: str) -> None:
    """vectors/SCHEMA.md."""
    m = machine(model=model)
    tlbwe(m, {0: 0x00010002, 1: V | 0x100, 2: 0x5004, 3: 0x7015, 7: 1, 8: TGS | 2})
    assert texts(m) == ["tlbwe mas0=0x10002 mas1=0x80000100 mas2=0x5004 mas3=0x7015 mas7=0x1 mas8=0x80000002"]


@each_model
@pytest.mark.parametrize("wq", [0x1000, 0x2000, 0x3000])
def test_wq_does_not_stop_a_write(machine: MachineFactory, model: str, wq: int) -> None:
    """mmu-hardware 2.1: reserved on MAV 1; U12: ignored by e6500's tlbwe, which has no TWC."""
    m = machine(model=model)
    tlbwe(m, {0: TLB1 | 5 << 16 | wq, 1: V | tsize(2), 2: 0x5000})
    assert is_valid(m, 1, 5)


def test_indirect_entries_live_in_tlb1_of_mav2(machine: MachineFactory) -> None:
    """docs/choices.md: an array whose TLBnCFG[IND] is 0 stores IND as 0."""
    m = machine(model="e6500")
    tlbwe(m, {0: 0, 1: V | IND, 2: 0x5000})
    tlbwe(m, {0: TLB1, 1: V | IND | tsize(11), 2: 0x200008})
    assert stored(m, 0, tlb0_index(0x5000, 0, ways=8))[0] == V | tsize(2)
    assert stored(m, 1, 0)[0] == V | IND | tsize(11)


@each_mav1
def test_atsel_is_reserved_on_mav1(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 2.1."""
    m = machine(model=model)
    assert tlbwe(m, {0: 0x90050000, 1: V | tsize(2), 2: 0x5000}).ret == DONE
    assert is_valid(m, 1, 5)


def test_recorded_tlbwe_stores_the_registers_as_they_are(machine: MachineFactory) -> None:
    """vectors/SCHEMA.md: IPROT in TLB0, low EPN bits, any size; NV from MAS0 & 3."""
    m = machine(model="e500mc", params="recorded")
    words = (0xFFFFFFFF, 0x10003FFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    full = dict(zip((1, 2, 3, 7, 8), words, strict=True))
    for mas0, tlbsel, index in ((0x00020007, 0, tlb0_index(0x10003000, 2)), (TLB1 | 70 << 16, 1, 6)):
        assert tlbwe(m, full | {0: mas0}).ret == DONE
        assert stored(m, tlbsel, index) == words
    assert m["core.tlb0_nv"] == 3


# Invalidation (mmu-hardware 6.4). An entry that every form below fits, and its near misses.

TID, TLPID, PAGE = 5, 3, 0x10003000
WORDS = (V | TID << 16 | tsize(2), PAGE | M, ALL_PERMS, 0, TGS | TLPID)
FIT = {5: SGS | TLPID, 6: TID << 16 | tsize(2)}


def survivors(m: Machine, entries: dict[str, tuple[int, ...]]) -> set[str]:
    """Which of the entries in TLB1 (by position) are still valid."""
    return {name for index, name in enumerate(entries) if is_valid(m, 1, index)}


def fill(m: Machine, entries: dict[str, tuple[int, ...]]) -> None:
    for index, words in enumerate(entries.values()):
        put(m, 1, index, *words)


def near_misses(model: str) -> dict[str, tuple[int, ...]]:
    mas1, mas2, mas3, mas7, mas8 = WORDS
    entries: dict[str, tuple[int, ...]] = {
        "fits": WORDS,
        "other TLPID": (mas1, mas2, mas3, mas7, mas8 ^ 1),
        "TLPID 0": (mas1, mas2, mas3, mas7, TGS),
        "other TID": (mas1 ^ 1 << 16, mas2, mas3, mas7, mas8),
        "TID 0": (mas1 & ~0x3FFF0000, mas2, mas3, mas7, mas8),
        "other TGS": (mas1, mas2, mas3, mas7, mas8 ^ TGS),
        "other EPN": (mas1, mas2 ^ 0x1000, mas3, mas7, mas8),
        "other TS": (mas1 | TS, mas2, mas3, mas7, mas8),
        "IPROT": (mas1 | IPROT, mas2, mas3, mas7, mas8),
    }
    return entries | ({"IND": (mas1 | IND, mas2, mas3, mas7, mas8)} if model == "e6500" else {})


#: What each form leaves of the near misses: 6.4 rows and rules 1-3, U6, U7. IPROT always stays.
LEAVES = {
    0: {"other TLPID", "TLPID 0", "IPROT"},
    1: {"other TLPID", "TLPID 0", "IPROT", "other TID", "TID 0"},
    3: {"other TLPID", "TLPID 0", "IPROT", "other TID", "TID 0", "other TGS", "other EPN", "other TS", "IND"},
}


@each_model
@pytest.mark.parametrize("t", [0, 1, 3])
def test_tlbilx_compares_exactly_what_its_form_names(machine: MachineFactory, model: str, t: int) -> None:
    """mmu-hardware 6.4: no wildcards; TS only on e6500 (U6), IND only on MAV 2."""
    m, entries = machine(model=model), near_misses(model)
    fill(m, entries)
    set_mas(m, FIT)
    assert m.tlbilx(t, PAGE | 0xABC).ret == DONE
    leaves = LEAVES[t] & set(entries)
    assert survivors(m, entries) == (leaves - {"other TS"} if model != "e6500" else leaves)


@each_model
@pytest.mark.parametrize("compare", [0, 1])
def test_tlbilx_3_compares_the_address_space_by_option(
    machine: MachineFactory, model: str, compare: int
) -> None:
    """mmu-hardware U6, either way."""
    m = machine(model=model, params={"tlbilx_as": compare})
    for sas in (0, 1):
        fill(m, near_misses(model))
        set_mas(m, FIT | {6: FIT[6] | sas})
        m.tlbilx(3, PAGE)
        left = survivors(m, near_misses(model))
        assert ("fits" in left, "other TS" in left) == (bool(compare and sas), bool(compare and not sas))


@each_model
@pytest.mark.parametrize("tid0", [0, 1])
def test_tlbilx_3_treats_tid_0_by_option(machine: MachineFactory, model: str, tid0: int) -> None:
    """mmu-hardware U7: 1 lets TID 0 match any SPID in T=3; T=1 stays exact."""
    m = machine(model=model, params={"tlbilx_tid0": tid0})
    fill(m, near_misses(model))
    set_mas(m, FIT)
    m.tlbilx(1, PAGE)
    assert "TID 0" in survivors(m, near_misses(model))
    m.tlbilx(3, PAGE)
    assert ("TID 0" in survivors(m, near_misses(model))) is not bool(tid0)


@each_model
def test_tlbilx_removes_global_entries_by_their_own_numbers(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.4.1: TID 0 by SPID 0, TLPID 0 by SLPID 0."""
    m, entries = machine(model=model), near_misses(model)
    fill(m, entries)
    set_mas(m, {5: SGS | TLPID, 6: tsize(2)})
    m.tlbilx(3, PAGE)
    assert set(entries) - survivors(m, entries) == {"TID 0"}
    set_mas(m, {5: SGS, 6: TID << 16 | tsize(2)})
    m.tlbilx(3, PAGE)
    assert set(entries) - survivors(m, entries) == {"TID 0", "TLPID 0"}


@each_model
@pytest.mark.parametrize("t", [2, 4, 5, 6, 7])
def test_other_forms_of_tlbilx_are_illegal(machine: MachineFactory, model: str, t: int) -> None:
    """mmu-hardware 6.4: program interrupt, ESR[PIL]."""
    m, entries = machine(model=model), near_misses(model)
    fill(m, entries)
    set_mas(m, FIT)
    result = m.tlbilx(t, PAGE)
    assert (result.ret, result.value[0], m["spr.ESR"]) == (TAKEN_BY_HOST, PROGRAM, PIL)
    assert survivors(m, entries) == set(entries)


@each_model
def test_tlbilx_acts_on_both_tlbs(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.4; on MAV 2 an array with HES compares TSIZE with ISIZE."""
    for t in (0, 1, 3):
        m = machine(model=model)
        index = tlb0_index(PAGE, 1, ways=WAYS[model])
        put(m, 0, index, *WORDS)
        put(m, 1, 0, *WORDS)
        set_mas(m, FIT)
        m.tlbilx(t, PAGE)
        assert (is_valid(m, 0, index), is_valid(m, 1, 0)) == (False, False)


def test_tlbilx_3_compares_isize_in_arrays_with_hes(machine: MachineFactory) -> None:
    """mmu-hardware 6.4, docs/choices.md: e6500's TLB0 has HES, its TLB1 has not; MMUCFG[TWC] is 0."""
    m = machine(model="e6500")
    index = tlb0_index(PAGE, 1, ways=8)
    put(m, 0, index, *WORDS)
    put(m, 1, 0, *WORDS)
    set_mas(m, FIT | {6: TID << 16 | tsize(3)})
    m.tlbilx(3, PAGE)
    assert (is_valid(m, 0, index), is_valid(m, 1, 0)) == (True, False)


@each_mav1
def test_mav1_has_no_isize_and_no_sind(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.4.8."""
    m = machine(model=model)
    index = tlb0_index(PAGE, 1)
    put(m, 0, index, *WORDS)
    set_mas(m, FIT | {6: TID << 16 | tsize(30) | 2})
    m.tlbilx(3, PAGE)
    assert not is_valid(m, 0, index)


@each_model
def test_tlbilx_3_matches_anywhere_in_a_large_page(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.4: EPN matches EA at the entry's size."""
    m = machine(model=model)
    for size in TSIZES[model]:
        put(m, 1, 0, V | tsize(size), 0, ALL_PERMS)
        set_mas(m, {5: 0, 6: 0})
        outside = 1 << (size + 10)
        if outside < 1 << 32:
            m.tlbilx(3, outside)
            assert is_valid(m, 1, 0)
        m.tlbilx(3, min(outside, 1 << 32) - 1)
        assert not is_valid(m, 1, 0), f"TSIZE {size}"


@each_model
def test_invalidation_clears_v_only(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.4: other fields stay and tlbre shows them (M7.2 #49)."""
    m = machine(model=model)
    put(m, 1, 0, *WORDS)
    set_mas(m, FIT)
    before = m.snapshot()
    m.tlbilx(3, PAGE)
    assert changed(m, before) == {"htlb1.mas1[0]"}
    assert stored(m, 1, 0) == (WORDS[0] & ~V, *WORDS[1:])


@each_model
@pytest.mark.parametrize("tlbsel", [0, 1])
def test_tlbivax_removes_every_entry_of_the_page_in_the_named_tlb(
    machine: MachineFactory, model: str, tlbsel: int
) -> None:
    """mmu-hardware 6.4, U8: PID, AS and tags are not compared; several ways may go (6.4.5)."""
    m, ways = machine(model=model), WAYS[model]
    for way, words in enumerate((WORDS, (V | TS | 9 << 16 | tsize(2), PAGE, 0, 0, 0))):
        put(m, 0, tlb0_index(PAGE, way, ways=ways), *words)
        put(m, 1, way, *words)
    put(m, 1, 2, WORDS[0] | IPROT, *WORDS[1:])
    put(m, 1, 3, WORDS[0], WORDS[1] ^ 0x1000, *WORDS[2:])
    m.tlbivax(PAGE | tlbsel << 3)
    tlb0 = [is_valid(m, 0, tlb0_index(PAGE, way, ways=ways)) for way in (0, 1)]
    assert tlb0 == [tlbsel == 1] * 2
    assert [is_valid(m, 1, index) for index in range(4)] == [tlbsel == 0] * 2 + [True, True]


@each_model
@pytest.mark.parametrize("tlbsel", [0, 1])
def test_tlbivax_ia_removes_the_whole_tlb(machine: MachineFactory, model: str, tlbsel: int) -> None:
    """mmu-hardware 6.4: EA bit 2^2; IPROT stays."""
    m, ways = machine(model=model), WAYS[model]
    indices = (0, 77, 128 * ways - 1)
    for index in indices:
        put(m, 0, index, *WORDS)
    for index in (0, 40):
        put(m, 1, index, *WORDS)
    put(m, 1, 63, WORDS[0] | IPROT, *WORDS[1:])
    m.tlbivax(0xABCDE004 | tlbsel << 3)
    assert [is_valid(m, 0, index) for index in indices] == [tlbsel == 1] * 3
    assert [is_valid(m, 1, index) for index in (0, 40, 63)] == [tlbsel == 0] * 2 + [True]


#: What tlbivax_tags = 1 leaves of the near misses: it compares TLPID, TGS, TID (IND) exactly, not TS.
TAGS_LEAVE = {"other TLPID", "TLPID 0", "other TID", "TID 0", "other TGS", "other EPN", "IPROT", "IND"}


@each_model
@pytest.mark.parametrize("tags", [0, 1])
def test_tlbivax_compares_tags_by_option(machine: MachineFactory, model: str, tags: int) -> None:
    """mmu-hardware U8, 6.4.4."""
    m, entries = machine(model=model, params={"tlbivax_tags": tags}), near_misses(model)
    fill(m, entries)
    set_mas(m, FIT)
    m.tlbivax(PAGE | 8)
    leaves = TAGS_LEAVE if tags else {"other EPN", "IPROT"}
    assert survivors(m, entries) == leaves & set(entries)


@each_model
def test_iprot_entry_survives_every_invalidation(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.4, 13.4."""
    m = machine(model=model)
    put(m, 1, 0, WORDS[0] | IPROT, *WORDS[1:])
    set_mas(m, FIT)
    actions: list[Any] = [lambda t=t: m.tlbilx(t, PAGE) for t in (0, 1, 3)]
    actions += [lambda: m.tlbivax(PAGE | 8), lambda: m.tlbivax(0xC), lambda: m.mtspr("MMUCSR0", 6)]
    for action in actions:
        action()
        assert is_valid(m, 1, 0)


@each_model
def test_invalidations_leave_events(machine: MachineFactory, model: str) -> None:
    """vectors/SCHEMA.md for T=0; pyexit.h for the others."""
    m = machine(model=model)
    set_mas(m, {5: SGS | 2, 6: 0x50000})
    m.tlbilx(0)
    m.tlbilx(3, 0x5000)
    m.tlbivax(0x5008)
    events = m.events()
    assert str(events[0]) == "tlbilxlpid mas5=0x80000002"
    assert (events[1].kind, events[1].detail, events[1].arg[:3]) == (3, 3, (SGS | 2, 0x50000, 0x5000))
    assert (events[2].kind, events[2].arg[:3]) == (4, (0x5008, SGS | 2, 0x50000))


def test_recorded_tlbilx_compares_8_bits_of_tlpid(machine: MachineFactory) -> None:
    """vectors/SCHEMA.md: clears V of every entry with TLPID == MAS5[SLPID] and IPROT = 0."""
    m = machine(model="e500mc", params="recorded")
    put(m, 0, 3, V | IPROT, 0x3000, 0, 0, 0xFF)
    put(m, 0, 4, V, 0x3000, 0, 0, 0xFF)
    put(m, 1, 4, V, 0x3000, 0, 0, 0xFE)
    set_mas(m, {5: SGS | 0xFF})
    m.tlbilx(0)
    assert [is_valid(m, 0, 3), is_valid(m, 0, 4), is_valid(m, 1, 4)] == [True, False, True]


@each_model
def test_each_operation_is_counted_once(machine: MachineFactory, model: str) -> None:
    """design 6."""
    m = machine(model=model)
    m.tlbre()
    m.tlbwe()
    m.tlbsx(0)
    m.tlbilx(0)
    m.tlbivax(0)
    counts = m.counters()
    assert counts == {"tlbre": 1, "tlbwe": 1, "tlbsx": 1, "tlbilx": 1, "tlbivax": 1}


def test_tlb1_compares_isize_with_twc(machine: MachineFactory) -> None:
    """docs/choices.md: tlbilx T=3 on MAV 2 where MMUCFG[TWC] is set, also without HES."""
    mmucfg = machine(model="e6500").params["mmucfg"]
    for twc in (0, 0x8000):
        m = machine(model="e6500", params={"mmucfg": mmucfg | twc})
        put(m, 1, 0, V | tsize(4), 0x10000 | M, 0x7000 | 0x3F)
        m.set({"spr.MAS5": 0, "spr.MAS6": tsize(2)})
        m.tlbilx(3, 0x10000)
        assert is_valid(m, 1, 0) == bool(twc)


def test_recorded_host_refuses_no_size(machine: MachineFactory) -> None:
    """mmu-hardware 0.4: whatever tsize_check says."""
    m = machine(params={"set": "recorded", "tsize_check": 1})
    assert tlbwe(m, {0: 0x10000000, 1: V | tsize(1), 2: 0x10000}).ret == 0
    assert is_valid(m, 1, 0)
