# SPDX-License-Identifier: BSD-3-Clause
"""Machine.explore(): every placement of a few actions, and the outcomes told apart (design 6)."""

from __future__ import annotations

from math import comb
from typing import Any

import pytest

from pyexit import Action, Machine, Step
from pyexit.actions import POINTS

from .support import GS, SGS, SR, SX, TGS, M, MachineFactory, V, put, tsize

PC, REAL, OLD, NEW = 0x10003234, 0x7234, 0x7C0007A4, 0x7C00012E
DONE, FAIL, AGAIN = 0, 2, 3
UNWRITTEN = 0xDEADBEEF
EVICT, STORE = ("ppc_tlbilx", (1, 3, PC)), ("store", (REAL, NEW))


def guest(machine: MachineFactory, fetch: str = "merged") -> Machine:
    """Thread 1 of an e6500 may evict the entry that the fetch of vcpu 0 uses."""
    m = machine(model="e6500", fetch=fetch, ram=((0, 0x10000),))
    lpid = m["kvm.arch.lpid"]
    m.set({"vcpu.arch.regs.nip": PC, "vcpu.arch.shared.msr": GS, "spr1.MAS5": SGS | lpid, "spr1.MAS6": 0})
    put(m, 1, 7, V | tsize(2), PC & ~0xFFF | M, REAL & ~0xFFF | SX | SR, mas8=TGS | lpid)
    m.store_word(REAL, OLD)
    return m


def fetch(m: Machine) -> Any:
    return m.load_last_inst()


def action(do: tuple[str, tuple[int, ...]]) -> tuple[Any, ...]:
    """An action as explore() takes it: what it does, then its arguments."""
    return do[0], *do[1]


def test_nothing_to_do_is_one_outcome(machine: MachineFactory) -> None:
    (finding,) = guest(machine).explore(fetch, [])
    assert (finding.outcome, finding.placements) == ((DONE, OLD), ((),))


def test_outcomes_of_an_eviction(machine: MachineFactory) -> None:
    """Undisturbed first; then AGAIN at the one point before the search."""
    m = guest(machine)
    done, again = m.explore(fetch, [action(EVICT)])
    assert (done.outcome, again.outcome) == ((DONE, OLD), (AGAIN, UNWRITTEN))
    assert again.placements == ((Action("fetch:mas_set", *EVICT),),)
    assert len(done.placements) == len(POINTS)
    assert done.placements[0] == ()


def test_outcomes_of_a_store(machine: MachineFactory) -> None:
    m = guest(machine)
    old, new = m.explore(fetch, [action(STORE)])
    assert (old.outcome, new.outcome) == ((DONE, OLD), (DONE, NEW))
    assert [placement[0].point for placement in old.placements[1:]] == ["fetch:read"]


def test_two_actions_take_every_place_and_order(machine: MachineFactory) -> None:
    """6 x 6 pairs of points, and both orders where they share one; and the undisturbed run."""
    m = guest(machine)
    found = m.explore(fetch, [action(EVICT), action(STORE)])
    placements = [placement for finding in found for placement in finding.placements]
    assert len(placements) == len(set(placements)) == 1 + 6 * 6 + 6
    assert {finding.outcome for finding in found} == {(DONE, OLD), (DONE, NEW), (AGAIN, UNWRITTEN)}


def test_points_can_be_chosen(machine: MachineFactory) -> None:
    m = guest(machine)
    (found,) = m.explore(fetch, [action(EVICT)], ["fetch:read", "fetch:mapped"])
    assert len(found.placements) == 3


def test_each_placement_does_what_it_says(machine: MachineFactory) -> None:
    """A finding can be replayed by interleave()."""
    m = guest(machine)
    for finding in m.explore(fetch, [action(EVICT), action(STORE)]):
        for placement in finding.placements:
            before = m.snapshot()
            m.interleave(placement)
            assert m.load_last_inst() == finding.outcome
            m.restore(before)
            m.store_word(REAL, OLD)


