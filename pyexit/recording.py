# SPDX-License-Identifier: BSD-3-Clause
"""What is done to a machine, written down as a scenario while it runs (docs/scenario.md, Recordings).

The recorder stands between a Machine and its backend, where every verb, call and register write passes,
whoever makes it. Reads and probes change nothing and are not recorded. RAM is not part of a recording: a
step carries the words at the guest's pc, which are all that the exit path reads of it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

from pyexit.actions import Action
from pyexit.backends.base import (
    EXIT_RECORD,
    RESUME,
    Backend,
    RawEnd,
    RawResume,
    RawTranslation,
    Result,
)
from pyexit.io.events import stop_text
from pyexit.layout import Layout, element, record
from pyexit.machine import ACCESSES, Machine, describe
from pyexit.scenario import Expect, Step, Values, Words, errno_name, form_of

T = TypeVar("T")

#: After so many steps the CRC of the whole state is expected, and after the last one.
CRC_EVERY = 1024
PART = ".part"  # after the name of a file that is being written

_FETCH = ACCESSES["fetch"]
_THREAD = record("thread")
_THREAD_END = max(leaf.end for leaf in _THREAD.leaves.values())


class Recording:
    """A recording of what is done to `machine` from now on, up to close(), which gives the file its name.

    Until then it is beside it, as FILE.part. ValueError for a name that ends in neither .scn nor .scn.jsonl,
    and for an e6500, whose page tables in RAM a recording does not carry.
    """

    def __init__(self, machine: Machine, path: str | Path) -> None:
        if machine.model == "e6500":
            raise ValueError("an e6500 reads page tables from RAM, which a recording does not carry")
        form = form_of(path)
        self._path, self._part = Path(path), Path(f"{path}{PART}")
        self._machine, self._backend = machine, machine._core
        self._stream = self._part.open("wb")
        start = describe(machine._options)
        start.state = machine.state()
        self._file = form.File(self._stream, start)
        machine._core = _Recorder(self._backend, self._file.add)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt where the next step would begin: for a signal handler, which may not do it
        in the middle of one."""
        if isinstance(self._machine._core, _Recorder):
            self._machine._core.interrupted = True

    def discard(self) -> None:
        """End the recording and leave no file."""
        if not self._stream.closed:
            self._stream.close()
            self._part.unlink()
            self._machine._core = self._backend

    def close(self) -> None:
        """End the file and put it in its place; the machine goes on unrecorded. Closing twice is allowed."""
        recorder = self._machine._core
        if self._stream.closed or not isinstance(recorder, _Recorder):
            return
        recorder.finish()
        self._file.finish()
        self._stream.close()
        os.replace(self._part, self._path)
        self._machine._core = self._backend

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Fields(NamedTuple):
    """The fields of a piece of the state block that is written at once."""

    form: struct.Struct
    names: tuple[str, ...]


