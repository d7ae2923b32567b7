# SPDX-License-Identifier: BSD-3-Clause
"""hw/translate: permissions, VF, byte order, page crossing, touches, misses (mmu-hardware 5, 6.6, 12)."""

from __future__ import annotations

from itertools import product

import pytest

from pyexit import Machine

from .support import (
    ALL_PERMS,
    BO,
    CM,
    DONE,
    DROPPED,
    DS,
    DSI,
    DTLB,
    EXIT,
    GS,
    IS,
    ISI,
    ITLB,
    PR,
    SR,
    ST,
    SW,
    SX,
    TAKEN_BY_GUEST,
    TAKEN_BY_HOST,
    TGS,
    UR,
    UW,
    UX,
    VF,
    WAYS,
    M,
    MachineFactory,
    V,
    changed,
    each_model,
    each_model64,
    events_of,
    mas,
    put,
    run_as,
    set_mas,
    tlbwe,
    tsize,
)

#: mmu-hardware 5.1: what each access needs with PR=0 and with PR=1.
NEEDS = {
    "fetch": (SX, UX),
    "load": (SR, UR),
    "store": (SW, UW),
    "cache_load": (SR, UR),
    "touch_load": (SR, UR),
    "touch_store": (SW, UW),
}
TOUCHES = ("touch_load", "touch_store")
STORES = ("store",)

#: TLB1 entries 0, 1, 2 ... of this test map the pages 5000, 6000, 7000 ... to 1F000, 2F000, 3F000 ...
FIRST = 0x5000


def map_page(m: Machine, page: int, perms: int = ALL_PERMS, wimge: int = M, mas8: int = 0) -> None:
    index = (page - FIRST) >> 12
    put(m, 1, index, V | tsize(2), page | wimge, (index + 1) << 16 | 0xF000 | perms, mas8=mas8)


def allowed(m: Machine, access: str, perms: int) -> bool:
    m["htlb1.mas3[0]"] = 0x1F000 | perms
    return m.translate(FIRST, access=access, probe=True).outcome == DONE


@each_model
@pytest.mark.parametrize("access", NEEDS)
@pytest.mark.parametrize("user", [0, 1])
def test_access_needs_exactly_its_permission_bit(
    machine: MachineFactory, model: str, access: str, user: int
) -> None:
    """mmu-hardware 5.1: execute-only and write-only pages exist, no bit implies another."""
    m, needed = machine(model=model), NEEDS[access][user]
    map_page(m, FIRST)
    run_as(m, msr=PR * user)
    assert allowed(m, access, needed)
    assert not allowed(m, access, ALL_PERMS & ~needed)


def test_whole_permission_table(machine: MachineFactory) -> None:
    """mmu-hardware 5.1: all 64 combinations of UX SX UW SW UR SR."""
    m = machine(model="e500mc")
    map_page(m, FIRST)
    for perms in range(64):
        m["htlb1.mas3[0]"] = 0x1F000 | perms
        for user in (0, 1):
            run_as(m, msr=PR * user)
            for access, needs in NEEDS.items():
                outcome = m.translate(FIRST, access=access, probe=True).outcome
                assert (outcome == DONE) == bool(perms & needs[user])


@each_model
@pytest.mark.parametrize(
    ("access", "ivor", "esr"),
    [("load", DSI, 0), ("store", DSI, ST), ("cache_load", DSI, 0), ("fetch", ISI, 0)],
)
def test_refusal_sets_syndrome_and_leaves_mas_alone(
    machine: MachineFactory, model: str, access: str, ivor: int, esr: int
) -> None:
    """mmu-hardware 12: DSI with ST for stores and DEAR; ISI writes no DEAR; no MAS (M7.2 #98-#105)."""
    m = machine(model=model)
    map_page(m, FIRST, perms=0)
    run_as(m, pc=FIRST | 8)
    m.set({"spr.ESR": 0xFFFF, "spr.DEAR": 0x777, "spr.MAS4": 0x10000100})
    before = m.snapshot()
    found = m.translate(FIRST | 8, access=access)
    assert (found.outcome, found.ivor) == (TAKEN_BY_HOST, ivor)
    assert (m["spr.ESR"], m["spr.DEAR"]) == (esr, 0x777 if access == "fetch" else FIRST | 8)
    assert not [name for name in changed(m, before) if "MAS" in name]