def test_machine_ends_as_it_began(machine: MachineFactory) -> None:
    m = guest(machine)
    before = m.snapshot()
    m.explore(fetch, [action(EVICT), action(STORE)])
    assert m.diff(before) == []
    assert m.load_word(REAL) == OLD
    assert m.events() == []
    assert m.load_last_inst() == (DONE, OLD)


def test_machine_ends_as_it_began_after_an_error(machine: MachineFactory) -> None:
    m = guest(machine)
    before = m.snapshot()

    def fails(m: Machine) -> None:
        m.load_last_inst()
        raise RuntimeError("from the function")

    with pytest.raises(RuntimeError, match="from the function"):
        m.explore(fails, [action(STORE)])
    assert m.diff(before) == []
    assert m.load_last_inst() == (DONE, OLD)


@pytest.mark.parametrize("strategy", ["lwepx", "lwepx-do-kvm", "lwepx-hijack"])
def test_a_machine_of_another_strategy(machine: MachineFactory, strategy: str) -> None:
    """Actions at points that an external-PID load does not pass do nothing."""
    m = guest(machine, strategy)
    m["spr.EPLC"] = 0x20000000 | m["kvm.arch.lpid"] << 16
    first, second = m.explore(lambda m: (m.entry_fetch(), m["vcpu.arch.last_inst"]), [action(EVICT)])
    assert first.outcome[1] == OLD
    assert len(second.placements) == 1
    assert second.outcome[0].outcome == (3 if strategy == "lwepx" else 0)


def test_outcomes_that_are_no_keys(machine: MachineFactory) -> None:
    """Their text tells them apart."""
    m = guest(machine)
    found = m.explore(lambda m: list(m.load_last_inst()), [action(EVICT)])
    assert [finding.outcome for finding in found] == [str([DONE, OLD]), str([AGAIN, UNWRITTEN])]


def test_scenario_is_explored(machine: MachineFactory) -> None:
    """From its own state; the outcome is what each step came to."""
    m = guest(machine)
    made = m.scenario()
    made.steps.append(Step(call="kvmppc_load_last_inst", args=(0, 0)))
    done, again = m.explore(made, [action(EVICT)])
    assert [finding.outcome[0][0] for finding in (done, again)] == [DONE, AGAIN]
    assert len(done.outcome) == 1
    m["htlb1.mas1[7]"] = 0
    assert len(m.explore(made, [action(EVICT)])) == 2


def test_scenario_with_actions_is_refused(machine: MachineFactory) -> None:
    m = guest(machine)
    made = m.scenario()
    made.steps.append(Step(verb="interleave", args=()))
    with pytest.raises(ValueError, match="interleave"):
        m.explore(made, [action(EVICT)])


@pytest.mark.parametrize(
    ("actions", "points"),
    [
        ([("ppc_tlbilxx", 1)], ["fetch:read"]),
        ([("store", 1)], ["fetch:read"]),
        ([("preempt",)], ["fetch:elsewhere"]),
        ([("store", REAL, n) for n in range(8)], list(POINTS)),
    ],
)
def test_what_cannot_be_explored(
    machine: MachineFactory, actions: list[tuple[Any, ...]], points: list[str]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        guest(machine).explore(fetch, actions, points)


def test_a_finding_says_what_it_is(machine: MachineFactory) -> None:
    done, again = guest(machine).explore(fetch, [action(EVICT)])
    assert "undisturbed" in str(done)
    assert "ppc_tlbilx at fetch:mas_set" in str(again)


def test_equal_actions_are_placed_once(machine: MachineFactory) -> None:
    """Eight equal stores at six points: combinations with repetition, not eight factorial orders."""
    m = guest(machine)
    findings = m.explore(fetch, [action(STORE)] * 8)
    assert sum(len(finding.placements) for finding in findings) == 1 + comb(13, 5)
