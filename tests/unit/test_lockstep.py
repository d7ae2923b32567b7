# SPDX-License-Identifier: BSD-3-Clause
"""Lockstep: a difference raises Divergence that names the field and carries a scenario to replay (design 7).

The second backend of these tests is the native one with a fault planted in it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pyexit import Divergence, Machine, Scenario, recorded, replay
from pyexit.backends import base, native
from pyexit.backends.base import Options, Result
from pyexit.io.events import Event
from pyexit.scenario import read

from .support import GS, SX, TGS, M, V, put, tlbwe, tsize

PAIR = "lockstep:native,planted"


class Planted(native.Native):
    """The native backend; the class attributes turn single faults on."""

    call_fault: Callable[[Planted, str, Result], Result] | None = None
    errno_of: str | None = None
    dropped_event: int | None = None
    extra_lost = 0
    state_field: tuple[str, int] | None = None
    params_fault: dict[str, int] | None = None

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.params = {**self.params, **(type(self).params_fault or {})}

    def call(self, name: str, args: Sequence[int]) -> Result:
        """The call, with its fault."""
        if name == type(self).errno_of:
            raise OSError(22, "planted")
        result = super().call(name, args)
        fault = type(self).call_fault
        return result if fault is None else fault(self, name, result)

    def events(self) -> list[Event]:
        """The events but those of one kind."""
        return [event for event in super().events() if event.kind != type(self).dropped_event]


def poke(backend: Any, name: str, value: int) -> None:
    """Change a field of one backend."""
    field = backend.layout.field(name)
    backend.write(field.offset, value.to_bytes(field.size, "little"))


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> type[Planted]:
    """A fresh class, registered as backend "planted"."""
    made = type("PlantedHere", (Planted,), {})
    module = ModuleType("planted_backend")
    module.create = made  # type: ignore[attr-defined]
    module.params = native.params  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "planted_backend", module)
    monkeypatch.setitem(base.MODULES, "planted", "planted_backend")
    return made


def wrong_mas2(self: Planted, name: str, result: Result) -> Result:
    """A register that the call does not touch changes."""
    poke(self, "spr.MAS2", 0x777)
    return result


def wrong_store(self: Planted, name: str, result: Result) -> Result:
    """RAM changes."""
    self.write_ram(0x7230, b"\x01")
    return result


def diverge(act: Callable[[], object]) -> Divergence:
    with pytest.raises(Divergence) as raised:
        act()
    return raised.value


def test_without_a_fault_nothing_is_raised(planted: type[Planted]) -> None:
    with Machine(backend=PAIR) as m:
        tlbwe(m, {0: 0x10000000, 1: V | tsize(2), 2: 0x5000, 3: 0x5015})
        m.translate(0x5000)
        assert m.events()


def test_difference_in_state_names_the_field(planted: type[Planted]) -> None:
    """The first differing field by name, and both values."""
    planted.call_fault = staticmethod(wrong_mas2)
    with Machine(backend=PAIR) as m:
        found = diverge(lambda: m.tlbre())
    assert (found.field, found.a, found.b, found.names) == ("spr.MAS2", 0, 0x777, ("native", "planted"))
    assert str(found) == "spr.MAS2 differs after step 0: native has 0x0, planted has 0x777"


def test_difference_in_a_result_is_found(planted: type[Planted]) -> None:
    planted.call_fault = staticmethod(lambda self, name, result: result._replace(ret=7))
    with Machine(backend=PAIR) as m:
        found = diverge(lambda: m.tlbre())
    assert (found.field, found.a, found.b) == ("ret", 0, 7)
    planted.call_fault = staticmethod(lambda self, name, result: result._replace(value=(0, 0, 9, 0)))
    with Machine(backend=PAIR) as m:
        found = diverge(lambda: m.tlbre())
    assert (found.field, found.a, found.b) == ("value[2]", 0, 9)


def test_difference_in_an_error_is_found(planted: type[Planted]) -> None:
    planted.errno_of = "ppc_tlbre"
    with Machine(backend=PAIR) as m:
        found = diverge(lambda: m.tlbre())
    assert (found.field, found.a, found.b) == ("error", None, 22)


def test_same_error_of_both_is_raised_as_it_is(planted: type[Planted]) -> None:
    with Machine(backend=PAIR) as m, pytest.raises(OSError, match="ppc_none"):
        m.call("ppc_none", 0)


def test_difference_in_events_is_found(planted: type[Planted]) -> None:
    planted.dropped_event = 1
    with Machine(backend=PAIR) as m:
        found = diverge(lambda: m.tlbsx(0x1000))
    assert (found.field, found.b) == ("event[0]", None)
    assert str(found.a).startswith("tlbsx 0x1000 ")


def test_difference_in_written_ram_is_found(planted: type[Planted]) -> None:
    planted.call_fault = staticmethod(wrong_store)
    with Machine(backend=PAIR) as m:
        found = diverge(lambda: m.tlbre())
    assert (found.field, found.a, found.b) == ("ram[0x7230]", 0, 0x01000000)


def test_difference_in_parameters_is_found_at_once(planted: type[Planted]) -> None:
    planted.params_fault = {"tlb0_ways": 8}
    found = diverge(lambda: Machine(backend=PAIR))
    assert (found.field, found.a, found.b) == ("params.tlb0_ways", 4, 8)


@pytest.mark.parametrize("which", ["_a", "_b"])
def test_state_changed_behind_its_back_is_found_at_the_next_verb(which: str) -> None:
    """native against ref: the comparison is of the whole state, not of what the verb touched."""
    with Machine(backend="lockstep") as m:
        poke(getattr(m._core, which), "vcpu.arch.regs.gpr[9]", 5)
        found = diverge(lambda: m.tlbsx(0))
    assert found.field == "vcpu.arch.regs.gpr[9]"
    assert {found.a, found.b} == {0, 5}


def test_every_verb_compares(planted: type[Planted]) -> None:
    acts: list[Callable[[Machine], object]] = [
        lambda m: m.translate(0),
        lambda m: m.load_last_inst(),
        lambda m: m.set({"spr.MAS0": 1}),
        lambda m: m.store_word(0, 1),
        lambda m: m.read_ram(0, 1),
    ]
    for act in acts:
        with Machine(backend=PAIR) as m:
            poke(m._core._b, "spr.GSRR0", 5)  # type: ignore[attr-defined]
            assert diverge(lambda act=act, m=m: act(m)).field == "spr.GSRR0"  # type: ignore[misc]


def faulty_run() -> Divergence:
    """A life that ends in the planted fault: the third tlbsx."""
    with Machine("e5500", backend=PAIR, ram=((0, 0x10000),)) as m:
        m.store_word(0x7234, 0x7C0007A4)
        put(m, 1, 7, V | tsize(2), 0x10003000 | M, 0x7000 | SX, 0, TGS | 1)
        m.set({"vcpu.arch.regs.nip": 0x10003234, "vcpu.arch.shared.msr": GS})
        m.load_last_inst()
        m.translate(0x20000000)
        m.tlbsx(0x1000)
        return diverge(lambda: m.tlbsx(0x10003234))


def third_search(self: Planted, name: str, result: Result) -> Result:
    count = int.from_bytes(self.read(self.layout.field("thread.ops[3]").offset, 8), "little")
    if name == "ppc_tlbsx" and count == 3:
        poke(self, "spr.MAS0", 0xBAD)
    return result


@pytest.mark.parametrize("form", [".scn.jsonl", ".scn"])
def test_scenario_of_a_divergence_replays_it(planted: type[Planted], tmp_path: Path, form: str) -> None:
    """design 7: Divergence carries the scenario that led there; saved, read again, it leads there again."""
    planted.call_fault = staticmethod(third_search)
    found = faulty_run()
    assert (found.field, found.b) == ("spr.MAS0", 0xBAD)
    path = tmp_path / f"found{form}"
    found.scenario.save(path)
    scenario = read(path)
    assert scenario == found.scenario
    again = diverge(lambda: replay(scenario, PAIR))
    assert (again.field, again.a, again.b) == (found.field, found.a, found.b)


def test_scenario_of_a_divergence_tells_the_backends_apart(planted: type[Planted]) -> None:
    """With the right answers recorded, the faulty backend alone fails, at the last step."""
    planted.call_fault = staticmethod(third_search)
    scenario = recorded(faulty_run().scenario, "native")
    assert replay(scenario, "native") == []
    mismatches = replay(scenario, "planted")
    assert {(item.step, item.part) for item in mismatches} == {(len(scenario.steps) - 1, "spr.MAS0")}


def test_restore_begins_a_new_scenario(planted: type[Planted]) -> None:
    """What was before is in its state and RAM, not in its steps."""
    planted.call_fault = staticmethod(third_search)
    with Machine(backend=PAIR, ram=((0, 0x10000),)) as m:
        m.store_word(0x100, 0x55)
        m.tlbsx(0)
        m.tlbsx(0)
        m.restore(m.snapshot())
        found = diverge(lambda: m.tlbsx(0))
    scenario: Scenario = found.scenario
    assert len(scenario.steps) == 1
    assert scenario.mem == {0x100: 0x55}
    assert diverge(lambda: replay(scenario, PAIR)).field == "spr.MAS0"


def test_lent_buffer_is_part_of_the_scenario(planted: type[Planted]) -> None:
    planted.call_fault = staticmethod(third_search)
    buffer = bytearray(0x1000)
    buffer[0x10:0x14] = b"\x12\x34\x56\x78"
    with Machine(backend=PAIR, ram=((0x2000, buffer),)) as m:
        m.tlbsx(0)
        m.tlbsx(0)
        found = diverge(lambda: m.tlbsx(0))
    assert found.scenario.mem == {0x2010: 0x12345678}


def test_pair_of_one_backend_agrees_with_itself() -> None:
    with Machine(backend="lockstep:native,native") as m:
        m.tlbsx(0x1000)
        assert len(m.events()) == 1
