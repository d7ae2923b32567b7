# SPDX-License-Identifier: BSD-3-Clause
"""Fuzzing: seeded plans, pairs of backends, minimising, and the two commands (design.md 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pyexit import Scenario, Step, replay
from pyexit.backends.base import Backend, Result
from pyexit.cli import main
from pyexit.cli.fuzz import summary
from pyexit.cli.repro import smaller_name
from pyexit.fuzz import minimise as minimising
from pyexit.fuzz.arena import Setup, beginning
from pyexit.fuzz.campaign import MODELS, WEIGHTS, Campaign, label, setups
from pyexit.fuzz.explain import explain, section
from pyexit.fuzz.minimise import Replayer, minimise, shrink
from pyexit.fuzz.pair import Difference, Pair, Single, answer_text, follow
from pyexit.fuzz.plans import KINDS, Draw, Plan
from pyexit.scenario import read, write

each_model = pytest.mark.parametrize("model", MODELS)


@contextmanager
def native(model: str) -> Iterator[Backend]:
    """The native backend of the arena."""
    single = Single("native", Setup(model).options())
    yield single.core
    single.close()


def drawn(model: str, seed: int, count: int = 60) -> list[Plan]:
    """Plans of every kind."""
    with native(model) as core:
        draw = Draw(seed, core.params, 1)
        return [KINDS[kind](draw) for _ in range(count) for kind in KINDS]


# Plans


@each_model
def test_same_seed_draws_the_same_plans(model: str) -> None:
    assert drawn(model, 7) == drawn(model, 7)
    assert drawn(model, 7) != drawn(model, 8)


@each_model
def test_plans_name_fields_that_a_machine_has(model: str) -> None:
    with native(model) as core:
        for plan in drawn(model, 1):
            core.layout.pack(plan.values)
            for step in plan.steps:
                core.layout.pack(step.set)


def test_every_kind_has_its_weight() -> None:
    assert WEIGHTS.keys() == KINDS.keys()
    assert min(WEIGHTS.values()) > 0


@each_model
def test_beginning_is_a_loaded_vcpu_with_memory_of_every_kind(model: str) -> None:
    """mmu-kvm 8.1: contiguous, huge, device, scattered, invalid, without page, not present, no entry."""
    state = beginning(Setup(model))
    assert state["spr.LPID"] == state["kvm.arch.lpid"]
    assert [state[f"kvm.vma.flags[{n}]"] for n in range(3)] == [0, 2, 1]
    assert state["kvm.memslot.flags[4]"] == 1
    assert {state[f"kvm.backing.pte[{n}]"] for n in range(32)} == {0, 1, 2}


def test_setups_have_every_strategy() -> None:
    found = setups("e6500")
    assert {setup.fetch for setup in found} == {
        *("merged", "seed-v4", "review", "lwepx", "lwepx-do-kvm", "lwepx-hijack"),
    }
    assert (
        {setup.sw_tlb for setup in found} == {setup.handler == "merged" for setup in found} == {True, False}
    )


# A campaign


@each_model
def test_native_agrees_with_itself(model: str) -> None:
    """Every kind runs, and most of what can happen does."""
    campaign = Campaign([model], 3, ("native", "native"))
    try:
        tally = campaign.run(60, max_findings=0, max_scenarios=600)
    finally:
        campaign.close()
    assert tally.findings == []
    assert {kind for kind, _ in tally.outcomes} == set(KINDS)
    assert tally.outcomes["fetch", "DONE"] > 5
    assert tally.outcomes["fetch", "AGAIN"] > 5


def test_campaign_is_repeatable() -> None:
    outcomes: list[Counter[tuple[str, str]]] = []
    for _ in range(2):
        campaign = Campaign(["e500mc"], 5, ("native",), varied=False)
        outcomes.append(campaign.run(60, max_scenarios=200).outcomes)
        campaign.close()
    assert outcomes[0] == outcomes[1]


class Liar:
    """A native backend that answers wrongly when register 3 of the vcpu is odd."""

    def __init__(self, core: Any) -> None:
        self._core = core

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    def call(self, name: str, args: Any) -> Result:
        """call(), spoiled."""
        result: Result = self._core.call(name, args)
        field = self._core.layout.field("vcpu.arch.regs.gpr[3]")
        odd = self._core.read(field.offset, 1)[0] & 1
        return result._replace(ret=result.ret ^ 0x40) if odd else result


def lying(pair: Pair) -> Pair:
    """A pair of which the second lies."""
    pair.b.core = Liar(pair.b.core)
    return pair


def test_planted_bug_is_found_and_made_small() -> None:
    """tests/quality: is the bug that we planted found, and is what is left of the scenario small?"""
    campaign = Campaign(["e500mc"], 1, ("native", "native"), kinds=("exit",), varied=False)
    pair = campaign._contenders[0].pair
    assert pair is not None
    lying(pair)
    tally = campaign.run(60, max_scenarios=500)
    campaign.close()
    (finding,) = tally.findings
    assert finding.difference.part == "answer"
    replayer = Replayer(finding.scenario, ("native", "native"))
    lying(replayer.pair)
    _, difference = replayer.run(finding.scenario)
    assert difference is not None
    small = minimise(replayer, finding.scenario, difference)
    _, again = replayer.run(small)
    assert again is not None
    lines = list(explain(replayer, small, again))
    replayer.close()
    assert len(small.steps) == 1
    assert small.mem == {}
    assert len(small.state or {}) <= len(finding.scenario.state or {})
    assert "exit 3" in "\n".join(lines)


def test_divergence_of_the_reference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug planted in the reference: the last instruction is one bit off."""
    from pyexit.ref import api

    right = api.CALLS["kvmppc_get_last_inst"]

    def wrong(world: Any, *args: int) -> Any:
        result = right.function(world, *args)
        return result._replace(value=(result.value[0] ^ 1, *result.value[1:]))

    monkeypatch.setitem(api.CALLS, "kvmppc_get_last_inst", right._replace(function=wrong))
    campaign = Campaign(["e500mc"], 1, kinds=("fetch",), varied=False)
    tally = campaign.run(60, max_scenarios=200)
    campaign.close()
    assert [finding.kind for finding in tally.findings] == ["fetch"]
    scenario = tally.findings[0].scenario
    assert replay(scenario, "native") == []


