# SPDX-License-Identifier: BSD-3-Clause
"""The races of the seed, one by one: what another thread does while a fetch is under way (design 6).

The vcpu runs on thread 0 of an e6500; thread 1 shares its TLBs. mmu-kvm 15.4: the page is not pinned, so the
races stay open; these tests say what comes of each, by strategy.
"""

from __future__ import annotations

import errno

import pytest

from pyexit import Action, End, Fetch, Machine, Outcome
from pyexit.actions import POINTS

from .support import (
    GS,
    SGS,
    SR,
    SX,
    TGS,
    UX,
    M,
    MachineFactory,
    V,
    events_of,
    host_vector,
    is_valid,
    put,
    refused,
    stored,
    tsize,
    vectors,
)

PC, REAL, OTHER_REAL, PID = 0x10003234, 0x7234, 0x9234, 5
OLD, NEW = 0x7C0007A4, 0x7C00012E
NOT_LOADED, UNWRITTEN = 0xFFFFFFFF, 0xDEADBEEF
DONE, FAIL, AGAIN = 0, 2, 3
DTLB = 13
ENTRY = 7

SEARCHING = ("merged", "seed-v4", "review")
LOADING = ("lwepx", "lwepx-do-kvm", "lwepx-hijack")
each_searching = pytest.mark.parametrize("fetch", SEARCHING)
each_loading = pytest.mark.parametrize("fetch", LOADING)

ALL_POINTS = tuple(POINTS)
BEFORE_SEARCH, *AFTER_SEARCH = ALL_POINTS
EPLC_SET, LOADED = "fetch:mas_set", "fetch:read"

#: What no execute permission is (design 6).
REFUSED = {"merged": AGAIN, "seed-v4": FAIL, "review": AGAIN}


def guest(machine: MachineFactory, fetch: str) -> Machine:
    """A fetch that succeeds with OLD if nobody interferes."""
    m = machine(model="e6500", fetch=fetch, vcpus=2)
    vectors(m)
    m.set({f"spr1.IVOR[{n}]": n << 4 for n in range(64)} | {"spr1.IVPR": 0x40000000})
    m.set({"vcpu.arch.regs.nip": PC, "vcpu.arch.pid": PID, "vcpu.arch.shared.msr": GS, "spr.PID": PID})
    m.set({"vcpu.arch.last_inst": NOT_LOADED, "spr.EPLC": 0x20000000 | m["kvm.arch.lpid"] << 16})
    entry(m, REAL, SX | UX | SR)
    m.store_word(REAL, OLD)
    m.store_word(OTHER_REAL, NEW)
    return m


def tags(m: Machine) -> tuple[int, int]:
    return V | PID << 16 | tsize(2), TGS | m["kvm.arch.lpid"]


def entry(m: Machine, real: int, perms: int) -> None:
    mas1, mas8 = tags(m)
    put(m, 1, ENTRY, mas1, PC & ~0xFFF | M, real & ~0xFFF | perms, mas8=mas8)


def rewrite(m: Machine, point: str, real: int = OTHER_REAL, perms: int = SX | UX | SR) -> Action:
    """Thread 1 writes the entry anew."""
    mas1, mas8 = tags(m)
    words = {
        0: 0x10000000 | ENTRY << 16,
        1: mas1,
        2: PC & ~0xFFF | M,
        3: real & ~0xFFF | perms,
        7: 0,
        8: mas8,
    }
    m.set({f"spr1.MAS{n}": value for n, value in words.items()})
    return Action(point, "ppc_tlbwe", (1,))


def evict(m: Machine, point: str) -> Action:
    """Thread 1 invalidates the entry, as KVM does for an unmapped page."""
    m.set({"spr1.MAS5": SGS | m["kvm.arch.lpid"], "spr1.MAS6": PID << 16})
    return Action(point, "ppc_tlbilx", (1, 3, PC))


# Searching strategies: merged, seed-v4, review


