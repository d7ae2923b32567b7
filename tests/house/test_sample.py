# SPDX-License-Identifier: BSD-3-Clause
"""The sample in the package is what tests/vectors/sample.py makes of the recorded suites, and small."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample import COMPANIONS, HERE, PACKAGE, lines, sample, stratified, stratum, suite, suites

LIMIT = 300_000


@pytest.mark.parametrize("path", suites(), ids=suite)
def test_sample_of_a_suite(path: Path) -> None:
    shipped = lines(PACKAGE / path.name)
    assert len(shipped) >= 16
    assert shipped == sample(path)


@pytest.mark.parametrize("name", COMPANIONS)
def test_companion_is_the_recorded_one(name: str) -> None:
    assert (PACKAGE / name).read_bytes() == (HERE / "linux-6.1" / name).read_bytes()


def test_sample_is_small_and_has_nothing_else() -> None:
    files = list(PACKAGE.iterdir())
    assert {path.name for path in files} == {path.name for path in suites()} | set(COMPANIONS)
    assert sum(path.stat().st_size for path in files) < LIMIT


def test_a_tenth_has_every_stratum_that_fits() -> None:
    cases = lines(HERE / "linux-6.1" / "load_last_inst.jsonl.gz")
    tenth = stratified(cases)[: len(cases) // 10]
    assert {stratum(case) for case in tenth} == {stratum(case) for case in cases}
    assert sorted(stratified(cases)) == sorted(cases)