# A pair


def a_pair() -> Pair:
    return Pair(("native", "ref"), Setup("e500mc").options())


def test_exit_follows_what_came_to_one() -> None:
    """design 5: exit() with the number that the verb reported."""
    step = Step(verb="translate", args=(1, 0x1000, 4, 0, 0))
    assert follow(step, ("end", 2, 14, 0)) == Step(verb="exit", args=(1, 14))
    assert follow(step, ("end", 0, 0, 0)) is None
    assert follow(step, ()) is None


def test_scenarios_do_not_touch_each_other() -> None:
    pair = a_pair()
    state = beginning(Setup("e500mc")).data
    first = [Step(set={"spr.MAS0": 1}, ram={0x1000: 5})]
    assert pair.run(state, {0x2000: 7}, first)[1] is None
    assert pair.run(state, {}, [Step("kvmppc_handle_exit", args=(0, 10))])[1] is None
    assert pair.a.core.read_ram(0x1000, 4) == pair.b.core.read_ram(0x2000, 4) == bytes(4)
    pair.close()


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda core: core.write(core.layout.field("spr.MAS1").offset, b"\1"), "spr.MAS1"),
        (lambda core: core.write_ram(0x5003, b"\7"), "ram[0x5003]"),
        (lambda core: core.call("kvmppc_handle_exit", (0, 10)), None),
    ],
)
def test_difference_is_named(spoil: Any, part: str | None) -> None:
    pair = Pair(("native", "native"), Setup("e500mc").options())
    state = beginning(Setup("e500mc")).data
    act = pair.b.act

    def spoiled(step: Step) -> Any:
        answer = act(step)
        spoil(pair.b.core)
        return answer

    pair.b.act = spoiled  # type: ignore[method-assign]
    steps = [Step("kvmppc_core_queue_dec", args=(0,))]
    _, difference = pair.run(state, {}, steps)
    pair.close()
    assert difference is not None
    assert part is None or difference.part == part


def test_answers_can_be_read() -> None:
    assert answer_text(()) == "nothing"
    assert answer_text(("stop", 1, 1)) == "BUG booke.c:1384 kvmppc_handle_exit"
    assert answer_text(("ret", -22, (1, 0))) == "ret -22 values 0x1 0x0"
    assert answer_text(("error", 22)) == "error 0x16"


def test_outcomes_have_classes() -> None:
    step = Step("kvmppc_get_last_inst", args=(0, 0))
    assert label(step, ("ret", 3, ())) == "AGAIN"
    assert label(Step("kvmppc_get_dec"), ("ret", -5, ())) == "error"
    assert label(Step(verb="enter"), ("resume", 0, 0)) == "to the guest"
    assert label(Step(verb="translate"), ("end", 1, 13)) == "taken by guest"
    assert label(Step(verb="pin"), ()) == "done"


# Minimising and explaining


