# SPDX-License-Identifier: BSD-3-Clause
"""Scenarios in compact form, ``.scn`` (docs/scenario.md): the records of ``.scn.jsonl`` in binary, zlib."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pyexit.actions import Action
from pyexit.errors import ScenarioError
from pyexit.scenario import FORMAT, Expect, Scenario, Step, Values, Words

MAGIC = b"PYEXSCN\n"
_HEADER, _STATE, _STEP = b"H", b"S", b"T"
_INT, _LIST, _TEXT = 0, 1, 2  # kinds of parameter value

T = TypeVar("T")


def pack(scenario: Scenario) -> bytes:
    """The bytes of a .scn file."""
    state = Writer()
    state.optional(scenario.state, state.values)
    state.words(scenario.mem)
    records = [
        (_HEADER, _header(scenario)),
        (_STATE, state),
        *((_STEP, _step(step)) for step in scenario.steps),
    ]
    body = b"".join(
        kind + struct.pack("<I", len(writer.data)) + bytes(writer.data) for kind, writer in records
    )
    return MAGIC + struct.pack("<I", FORMAT) + zlib.compress(body)


def unpack(data: bytes) -> Scenario:
    """The scenario of the bytes of a .scn file."""
    if len(data) < len(MAGIC) + 4:
        raise ScenarioError("cut short")
    (version,) = struct.unpack_from("<I", data, len(MAGIC))
    if version != FORMAT:
        raise ScenarioError(f"unknown scenario format {version}; this version reads format {FORMAT}")
    try:
        return _scenario(zlib.decompress(data[len(MAGIC) + 4 :]))
    except (struct.error, zlib.error, UnicodeDecodeError) as error:
        raise ScenarioError(f"damaged: {error}") from None


def _scenario(body: bytes) -> Scenario:
    source = Reader(body)
    kind, record = source.record()
    if kind != _HEADER:
        raise ScenarioError("damaged: it does not begin with a header")
    scenario = _read_header(record)
    while not source.done():
        kind, record = source.record()
        if kind == _STATE:
            scenario.state = record.optional(record.values)
            scenario.mem = record.words()
        elif kind == _STEP:
            scenario.steps.append(_read_step(record))
        else:
            raise ScenarioError(f"unknown record {kind!r}")
        record.end()
    return scenario


class Writer:
    """Appends values to a record."""

    def __init__(self) -> None:
        self.data = bytearray()

    def number(self, value: int, form: str = "Q") -> None:
        """An integer: B, I, Q or q of struct."""
        self.data += struct.pack("<" + form, value)

    def text(self, value: str) -> None:
        """A string: length and UTF-8."""
        data = value.encode()
        self.number(len(data), "I")
        self.data += data

    def sequence(self, items: Iterable[T], put: Callable[[T], None]) -> None:
        """A count and that many items."""
        items = list(items)
        self.number(len(items), "I")
        for item in items:
            put(item)

    def numbers(self, values: Iterable[int]) -> None:
        """Integers of 64 bits."""
        self.sequence(values, self.number)

    def optional(self, value: T | None, put: Callable[[T], None]) -> None:
        """A flag, and the value if there is one."""
        self.number(value is not None, "B")
        if value is not None:
            put(value)

    def values(self, values: Values) -> None:
        """Names with 64-bit values."""
        self.number(len(values), "I")
        for name, value in values.items():
            self.text(name)
            self.number(value)

    def words(self, words: Words) -> None:
        """64-bit addresses with 32-bit words."""
        self.number(len(words), "I")
        for address, word in words.items():
            self.data += struct.pack("<QI", address, word)


class Reader:
    """Takes values from a record in the order in which Writer put them."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def done(self) -> bool:
        """Whether everything was read."""
        return self.at == len(self.data)

    def end(self) -> None:
        """Refuse a record that has more than this version knows."""
        if not self.done():
            raise ScenarioError("damaged: a record is longer than its values")

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if size > len(self.data) - self.at:
            raise ScenarioError("damaged: a record is cut short")
        self.at += size
        return self.data[self.at - size : self.at]

    def record(self) -> tuple[bytes, Reader]:
        """The next record of a file: kind and payload."""
        kind = self.take(1)
        return kind, Reader(self.take(self.number("I")))

    def number(self, form: str = "Q") -> int:
        """An integer."""
        value: int = struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]
        return value

    def text(self) -> str:
        """A string."""
        return self.take(self.number("I")).decode()

    def sequence(self, take: Callable[[], T]) -> tuple[T, ...]:
        """A counted list."""
        return tuple(take() for _ in range(self.number("I")))

    def numbers(self) -> tuple[int, ...]:
        """Integers of 64 bits."""
        return self.sequence(self.number)

    def optional(self, take: Callable[[], T]) -> T | None:
        """A value that may be missing."""
        return take() if self.number("B") else None

    def values(self) -> Values:
        """Names with values."""
        return dict(self.sequence(lambda: (self.text(), self.number())))

    def words(self) -> Words:
        """Addresses with words."""
        return dict(self.sequence(lambda: (self.number(), self.number("I"))))


