# SPDX-License-Identifier: BSD-3-Clause
"""Scenarios: both forms, what a reader refuses, replay (design 7, docs/scenario.md)."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from pyexit import Expect, Machine, Scenario, ScenarioError, Step, recorded, replay
from pyexit.scenario import read

LOAD = 1  # enum pyexit_access

FORMS = (".scn.jsonl", ".scn")
each_form = pytest.mark.parametrize("form", FORMS)

#: A scenario that uses every key.
FULL = Scenario(
    "e6500",
    {"set": "core", "tlb0_ways": 2, "tlb0_sets": 4},
    "seed-v4",
    cores=2,
    vms=2,
    vcpus=3,
    vcpu_thread=(0, 3, 1),
    vcpu_vm=(0, 1, 1),
    ram=((0, 0x10000), (0xF_0000_0000, 0x2000)),
    state={"spr.HID0": 0x80, "vcpu2.arch.regs.gpr[3]": (1 << 64) - 1, "htlb0_1.mas1[7]": 0x80000100},
    mem={0x7234: 0x7C0007A4, 0xF_0000_1FFC: 0xFFFFFFFF},
    steps=[
        Step(set={"spr.MAS1": 5}, ram={0x100: 1}),
        Step(call="ppc_tlbsx", args=(0, 0x1000)),
        Step(
            verb="translate",
            args=(0, 0x1000, 4, LOAD, 0),
            expect=Expect(ret=3, value=(13, 0, 0, 0, 0, 0), out={"spr.DEAR": 0x1000}, events=()),
        ),
        Step(call="ppc_none", args=(0,), expect=Expect(error="ENOENT", out={})),
        Step(
            call="kvmppc_load_last_inst",
            args=(2, 0),
            expect=Expect(ret=-1, value=(1 << 63,), events=("a", "b")),
        ),
    ],
)


def walk(model: str = "e500mc", **options: Any) -> Scenario:
    """A scenario whose steps all answer: a write, a search, an access, a fetch, an unknown function."""
    mas = {"spr.MAS0": 0x10070000, "spr.MAS1": 0x80000100, "spr.MAS2": 0x10003004, "spr.MAS3": 0x703F}
    return Scenario(
        model,
        ram=((0, 0x10000),),
        steps=[
            Step(call="ppc_tlbwe", args=(0,), set=mas),
            Step(call="ppc_tlbsx", args=(0, 0x10003234), ram={0x7234: 0x7C0007A4}),
            Step(verb="translate", args=(0, 0x10003234, 4, LOAD, 0)),
            Step(verb="translate", args=(0, 0x20000000, 4, LOAD, 0)),
            Step(
                call="kvmppc_load_last_inst",
                args=(0, 0),
                set={"htlb1.mas8[7]": 0x80000000, "vcpu.arch.regs.nip": 0x10003234},
            ),
            Step(call="ppc_none", args=(0,)),
        ],
        **options,
    )


@each_form
def test_file_brings_back_what_was_written(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"full{form}"
    FULL.save(path)
    assert read(path) == FULL


@each_form
@pytest.mark.parametrize("scenario", [Scenario("e500mc"), Scenario("e5500", "recorded", state={}), walk()])
def test_small_scenarios_survive_the_round_trip(tmp_path: Path, form: str, scenario: Scenario) -> None:
    """The state of reset (None) is not the state of zeros ({})."""
    path = tmp_path / f"s{form}"
    scenario.save(path)
    assert read(path) == scenario


def test_both_forms_hold_the_same(tmp_path: Path) -> None:
    first, second = tmp_path / "a.scn.jsonl", tmp_path / "b.scn"
    FULL.save(first)
    read(first).save(second)
    read(second).save(tmp_path / "c.scn.jsonl")
    assert (tmp_path / "c.scn.jsonl").read_bytes() == first.read_bytes()
    assert len(second.read_bytes()) < len(first.read_bytes())


def test_json_form_is_one_object_a_line_with_the_header_first(tmp_path: Path) -> None:
    """design 7: a header {format: 1, model, params, fetch, quirks}, the initial state, then steps."""
    path = tmp_path / "full.scn.jsonl"
    FULL.save(path)
    header, state, *steps = [json.loads(line) for line in path.read_text().splitlines()]
    assert [header[key] for key in ("format", "model", "fetch", "quirks")] == [1, "e6500", "seed-v4", []]
    assert set(state) == {"state", "mem"}
    assert len(steps) == len(FULL.steps)
    assert steps[1] == {"call": "ppc_tlbsx", "args": ["0x0", "0x1000"]}


def header(**changes: Any) -> bytes:
    return json.dumps({"format": 1, "model": "e500mc"} | changes).encode() + b"\n"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (header(format=2), "format 2.*reads format 1"),
        (header(format="1"), "format '1'"),
        (b'{"model": "e500mc"}\n', "format None"),
        (b'{"format": 1}\n', "no model"),
        (header(modle="x"), "modle.*model"),
        (header(quirks=["q21"]), "q21"),
        (header(cores="two"), "cores"),
        (b"", "empty"),
        (b"not json\n", "line 1.*not JSON"),
        (b"[1]\n", "line 1.*not a JSON object"),
        (header() + b"{}\n" + b'{"cal": "ppc_tlbre"}\n', "line 3.*cal.*call"),
        (header() + b'{"call": 5}\n', "line 2.*call"),
        (header() + b'{"call": "ppc_tlbre", "args": ["0x"]}\n', "line 2.*args"),
        (header() + b'{"call": "ppc_tlbre", "args": ["-0x1"]}\n', "line 2.*args"),
        (header() + b'{"call": "ppc_tlbre", "verb": "translate"}\n', "step 0.*call or a verb"),
        (header() + b'{"verb": "fly", "args": []}\n', "step 0.*fly"),
        (header() + b'{"verb": "translate", "args": []}\n', "step 0.*5 arguments"),
        (header() + b'{"set": {"spr.MAS0": "0x10000000000000000"}}\n', "line 2.*spr.MAS0|line 2.*set"),
        (header() + b'{"call": "ppc_tlbre"}\n{"mem": {}}\n', "line 3.*before the steps"),
        (header() + b'{"expect": 5}\n', "line 2.*expect"),
        (header() + b'{"expect": {"rett": 5}}\n', "line 2.*rett.*ret"),
    ],
)
def test_unknown_or_broken_json_is_refused_by_name(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "x.scn.jsonl"
    path.write_bytes(data)
    with pytest.raises(ScenarioError, match=text) as error:
        read(path)
    assert str(path) in str(error.value)


def compact() -> bytes:
    """The bytes of a compact file."""
    from pyexit.io import scn

    return scn.pack(FULL)


def test_compact_file_of_another_format_is_refused_by_name(tmp_path: Path) -> None:
    """design 7: a reader refuses an unknown format by name."""
    from pyexit.io import scn

    data = bytearray(compact())
    data[len(scn.MAGIC)] = 9  # the format follows the magic, little-endian
    path = tmp_path / "x.scn"
    path.write_bytes(data)
    with pytest.raises(ScenarioError, match="format 9"):
        read(path)


@pytest.mark.parametrize("kept", range(0, 60, 3))
def test_truncated_compact_file_is_refused(tmp_path: Path, kept: int) -> None:
    """Never another exception than ScenarioError."""
    path = tmp_path / "x.scn"
    path.write_bytes(compact()[:kept])
    with pytest.raises(ScenarioError):
        read(path)


def test_compact_file_with_damaged_content_is_refused(tmp_path: Path) -> None:
    """Every byte of the unpacked content in turn."""
    from pyexit.io import scn

    data = compact()
    start = next(n for n in range(len(scn.MAGIC), 64) if _unzips(data[n:]))
    content = zlib.decompress(data[start:])
    path = tmp_path / "x.scn"
    for at in range(0, len(content), 7):
        path.write_bytes(data[:start] + zlib.compress(content[:at] + b"\xff" + content[at + 1 :]))
        try:
            read(path)
        except ScenarioError:
            continue


def _unzips(data: bytes) -> bool:
    try:
        zlib.decompress(data)
    except zlib.error:
        return False
    return True


@pytest.mark.parametrize("model", ["e500mc", "e5500", "e6500"])
def test_recorded_scenario_replays_on_every_backend(backend: str, model: str) -> None:
    scenario = recorded(walk(model), "native")
    assert all(step.expect is not None for step in scenario.steps)
    assert replay(scenario, backend) == []


def test_recording_tells_what_each_step_came_to(backend: str) -> None:
    steps = recorded(walk(), backend).steps
    found = [step.expect for step in steps]
    assert [expect.ret for expect in found if expect is not None] == [0, 0, 0, 3, 0, None]
    assert found[0] is not None
    assert found[0].out is not None
    assert found[0].out["htlb1.mas2[7]"] == 0x10003004
    assert found[4] is not None
    assert found[4].value is not None
    assert found[4].value[0] == 0x7C0007A4
    assert found[5] == Expect(error="ENOENT", out={}, events=())


@pytest.mark.parametrize(
    ("wrong", "part", "expected"),
    [
        (Expect(ret=1), "ret", 1),
        (Expect(ret=0, value=(1, 0, 0, 0)), "value[0]", 1),
        (Expect(error="EINVAL"), "error", "EINVAL"),
        (Expect(ret=0, events=()), "events[0]", None),
        (Expect(ret=0, out={}), "thread.ops[3]", "unchanged"),
    ],
)
def test_replay_names_what_differs(backend: str, wrong: Expect, part: str, expected: object) -> None:
    scenario = walk()
    scenario.steps[1].expect = wrong
    found = [(item.step, item.part, item.expected) for item in replay(scenario, backend)]
    assert (1, part, expected) in found


def test_scenario_starts_from_its_state_and_ram(backend: str) -> None:
    with FULL.machine(backend) as m:
        assert m.state() == FULL.state
        assert (m.load_word(0x7234), m.load_word(0xF_0000_1FFC)) == (0x7C0007A4, 0xFFFFFFFF)
        assert (m.model, m.fetch, m.shape[:4]) == ("e6500", "seed-v4", (2, 4, 2, 3))


def test_machine_with_steps_is_replayed_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "walk.scn"
    walk().save(path)
    with pytest.raises(ValueError, match="replay"):
        Machine.load(path)


@pytest.mark.parametrize(
    ("state", "error"),
    [({"spr.NONE": 1}, LookupError), ({"spr.MAS0": -1}, ValueError), ({"spr9.MAS0": 1}, LookupError)],
)
def test_state_that_the_machine_does_not_have_is_refused(
    state: dict[str, int], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Scenario("e500mc", state=state).machine()