@each_model
@pytest.mark.parametrize("access", TOUCHES)
def test_touch_never_interrupts(machine: MachineFactory, model: str, access: str) -> None:
    """mmu-hardware 5.1: a miss, a refusal or VF simply ends it, and nothing changes (M7.2 #94, #152)."""
    m = machine(model=model)
    map_page(m, FIRST, perms=0)
    map_page(m, FIRST + 0x1000, mas8=VF)
    before = m.snapshot()
    for page in (FIRST, FIRST + 0x1000, FIRST + 0x9000):
        assert m.translate(page, access=access).outcome == DROPPED
    assert changed(m, before) == set()


@each_model
@pytest.mark.parametrize("access", TOUCHES)
def test_touch_that_may_access_translates(machine: MachineFactory, model: str, access: str) -> None:
    m = machine(model=model)
    map_page(m, FIRST)
    found = m.translate(FIRST | 0x20, access=access)
    assert (found.outcome, found.real) == (DONE, 0x1F020)


@each_model
@pytest.mark.parametrize(("access", "esr"), [("load", 0), ("store", ST), ("cache_load", 0)])
@pytest.mark.parametrize("perms", [0, ALL_PERMS])
def test_vf_sends_every_data_access_to_the_hypervisor(
    machine: MachineFactory, model: str, access: str, esr: int, perms: int
) -> None:
    """mmu-hardware 5.1, 12: DSI to the hypervisor whatever the permissions and EPCR[DSIGS]."""
    m = machine(model=model)
    map_page(m, FIRST, perms=perms, mas8=TGS | VF)
    m["spr.EPCR"] = 0x10000000
    run_as(m, msr=GS)
    found = m.translate(FIRST, access=access)
    assert (found.outcome, found.ivor) == (EXIT, DSI)
    assert (m["spr.ESR"], m["spr.DEAR"]) == (esr, FIRST)


