# SPDX-License-Identifier: BSD-3-Clause
"""What is done to a machine is written down, and replays on every backend (docs/scenario.md, Recordings)."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pyexit import Expect, Machine, Scenario, ScenarioError, Step
from pyexit.errors import FieldError
from pyexit.io import scn, scn_block
from pyexit.playback import MISMATCHES, replays
from pyexit.recording import CRC_EVERY, Recording
from pyexit.scenario import read, stream, write

FORMS = (".scn.jsonl", ".scn")
each_form = pytest.mark.parametrize("form", FORMS)

CODE, WORD = 0x1000, 0x7C0004AC
MFMSR = 0x7C6000A6  # mfmsr r3
ADD = 0x7C632214  # add r3, r3, r4: no business of guest_op()
#: TLB1[0]: a 4 KiB page for LPID 0, effective = real, supervisor may do everything.
PAGE = {
    "htlb1.mas1[0]": 0x80000100,
    "htlb1.mas2[0]": CODE | 4,
    "htlb1.mas3[0]": CODE | 0x3F,
    "thread.pc": CODE,
}


def drive(machine: Machine) -> None:
    """Verbs, calls, writes by name, and RAM that changes behind the machine's back."""
    machine.set(PAGE)
    machine.write_ram(CODE, WORD.to_bytes(4, "big"))
    machine.guest_op(MFMSR)
    with pytest.raises(OSError, match="0x7c632214"):
        machine.guest_op(ADD)
    machine["thread.gpr[4]"] = 77
    machine.translate(CODE, 4, "load")
    machine.translate(0x9000_0000, 4, "load", probe=True)
    machine.pin(0, "external", 1)
    machine.pending()
    machine.advance(1000)
    machine.tlbsx(CODE)
    machine.get_regs()


def recorded(backend: str, path: Path, act: Callable[[Machine], None] = drive) -> None:
    with Machine("e500mc", backend=backend, ram=((0, 0x10000),)) as machine, Recording(machine, path):
        act(machine)


@each_form
def test_a_recording_replays_on_every_backend(backend: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / f"r{form}"
    recorded(backend, path)
    for replay in replays(path, ["native", "ref"]):
        assert replay.found == []
        assert replay.steps == len(read(path).steps)


def test_both_forms_record_the_same(tmp_path: Path) -> None:
    for form in FORMS:
        recorded("native", tmp_path / f"r{form}")
    assert read(tmp_path / "r.scn") == read(tmp_path / "r.scn.jsonl")


def test_steps_are_the_verbs_with_what_was_written_before_them(tmp_path: Path) -> None:
    path = tmp_path / "r.scn"
    recorded("native", path)
    steps = read(path).steps
    assert [step.verb or step.call for step in steps[:3]] == ["guest_op", "guest_op", "translate"]
    assert steps[0].set == PAGE
    assert steps[2].set == {"thread.gpr[4]": 77}
    assert "translate" not in [step.verb for step in steps[3:]]  # the probe
    assert steps[1].expect == Expect(error="ENOSYS")
    assert steps[-1].call is steps[-1].verb is None
    assert steps[-1].expect is not None
    assert steps[-1].expect.crc is not None


def test_a_step_carries_the_word_at_pc_once_and_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "r.scn"

    def act(machine: Machine) -> None:
        machine.set(PAGE)
        for word in (1, 1, 2):
            machine.store_word(CODE, word)
            machine.pending()

    recorded("native", path, act)
    assert [step.ram for step in read(path).steps[:3]] == [{CODE: 1}, {}, {CODE: 2}]


def test_registers_that_an_engine_changes_in_place_are_recorded(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "r.scn"
    with Machine("e500mc", backend=backend) as machine, Recording(machine, path) as recording:
        machine.pending()
        recording._backend.write(machine._layout.field("thread.gpr[9]").offset, b"\x05" + bytes(7))
        machine.pending()
    assert read(path).steps[1].set == {"thread.gpr[9]": 5}
    assert replays(path, ["native"])[0].found == []


def test_the_state_is_compared_at_intervals_and_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "r.scn"

    def act(machine: Machine) -> None:
        for _ in range(CRC_EVERY + 5):
            machine.advance(1)

    recorded("native", path, act)
    steps = read(path).steps
    crcs = [number for number, step in enumerate(steps) if step.expect and step.expect.crc is not None]
    assert crcs == [CRC_EVERY - 1, CRC_EVERY + 5]


@pytest.mark.parametrize("part", ["ret", "value", "crc"])
def test_a_replay_names_the_step_and_the_part_that_differ(backend: str, part: str, tmp_path: Path) -> None:
    path = tmp_path / "r.scn"
    recorded("native", path)
    scenario = read(path)
    number = len(scenario.steps) - 1 if part == "crc" else 0
    expect = scenario.steps[number].expect
    assert expect is not None
    wrong = {"ret": 9, "value": (9,), "crc": 9}[part]
    setattr(expect, part, wrong)
    write(scenario, path)
    found = replays(path, [backend])[0].found
    assert [(item.step, item.part.partition("[")[0]) for item in found] == [(number, part)]


def test_a_replay_ends_when_it_differs_too_often(tmp_path: Path) -> None:
    wrong = Step(verb="advance", args=(1,), expect=Expect(ret=1))
    path = tmp_path / "r.scn"
    write(Scenario("e500mc", steps=[wrong] * 5000), path)
    replay = replays(path, ["native"])[0]
    assert MISMATCHES <= len(replay.found) < 5000


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (Step(verb="pending", args=(1 << 40,)), ValueError),
        (Step(verb="pending", args=(0,), set={"run.exit_reason": 1 << 40}), ValueError),
        (Step(verb="pending", args=(0,), set={"spr.MAS99": 1}), FieldError),
        (Step(verb="pending", args=(0,), ram={0xF_0000_0000: 1}), OSError),
    ],
)
def test_a_step_that_no_machine_takes_is_an_error(
    backend: str, step: Step, error: type[Exception], tmp_path: Path
) -> None:
    step.expect = Expect(ret=0)
    path = tmp_path / "r.scn"
    write(Scenario("e500mc", steps=[step]), path)
    with pytest.raises(error):
        replays(path, [backend])


