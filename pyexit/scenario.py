# SPDX-License-Identifier: BSD-3-Clause
"""Scenarios: a machine, its state, and steps with what is expected of them (design.md 7, docs/scenario.md).

`Scenario` is the data, `read` and `write` its two files (io/scn_json.py and io/scn.py), `replay`
runs one on a backend and lists what differs, `recorded` fills in what a backend answers.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol
from zlib import crc32

from pyexit.actions import Action
from pyexit.actions import check as check_actions
from pyexit.batch import ExitRecord
from pyexit.errors import ScenarioError, nearest
from pyexit.io.events import stop_text

if TYPE_CHECKING:
    from pyexit.machine import Machine, Resume

FORMAT = 1
#: Verbs besides call, with the number of their arguments (docs/scenario.md).
VERBS = {
    "translate": 5,  # vcpu ea size access probe
    "guest_op": 2,  # vcpu instruction
    "interrupt": 4,  # vcpu ivor esr dear
    "enter": 1,  # vcpu
    "exit": 2,  # vcpu exit_nr
    "exits": 6,  # vcpu exit_nr pc msr dear esr
    "pin": 3,  # thread pin level
    "pending": 1,  # vcpu
    "advance": 1,  # ticks
    "interleave": 0,  # and the step's actions
}

Words = dict[int, int]  # real address -> 32-bit big-endian word
Values = dict[str, int]  # field name -> value


@dataclass(slots=True)
class Expect:
    """What a step should come to; None where nothing is expected.

    A translation's `ret` is its outcome, its `value` ivor, real, real2, page_size, perms, attributes; the
    `ret` of guest_op, interrupt and pending is the outcome, their `value` the ivor. The `ret` of enter, exit
    and exits is what KVM_RUN returns, their `value` where the vcpu goes on. `out` holds every field that
    changes. `error` is the name of an errno, `stop` the text of a BUG or hang (io/events.py): a step that
    ended so has neither `ret` nor `value`. `crc` is the CRC-32 of the whole state block after the step.
    """

    ret: int | None = None
    value: tuple[int, ...] | None = None
    error: str | None = None
    out: Values | None = None
    events: tuple[str, ...] | None = None
    stop: str | None = None
    crc: int | None = None


#: The wish to know only ret, value, error and stop.
NOTHING = Expect()


@dataclass(slots=True)
class Step:
    """One step: RAM words are stored, fields are set, then the call or the verb is made."""

    call: str | None = None
    verb: str | None = None
    args: tuple[int, ...] = ()
    ram: Words = field(default_factory=dict)
    set: Values = field(default_factory=dict)
    expect: Expect | None = None
    actions: tuple[Action, ...] = ()  # of the verb interleave


@dataclass(slots=True)
class Scenario:
    """A machine (the arguments of Machine()), its initial state, RAM words, and steps.

    `state` holds the fields that are not 0; None is the state of reset.
    """

    model: str
    params: str | dict[str, Any] = "core"
    fetch: str = "merged"
    quirks: tuple[str, ...] = ()
    cores: int = 1
    vms: int = 1
    vcpus: int = 1
    vcpu_thread: tuple[int, ...] | None = None
    vcpu_vm: tuple[int, ...] | None = None
    ram: tuple[tuple[int, int], ...] = ()
    state: Values | None = None
    mem: Words = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    handler: str = "merged"
    sw_tlb: bool = False

    def save(self, path: str | Path) -> None:
        """Write the scenario to `path`, whose name ends in .scn.jsonl or .scn."""
        write(self, path)

    def machine(self, backend: str | None = None) -> Machine:
        """The machine in its initial state."""
        from pyexit.machine import Machine

        made = Machine(
            self.model,
            params=self.params,
            fetch=self.fetch,
            backend=backend,
            cores=self.cores,
            vms=self.vms,
            vcpus=self.vcpus,
            vcpu_thread=self.vcpu_thread,
            vcpu_vm=self.vcpu_vm,
            ram=self.ram,
            handler=self.handler,
            sw_tlb=self.sw_tlb,
        )
        for address, data in runs(self.mem):
            made.write_ram(address, data)
        if self.state is not None:
            made.load_values(self.state)
        return made


class Mismatch(NamedTuple):
    """A step that did not come to what was expected.

    `part` is ret, value[i], error, stop, events[i] or a field.
    """

    step: int
    part: str
    expected: object
    got: object


def runs(words: Words) -> Iterator[tuple[int, bytes]]:
    """Words that follow each other, together."""
    start, data = 0, bytearray()
    for address, word in sorted(words.items()):
        if data and address != start + len(data):
            yield start, bytes(data)
            data.clear()
        if not data:
            start = address
        data += word.to_bytes(4, "big")
    if data:
        yield start, bytes(data)


# Replay


def replay(scenario: Scenario, backend: str | None = None) -> list[Mismatch]:
    """Run the steps on `backend` and list what differs from their expectations."""
    found: list[Mismatch] = []
    with scenario.machine(backend) as machine:
        for number, step in enumerate(scenario.steps):
            got = perform(machine, step, step.expect or NOTHING)
            if step.expect is not None:
                found += [Mismatch(number, *part) for part in compare(step.expect, got)]
    return found


def recorded(scenario: Scenario, backend: str | None = None) -> Scenario:
    """The scenario with what `backend` answers as the expectation of every step that had none."""
    steps = []
    with scenario.machine(backend) as machine:
        for step in scenario.steps:
            got = perform(machine, step)
            steps.append(step if step.expect is not None else replace(step, expect=got))
    return replace(scenario, steps=steps)


def perform(machine: Machine, step: Step, wanted: Expect | None = None) -> Expect:
    """Make one step; what it came to: what `wanted` has, or all but the CRC."""
    for address, word in step.ram.items():
        machine.store_word(address, word)
    if step.set:
        machine.set(step.set)
    before = machine.snapshot() if wanted is None or wanted.out is not None else None
    observed = wanted is None or wanted.events is not None
    if observed:
        machine.events()
    got = Expect()
    try:
        if step.call is not None:
            _call(machine, step.call, step.args, got)
        elif step.verb in RESUMING:
            RESUMING[step.verb](machine, step, got)
        elif step.verb is not None and (answer := PERFORM[step.verb](machine, step)) is not None:
            got.ret, got.value = int(answer[0]), answer[1:]
    except OSError as error:
        got.error = errno_name(error)
    if before is not None:
        got.out = {change.field: change.b for change in before.diff(machine.snapshot())}
    if observed:
        got.events = tuple(map(str, machine.events()))
    if wanted is not None and wanted.crc is not None:
        got.crc = crc32(machine.snapshot().data)
    return got


def _call(machine: Machine, name: str, args: tuple[int, ...], got: Expect) -> None:
    result = machine.call(name, *args)
    if result.outcome:
        got.stop = stop_text(result.outcome, result.site)
    else:
        got.ret, got.value = result.ret, result.value


def _translate(machine: Machine, step: Step) -> tuple[int, ...]:
    vcpu, ea, size, access, probe = step.args
    return tuple(machine.translate(ea, size, access, vcpu, bool(probe)))


def _guest_op(machine: Machine, step: Step) -> tuple[int, ...]:
    vcpu, instruction = step.args
    return tuple(machine.guest_op(instruction, vcpu))


def _interrupt(machine: Machine, step: Step) -> tuple[int, ...]:
    vcpu, ivor, esr, dear = step.args
    return tuple(machine.interrupt(ivor, esr, dear, vcpu))


def _resumed(answer: Resume, got: Expect) -> None:
    """What enter() and exit() came to: ret, and where the vcpu goes on."""
    if answer.outcome:
        got.stop = answer.stop
    else:
        got.ret, got.value = answer.ret, (int(answer.where),)


def _enter(machine: Machine, step: Step, got: Expect) -> None:
    _resumed(machine.enter(*step.args), got)


def _exit(machine: Machine, step: Step, got: Expect) -> None:
    vcpu, exit_nr = step.args
    _resumed(machine.exit(exit_nr, vcpu), got)


def _exits(machine: Machine, step: Step, got: Expect) -> None:
    from pyexit.machine import Resume, Where

    (answer,) = machine.exits([ExitRecord(*step.args)])
    outcome, site, where, ret = map(int, answer)
    _resumed(Resume(outcome, site, Where(where), ret), got)


def _pin(machine: Machine, step: Step) -> None:
    machine.pin(*step.args)


def _pending(machine: Machine, step: Step) -> tuple[int, ...]:
    return tuple(machine.pending(*step.args))


def _advance(machine: Machine, step: Step) -> None:
    machine.advance(*step.args)


def _interleave(machine: Machine, step: Step) -> None:
    machine.interleave(step.actions)


#: How each verb is made; the answer's first number is the outcome.
PERFORM: dict[str, Callable[[Machine, Step], tuple[int, ...] | None]] = {
    "translate": _translate,
    "guest_op": _guest_op,
    "interrupt": _interrupt,
    "pin": _pin,
    "pending": _pending,
    "advance": _advance,
    "interleave": _interleave,
}


#: The verbs of which the kernel's own code is a part: it may stop.
RESUMING: dict[str, Callable[[Machine, Step, Expect], None]] = {
    "enter": _enter,
    "exit": _exit,
    "exits": _exits,
}


def errno_name(error: OSError) -> str:
    """ENOENT and the like; the number where it has no name."""
    return errno.errorcode.get(error.errno or 0, str(error.errno))


def compare(expect: Expect, got: Expect) -> Iterator[tuple[str, object, object]]:
    """The parts in which an answer is not what was expected: part, expected, got."""
    for part in ("error", "stop", "ret"):
        wanted, found = getattr(expect, part), getattr(got, part)
        if found != wanted and (part != "ret" or wanted is not None):
            yield part, wanted, found
    if expect.crc is not None and got.crc != expect.crc:
        yield "crc", expect.crc, got.crc
    if expect.value is not None:
        yield from compare_sequence("value", expect.value, got.value or ())
    if expect.out is not None:
        yield from _compare_out(expect.out, got.out or {})
    if expect.events is not None:
        yield from compare_sequence("events", expect.events, got.events or ())


def compare_sequence(
    part: str, expected: tuple[object, ...], got: tuple[object, ...]
) -> Iterator[tuple[str, object, object]]:
    """The first element in which two sequences differ."""
    for index in range(max(len(expected), len(got))):
        left = expected[index] if index < len(expected) else None
        right = got[index] if index < len(got) else None
        if left != right:
            yield f"{part}[{index}]", left, right
            return


def _compare_out(expected: Values, got: Values) -> Iterator[tuple[str, object, object]]:
    for name in dict.fromkeys([*expected, *got]):
        if expected.get(name) != got.get(name):
            yield name, expected.get(name, "unchanged"), got.get(name, "unchanged")


# Files


class File(Protocol):
    """A scenario file that grows by a step at a time (io/scn.py, io/scn_json.py)."""

    def add(self, step: Step) -> None:
        """One more step."""

    def finish(self) -> None:
        """Write what waits, and the end; the file stays open."""


def read(path: str | Path) -> Scenario:
    """The scenario of a .scn.jsonl or .scn file; ScenarioError says what is wrong with it, and where."""
    scenario, steps = stream(path)
    scenario.steps = list(steps)
    return scenario


def stream(path: str | Path) -> tuple[Scenario, Iterator[Step]]:
    """The scenario of a file without its steps, and those, read and checked as they are asked for.

    For recordings that are larger than memory. ScenarioError as read().
    """
    from pyexit.io import scn, scn_json

    with ExitStack() as stack:
        file = stack.enter_context(Path(path).open("rb"))
        form = scn if file.read(len(scn.MAGIC)) == scn.MAGIC else scn_json
        file.seek(0)
        try:
            scenario, steps = form.stream(file)
            _check_header(scenario)
        except ScenarioError as error:
            raise ScenarioError(f"{path}: {error}") from None
        stack.pop_all()
    return scenario, _checked(path, file, steps)


def _checked(path: str | Path, file: BinaryIO, steps: Iterator[Step]) -> Iterator[Step]:
    with file:
        try:
            for number, step in enumerate(steps):
                _check_step(number, step)
                yield step
        except ScenarioError as error:
            raise ScenarioError(f"{path}: {error}") from None


def write(scenario: Scenario, path: str | Path) -> None:
    """Write to `path`, whose name ends in .scn.jsonl (JSON lines) or .scn (compact)."""
    Path(path).write_bytes(form_of(path).pack(check(scenario)))


def form_of(path: str | Path) -> ModuleType:
    """The module of the form that a file's name asks for: pack(), stream() and File."""
    from pyexit.io import scn, scn_json

    name = str(path)
    if name.endswith(".scn.jsonl"):
        return scn_json
    if name.endswith(".scn"):
        return scn
    raise ValueError(f"{name}: a scenario's file name ends in .scn.jsonl or .scn")