@each_searching
@pytest.mark.parametrize("point", ALL_POINTS)
def test_entry_is_rewritten_to_another_page(machine: MachineFactory, fetch: str, point: str) -> None:
    """Before the search the new page is read; after it, the old one: MAS are the thread's own."""
    m = guest(machine, fetch)
    m.interleave([rewrite(m, point)])
    assert m.load_last_inst() == Fetch(DONE, NEW if point == BEFORE_SEARCH else OLD)
    assert stored(m, 1, ENTRY)[2] & ~0xFFF == OTHER_REAL & ~0xFFF


@each_searching
@pytest.mark.parametrize("point", ALL_POINTS)
def test_entry_is_evicted(machine: MachineFactory, fetch: str, point: str) -> None:
    """Before the search: AGAIN in all strategies. Later: a word of a page that is no longer mapped (15.4)."""
    m = guest(machine, fetch)
    m.interleave([evict(m, point)])
    assert m.load_last_inst() == ((AGAIN, UNWRITTEN) if point == BEFORE_SEARCH else (DONE, OLD))
    assert not is_valid(m, 1, ENTRY)


@each_searching
@pytest.mark.parametrize("point", ALL_POINTS)
def test_execute_permission_is_removed(machine: MachineFactory, fetch: str, point: str) -> None:
    """merged and review say AGAIN, seed-v4 FAIL: a program interrupt for a guest that did nothing wrong."""
    m = guest(machine, fetch)
    m.interleave([rewrite(m, point, REAL, SR)])
    early = point == BEFORE_SEARCH
    assert m.load_last_inst() == ((REFUSED[fetch], UNWRITTEN) if early else (DONE, OLD))
    assert is_valid(m, 1, ENTRY) == (fetch != "review" or not early)


@each_searching
def test_execute_permission_comes_back(machine: MachineFactory, fetch: str) -> None:
    """mmu-kvm 15.4: why the author did not evict: another thread may rewrite the entry in parallel.

    The search saw an entry without SX; by the time of the eviction it is a good one. merged leaves it for the
    guest's next try, review throws it away, seed-v4 fails.
    """
    m = guest(machine, fetch)
    entry(m, REAL, SR)
    m.interleave([rewrite(m, "fetch:searched")])
    assert m.load_last_inst() == (REFUSED[fetch], UNWRITTEN)
    assert is_valid(m, 1, ENTRY) == (fetch != "review")
    assert m.load_last_inst() == ((AGAIN, UNWRITTEN) if fetch == "review" else (DONE, NEW))


@each_searching
def test_undisturbed_eviction(machine: MachineFactory, fetch: str) -> None:
    """design 6: review alone evicts: MAS1[V] := 0, tlbwe, isync, with the tags that the entry had."""
    m = guest(machine, fetch)
    entry(m, REAL, SR)
    before = stored(m, 1, ENTRY)
    assert m.load_last_inst() == (REFUSED[fetch], UNWRITTEN)
    evicted = fetch == "review"
    assert stored(m, 1, ENTRY) == (before[0] & ~V if evicted else before[0], *before[1:])
    assert [m.counters().get(name, 0) for name in ("tlbwe", "isync")] == [int(evicted)] * 2
    assert len(events_of(m, "tlbwe")) == evicted
    assert (m["spr.MAS5"], m["spr.MAS8"]) == (0, 0)


@each_searching
@pytest.mark.parametrize("point", ALL_POINTS)
def test_ram_changes(machine: MachineFactory, fetch: str, point: str) -> None:
    """The word is that of the moment of the read: the guest executed another one."""
    m = guest(machine, fetch)
    m.interleave([Action(point, "store", (REAL, NEW))])
    assert m.load_last_inst() == (DONE, OLD if point == "fetch:read" else NEW)
    assert m.load_word(REAL) == NEW


