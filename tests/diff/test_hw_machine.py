# SPDX-License-Identifier: BSD-3-Clause
"""TLB operations, register moves, translations and fetches in any order, native against ref in lockstep.

Hypothesis looks for a short way to a difference; long seeded walks get further from the state of reset.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pyexit import Machine

from .actions import WEIGHTS, Actions
from .limits import run_repeatably
from .pools import MODELS, RAM, Pick, access, entry_or_near_miss

EXAMPLES, STEPS = 40, 30
WALKS, WALK_STEPS = 24, 60

#: At least this share of each kind must succeed, or a test has lost its aim: uniform states reach 0.2 %.
#: Hypothesis's runs are short and near each other, so their floor is lower.
WALK_FLOOR = {"tlbsx hit": 0.25, "translate DONE": 0.15, "fetch DONE": 0.10, "tlbilx some": 0.05}
FLOOR = {"tlbsx hit": 0.05, "translate DONE": 0.05, "fetch DONE": 0.05}


def assert_reached(shares: Counter[str], floors: dict[str, float]) -> None:
    """Each outcome has its share among those of its kind."""
    for outcome, floor in floors.items():
        kind = outcome.split()[0]
        total = sum(count for name, count in shares.items() if name.split()[0] == kind)
        assert shares[outcome] >= floor * total > 0, f"{outcome}: {shares[outcome]} of {total}"


class HwMachine(RuleBasedStateMachine):
    """The actions as rules, their operands chosen, and shrunk, by Hypothesis."""

    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.actions: Actions | None = None

    @initialize(data=st.data())
    def make(self, data: st.DataObject) -> None:
        """The machine."""
        self.actions = Actions(picker(data), self.counts)

    def teardown(self) -> None:
        if self.actions is not None:
            self.actions.m.close()

    @rule(
        data=st.data(),
        name=st.sampled_from([name for name, weight in WEIGHTS.items() for _ in range(weight)]),
    )
    def act(self, data: st.DataObject, name: str) -> None:
        """One action."""
        getattr(self.actions, name)(picker(data))


def picker(data: st.DataObject) -> Pick:
    return lambda values: data.draw(st.sampled_from(values))


def test_native_and_ref_agree_step_by_step(shares: Counter[str]) -> None:
    """Any order of operations, on all models, parameter sets and tiny geometries."""
    made = type("CountedHwMachine", (HwMachine,), {"counts": shares})
    run_repeatably(made, EXAMPLES, STEPS)
    assert_reached(shares, FLOOR)


def test_native_and_ref_agree_on_long_walks(shares: Counter[str]) -> None:
    """Seeded: every walk is a machine of its own. A Divergence carries the scenario to replay."""
    names = list(WEIGHTS)
    for walk in range(WALKS):
        rng = random.Random(walk)
        actions = Actions(rng.choice, shares)
        with actions.m:
            for name in rng.choices(names, list(WEIGHTS.values()), k=WALK_STEPS):
                getattr(actions, name)(rng.choice)
    assert_reached(shares, WALK_FLOOR)


@pytest.mark.parametrize("model", MODELS)
def test_pools_reach_hits_and_near_misses(model: str) -> None:
    """The generator itself: without it the tests above would compare misses only."""
    rng = random.Random(model)
    with Machine(model, backend="native", ram=RAM) as m:
        hits = 0
        for _ in range(400):
            wanted = access(rng.choice, m.params["width"])
            words = entry_or_near_miss(rng.choice, m.params, wanted)
            names = (f"htlb1.mas{n}[0]" for n in (1, 2, 3, 7, 8))
            m.set(dict(zip(names, words, strict=True)))
            mode = 0x80000000 if m.params["width"] == 64 else 0
            m.set({"thread.msr": mode | wanted.gs << 28 | wanted.space << 4})
            m.set({"spr.PID": wanted.pid, "spr.LPID": wanted.lpid})
            hits += m.translate(wanted.ea, 1, "load", probe=True).page_size > 0
    assert 0.3 < hits / 400 < 0.9