def check(scenario: Scenario) -> Scenario:
    """The scenario, if its parts go together."""
    _check_header(scenario)
    for number, step in enumerate(scenario.steps):
        _check_step(number, step)
    return scenario


def _check_header(scenario: Scenario) -> None:
    if scenario.quirks:
        raise ScenarioError(f"unknown quirk {scenario.quirks[0]!r}: none can be turned off yet")


def _check_step(number: int, step: Step) -> None:
    if step.verb is not None:
        if step.call is not None:
            raise ScenarioError(f"step {number}: a step has a call or a verb, not both")
        if step.verb not in VERBS:
            raise ScenarioError(f"step {number}: unknown verb {step.verb!r}{nearest(step.verb, VERBS)}")
        if len(step.args) != VERBS[step.verb]:
            raise ScenarioError(f"step {number}: {step.verb} takes {VERBS[step.verb]} arguments")
    elif step.args and step.call is None:
        raise ScenarioError(f"step {number}: arguments without a call or a verb")
    if step.actions:
        _check_step_actions(number, step)


def _check_step_actions(number: int, step: Step) -> None:
    if step.verb != "interleave":
        raise ScenarioError(f"step {number}: actions without the verb interleave")
    try:
        check_actions(step.actions)
    except (TypeError, ValueError) as error:
        raise ScenarioError(f"step {number}: {error}") from None
