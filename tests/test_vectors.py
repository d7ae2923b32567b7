# SPDX-License-Identifier: BSD-3-Clause
"""What real Linux answered, and a peer's TLB, on every backend (vectors/linux-6.1, vectors/peer).

By default a tenth of each suite, spread over functions and tags; ``--all-vectors`` runs every case.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sample import lines, stratified, suite, suites

from pyexit.check import Failure, Report, Run
from pyexit.io.vectors import sample

TENTH = 10
SHOWN = 5  # failures in the message of a failed test

#: Suites with expectations under seed-v4.
SEED_V4 = [path for path in suites() if suite(path) in ("load_last_inst", "load_last_inst_64")]


@pytest.mark.parametrize("path", suites(), ids=suite)
def test_recorded_cases(path: Path, backend: str, all_vectors: bool, tmp_path: Path) -> None:
    # In lockstep a tenth will do: native and ref have each been judged by every case.
    report = check(chosen(path, all_vectors and backend != "lockstep", tmp_path), backend)
    assert not report.failures, shown(report)
    assert report.passed
    assert not report.skipped


@pytest.mark.parametrize("path", SEED_V4, ids=suite)
def test_recorded_cases_under_seed_v4(path: Path, backend: str, all_vectors: bool, tmp_path: Path) -> None:
    report = check(chosen(path, all_vectors, tmp_path), backend, fetch="seed-v4")
    assert not report.failures, shown(report)
    assert report.passed > report.skipped.total()
    assert all("odd cpu" in reason for reason in report.skipped)


def test_sample_of_the_package(backend: str) -> None:
    run = Run([backend])
    for path in sorted(sample().glob("*.jsonl.gz")):
        for _ in run.file(path):
            pass
    assert not run.report.failures, shown(run.report)
    assert run.report.passed > 500


def chosen(path: Path, everything: bool, folder: Path) -> Path:
    """The file of a suite, or a file with a tenth of it."""
    if everything:
        return path
    cases = stratified(lines(path))
    tenth = folder / path.name.removesuffix(".gz")
    tenth.write_bytes(b"".join(cases[: -(-len(cases) // TENTH)]))
    return tenth


def check(path: Path, backend: str, fetch: str = "merged") -> Report:
    """What ``pyexit check`` says about a file."""
    run = Run([backend], fetch)
    cases = sum(1 for _ in run.file(path))
    assert cases
    return run.report


def shown(report: Report) -> str:
    """The first failures, field by field."""
    first = report.failures[:SHOWN]
    return f"{report.failed} failed, {report.passed} passed\n" + "\n".join(map(described, first))


def described(failure: Failure) -> str:
    parts = "; ".join(
        f"{part.field}: expected {part.expected}, got {part.got}" for part in failure.parts[:SHOWN]
    )
    return f"{failure.suite} case {failure.case} on {failure.backend} ({failure.label}): {parts}"