class _Recorder:
    """A backend that passes everything on to another one and tells `add` each step."""

    def __init__(self, inner: Backend, add: Callable[[Step], None]) -> None:
        self._inner, self._add = inner, add
        self.name, self.options, self.params, self.layout = (
            inner.name,
            inner.options,
            inner.params,
            inner.layout,
        )
        self.interrupted = False
        self._set: Values = {}  # written since the last step
        self._known: Words = {}  # the RAM words that the steps so far carried
        self._fields: dict[tuple[int, int], _Fields | None] = {}
        self._count = 0
        self._threads = self.layout.object_offset("thread", 0), self.layout.count("thread") * _THREAD.size
        self._seen = inner.read(*self._threads)
        self.read = inner.read

    def __getattr__(self, name: str) -> Any:
        """Everything else changes no state; nor does write_ram, of which the steps carry what is read."""
        return getattr(self._inner, name)

    # The verbs

    def call(self, name: str, args: Sequence[int]) -> Result:
        """A call, by name."""
        return self._record(Step(call=name, args=tuple(args)), lambda: self._inner.call(name, args), _result)

    def repeat(self, name: str, args: Sequence[int], times: int) -> Result:
        """A call, as often as it is made."""
        for _ in range(times - 1):
            self.call(name, args)
        return self.call(name, args)

    def translate(self, vcpu: int, ea: int, size: int, access: int, probe: bool) -> RawTranslation:
        """A translation; a probe changes nothing and is not recorded."""
        if probe:
            return self._inner.translate(vcpu, ea, size, access, probe)
        step = self._at_pc(vcpu, "translate", (vcpu, ea, size, access, 0))
        return self._record(
            step, lambda: self._inner.translate(vcpu, ea, size, access, probe), expect_numbers
        )

    def guest_op(self, vcpu: int, instruction: int) -> RawEnd:
        """An instruction of the guest."""
        step = self._at_pc(vcpu, "guest_op", (vcpu, instruction))
        return self._record(step, lambda: self._inner.guest_op(vcpu, instruction), expect_numbers)

    def interrupt(self, vcpu: int, ivor: int, esr: int, dear: int) -> RawEnd:
        """An interrupt that the engine found."""
        step = self._at_pc(vcpu, "interrupt", (vcpu, ivor, esr, dear))
        return self._record(step, lambda: self._inner.interrupt(vcpu, ivor, esr, dear), expect_numbers)

    def pending(self, vcpu: int) -> RawEnd:
        """What is due."""
        step = self._at_pc(vcpu, "pending", (vcpu,))
        return self._record(step, lambda: self._inner.pending(vcpu), expect_numbers)

    def enter(self, vcpu: int) -> RawResume:
        """KVM_RUN up to the guest."""
        return self._record(Step(verb="enter", args=(vcpu,)), lambda: self._inner.enter(vcpu), expect_resume)

    def exit(self, vcpu: int, exit_nr: int) -> RawResume:
        """An exit."""
        step = Step(verb="exit", args=(vcpu, exit_nr))
        return self._record(step, lambda: self._inner.exit(vcpu, exit_nr), expect_resume)

    def exits(self, records: bytes) -> bytes:
        """A step for each record."""
        resumes = b""
        for values in EXIT_RECORD.iter_unpack(records):
            step = Step(verb="exits", args=values)
            resumes += self._record(step, partial(self._inner.exits, EXIT_RECORD.pack(*values)), _resumes)
            if RESUME.unpack(resumes[-RESUME.size :])[0]:
                break
        return resumes

    def pin(self, thread: int, pin: int, level: int) -> None:
        """A wire."""
        step = Step(verb="pin", args=(thread, pin, level))
        self._record(step, lambda: self._inner.pin(thread, pin, level), _nothing)

    def advance(self, ticks: int) -> None:
        """Time."""
        self._record(Step(verb="advance", args=(ticks,)), lambda: self._inner.advance(ticks), _nothing)

    def interleave(self, actions: Sequence[Action]) -> None:
        """What other threads do."""
        step = Step(verb="interleave", actions=tuple(actions))
        self._record(step, lambda: self._inner.interleave(actions), _nothing)

    def _at_pc(self, vcpu: int, verb: str, args: tuple[int, ...]) -> Step:
        """A step of a running guest, with the word at its pc if no step before carried it."""
        return Step(verb=verb, args=args, ram=self._word(vcpu))

    def _word(self, vcpu: int) -> Words:
        threads = self.options.vcpu_thread
        shape = self.layout.shape
        if not 0 <= vcpu < shape.vcpus:
            return {}
        thread = threads[vcpu] if threads is not None else vcpu % shape.threads
        pc = int.from_bytes(self._inner.read(self.layout.object_offset("thread", thread), 8), "little")
        found = self._inner.translate(vcpu, pc & ~3, 4, _FETCH, True)
        if found.outcome:
            return {}
        try:
            word = int.from_bytes(self._inner.read_ram(found.real, 4), "big")
        except OSError:  # no RAM there: nothing is read
            return {}
        if self._known.get(found.real) == word:
            return {}
        self._known[found.real] = word
        return {found.real: word}

    def _record(self, step: Step, act: Callable[[], T], answer: Callable[[T], Expect]) -> T:
        if self.interrupted:
            raise KeyboardInterrupt
        self._look()
        step.set, self._set = self._set, {}
        self._count += 1
        try:
            result = act()
        except OSError as error:
            step.expect = Expect(error=errno_name(error))
            self._end(step)
            raise
        step.expect = answer(result)
        self._end(step)
        return result

    def _end(self, step: Step) -> None:
        if self._count % CRC_EVERY == 0 and step.expect is not None:
            step.expect.crc = crc32(self._inner.state())
        self._seen = self._inner.read(*self._threads)
        self._add(step)

    def finish(self) -> None:
        """What was written behind the last verb, and the CRC of the state in which the recording ends."""
        self._look()
        self._add(Step(set=self._set, expect=Expect(crc=crc32(self._inner.state()))))
        self._set = {}

    # The state, field by field

    def _look(self) -> None:
        """Registers of threads that were written since the last verb, or changed through a view of them."""
        start, size = self._threads
        now = self._inner.read(start, size)
        if now != self._seen:
            for at in range(0, size, _THREAD.size):
                part = slice(at, at + _THREAD_END)
                self._set.update(self._delta(start + at, self._seen[part], now[part]) or {})

    def write(self, offset: int, data: bytes) -> None:
        """A write: the fields that it changes."""
        self.write_all([(offset, data)])

    def write_all(self, places: Sequence[tuple[int, bytes]]) -> None:
        """Several writes as one act."""
        start, size = self._threads
        changes = [
            self._delta(at, self._inner.read(at, len(data)), data)
            for at, data in places
            if not start <= at < start + size  # _look() finds those
        ]
        before = self._inner.state() if None in changes else b""
        self._inner.write_all(places)
        if before:
            self._changed(before)
        else:
            for change in changes:
                self._set.update(change or {})

    def _delta(self, offset: int, before: bytes, after: bytes) -> Values | None:
        """The fields in which a piece of the state block changes; None if it is not made of whole fields."""
        if before == after:
            return {}
        key = offset, len(after)
        if key not in self._fields:
            self._fields[key] = _fields(self.layout, *key)
        fields = self._fields[key]
        if fields is None:
            return None
        pairs = zip(fields.names, fields.form.unpack(before), fields.form.unpack(after), strict=True)
        return {name: new for name, old, new in pairs if new != old}

    def load_state(self, state: bytes | bytearray) -> None:
        """A whole state: the fields that are others now."""
        before = self._inner.state()
        self._inner.load_state(state)
        self._changed(before)

    def _changed(self, before: bytes) -> None:
        self._set.update({item.field: item.b for item in self.layout.diff(before, self._inner.state())})

    def close(self) -> None:
        """Refused: the recording ends first."""
        raise ValueError("close the recording before the machine")


