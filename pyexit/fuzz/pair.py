# SPDX-License-Identifier: BSD-3-Clause
"""Runs scenarios on two backends that are kept, step by step, and tells the first difference (design.md 7).

What lockstep does with machines, without a machine for each scenario: the state is loaded, RAM words are
taken back. Errors, results, events, the whole state and the RAM written are compared after each step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pyexit.backends.base import (
    EVENT,
    EXIT_RECORD,
    PAGE_SIZE,
    RESUME,
    Backend,
    Options,
    RawResume,
    create,
    release,
)
from pyexit.io.events import Event, stop_text
from pyexit.layout import Difference as FieldDifference
from pyexit.layout import Layout, encode
from pyexit.scenario import Step, Words

#: enum pyexit_outcome: the access or instruction left for the hypervisor.
EXIT = 2

#: What a step came to: the outcome of a call's end and its site, then what was returned; or an errno.
Answer = tuple[Any, ...]


class Difference(NamedTuple):
    """The first difference of two backends: at which step, in what, and what each has."""

    step: int
    part: str
    a: object
    b: object


class Single:
    """A backend that runs scenarios one after the other."""

    def __init__(self, name: str, options: Options) -> None:
        self.core: Backend = create(name, options)
        self.layout: Layout = self.core.layout
        self.functions = frozenset(self.core.call_names())
        self._words: list[int] = []

    def begin(self, state: bytes | bytearray, mem: Mapping[int, int]) -> None:
        """The state and the RAM words in which a scenario begins."""
        for address in self._words:
            self.core.write_ram(address, bytes(4))
        self.core.load_state(state)
        self._words.clear()
        self.store(mem)

    def store(self, words: Mapping[int, int]) -> None:
        """Store words; an address that is not RAM is left out."""
        for address, word in words.items():
            try:
                self.core.write_ram(address, word.to_bytes(4, "big"))
            except OSError:
                continue
            self._words.append(address)

    def act(self, step: Step) -> Answer:
        """Make a step; what it came to."""
        if step.ram:
            self.store(step.ram)
        if step.set:
            fields = ((self.layout.field(name), value) for name, value in step.set.items())
            self.core.write_all([(field.offset, encode(field, value)) for field, value in fields])
        try:
            if step.call is not None:
                return _called(self.core.call(step.call, step.args))
            return VERBS[step.verb](self.core, step) if step.verb is not None else ()
        except OSError as error:
            return ("error", error.errno)

    def pages(self) -> set[int]:
        """The pages stored to since the last question; their words are taken back by begin()."""
        return self.core.dirty_pages()

    def clean(self, page: int) -> None:
        """Make a page of RAM zero again."""
        self.core.write_ram(page * PAGE_SIZE, bytes(PAGE_SIZE))
        self.core.dirty_pages()

    def close(self) -> None:
        """Free the machine and its RAM."""
        self.core.close()
        release(self.core.options.ram)


def _called(result: Any) -> Answer:
    if result.outcome:
        return ("stop", result.outcome, result.site)
    return ("ret", result.ret, result.value)


def _resumed(answer: RawResume) -> Answer:
    if answer.outcome:
        return ("stop", answer.outcome, answer.site)
    return ("resume", answer.where, answer.ret)


def _exits(core: Backend, step: Step) -> Answer:
    return _resumed(RawResume(*RESUME.unpack(core.exits(EXIT_RECORD.pack(*step.args)))))


def _translate(core: Backend, step: Step) -> Answer:
    vcpu, ea, size, access, probe = step.args
    return ("end", *core.translate(vcpu, ea, size, access, bool(probe)))


def _nothing(core: Backend, step: Step, act: Callable[..., None]) -> Answer:
    act(*step.args)
    return ()


#: The verbs of a scenario (docs/scenario.md) on a backend.
VERBS: dict[str, Callable[[Backend, Step], Answer]] = {
    "translate": _translate,
    "guest_op": lambda core, step: ("end", *core.guest_op(*step.args)),
    "interrupt": lambda core, step: ("end", *core.interrupt(*step.args)),
    "pending": lambda core, step: ("end", *core.pending(*step.args)),
    "enter": lambda core, step: _resumed(core.enter(*step.args)),
    "exit": lambda core, step: _resumed(core.exit(*step.args)),
    "exits": _exits,
    "pin": lambda core, step: _nothing(core, step, core.pin),
    "advance": lambda core, step: _nothing(core, step, core.advance),
    "interleave": lambda core, step: _nothing(core, step, lambda: core.interleave(step.actions)),
}


def follow(step: Step, answer: Answer) -> Step | None:
    """The exit that a verb's answer asks for, as a step of its own."""
    if answer and answer[0] == "end" and answer[1] == EXIT:
        return Step(verb="exit", args=(step.args[0], answer[2]))
    return None