def test_the_file_is_in_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.scn"
    with Machine("e500mc") as machine:
        recording = Recording(machine, path)
        machine.pending()
        assert not path.exists()
        recording.close()
        recording.close()
        machine.pending()
    assert len(read(path).steps) == 2
    assert [item.name for item in tmp_path.iterdir()] == ["r.scn"]


def test_a_discarded_recording_leaves_no_file(tmp_path: Path) -> None:
    with Machine("e500mc") as machine:
        Recording(machine, tmp_path / "r.scn").discard()
        machine.pending()
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_waits_for_the_end_of_the_step(tmp_path: Path) -> None:
    path = tmp_path / "r.scn"
    with Machine("e500mc") as machine:
        recording = Recording(machine, path)
        machine.advance(7)
        recording.interrupt()
        with pytest.raises(KeyboardInterrupt):
            machine.advance(7)
        recording.close()
        assert machine["host.tb"] == 7
    assert replays(path, ["native"])[0].found == []


def test_what_cannot_be_recorded_is_refused(tmp_path: Path) -> None:
    with Machine("e6500") as machine, pytest.raises(ValueError, match="page tables"):
        Recording(machine, tmp_path / "r.scn")
    with Machine("e500mc") as machine, pytest.raises(ValueError, match="ends in"):
        Recording(machine, tmp_path / "r.txt")
    assert list(tmp_path.iterdir()) == []


# Blocks of a .scn file

STEPS = [
    Step(),
    Step(set={"spr.MAS1": (1 << 64) - 1, "spr.MAS0": 0}, ram={0xF_0000_0000: 0xFFFFFFFF, 0: 0}),
    Step(call="ppc_tlbsx", args=(0, (1 << 64) - 1), expect=Expect()),
    Step(verb="pending", args=(0,), expect=Expect(ret=-1, value=(), crc=0xFFFFFFFF)),
    Step(verb="exit", args=(0, 1), expect=Expect(stop="BUG booke.c:1384 kvmppc_handle_exit")),
    Step(verb="exit", args=(0, 1), expect=Expect(error="ENOENT")),
    Step(verb="translate", args=(0, 1, 2, 3, 0), expect=Expect(ret=1 << 62, value=tuple(range(6)), crc=0)),
]


@pytest.mark.parametrize("count", [0, 1, scn_block.BLOCK - 1, scn_block.BLOCK, 2 * scn_block.BLOCK + 1])
def test_blocks_bring_back_their_steps(count: int, tmp_path: Path) -> None:
    scenario = Scenario("e500mc", steps=(STEPS * (count // len(STEPS) + 1))[:count])
    path = tmp_path / "s.scn"
    write(scenario, path)
    assert read(path) == scenario
    assert scn.pack(read(path)) == path.read_bytes()


def test_steps_of_blocks_and_others_keep_their_order(tmp_path: Path) -> None:
    other = Step(verb="pending", args=(0,), expect=Expect(out={"spr.MAS0": 1}))
    scenario = Scenario("e500mc", steps=[*STEPS, other, other, *STEPS, other])
    path = tmp_path / "s.scn"
    write(scenario, path)
    assert read(path) == scenario


def test_a_block_that_is_cut_or_too_long_is_refused() -> None:
    names = scn_block.Names()
    data = scn_block.pack(STEPS, names)
    for size in range(len(data)):
        with pytest.raises(ScenarioError):
            list(scn_block.unpack(data[:size], names.fresh))
    with pytest.raises(ScenarioError, match="longer"):
        list(scn_block.unpack(data + b"\0", names.fresh))
    with pytest.raises(ScenarioError, match="a name that was not written"):
        list(scn_block.unpack(data, names.fresh[:-1]))
    with pytest.raises(ScenarioError, match="the most"):
        list(scn_block.unpack(b"\xff" * 4, []))


def test_a_file_that_ends_early_is_refused_where_it_ends(tmp_path: Path) -> None:
    """Behind the steps that are whole: a reader of a stream may have seen those."""
    scenario = Scenario("e500mc", steps=[Step(set={"spr.MAS0": n}) for n in range(5000)])
    path = tmp_path / "s.scn"
    write(scenario, path)
    path.write_bytes(path.read_bytes()[:-2000])
    _, steps = stream(path)
    with pytest.raises(ScenarioError, match="cut short"):
        list(steps)


def test_damaged_blocks_raise_nothing_but_scenario_errors(tmp_path: Path) -> None:
    data = scn.pack(Scenario("e500mc", steps=STEPS))
    content = zlib.decompress(data[12:])
    path = tmp_path / "x.scn"
    refused = 0
    for at in range(0, len(content), 3):
        path.write_bytes(data[:12] + zlib.compress(content[:at] + b"\xff" + content[at + 1 :]))
        with suppress(ScenarioError):
            refused += 1
            read(path)
            refused -= 1
    assert refused > 0
