# SPDX-License-Identifier: BSD-3-Clause
"""The loop of ``pyexit fuzz``: draws plans, runs them, counts outcomes, keeps what differs (design.md 7)."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from struct import Struct
from time import perf_counter
from typing import NamedTuple

from pyexit.fuzz.arena import Setup, beginning
from pyexit.fuzz.pair import Answer, Difference, Pair, Single, follow
from pyexit.fuzz.plans import KINDS, Draw, Plan
from pyexit.layout import Layout
from pyexit.scenario import Scenario, Step

MODELS = ("e500mc", "e5500", "e6500")

#: How often each kind is drawn.
WEIGHTS = {"fetch": 3, "exit": 5, "mmio": 3, "life": 5, "engine": 3, "ioctl": 2}

#: Scenarios leave no cycles behind, so that the collector need not look for them every hundred.
_GC_THRESHOLDS = (100_000, 20, 20)

#: Scenarios between two looks at the clock, and of one machine before the next has its turn.
TURN = 100

_EMULATION = {0: "DONE", 1: "DO_MMIO", 2: "FAIL", 3: "AGAIN", 4: "EXIT_USER"}
_RESUME = {0: "GUEST", 1: "GUEST_NV", 2: "HOST", 3: "HOST_NV"}
_RETURNS = {
    "kvmppc_get_last_inst": _EMULATION,
    "kvmppc_load_last_inst": _EMULATION,
    "kvmppc_emulate_mmio": _RESUME,
    "kvmppc_emulate_loadstore": _EMULATION,
    "kvmppc_handle_exit": _RESUME,
}
_OUTCOMES = ("done", "taken by guest", "exit", "taken by host", "dropped")


class Finding(NamedTuple):
    """A scenario on which two backends differ."""

    scenario: Scenario
    difference: Difference
    kind: str
    number: int  # of the scenario in the campaign


@dataclass
class Tally:
    """What a campaign came to so far."""

    scenarios: int = 0
    steps: int = 0
    seconds: float = 0.0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


#: Packs one field of so many bytes.
_PACK = {size: Struct(code).pack_into for size, code in ((1, "<B"), (2, "<H"), (4, "<I"), (8, "<Q"))}


class Places(dict[str, tuple[Callable[..., None], int, int]]):
    """How fields are put into the state block, where, and what they are at the beginning; looked up once."""

    def __init__(self, layout: Layout, original: bytes) -> None:
        self._layout, self._original = layout, original

    def __missing__(self, name: str) -> tuple[Callable[..., None], int, int]:
        field = self._layout.field(name)
        old = int.from_bytes(self._original[field.offset : field.offset + field.size], "little")
        place = self[name] = _PACK[field.size], field.offset, old
        return place


class Contender:
    """A machine of the campaign and the source of its scenarios."""

    def __init__(self, setup: Setup, seed: int, backends: Sequence[str]) -> None:
        self.setup = setup
        start = beginning(setup)
        self.state = bytearray(start.data)
        self.pair = Pair((backends[0], backends[1]), setup.options()) if len(backends) > 1 else None
        self.single = Single(backends[0], setup.options()) if self.pair is None else self.pair.a
        self.layout: Layout = self.single.layout
        self._places = Places(self.layout, start.data)
        self.draw = Draw(seed, self.single.core.params, start["kvm.arch.lpid"])
        self.functions = self.single.functions if self.pair is None else self.pair.functions

    def state_of(self, plan: Plan) -> bytearray:
        """The state in which a plan begins: the fields are laid over, and taken back by forget()."""
        state, places = self.state, self._places
        for name, value in plan.values.items():
            pack, start, _ = places[name]
            pack(state, start, value)
        return state

    def forget(self, plan: Plan) -> None:
        """Take back what state_of() laid over."""
        state, places = self.state, self._places
        for name in plan.values:
            pack, start, old = places[name]
            pack(state, start, old)

    def known(self, plan: Plan) -> Plan:
        """The plan without calls that a backend does not have yet."""
        functions = self.functions
        for step in plan.steps:
            if step.call is not None and step.call not in functions:
                plan.steps = [step for step in plan.steps if step.call is None or step.call in functions]
                break
        return plan

    def close(self) -> None:
        """Free the machines."""
        (self.pair or self.single).close()


class Campaign:
    """Seeded scenarios on the machines of some models, each in its turn."""

    def __init__(
        self,
        models: Sequence[str] = MODELS,
        seed: int = 0,
        backends: Sequence[str] = ("native", "ref"),
        kinds: Sequence[str] = tuple(KINDS),
        varied: bool = True,
    ) -> None:
        self.tally = Tally()
        self._counts = {kind: _counting(self.tally, kind) for kind in KINDS}
        self._kinds = [kind for kind in kinds for _ in range(WEIGHTS[kind])]
        self._contenders = [
            Contender(setup, (seed << 16) + number, backends)
            for number, setup in enumerate(
                setup for model in models for setup in (setups(model) if varied else [Setup(model)])
            )
        ]

    def run(
        self,
        seconds: float,
        max_findings: int = 1,
        tell: Callable[[Tally], None] = lambda tally: None,
        max_scenarios: int = 0,
    ) -> Tally:
        """Run until the time, the findings or the scenarios are enough."""
        thresholds = gc.get_threshold()
        gc.set_threshold(*_GC_THRESHOLDS)
        try:
            return self._run(seconds, max_findings, tell, max_scenarios)
        finally:
            gc.set_threshold(*thresholds)

    def _run(
        self, seconds: float, max_findings: int, tell: Callable[[Tally], None], max_scenarios: int
    ) -> Tally:
        start = perf_counter()
        turn = 0
        while True:
            contender = self._contenders[turn % len(self._contenders)]
            turn += 1
            for _ in range(TURN):
                self._one(contender)
                if len(self.tally.findings) >= max_findings > 0 or self.tally.scenarios == max_scenarios:
                    self.tally.seconds = perf_counter() - start
                    return self.tally
            self.tally.seconds = perf_counter() - start
            tell(self.tally)
            if self.tally.seconds >= seconds:
                return self.tally

    def _one(self, contender: Contender) -> None:
        draw = contender.draw
        plan = contender.known(KINDS[draw.pick(self._kinds)](draw))
        state = contender.state_of(plan)
        self.tally.scenarios += 1
        count = self._counts[plan.kind]
        if contender.pair is None:
            _run_single(contender.single, state, plan, count)
        else:
            steps, difference = contender.pair.run(state, plan.mem, plan.steps, count)
            if difference is not None:
                scenario = scenario_of(contender, state, plan, steps)
                self.tally.findings.append(Finding(scenario, difference, plan.kind, self.tally.scenarios))
        contender.forget(plan)

    def close(self) -> None:
        """Free all machines."""
        for contender in self._contenders:
            contender.close()


def setups(model: str) -> list[Setup]:
    """The machines of one model: Linux 6.1 as it is three times, then what can be chosen otherwise."""
    fetches = ("seed-v4", "review", "lwepx", "lwepx-do-kvm", "lwepx-hijack")
    return [
        *(Setup(model) for _ in range(3)),
        Setup(model, params="recorded"),
        Setup(model, sw_tlb=True),
        Setup(model, fetch="seed-v4", handler="seed-v4"),
        *(Setup(model, fetch=fetch) for fetch in fetches),
    ]


def _run_single(single: Single, state: bytearray, plan: Plan, count: Callable[[Step, Answer], None]) -> None:
    single.begin(state, plan.mem)
    waiting = list(reversed(plan.steps))
    while waiting:
        step = waiting.pop()
        answer = single.act(step)
        count(step, answer)
        next_step = follow(step, answer)
        if next_step is not None:
            waiting.append(next_step)


def _counting(tally: Tally, kind: str) -> Callable[[Step, Answer], None]:
    outcomes = tally.outcomes

    def count(step: Step, answer: Answer) -> None:
        tally.steps += 1
        outcomes[kind, label(step, answer)] += 1

    return count


def label(step: Step, answer: Answer) -> str:
    """The class of what a step came to."""
    if not answer:
        return "done"
    kind, first = answer[0], answer[1]
    if kind == "ret":
        names = _RETURNS.get(step.call or "")
        if names is not None:
            return names.get(first, "error")
        return "error" if first < 0 else "ok"
    if kind == "end":
        return _OUTCOMES[first]
    if kind == "resume":
        return "to the host" if first else "to the guest"
    return "stop" if kind == "stop" else "refused"


def scenario_of(contender: Contender, state: bytearray, plan: Plan, steps: Sequence[Step]) -> Scenario:
    """A plan as a scenario that stands alone."""
    setup = contender.setup
    return Scenario(
        setup.model,
        setup.params,
        setup.fetch,
        vcpus=2,
        ram=tuple((item.base, item.size) for item in contender.single.core.options.ram),
        state=contender.layout.values(bytes(state)),
        mem={address: word for address, word in plan.mem.items() if _is_ram(contender, address)},
        steps=list(steps),
        handler=setup.handler,
        sw_tlb=setup.sw_tlb,
    )


def _is_ram(contender: Contender, address: int) -> bool:
    ranges = contender.single.core.options.ram
    return any(item.base <= address < item.base + item.size for item in ranges)