@pytest.mark.parametrize("needed", [[], [3], [0, 9], [2, 3, 4], list(range(10))])
def test_shrink_keeps_what_is_needed(needed: list[int]) -> None:
    assert shrink(range(10), lambda items: set(needed) <= set(items)) == needed


def test_minimising_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minimising, "MAX_RUNS", 3)
    scenario = Scenario("e500mc", ram=((0, 0x1000),), steps=[Step("kvmppc_get_dec", args=(0, 5))] * 4)
    replayer = Replayer(scenario, ("native", "native"))
    small = minimise(replayer, scenario, Difference(3, "answer", 0, 1))
    replayer.close()
    assert small.steps == scenario.steps


@pytest.mark.parametrize(
    ("step", "where"),
    [
        (Step("kvmppc_handle_exit", args=(0, 41)), "exit 3; emulate 2-4"),
        (Step("kvmppc_e500_emul_tlbwe", args=(0,)), "mmu-kvm 4"),
        (Step("kvm_vcpu_ioctl_get_one_reg", args=(0, 0, 0)), "exit 12.6"),
        (Step(verb="exit", args=(0, 13)), "exit 11.3, 11.4, 3; mmu-kvm 6, 7"),
        (Step(verb="advance", args=(1,)), "exit 8"),
        (Step(set={}), "pyexit.h"),
    ],
)
def test_step_is_placed_in_the_specification(step: Step, where: str) -> None:
    assert section(step) == where


# The commands


def test_fuzz_finds_nothing_between_native_and_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--seconds", "0.1", "--model", "e500mc", "--backend", "lockstep:native,native"]
    assert main(["fuzz", *arguments, "--output", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith(", 0 findings")
    assert any(line.startswith("exit: ") for line in lines)


def test_fuzz_on_one_backend_only_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--seconds", "0.1", "--model", "e5500", "--backend", "native", "--kind", "fetch"]
    assert main(["fuzz", *arguments]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("fetch: ")


def test_fuzz_writes_a_finding_that_repro_explains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyexit.ref import api

    right = api.CALLS["kvmppc_load_last_inst"]

    def wrong(world: Any, *args: int) -> Any:
        return right.function(world, *args)._replace(ret=9)

    monkeypatch.setitem(api.CALLS, "kvmppc_load_last_inst", right._replace(function=wrong))
    arguments = ["--seconds", "30", "--model", "e500mc", "--kind", "fetch", "--seed", "4"]
    assert main(["fuzz", *arguments, "--output", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    (path,) = tmp_path.glob("found-e500mc-4-*.scn.jsonl")
    assert f"pyexit repro {path}" in out
    assert main(["repro", str(path)]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == f"{path}: differs"
    assert "mmu-kvm 15" in out
    small = read(smaller_name(path))
    assert len(small.steps) == 1
    monkeypatch.undo()
    assert main(["repro", str(path), "--no-minimise"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{path}: no difference"]


def test_repro_tells_an_expectation_that_is_not_met(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pyexit import Expect

    step = Step("kvmppc_get_dec", args=(0, 5), expect=Expect(ret=77))
    scenario = Scenario("e500mc", ram=((0, 0x1000),), steps=[step])
    path = tmp_path / "a.scn.jsonl"
    write(scenario, path)
    assert main(["repro", str(path)]) == 1
    assert "expected 77" in capsys.readouterr().out
    write(replace(scenario, steps=[replace(step, expect=None)]), path)
    assert main(["repro", str(path)]) == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["fuzz", "--seconds", "0"], "--seconds is more than 0"),
        (["fuzz", "--seconds", "1", "--seed", "-1"], "--seed is 0 or more"),
        (["fuzz", "--seconds", "1", "--max-findings", "-1"], "--max-findings is 0 or more"),
        (["fuzz", "--seconds", "1", "--output", "/none/such"], "no such folder"),
        (["fuzz", "--seconds", "1", "--backend", "nativ"], "no backend 'nativ'"),
        (["repro", "/none/such.scn.jsonl"], "No such file"),
        (["repro", "/none/such.scn.jsonl", "--backend", "native"], "compares two"),
    ],
)
def test_bad_usage_is_status_2(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert text in capsys.readouterr().err


def test_name_of_the_small_scenario() -> None:
    assert smaller_name(Path("a/f.scn.jsonl")) == Path("a/f.min.scn.jsonl")
    assert smaller_name(Path("a/f.scn")) == Path("a/f.min.scn")


def test_summary_is_one_line() -> None:
    campaign = Campaign(["e500mc"], 0, ("native",), varied=False)
    tally = campaign.run(60, max_scenarios=3)
    campaign.close()
    assert summary(tally).startswith("3 scenarios in ")