def _header(scenario: Scenario) -> Writer:
    out = Writer()
    out.text(scenario.model)
    _put_params(out, scenario.params)
    out.text(scenario.fetch)
    out.sequence(scenario.quirks, out.text)
    for count in (scenario.cores, scenario.vms, scenario.vcpus):
        out.number(count, "I")
    out.optional(scenario.vcpu_thread, out.numbers)
    out.optional(scenario.vcpu_vm, out.numbers)
    out.sequence(scenario.ram, out.numbers)
    out.text(scenario.handler)
    out.number(scenario.sw_tlb, "B")
    return out


def _read_header(source: Reader) -> Scenario:
    scenario = Scenario(source.text(), _take_params(source), source.text(), source.sequence(source.text))
    scenario.cores, scenario.vms, scenario.vcpus = (source.number("I") for _ in range(3))
    scenario.vcpu_thread = source.optional(source.numbers)
    scenario.vcpu_vm = source.optional(source.numbers)
    scenario.ram = tuple((base, size) for base, size in source.sequence(source.numbers))
    if not source.done():  # else written before there were these
        scenario.handler, scenario.sw_tlb = source.text(), bool(source.number("B"))
    source.end()
    return scenario


def _put_params(out: Writer, params: str | dict[str, Any]) -> None:
    out.number(isinstance(params, dict), "B")
    if isinstance(params, str):
        out.text(params)
        return
    out.number(len(params), "I")
    for name, value in params.items():
        out.text(name)
        kind = _TEXT if isinstance(value, str) else _INT if isinstance(value, int) else _LIST
        out.number(kind, "B")
        (out.number, out.numbers, out.text)[kind](value)


def _take_params(source: Reader) -> str | dict[str, Any]:
    if not source.number("B"):
        return source.text()
    return dict(source.sequence(lambda: (source.text(), _take_param(source))))


def _take_param(source: Reader) -> Any:
    kind = source.number("B")
    if kind == _LIST:
        return list(source.numbers())
    return source.text() if kind == _TEXT else source.number()


def _step(step: Step) -> Writer:
    out = Writer()
    out.optional(step.call, out.text)
    out.optional(step.verb, out.text)
    out.numbers(step.args)
    out.words(step.ram)
    out.values(step.set)
    out.optional(step.expect, lambda expect: _put_expect(out, expect))
    out.sequence(step.actions, lambda action: _put_action(out, action))
    out.optional(None if step.expect is None else step.expect.stop, out.text)
    return out


def _read_step(source: Reader) -> Step:
    step = Step(
        source.optional(source.text),
        source.optional(source.text),
        source.numbers(),
        source.words(),
        source.values(),
        source.optional(lambda: _take_expect(source)),
    )
    if source.done():  # written before there were actions and stops
        return step
    step.actions = source.sequence(lambda: _take_action(source))
    stop = source.optional(source.text)
    if step.expect is not None:
        step.expect.stop = stop
    elif stop is not None:
        raise ScenarioError("damaged: a stop without an expectation")
    return step


def _put_action(out: Writer, action: Action) -> None:
    out.text(action.point)
    out.text(action.do)
    out.numbers(action.args)


def _take_action(source: Reader) -> Action:
    return Action(source.text(), source.text(), source.numbers())


def _put_expect(out: Writer, expect: Expect) -> None:
    out.optional(expect.ret, lambda ret: out.number(ret, "q"))
    out.optional(expect.value, out.numbers)
    out.optional(expect.error, out.text)
    out.optional(expect.out, out.values)
    out.optional(expect.events, lambda events: out.sequence(events, out.text))


def _take_expect(source: Reader) -> Expect:
    return Expect(
        source.optional(lambda: source.number("q")),
        source.optional(source.numbers),
        source.optional(source.text),
        source.optional(source.values),
        source.optional(lambda: source.sequence(source.text)),
    )