class Pair:
    """Two backends with the same options."""

    def __init__(self, names: tuple[str, str], options: Options) -> None:
        self.names = names
        copies = tuple(item.copy() for item in options.ram)
        self.a = Single(names[0], options)
        self.b = Single(names[1], replace(options, ram=copies))
        self.layout = self.a.layout
        self.functions = self.a.functions & self.b.functions
        self._pages: set[int] = set()

    def run(
        self,
        state: bytes | bytearray,
        mem: Words,
        steps: Sequence[Step],
        seen: Callable[[Step, Answer], None] | None = None,
        following: bool = True,
    ) -> tuple[list[Step], Difference | None]:
        """Run steps; those that were made, the exits that followed among them, and the first difference."""
        self._begin(state, mem)
        made: list[Step] = []
        waiting = list(reversed(steps))
        while waiting:
            step = waiting.pop()
            made.append(step)
            answer = self.a.act(step)
            part = self._compare(answer, self.b.act(step))
            if part is not None:
                return made, Difference(len(made) - 1, *part)
            if seen is not None:
                seen(step, answer)
            next_step = follow(step, answer) if following else None
            if next_step is not None:
                waiting.append(next_step)
            if answer and answer[0] == "stop":
                break  # what a kernel that has stopped would do next means nothing
        return made, None

    def _begin(self, state: bytes | bytearray, mem: Words) -> None:
        for page in self._pages:
            self.a.clean(page)
            self.b.clean(page)
        self._pages = set()
        for single in (self.a, self.b):
            single.begin(state, mem)
            single.core.raw_events()
            single.core.lost_events()
            single.pages()

    def _compare(self, a: Answer, b: Answer) -> tuple[str, object, object] | None:
        if a != b:
            return "answer", answer_text(a), answer_text(b)
        left, right = self.a.core.state(), self.b.core.state()
        if left != right:
            found = self.layout.diff(left, right)
            if found:
                return found[0]
        return self._compare_events(self.a.core.raw_events(), self.b.core.raw_events()) or self._compare_ram()

    def _compare_events(self, left_raw: bytes, right_raw: bytes) -> tuple[str, object, object] | None:
        if left_raw == right_raw:
            return None
        a, b = (
            [Event(kind, detail, tuple(args)) for kind, detail, *args in EVENT.iter_unpack(raw)]
            for raw in (left_raw, right_raw)
        )
        for index in range(max(len(a), len(b))):
            left = str(a[index]) if index < len(a) else None
            right = str(b[index]) if index < len(b) else None
            if left != right:
                return f"event[{index}]", left, right
        index = next(index for index, pair in enumerate(zip(a, b, strict=True)) if pair[0] != pair[1])
        return f"event[{index}]", tuple(a[index]), tuple(b[index])

    def _compare_ram(self) -> tuple[str, object, object] | None:
        pages = self.a.pages() | self.b.pages()
        self._pages |= pages
        for page in sorted(pages):
            left, right = (single.core.read_ram(page * PAGE_SIZE, PAGE_SIZE) for single in (self.a, self.b))
            if left != right:
                at = next(n for n in range(PAGE_SIZE) if left[n] != right[n])
                return f"ram[{page * PAGE_SIZE + at:#x}]", left[at], right[at]
        return None

    def differences(self) -> list[FieldDifference]:
        """The fields in which the two differ at this moment."""
        return self.layout.diff(self.a.core.state(), self.b.core.state())

    def close(self) -> None:
        """Free both."""
        self.a.close()
        self.b.close()


def answer_text(answer: Answer) -> str:
    """What a step came to, to be read."""
    if not answer:
        return "nothing"
    kind, *rest = answer
    if kind == "stop":
        return stop_text(rest[0], rest[1]) or "returned"
    if kind == "ret":
        values = " ".join(f"{value:#x}" for value in rest[1])
        return f"ret {rest[0]} values {values}"
    return " ".join([kind, *(f"{part:#x}" if isinstance(part, int) else str(part) for part in rest)])
