# SPDX-License-Identifier: BSD-3-Clause
"""One word per concept (design.md 2): csrc/{hw,kvm}/X.c, pyexit/ref/{hw,kvm}/X.py, tests/unit/test_X.py."""

from __future__ import annotations

import pytest
from exceptions import ONE_WORD, UNIT_TESTS
from tree import ROOT, relative

FOLDERS = ("hw", "kvm")


def words(pattern: str) -> set[str]:
    """The stems of files below the root."""
    return {path.stem for path in ROOT.glob(pattern)} - {"__init__"}


def counterparts() -> list[tuple[str, str]]:
    """Every room of either language, and a file that must stand beside it."""
    needed = []
    for folder in FOLDERS:
        for word in sorted(words(f"csrc/{folder}/*.c")):
            needed.append((f"csrc/{folder}/{word}.c", f"pyexit/ref/{folder}/{word}.py"))
            needed.append((f"csrc/{folder}/{word}.c", f"tests/unit/test_{word}.py"))
        for word in sorted(words(f"pyexit/ref/{folder}/*.py")):
            needed.append((f"pyexit/ref/{folder}/{word}.py", f"csrc/{folder}/{word}.c"))
    return needed


def missing() -> set[str]:
    """The counterparts that do not exist."""
    return {other for _, other in counterparts() if not (ROOT / other).exists()}


@pytest.mark.parametrize(("room", "other"), counterparts())
def test_room_has_its_counterpart(room: str, other: str) -> None:
    assert (ROOT / other).exists() or ONE_WORD.get(other), f"{room} has no {other}"


def test_unit_test_is_named_after_what_it_tests() -> None:
    known = {word for folder in FOLDERS for word in words(f"csrc/{folder}/*.c")}
    known |= {path.stem for path in (ROOT / "pyexit").rglob("*") if path.is_dir() or path.suffix == ".py"}
    strangers = {relative(path) for path in ROOT.glob("tests/unit/test_*.py") if path.stem[5:] not in known}
    assert strangers == UNIT_TESTS.keys()


def test_every_exception_is_needed() -> None:
    assert ONE_WORD.keys() <= missing()


def test_rooms_were_found() -> None:
    assert len(counterparts()) > 15
