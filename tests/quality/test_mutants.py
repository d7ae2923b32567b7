# SPDX-License-Identifier: BSD-3-Clause
"""Bugs that we plant in the reference are found, by lockstep or by the invariants, on walks of a guest.

The walks are those of tests/diff/guest_steps.py, seeded. Without a bug they find nothing.
"""

from __future__ import annotations

import random

import pytest

from pyexit import Divergence, InvariantError

from ..diff.guest_steps import Guest, machine
from .mutants import INVARIANT, LOCKSTEP, MUTANTS, Mutant, planted

MODELS = ("e5500", "e6500", "e500mc")
#: Walks that have the chance to find a bug, and their length.
WALKS, STEPS = {LOCKSTEP: 8, INVARIANT: 12}, 100
ERRORS = {LOCKSTEP: Divergence, INVARIANT: InvariantError}
BACKENDS = {LOCKSTEP: "lockstep", INVARIANT: "ref"}


def finds(finder: str, number: int) -> bool:
    """Whether walk `number` ends in the error of its finder."""
    model = MODELS[number % len(MODELS)]
    with machine(model, BACKENDS[finder], invariants=finder == INVARIANT) as m:
        try:
            guest = Guest(m, random.Random(f"quality {number}").choice)
            for _ in range(STEPS):
                guest.step()
        except ERRORS[finder]:
            return True
    return False


CASES = [(finder, mutant) for mutant in MUTANTS for finder in mutant.finders]


@pytest.mark.parametrize(
    ("finder", "mutant"), CASES, ids=[f"{finder}-{mutant.name}" for finder, mutant in CASES]
)
def test_planted_bug_is_found(finder: str, mutant: Mutant) -> None:
    with planted(mutant):
        assert any(finds(finder, number) for number in range(WALKS[finder]))


@pytest.mark.parametrize("finder", [LOCKSTEP, INVARIANT])
def test_nothing_is_found_where_nothing_is_planted(finder: str) -> None:
    """Walks of each model, as many as a bug gets at the most."""
    assert [number for number in range(WALKS[finder]) if finds(finder, number)] == []


def test_names_tell_bugs_apart() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 25