@each_model
def test_vf_does_not_prevent_execution(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 5.1."""
    m = machine(model=model)
    map_page(m, FIRST, mas8=VF)
    assert m.translate(FIRST, access="fetch").outcome == DONE


# Accesses that cross 4 KiB (mmu-hardware 5.1, 12)
END = FIRST + 0xFFE  # a word at this address lies in two pages


@each_model
@pytest.mark.parametrize("access", ["load", "store", "fetch"])
def test_crossing_access_gives_both_real_addresses(machine: MachineFactory, model: str, access: str) -> None:
    """mmu-hardware 5.1: two accesses; real2 is that of the first byte in the second page."""
    m = machine(model=model)
    map_page(m, FIRST)
    map_page(m, FIRST + 0x1000)
    found = m.translate(END, 4, access)
    assert (found.outcome, found.real, found.real2) == (DONE, 0x1FFFE, 0x2F000)


@each_model
def test_access_that_ends_at_the_page_end_does_not_cross(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    map_page(m, FIRST)
    for ea, size in ((END, 2), (FIRST, 4096), (FIRST + 0xFFF, 1), (FIRST + 0xFF8, 8)):
        found = m.translate(ea, size)
        assert (found.outcome, found.real2) == (DONE, 0)


@each_model
def test_crossing_inside_a_large_page_is_two_accesses_too(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 5.1: the boundary is 4 KiB, whatever the page size."""
    m = machine(model=model)
    put(m, 1, 0, V | tsize(4), 0x10000, 0x50000 | ALL_PERMS)
    found = m.translate(0x10FFE, 4)
    assert (found.outcome, found.real, found.real2, found.page_size) == (DONE, 0x50FFE, 0x51000, 0x4000)


@each_model
def test_crossing_into_an_unmapped_page_reports_its_first_byte(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 12, M7.2 #111: DEAR and MAS2 are those of the failing page; the access restarts whole."""
    m = machine(model=model)
    map_page(m, FIRST)
    run_as(m, pc=0x700)
    found = m.translate(END, 4, "store")
    assert (found.outcome, found.ivor) == (TAKEN_BY_HOST, DTLB)
    assert (m["spr.DEAR"], m["spr.ESR"], m["spr.SRR0"]) == (FIRST + 0x1000, ST, 0x700)
    assert m["spr.MAS2"] & ~0xFFF == FIRST + 0x1000


@each_model
def test_crossing_from_an_unmapped_page_reports_the_operand(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 5.1: lower one first."""
    m = machine(model=model)
    map_page(m, FIRST + 0x1000, perms=0)
    assert m.translate(END, 4).ivor == DTLB
    assert m["spr.DEAR"] == END


@each_model
@pytest.mark.parametrize(
    ("lower", "upper", "dear"), [(0, ALL_PERMS, END), (0, 0, END), (ALL_PERMS, 0, FIRST + 0x1000)]
)
def test_crossing_access_needs_permission_in_both_pages(
    machine: MachineFactory, model: str, lower: int, upper: int, dear: int
) -> None:
    """mmu-hardware 5.1, 12: lower page first."""
    m = machine(model=model)
    map_page(m, FIRST, perms=lower)
    map_page(m, FIRST + 0x1000, perms=upper)
    assert m.translate(END, 4).ivor == DSI
    assert m["spr.DEAR"] == dear


@each_model
def test_lower_refusal_comes_before_an_upper_miss(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    map_page(m, FIRST, perms=0)
    assert m.translate(END, 4).ivor == DSI


@each_model
def test_vf_of_the_upper_page_reports_its_first_byte(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    map_page(m, FIRST)
    map_page(m, FIRST + 0x1000, mas8=VF)
    assert m.translate(END, 4).ivor == DSI
    assert m["spr.DEAR"] == FIRST + 0x1000


@each_model
@pytest.mark.parametrize(("access", "ivor"), [("load", DSI), ("fetch", ISI)])
@pytest.mark.parametrize(("lower", "upper"), [(M, M | 1), (M | 1, M)])
def test_pages_of_different_byte_order_are_a_byte_order_exception(
    machine: MachineFactory, model: str, access: str, ivor: int, lower: int, upper: int
) -> None:
    """mmu-hardware 5.2, 12: DSI or ISI with ESR[BO]; DEAR is the first byte in the second page."""
    m = machine(model=model)
    map_page(m, FIRST, wimge=lower)
    map_page(m, FIRST + 0x1000, wimge=upper)
    m["spr.DEAR"] = 0x777
    found = m.translate(END, 4, access)
    assert (found.ivor, m["spr.ESR"]) == (ivor, BO)
    assert m["spr.DEAR"] == (0x777 if access == "fetch" else FIRST + 0x1000)


@each_model
def test_store_over_pages_of_different_byte_order_has_bo_alone(machine: MachineFactory, model: str) -> None:
    """docs/choices.md: no ST, bits that mmu-hardware 12 does not name are 0."""
    m = machine(model=model)
    map_page(m, FIRST)
    map_page(m, FIRST + 0x1000, wimge=M | 1)
    assert m.translate(END, 4, "store").ivor == DSI
    assert m["spr.ESR"] == BO


@each_model
def test_multiple_hit_of_the_upper_page_is_reported_with_the_byte_order(
    machine: MachineFactory, model: str
) -> None:
    """docs/choices.md: the upper page is searched at that moment."""
    m = machine(model=model)
    map_page(m, FIRST)
    for index in (1, 2):
        put(m, 1, index, V | tsize(2), FIRST + 0x1000 | M | 1, ALL_PERMS)
    m.translate(END, 4)
    assert m["spr.ESR"] == BO
    assert [event.arg[:3] for event in events_of(m, "multi_hit")] == [(FIRST + 0x1000, 0x10001, 0x10002)]


@each_model
def test_byte_order_comes_after_vf_and_before_permission(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 12: multiple hits, VF, then byte order, then permission."""
    m = machine(model=model)
    map_page(m, FIRST, perms=0)
    map_page(m, FIRST + 0x1000, wimge=M | 1)
    m.translate(END, 4)
    assert m["spr.ESR"] == BO
    map_page(m, FIRST, perms=0, mas8=VF)
    m.translate(END, 4)
    assert (m["spr.ESR"], m["spr.DEAR"]) == (0, END)


@each_model
def test_same_byte_order_is_no_exception(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    map_page(m, FIRST, wimge=M | 1)
    map_page(m, FIRST + 0x1000, wimge=1)
    assert m.translate(END, 4).outcome == DONE


def test_access_wraps_at_the_end_of_the_32_bit_space(machine: MachineFactory) -> None:
    """mmu-hardware 5.6: addresses are taken modulo 2^32."""
    for model in ("e500mc", "e5500"):
        m = machine(model=model)
        put(m, 1, 0, V | tsize(2), 0xFFFFF000, 0x1F000 | ALL_PERMS)
        assert m.translate(0xFFFFFFFE, 4).ivor == DTLB
        assert m["spr.DEAR"] == 0
        put(m, 1, 1, V | tsize(2), 0, 0x2F000 | ALL_PERMS)
        found = m.translate(0xFFFFFFFE, 4)
        assert (found.outcome, found.real, found.real2) == (DONE, 0x1FFFE, 0x2F000)


@each_model64
def test_access_wraps_at_the_end_of_the_64_bit_space(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    run_as(m, msr=CM)
    put(m, 1, 0, V | tsize(2), 0xFFFFFFFF_FFFFF000, 0x1F000 | ALL_PERMS)
    put(m, 1, 1, V | tsize(2), 0, 0x2F000 | ALL_PERMS)
    found = m.translate(0xFFFFFFFF_FFFFFFFE, 4)
    assert (found.outcome, found.real, found.real2) == (DONE, 0x1FFFE, 0x2F000)


# What a miss leaves in MAS (mmu-hardware 6.6)


def proposed(model: str, nv: int, tlbseld: int) -> int:
    """MAS0 of a miss: e6500 has HES of the proposed TLB and WQ 01 (U12)."""
    mav2 = 0 if model != "e6500" else 0x1000 if tlbseld else 0x5000
    return mav2 | (0x10000000 if tlbseld else nv << 16 | (nv + 1) % WAYS[model])


@each_model
@pytest.mark.parametrize("access", ["load", "store", "cache_load", "fetch"])
@pytest.mark.parametrize("space", [0, 1])
def test_miss_fills_mas_for_the_handler(machine: MachineFactory, model: str, access: str, space: int) -> None:
    """mmu-hardware 6.6, 12."""
    m = machine(model=model)
    run_as(m, msr=(DS | IS) * space, pid=0x2A, pc=0x20001234)
    m.set({"core.tlb0_nv": 2, "spr.MAS4": 0x104, "spr.DEAR": 0x777, "spr.ESR": 0xFFFF})
    set_mas(m, {3: 0xFFFFFFFF, 5: 0x8000003F, 6: 0, 7: 0xF, 8: 0xC000003F})
    found = m.translate(0x20001234, access=access)
    assert (found.outcome, found.ivor) == (TAKEN_BY_HOST, ITLB if access == "fetch" else DTLB)
    expected = {0: proposed(model, 2, 0), 1: 0x802A0100 | space << 12, 2: 0x20001004, 3: 0x3C0, 4: 0x104}
    isize = 0x100 if model == "e6500" else 0
    assert mas(m) == expected | {5: 0x8000003F, 6: 0x2A0000 | isize | space, 7: 0, 8: 0xC000003F}
    assert m["spr.ESR"] == (ST if access == "store" else 0)
    assert m["spr.DEAR"] == (0x777 if access == "fetch" else 0x20001234)
    assert m["core.tlb0_nv"] == 2


@each_model
def test_miss_takes_defaults_from_mas4(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.6: TLBSELD 1 gives ESEL = NV = 0 (U5); X0, X1, WIMGE, TSIZED and INDD are copied."""
    m = machine(model=model)
    m["core.tlb0_nv"] = 3
    set_mas(m, {4: 0x1000857F})
    m.translate(0x20001234)
    found = mas(m)
    ind = 0x2000 if model == "e6500" else 0
    assert (found[0], found[1], found[2]) == (proposed(model, 3, 1), V | 0x500 | ind, 0x2000107F)
    assert found[6] == (0x502 if model == "e6500" else 0)


@each_model
def test_miss_in_64_bit_mode_keeps_the_whole_page_number(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.6: EPN is the EA of the access; in 32-bit mode that is modulo 2^32."""
    m = machine(model=model)
    m.translate(0x12345678_9ABCDEF0 if model != "e500mc" else 0x9ABCDEF0)
    assert (m["spr.MAS2"], m["spr.DEAR"]) == (0x9ABCD000, 0x9ABCDEF0)
    if model != "e500mc":
        run_as(m, msr=CM)
        m.translate(0x12345678_9ABCDEF0)
        assert (m["spr.MAS2"], m["spr.DEAR"]) == (0x12345678_9ABCD000, 0x12345678_9ABCDEF0)


@each_model
@pytest.mark.parametrize(("miss_u", "mas3"), [(1, 0x3C0), (0, 0)])
def test_miss_keeps_or_clears_the_user_bits(
    machine: MachineFactory, model: str, miss_u: int, mas3: int
) -> None:
    """mmu-hardware U3."""
    m = machine(model=model, params={"miss_u": miss_u})
    set_mas(m, {3: 0xFFFFFFFF})
    m.translate(0x20001234)
    assert m["spr.MAS3"] == mas3


@pytest.mark.parametrize("wq", [0, 1])
def test_miss_on_mav2_sets_wq_by_option(machine: MachineFactory, wq: int) -> None:
    """mmu-hardware U12."""
    m = machine(model="e6500", params={"miss_wq": wq})
    m.translate(0x20001234)
    assert m["spr.MAS0"] == 0x4001 | wq << 12


@each_model
def test_two_misses_propose_the_same_way(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 7.2: only tlbwe moves TLB0[NV]."""
    m = machine(model=model)
    m.translate(0x20001234)
    first = m["spr.MAS0"]
    m.translate(0x30002000)
    assert m["spr.MAS0"] == first


@each_model
def test_tlbwe_after_a_miss_maps_the_missing_page(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 13.2: with only MAS3 and MAS7 filled; and 7.2: the round robin goes on."""
    m = machine(model=model)
    m["spr.MAS4"] = 0x104
    m.translate(0x20001234)
    set_mas(m, {0: m["spr.MAS0"] & ~0x4000, 3: 0x10001000 | ALL_PERMS, 7: 0})
    assert m.tlbwe().ret == DONE
    m["thread.msr"] = 0
    assert m.translate(0x20001234).real == 0x10001234
    assert m["core.tlb0_nv"] == 1


@each_model
@pytest.mark.parametrize("access", ["load", "fetch"])
def test_dmiuh_keeps_mas_when_the_hypervisor_takes_the_miss(
    machine: MachineFactory, model: str, access: str
) -> None:
    """mmu-hardware 6.5, U10: the state of the handler decides; ESR and DEAR are written all the same."""
    for msr in (0, GS, GS | PR):
        m = machine(model=model)
        run_as(m, msr=msr)
        m["spr.EPCR"] = 0x00400000
        before = mas(m)
        assert m.translate(0x20001234, access=access).outcome in (EXIT, TAKEN_BY_HOST)
        assert mas(m) == before
        assert m["spr.DEAR"] == (0 if access == "fetch" else 0x20001234)


@each_model
def test_dmiuh_does_not_touch_what_the_guest_takes(machine: MachineFactory, model: str) -> None:
    """mmu-hardware 6.5, U10."""
    m = machine(model=model)
    run_as(m, msr=GS)
    m["spr.EPCR"] = 0x00400000 | 0x40000000
    assert m.translate(0x20001234).outcome == TAKEN_BY_GUEST
    assert m["spr.MAS1"] & V


@each_model
@pytest.mark.parametrize(("msr", "updated"), [(0, False), (PR, True), (GS, True), (GS | PR, True)])
def test_dmiuh_by_the_state_of_the_access(
    machine: MachineFactory, model: str, msr: int, updated: bool
) -> None:
    """mmu-hardware 6.5, option dmiuh_access (A2): update iff GS or PR or not DMIUH."""
    m = machine(model=model, params={"dmiuh_access": 1})
    run_as(m, msr=msr)
    m["spr.EPCR"] = 0x00400000
    m.translate(0x20001234)
    assert bool(m["spr.MAS1"] & V) is updated


# Probes


@each_model
@pytest.mark.parametrize("access", NEEDS)
def test_probe_answers_like_the_access_and_changes_nothing(
    machine: MachineFactory, model: str, access: str
) -> None:
    """design 5: hit, refusal, VF, miss, crossing, two hits; with MHD as well."""
    m = machine(model=model)
    map_page(m, FIRST)
    map_page(m, FIRST + 0x1000, perms=0)
    map_page(m, FIRST + 0x2000, mas8=VF)
    map_page(m, FIRST + 0x3000, wimge=M | 1)
    put(m, 1, 30, V | tsize(2), FIRST + 0x3000, ALL_PERMS)
    m.events()
    for hid0, offset in product((0, 0x40000000), (0, 0xFFE, 0x1000, 0x2000, 0x2FFE, 0x3000, 0x9000)):
        m["spr.HID0"] = hid0
        before = m.snapshot()
        probed = m.translate(FIRST + offset, access=access, probe=True)
        assert m.diff(before) == []
        assert m.events() == []
        assert m.translate(FIRST + offset, access=access) == probed
        m.restore(before)
        m.events()


@each_model
@pytest.mark.parametrize("size", [0, 4097, -1])
def test_size_out_of_range_is_refused(machine: MachineFactory, model: str, size: int) -> None:
    """pyexit.h pyexit_translate: 1 to 4096 bytes."""
    m = machine(model=model)
    with pytest.raises((OSError, ValueError)):
        m.translate(0x5000, size)


@each_model
def test_miss_then_tlbwe_without_edits_writes_no_valid_entry_after_tlbsx(
    machine: MachineFactory, model: str
) -> None:
    """mmu-hardware 13.1: tlbsx misses leave V=0."""
    m = machine(model=model)
    m["spr.MAS4"] = 0x104
    m.tlbsx(0x20001000)
    m.tlbwe()
    assert m.tlb() == []
    assert tlbwe(m, {}).ret == DONE