def _fields(layout: Layout, offset: int, size: int) -> _Fields | None:
    """The fields of a piece, if it consists of whole fields; None otherwise."""
    names, form, at = list[str](), "<", offset
    for word, rec, base in layout.objects:
        if base + rec.size <= offset or base >= offset + size:
            continue
        for leaf in rec.listed:
            for index in range(leaf.listed, leaf.elements):
                if base + leaf.offset + index * leaf.size == at and at < offset + size:
                    names.append(element(word, leaf, index))
                    form += leaf.code
                    at += leaf.size
    return _Fields(struct.Struct(form), tuple(names)) if at == offset + size else None


# What an answer is as an expectation (scenario.py, Expect)


def expect_numbers(answer: RawTranslation | RawEnd) -> Expect:
    """Of translate, guest_op, interrupt and pending."""
    return Expect(ret=answer[0], value=tuple(answer[1:]))


def _result(answer: Result) -> Expect:
    if answer.outcome:
        return Expect(stop=stop_text(answer.outcome, answer.site))
    return Expect(ret=answer.ret, value=answer.value)


def expect_resume(answer: RawResume) -> Expect:
    """Of enter and exit."""
    if answer.outcome:
        return Expect(stop=stop_text(answer.outcome, answer.site))
    return Expect(ret=answer.ret, value=(answer.where,))


def _resumes(answer: bytes) -> Expect:
    outcome, site, where, ret = RESUME.unpack(answer)
    return expect_resume(RawResume(outcome, site, where, ret))


def _nothing(answer: None) -> Expect:
    return Expect()