@each_searching
@pytest.mark.parametrize("point", ALL_POINTS)
def test_preemption(machine: MachineFactory, fetch: str, point: str) -> None:
    """design 6, mmu-kvm 15.4: between mapped and read only review has guarded the mapping."""
    m = guest(machine, fetch)
    m.interleave([Action(point, "preempt")])
    assert m.load_last_inst() == (DONE, OLD)
    held = point == "fetch:mapped" and fetch != "review"
    assert [event.arg[0] for event in events_of(m, "preempted_mapping")] == ([REAL >> 12] if held else [])


@each_searching
def test_points_that_are_not_reached_keep_their_actions(machine: MachineFactory, fetch: str) -> None:
    """pyexit.h: at points of the next fetches: an action waits until its point is passed."""
    m = guest(machine, fetch)
    put(m, 1, ENTRY, 0, 0, 0)
    m.interleave([Action("fetch:mapped", "store", (REAL, NEW))])
    assert m.load_last_inst().ret == AGAIN
    assert m.load_word(REAL) == OLD
    entry(m, REAL, SX)
    assert m.load_last_inst() == (DONE, NEW)


# External-PID strategies: EPLC set, loaded


@each_loading
@pytest.mark.parametrize("point", [EPLC_SET, LOADED])
def test_lwepx_entry_is_rewritten(machine: MachineFactory, fetch: str, point: str) -> None:
    m = guest(machine, fetch)
    m.interleave([rewrite(m, point)])
    assert m.entry_fetch() == End(Outcome.DONE, 0)
    assert m["vcpu.arch.last_inst"] == (NEW if point == EPLC_SET else OLD)


@each_loading
@pytest.mark.parametrize("point", [EPLC_SET, LOADED])
def test_lwepx_entry_is_evicted(machine: MachineFactory, fetch: str, point: str) -> None:
    """The seed's reason for the patch: with lwepx the host takes a miss that it cannot handle."""
    m = guest(machine, fetch)
    m.interleave([evict(m, point)])
    hit = point == EPLC_SET
    lost = hit and fetch == "lwepx"
    assert m.entry_fetch() == (End(Outcome.TAKEN_BY_HOST, DTLB) if lost else End(Outcome.DONE, 0))
    assert m["vcpu.arch.last_inst"] == (NOT_LOADED if hit else OLD)


@each_loading
@pytest.mark.parametrize("point", [EPLC_SET, LOADED])
def test_lwepx_does_not_mind_execute_permission(machine: MachineFactory, fetch: str, point: str) -> None:
    """exit 11.6: lwepx needs read permission only."""
    m = guest(machine, fetch)
    m.interleave([rewrite(m, point, REAL, SR)])
    assert m.entry_fetch() == End(Outcome.DONE, 0)
    assert m["vcpu.arch.last_inst"] == OLD


@each_loading
@pytest.mark.parametrize("point", [EPLC_SET, LOADED])
def test_lwepx_ram_changes(machine: MachineFactory, fetch: str, point: str) -> None:
    m = guest(machine, fetch)
    m.interleave([Action(point, "store", (REAL, NEW))])
    m.entry_fetch()
    assert m["vcpu.arch.last_inst"] == (NEW if point == EPLC_SET else OLD)


@each_loading
@pytest.mark.parametrize("point", [EPLC_SET, LOADED])
def test_lwepx_has_no_mapping_to_lose(machine: MachineFactory, fetch: str, point: str) -> None:
    m = guest(machine, fetch)
    m.interleave([Action(point, "preempt")])
    m.entry_fetch()
    assert events_of(m, "preempted_mapping") == []


