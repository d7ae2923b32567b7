# SPDX-License-Identifier: BSD-3-Clause
"""Steps by the thousand: the blocks of a ``.scn`` file, column by column (docs/scenario.md, record ``B``).

A recording of a boot has a few kinds of step over and over; in columns they compress well and are decoded
without a call for each number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from pyexit.errors import ScenarioError
from pyexit.scenario import Expect, Step

#: The most steps of a block.
BLOCK = 1024

_CALL, _VERB, _EXPECT, _RET, _VALUE, _CRC, _ERROR, _STOP = (1 << bit for bit in range(8))
_U8, _U16, _U32, _U64 = ((1 << bits) - 1 for bits in (8, 16, 32, 64))


class Names:
    """The table of names of a file: each is written once, before the first block that has it."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.fresh: list[str] = []  # not yet written

    def number(self, name: str) -> int:
        """The number of a name."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._numbers)
            self.fresh.append(name)
        return number

    def room(self) -> bool:
        """Whether numbers are left for a block of steps."""
        return len(self._numbers) <= _U16 // 2


def fits(step: Step) -> bool:
    """Whether a block can hold a step: no actions, and neither fields nor events in what it expects."""
    expect = step.expect
    return (
        not step.actions
        and (expect is None or (expect.out is None and expect.events is None))
        and len(step.args) <= _U8
        and len(step.ram) <= _U16
        and len(step.set) <= _U8
        and (expect is None or expect.value is None or len(expect.value) <= _U8)
    )


def pack(steps: Sequence[Step], names: Names) -> bytes:
    """The content of a block."""
    flags, acts, counts = bytearray(), list[int](), bytearray()
    args, places, words, fields, settings = (list[int]() for _ in range(5))
    rets, values, crcs, errors, stops = (list[int]() for _ in range(5))
    for step in steps:
        flag = 0
        if step.call is not None:
            flag, act = _CALL, names.number(step.call)
        elif step.verb is not None:
            flag, act = _VERB, names.number(step.verb)
        else:
            act = 0
        acts.append(act)
        args += step.args
        places += step.ram
        words += step.ram.values()
        fields += map(names.number, step.set)
        settings += step.set.values()
        value: tuple[int, ...] = ()
        if (expect := step.expect) is not None:
            flag |= _EXPECT
            if expect.ret is not None:
                flag |= _RET
                rets.append(expect.ret & _U64)
            if expect.value is not None:
                flag |= _VALUE
                value = expect.value
                values += value
            if expect.crc is not None:
                flag |= _CRC
                crcs.append(expect.crc)
            if expect.error is not None:
                flag |= _ERROR
                errors.append(names.number(expect.error))
            if expect.stop is not None:
                flag |= _STOP
                stops.append(names.number(expect.stop))
        flags.append(flag)
        counts += bytes((len(step.args), len(step.set), len(value)))
    sizes = [len(step.ram) for step in steps]
    columns = (
        struct.pack("<I", len(steps)),
        bytes(flags),
        _numbers("H", acts),
        *(bytes(counts[part::3]) for part in range(3)),
        _numbers("H", sizes),
        _wide(args),
        _wide(places),
        _numbers("I", words),
        _numbers("H", fields),
        _wide(settings),
        _wide(rets),
        _wide(values),
        _numbers("I", crcs),
        _numbers("H", errors),
        _numbers("H", stops),
    )
    return b"".join(columns)


def _numbers(code: str, values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}{code}", *values)


def _wide(values: Sequence[int]) -> bytes:
    """Numbers of 64 bits: the low halves, then the high ones, which are mostly 0."""
    low = _numbers("I", [value & _U32 for value in values])
    return low + _numbers("I", [value >> 32 for value in values])


class _Columns:
    """Takes columns from the content of a block."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def numbers(self, code: str, count: int) -> tuple[int, ...]:
        """The next column."""
        form = struct.Struct(f"<{count}{code}")
        if form.size > len(self._data) - self._at:
            raise ScenarioError("damaged: a block is cut short")
        self._at += form.size
        return form.unpack_from(self._data, self._at - form.size)

    def wide(self, count: int) -> list[int]:
        """The next column of numbers of 64 bits."""
        low, high = self.numbers("I", count), self.numbers("I", count)
        return [a | b << 32 for a, b in zip(low, high, strict=True)] if any(high) else list(low)

    def end(self) -> None:
        """Refuse a block that has more than its columns."""
        if self._at != len(self._data):
            raise ScenarioError("damaged: a block is longer than its columns")


def unpack(data: bytes, names: Sequence[str]) -> Iterator[Step]:
    """The steps of a block; `names` is the table of names so far."""
    source = _Columns(data)
    (count,) = source.numbers("I", 1)
    if count > BLOCK:
        raise ScenarioError(f"damaged: a block of {count} steps, where {BLOCK} are the most")
    flags, acts = source.numbers("B", count), source.numbers("H", count)
    arg_counts, set_counts, value_counts = (source.numbers("B", count) for _ in range(3))
    ram_counts = source.numbers("H", count)
    args = tuple(source.wide(sum(arg_counts)))
    places, words = source.wide(sum(ram_counts)), source.numbers("I", sum(ram_counts))
    try:
        fields = [names[number] for number in source.numbers("H", sum(set_counts))]
        settings = source.wide(len(fields))
        rets = iter(source.wide(_having(flags, _RET)))
        values = tuple(source.wide(sum(value_counts)))
        crcs = iter(source.numbers("I", _having(flags, _CRC)))
        errors = iter([names[number] for number in source.numbers("H", _having(flags, _ERROR))])
        stops = iter([names[number] for number in source.numbers("H", _having(flags, _STOP))])
        source.end()
        arg = ram = field = value = 0
        for number, flag in enumerate(flags):
            arg_end, ram_end = arg + arg_counts[number], ram + ram_counts[number]
            field_end, value_end = field + set_counts[number], value + value_counts[number]
            expect = None
            if flag & _EXPECT:
                expect = Expect(
                    _signed(next(rets)) if flag & _RET else None,
                    values[value:value_end] if flag & _VALUE else None,
                    next(errors) if flag & _ERROR else None,
                    None,
                    None,
                    next(stops) if flag & _STOP else None,
                    next(crcs) if flag & _CRC else None,
                )
            yield Step(
                names[acts[number]] if flag & _CALL else None,
                names[acts[number]] if flag & _VERB else None,
                args[arg:arg_end],
                dict(zip(places[ram:ram_end], words[ram:ram_end], strict=True)) if ram_end > ram else {},
                dict(zip(fields[field:field_end], settings[field:field_end], strict=True)),
                expect,
            )
            arg, ram, field, value = arg_end, ram_end, field_end, value_end
    except IndexError:
        raise ScenarioError("damaged: a name that was not written") from None


def _having(flags: Sequence[int], bit: int) -> int:
    return sum(1 for flag in flags if flag & bit)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
