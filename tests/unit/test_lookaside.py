# SPDX-License-Identifier: BSD-3-Clause
"""kvm/lookaside from Python: its sizes, and that it cannot be seen; tests/c goes further."""

from __future__ import annotations

import pytest

from pyexit import Machine
from pyexit.bench.machines import PC, prepare


@pytest.mark.parametrize("value", [3, -1, 1 << 17, "on", "12"])
def test_sizes_are_powers_of_two(value: int | str) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Machine("e500mc", lookaside=value, ram=())


def test_environment_names_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYEXIT_LOOKASIDE", "7")
    with pytest.raises(ValueError, match="7"):
        Machine("e500mc", ram=())


def test_environment_names_the_default_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument goes before it; a wrong name is refused as an argument's is."""
    monkeypatch.setenv("PYEXIT_SEARCH", "scalar")
    assert Machine("e500mc", backend="native", ram=()).search == "scalar"
    monkeypatch.setenv("PYEXIT_SEARCH", "fast")
    with pytest.raises(ValueError, match="no search 'fast'"):
        Machine("e500mc", ram=())
    assert Machine("e500mc", backend="native", search="scalar", ram=()).search == "scalar"


@pytest.mark.parametrize("search", ["scalar", "auto"])
@pytest.mark.parametrize("pid", [5, 0x4005, 0x10005])
def test_a_hit_leaves_what_a_search_leaves(search: str, pid: int) -> None:
    """State, counts and events, after the first fetch and the second; also of a PID that no core can hold."""
    off, on = (prepare(lookaside=value, search=search, events=64) for value in ("off", "checked"))
    for m in (off, on):
        m["vcpu.arch.pid"] = pid
    for _ in range(3):
        assert on.load_last_inst() == off.load_last_inst()
        assert on.diff(off) == []
        assert [str(event) for event in on.events()] == [str(event) for event in off.events()]


def test_a_written_entry_is_searched_again() -> None:
    m = prepare(lookaside="checked")
    assert m.load_last_inst().ret == 0
    m["htlb1.mas1[63]"] = 0
    assert m.load_last_inst().ret == 3
    m["vcpu.arch.regs.nip"] = PC
    assert m.load_last_inst().ret == 3


def test_unknown_search_is_refused() -> None:
    with pytest.raises(ValueError, match="no search 'fast'"):
        Machine("e500mc", search="fast", ram=())