@each_loading
def test_sibling_faults_meanwhile(machine: MachineFactory, fetch: str) -> None:
    """exit 11.7, 11.8: thread 1 takes a host miss of its own while thread 0 fetches.

    lwepx: the host's handler, at no price. do-kvm: two more moves in the vector, EPLC[EGS]=0: the host's.
    Hijack: thread 0's stub stands at the vector that the threads share, and forwards to the saved one.
    """
    m = guest(machine, fetch)
    m.set({"spr1.EPLC": 0, "thread1.pc": 0xC0001000})
    m.interleave([Action(EPLC_SET, "ppc_lwepx", (1, 0x55550000))])
    assert m.entry_fetch() == End(Outcome.DONE, 0)
    assert m["vcpu.arch.last_inst"] == OLD
    assert (m["thread1.pc"], m["spr1.SRR0"], m["spr1.DEAR"]) == (host_vector(DTLB), 0xC0001000, 0x55550000)
    assert (
        m.counters(1)
        == {"lwepx": 1}
        | {
            "lwepx": {},
            "lwepx-do-kvm": {"mfspr": 2},
            "lwepx-hijack": {"forward": 1},
        }[fetch]
    )
    assert [m[f"spr{n}.IVOR[{DTLB}]"] for n in ("", 1)] == [DTLB << 4] * 2


@pytest.mark.parametrize("model", ["e500mc", "e5500"])
def test_other_cores_have_vectors_of_their_own(machine: MachineFactory, model: str) -> None:
    """exit 11.8: private IVORs: a fault of another core is not forwarded, and there is no lock."""
    m = machine(model=model, fetch="lwepx-hijack", cores=2)
    m.set({"vcpu.arch.regs.nip": PC, "vcpu.arch.shared.msr": GS, "spr.EPLC": 0x20000000})
    m.interleave([Action(EPLC_SET, "ppc_lwepx", (1, 0x55550000))])
    m.entry_fetch()
    assert m.counters(1) == {"lwepx": 1}
    assert "lock" not in m.counters(0)


# Actions themselves


def test_actions_happen_once_and_in_order(machine: MachineFactory) -> None:
    m = guest(machine, "merged")
    m.interleave([Action("fetch:mapped", "store", (REAL, 1)), Action("fetch:mapped", "store", (REAL, NEW))])
    assert m.load_last_inst() == (DONE, NEW)
    m.store_word(REAL, OLD)
    assert m.load_last_inst() == (DONE, OLD)


def test_no_actions_clears(machine: MachineFactory) -> None:
    m = guest(machine, "merged")
    m.interleave([Action("fetch:mapped", "store", (REAL, NEW))])
    m.interleave()
    assert m.load_last_inst() == (DONE, OLD)


def test_restore_forgets_them(machine: MachineFactory) -> None:
    m = guest(machine, "merged")
    before = m.snapshot()
    m.interleave([Action("fetch:mapped", "store", (REAL, NEW))])
    m.restore(before)
    assert m.load_last_inst() == (DONE, OLD)


def test_a_second_set_replaces_the_first(machine: MachineFactory) -> None:
    m = guest(machine, "merged")
    m.interleave([evict(m, BEFORE_SEARCH)])
    m.interleave([Action("fetch:mapped", "store", (REAL, NEW))])
    assert m.load_last_inst() == (DONE, NEW)


def test_counters_are_of_the_acting_thread(machine: MachineFactory) -> None:
    m = guest(machine, "merged")
    m.interleave([evict(m, "fetch:read")])
    m.load_last_inst()
    assert m.counters(1) == {"tlbilx": 1}
    assert "tlbilx" not in m.counters(0)


@pytest.mark.parametrize(
    ("actions", "text"),
    [
        ([("fetch:maped", "preempt")], "did you mean|there are"),
        ([("fetch:read", "kvmppc_load_last_inst", (0, 0))], "there are"),
        ([("fetch:read", "store", (1,))], "2 arguments"),
        ([("fetch:read", "ppc_tlbilx", (0, 1, 2, 3))], "arguments"),
        ([("fetch:read", "preempt")] * 17, "16"),
    ],
)
def test_bad_actions(machine: MachineFactory, actions: list[tuple[object, ...]], text: str) -> None:
    m = machine()
    with pytest.raises(ValueError, match=text):
        m.interleave(actions)  # type: ignore[arg-type]


def test_unknown_vcpu(machine: MachineFactory) -> None:
    with refused(errno.EINVAL):
        machine(fetch="lwepx").entry_fetch(vcpu=1)
