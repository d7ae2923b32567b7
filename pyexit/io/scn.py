# SPDX-License-Identifier: BSD-3-Clause
"""Scenarios in compact form, ``.scn`` (docs/scenario.md): the records of ``.scn.jsonl`` in binary, zlib."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO, TypeVar

from pyexit.actions import Action
from pyexit.errors import ScenarioError
from pyexit.io import scn_block
from pyexit.scenario import FORMAT, Expect, Scenario, Step, Values, Words

MAGIC = b"PYEXSCN\n"
_HEADER, _STATE, _STEP, _NAMES, _BLOCK = b"H", b"S", b"T", b"N", b"B"
_RECORD = struct.Struct("<cI")  # kind and length
_CHUNK = 1 << 16  # bytes of a file that are read together
_INT, _LIST, _TEXT = 0, 1, 2  # kinds of parameter value

T = TypeVar("T")


def pack(scenario: Scenario) -> bytes:
    """The bytes of a .scn file."""
    out = BytesIO()
    file = File(out, scenario)
    for step in scenario.steps:
        file.add(step)
    file.finish()
    return out.getvalue()


class File:
    """A .scn file that grows: steps wait until they are a block, so memory does not grow with it."""

    def __init__(self, out: BinaryIO, scenario: Scenario) -> None:
        """Begin with the header and the state of `scenario`; its steps are not written."""
        self._out, self._zlib = out, zlib.compressobj()
        self._names, self._waiting = scn_block.Names(), list[Step]()
        out.write(MAGIC + struct.pack("<I", FORMAT))
        self._record(_HEADER, _header(scenario).data)
        state = Writer()
        state.optional(scenario.state, state.values)
        state.words(scenario.mem)
        self._record(_STATE, state.data)

    def add(self, step: Step) -> None:
        """One more step."""
        if scn_block.fits(step) and self._names.room():
            self._waiting.append(step)
            if len(self._waiting) == scn_block.BLOCK:
                self._block()
        else:
            self._block()
            self._record(_STEP, _step(step).data)

    def finish(self) -> None:
        """Write what waits, and the end."""
        self._block()
        self._out.write(self._zlib.flush())

    def _block(self) -> None:
        if not self._waiting:
            return
        data = scn_block.pack(self._waiting, self._names)
        self._waiting = []
        if self._names.fresh:
            names = Writer()
            names.sequence(self._names.fresh, names.text)
            self._names.fresh = []
            self._record(_NAMES, names.data)
        self._record(_BLOCK, data)

    def _record(self, kind: bytes, data: bytes | bytearray) -> None:
        self._out.write(self._zlib.compress(kind + struct.pack("<I", len(data)) + data))


def stream(file: BinaryIO) -> tuple[Scenario, Iterator[Step]]:
    """The scenario of a .scn file, and its steps, which are read as they are asked for."""
    head = file.read(len(MAGIC) + 4)
    if len(head) < len(MAGIC) + 4:
        raise ScenarioError("cut short")
    (version,) = struct.unpack_from("<I", head, len(MAGIC))
    if version != FORMAT:
        raise ScenarioError(f"unknown scenario format {version}; this version reads format {FORMAT}")
    records = _records(file)
    kind, record = next(records, (b"", Reader(b"")))
    if kind != _HEADER:
        raise ScenarioError("damaged: it does not begin with a header")
    with _damage():
        scenario = _read_header(record)
    steps = _steps(scenario, records)
    first = next(steps, None)  # the state stands before it
    return scenario, steps if first is None else chain((first,), steps)


def _steps(scenario: Scenario, records: Iterator[tuple[bytes, Reader]]) -> Iterator[Step]:
    names: list[str] = []
    for kind, record in records:
        with _damage():
            if kind == _STATE:
                scenario.state = record.optional(record.values)
                scenario.mem = record.words()
            elif kind == _STEP:
                yield _read_step(record)
            elif kind == _NAMES:
                names += record.sequence(record.text)
            elif kind == _BLOCK:
                yield from scn_block.unpack(record.take(len(record.data)), names)
            else:
                raise ScenarioError(f"unknown record {kind!r}")
            record.end()


def _records(file: BinaryIO) -> Iterator[tuple[bytes, Reader]]:
    """The records of the zlib stream that `file` goes on with."""
    source, data = zlib.decompressobj(), b""
    while not source.eof:
        chunk = file.read(_CHUNK)
        if not chunk:
            raise ScenarioError("cut short")
        with _damage():
            data += source.decompress(chunk)
        at = 0
        while len(data) - at >= _RECORD.size:
            kind, size = _RECORD.unpack_from(data, at)
            end = at + _RECORD.size + size
            if end > len(data):
                break
            yield kind, Reader(data[at + _RECORD.size : end])
            at = end
        data = data[at:]
    if data:
        raise ScenarioError("damaged: a record is cut short")


@contextmanager
def _damage() -> Iterator[None]:
    """What the decoding of a damaged file may raise, as a ScenarioError."""
    try:
        yield
    except (struct.error, zlib.error, UnicodeDecodeError) as error:
        raise ScenarioError(f"damaged: {error}") from None


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
    out.optional(None if step.expect is None else step.expect.crc, lambda crc: out.number(crc, "I"))
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
    crc = None if source.done() else source.optional(lambda: source.number("I"))
    if step.expect is not None:
        step.expect.stop, step.expect.crc = stop, crc
    elif (stop, crc) != (None, None):
        raise ScenarioError("damaged: a stop or a CRC without an expectation")
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
