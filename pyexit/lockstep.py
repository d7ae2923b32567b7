# SPDX-License-Identifier: BSD-3-Clause
"""Lockstep: two backends driven as one, compared after every verb (design.md 7).

Results, errors, events, the whole state and the RAM that was written are compared. The steps are kept, so
that a Divergence carries the scenario that leads to it; restore() begins a new one, which also frees them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, TypeVar, cast

from pyexit.actions import Action
from pyexit.backends.base import (
    EVENT,
    EXIT_RECORD,
    PAGE_SIZE,
    RESUME,
    Backend,
    Options,
    RawEnd,
    RawResume,
    RawTranslation,
    RawViolation,
    Result,
    create,
    lockstep_pair,
    release,
)
from pyexit.errors import Divergence
from pyexit.io.events import Event
from pyexit.machine import describe, nonzero_words
from pyexit.scenario import Scenario, Step, Words, compare_sequence

T = TypeVar("T")


class Lockstep:
    """Two backends; what the first answers is the answer."""

    def __init__(self, name: str, options: Options) -> None:
        pair = lockstep_pair(name)
        if pair is None:
            raise ValueError(f"{name!r} is not a lockstep backend")
        self.name, self.options, self._pair = name, options, pair
        self._copies = tuple(item.copy() for item in options.ram)
        self._a: Backend = create(pair[0], options)
        self._b: Backend = create(pair[1], replace(options, ram=self._copies))
        self.params, self.layout = self._a.params, self._a.layout
        self._events: list[Event] = []
        self._lost = 0
        self._steps: list[Step] = []
        self._start = self._a.state()
        self._mem: Words = {}  # RAM in which the steps begin
        self._pages: set[int] = set()  # and the pages stored to since
        for item in options.ram:
            if item.lent:
                self._mem.update(nonzero_words(item.base, item.memory))
        self._compare_params()
        self._compare_state()

    def scenario(self) -> Scenario:
        """The steps since the machine was made or last restored, and the state in which they began."""
        made = describe(self.options)
        made.state, made.mem = self.layout.values(self._start), dict(self._mem)
        made.steps = list(self._steps)
        return made

    def call_names(self) -> tuple[str, ...]:
        """The functions that both know."""
        names = self._b.call_names()
        return tuple(name for name in self._a.call_names() if name in names)

    def call(self, name: str, args: Sequence[int]) -> Result:
        """Call on both."""
        self._steps.append(Step(call=name, args=tuple(args)))
        return self._both(lambda backend: backend.call(name, args), _result_parts)

    def repeat(self, name: str, args: Sequence[int], times: int) -> Result:
        """Call on both, compared each time."""
        for _ in range(times - 1):
            self.call(name, args)
        return self.call(name, args)

    def translate(self, vcpu: int, ea: int, size: int, access: int, probe: bool) -> RawTranslation:
        """Translate on both."""
        self._steps.append(Step(verb="translate", args=(vcpu, ea, size, access, int(probe))))
        return self._both(
            lambda backend: backend.translate(vcpu, ea, size, access, probe), _translation_parts
        )

    def guest_op(self, vcpu: int, instruction: int) -> RawEnd:
        """Execute on both."""
        self._steps.append(Step(verb="guest_op", args=(vcpu, instruction)))
        return self._both(lambda backend: backend.guest_op(vcpu, instruction), _end_parts)

    def interrupt(self, vcpu: int, ivor: int, esr: int, dear: int) -> RawEnd:
        """Take on both."""
        self._steps.append(Step(verb="interrupt", args=(vcpu, ivor, esr, dear)))
        return self._both(lambda backend: backend.interrupt(vcpu, ivor, esr, dear), _end_parts)

    def enter(self, vcpu: int) -> RawResume:
        """Enter on both."""
        self._steps.append(Step(verb="enter", args=(vcpu,)))
        return self._both(lambda backend: backend.enter(vcpu), _resume_parts)

    def exit(self, vcpu: int, exit_nr: int) -> RawResume:
        """Exit on both."""
        self._steps.append(Step(verb="exit", args=(vcpu, exit_nr)))
        return self._both(lambda backend: backend.exit(vcpu, exit_nr), _resume_parts)

    def exits(self, records: bytes) -> bytes:
        """The exits on both, compared after each."""
        resumes = b""
        for values in EXIT_RECORD.iter_unpack(records):
            record = EXIT_RECORD.pack(*values)
            self._steps.append(Step(verb="exits", args=values))
            resumes += self._both(partial(_exits, records=record), _resumes_parts)
            if RESUME.unpack(resumes[-RESUME.size :])[0]:
                break
        return resumes

    def pin(self, thread: int, pin: int, level: int) -> None:
        """Raise or lower on both."""
        self._steps.append(Step(verb="pin", args=(thread, pin, level)))
        self._both(lambda backend: backend.pin(thread, pin, level), _no_parts)

    def pending(self, vcpu: int) -> RawEnd:
        """Take on both."""
        self._steps.append(Step(verb="pending", args=(vcpu,)))
        return self._both(lambda backend: backend.pending(vcpu), _end_parts)

    def advance(self, ticks: int) -> None:
        """Let time pass on both."""
        self._steps.append(Step(verb="advance", args=(ticks,)))
        self._both(lambda backend: backend.advance(ticks), _no_parts)

    def interleave(self, actions: Sequence[Action]) -> None:
        """Set on both."""
        self._steps.append(Step(verb="interleave", actions=tuple(actions)))
        self._both(lambda backend: backend.interleave(actions), _no_parts)

    def invariants(self) -> list[RawViolation]:
        """The violations that both find."""
        return self._both(lambda backend: backend.invariants(), _violation_parts)

    def read(self, offset: int, size: int) -> bytes:
        """State of the first; they are equal."""
        return self._a.read(offset, size)

    def write(self, offset: int, data: bytes) -> None:
        """Change the state of both."""
        self.write_all([(offset, data)])

    def write_all(self, places: Sequence[tuple[int, bytes]]) -> None:
        """Change the state of both: one step, one comparison."""
        before = self._a.state()
        after = bytearray(before)
        for offset, data in places:
            after[offset : offset + len(data)] = data
        changed = {change.field: change.b for change in self.layout.diff(before, bytes(after))}
        if changed:
            self._steps.append(Step(set=changed))
        self._both(lambda backend: backend.write_all(places), _no_parts)

    def state(self) -> bytes:
        """The state of the first; they are equal."""
        return self._a.state()

    def load_state(self, state: bytes | bytearray) -> None:
        """Replace both states; a new scenario begins here."""
        self._a.load_state(state)
        self._b.load_state(state)
        self._take_pages()
        self._steps = []
        self._start = self._a.state()
        self._compare_state()

    def _take_pages(self) -> None:
        """Bring the RAM of the scenario's beginning up to date."""
        for page in self._pages:
            address = page * PAGE_SIZE
            self._mem.update(_words(address, self._a.read_ram(address, PAGE_SIZE)))
        if self._pages:
            self._mem = {address: word for address, word in self._mem.items() if word}
            self._pages = set()

    def read_ram(self, address: int, size: int) -> bytes:
        """RAM of both, compared."""
        return self._both(lambda backend: backend.read_ram(address, size), lambda data: {"ram": data.hex()})

    def write_ram(self, address: int, data: bytes) -> None:
        """Store in both."""
        first, end = address & ~3, address + len(data) + 3 & ~3
        old, _ = _attempt(lambda backend: backend.read_ram(first, end - first), self._a)
        if old:
            new = old[: address - first] + data + old[address - first + len(data) :]
            self._steps.append(Step(ram=_words(first, new)))
        self._both(lambda backend: backend.write_ram(address, data), _no_parts)

    def dirty_pages(self) -> set[int]:
        """The pages that either stored to: none is left, every verb compares them."""
        return self._a.dirty_pages() | self._b.dirty_pages()

    def events(self) -> list[Event]:
        """The events of both, which were equal."""
        taken, self._events = self._events, []
        return taken

    def raw_events(self) -> bytes:
        """The events of both, packed."""
        return b"".join(EVENT.pack(event.kind, event.detail, *event.arg) for event in self.events())

    def lost_events(self) -> int:
        """Events that found the ring full."""
        lost, self._lost = self._lost, 0
        return lost

    def close(self) -> None:
        """Close both."""
        self._a.close()
        self._b.close()
        release(self._copies)

    # Comparison

    def _both(self, act: Callable[[Backend], T], parts: Callable[[T], dict[str, Any]]) -> T:
        """Do the same on both; compare errors, results, and all that may have changed."""
        a, a_error = _attempt(act, self._a)
        b, b_error = _attempt(act, self._b)
        if _errno(a_error) != _errno(b_error):
            self._diverge("error", _errno(a_error), _errno(b_error))
        if a_error is None:
            self._compare_parts(parts(a), parts(b))
        self._compare_state()
        self._compare_events()
        self._compare_ram()
        if a_error is not None:
            raise a_error
        return cast(T, a)

    def _diverge(self, field: str, a: object, b: object) -> NoReturn:
        raise Divergence(field, a, b, self.scenario(), self._pair)

    def _compare_parts(self, a: dict[str, Any], b: dict[str, Any]) -> None:
        for part, value in a.items():
            if value != b[part]:
                self._diverge(part, value, b[part])

    def _compare_params(self) -> None:
        self._compare_parts(
            {f"params.{name}": value for name, value in self._a.params.items()},
            {f"params.{name}": value for name, value in self._b.params.items()},
        )

    def _compare_state(self) -> None:
        a, b = self._a.state(), self._b.state()
        if a != b:
            for field, left, right in self.layout.diff(a, b):
                self._diverge(field, left, right)

    def _compare_events(self) -> None:
        a, b = self._a.events(), self._b.events()
        for part, left, right in compare_sequence("event", tuple(a), tuple(b)):
            self._diverge(part, _event_text(left), _event_text(right))
        lost = self._a.lost_events(), self._b.lost_events()
        if lost[0] != lost[1]:
            self._diverge("lost_events", *lost)
        room = self.options.events - len(self._events)
        self._events += a[:room]
        self._lost += lost[0] + len(a[room:])

    def _compare_ram(self) -> None:
        pages = self._a.dirty_pages() | self._b.dirty_pages()
        self._pages |= pages
        for page in sorted(pages):
            address = page * PAGE_SIZE
            a, b = self._a.read_ram(address, PAGE_SIZE), self._b.read_ram(address, PAGE_SIZE)
            if a != b:
                left, right = _words(address, a), _words(address, b)
                at = next(at for at in left if left[at] != right[at])
                self._diverge(f"ram[{at:#x}]", left[at], right[at])


