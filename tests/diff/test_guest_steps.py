# SPDX-License-Identifier: BSD-3-Clause
"""Whole guest steps on lockstep with the invariants of its shadow entries: TLB instructions, MMIO, notifiers.

After every verb the two backends are compared, state and RAM; after every exit, entry and call the invariants
are asked of both.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from .guest_steps import STEPS, Guest, machine
from .limits import run_repeatably
from .pools import MODELS

EXAMPLES, EXAMPLE_STEPS = 15, 25
WALKS, LONG_WALKS, LENGTH = 4, 20, 120

#: What the walks of a model must have met.
MET = ("executed", "access", "exit 13", "exit 14", "exit 41", "exit 4", "host 6", "host 10", "notified")


def walk(model: str, backend: str, seed: str, reached: Counter[str]) -> None:
    """One guest from its beginning; the seed is in what is raised."""
    with machine(model, backend) as m:
        guest = Guest(m, random.Random(seed).choice, reached)
        try:
            for _ in range(LENGTH):
                guest.step()
        except Exception as error:
            error.add_note(f"walk {seed!r}")
            raise


@pytest.mark.parametrize("model", MODELS)
def test_native_and_ref_agree_on_a_guest(model: str, shares: Counter[str]) -> None:
    for number in range(WALKS):
        walk(model, "lockstep", f"{model} {number}", shares)
    assert shares["executed"]
    assert shares["exit 13"]


@pytest.mark.parametrize("model", MODELS)
def test_invariants_hold_of_a_guest(model: str, shares: Counter[str]) -> None:
    """Longer, on the core alone."""
    for number in range(WALKS, WALKS + LONG_WALKS):
        walk(model, "native", f"{model} {number}", shares)
    assert [name for name in MET if not shares[name]] == []


class GuestSteps(RuleBasedStateMachine):
    """The same steps as rules: chosen, and shrunk, by Hypothesis."""

    reached: ClassVar[Counter[str]] = Counter()
    guest: Guest | None = None

    @initialize(model=st.sampled_from(MODELS), data=st.data())
    def make(self, model: str, data: st.DataObject) -> None:
        """A machine of any model."""
        self.guest = Guest(
            machine(model, "lockstep"), lambda values: data.draw(st.sampled_from(values)), self.reached
        )

    def teardown(self) -> None:
        if self.guest is not None:
            self.guest.m.close()

    @rule(data=st.data(), number=st.sampled_from(range(len(STEPS))))
    def act(self, data: st.DataObject, number: int) -> None:
        """One step."""
        assert self.guest is not None
        self.guest.pick = lambda values: data.draw(st.sampled_from(values))
        STEPS[number](self.guest)
        self.guest.m.events()


def test_hypothesis_finds_no_difference(shares: Counter[str]) -> None:
    made = type("CountedGuestSteps", (GuestSteps,), {"reached": shares})
    run_repeatably(made, EXAMPLES, EXAMPLE_STEPS)
    assert shares["executed"]