def _attempt(act: Callable[[Backend], Any], backend: Backend) -> tuple[Any, OSError | None]:
    try:
        return act(backend), None
    except OSError as error:
        return None, error


def _errno(error: OSError | None) -> int | None:
    return None if error is None else error.errno


def _no_parts(result: None) -> dict[str, Any]:
    return {}


def _result_parts(result: Result) -> dict[str, Any]:
    end = {"outcome": result.outcome, "site": result.site}
    if result.outcome:  # it did not return, so there is nothing else
        return end
    return {**end, "ret": result.ret, **{f"value[{n}]": value for n, value in enumerate(result.value)}}


def _end_parts(result: RawEnd) -> dict[str, Any]:
    return result._asdict()


def _exits(backend: Backend, records: bytes) -> bytes:
    return backend.exits(records)


def _resume_parts(result: RawResume) -> dict[str, Any]:
    end = {"outcome": result.outcome, "site": result.site}
    return end if result.outcome else result._asdict()


def _resumes_parts(resumes: bytes) -> dict[str, Any]:
    return _resume_parts(RawResume(*RESUME.unpack(resumes)))


def _translation_parts(result: RawTranslation) -> dict[str, Any]:
    return result._asdict()


def _violation_parts(result: list[RawViolation]) -> dict[str, Any]:
    return {"violations": [tuple(found) for found in result]}


def _event_text(event: object) -> object:
    return None if event is None else str(event)


def _words(first: int, data: bytes) -> Words:
    return {first + at: int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4)}
