# SPDX-License-Identifier: BSD-3-Clause
"""Scenarios as JSON lines, ``.scn.jsonl`` (docs/scenario.md): header, state, steps; numbers in hex."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO

from pyexit.actions import Action
from pyexit.errors import ScenarioError, nearest
from pyexit.scenario import FORMAT, Expect, Scenario, Step, Values, Words

_U32, _U64 = (1 << 32) - 1, (1 << 64) - 1


def pack(scenario: Scenario) -> bytes:
    """The bytes of a .scn.jsonl file."""
    out = BytesIO()
    file = File(out, scenario)
    for step in scenario.steps:
        file.add(step)
    return out.getvalue()


class File:
    """A .scn.jsonl file that grows by a line a step."""

    def __init__(self, out: BinaryIO, scenario: Scenario) -> None:
        """Begin with the header and the state of `scenario`; its steps are not written."""
        self._out = out
        self._line(_header_to_json(scenario))
        state = {} if scenario.state is None else {"state": _hex_values(scenario.state)}
        self._line({**state, "mem": _hex_words(scenario.mem)})

    def add(self, step: Step) -> None:
        """One more step."""
        self._line(_step_to_json(step))

    def finish(self) -> None:
        """Nothing waits: each line is written at once."""

    def _line(self, line: dict[str, Any]) -> None:
        self._out.write(f"{json.dumps(line)}\n".encode())


def _header_to_json(scenario: Scenario) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "model": scenario.model,
        "params": scenario.params,
        "fetch": scenario.fetch,
        "handler": scenario.handler,
        "quirks": list(scenario.quirks),
        "cores": scenario.cores,
        "vms": scenario.vms,
        "vcpus": scenario.vcpus,
        "vcpu_thread": _list(scenario.vcpu_thread),
        "vcpu_vm": _list(scenario.vcpu_vm),
        "sw_tlb": scenario.sw_tlb,
        "ram": [[hex(base), hex(size)] for base, size in scenario.ram],
    }


def _step_to_json(step: Step) -> dict[str, Any]:
    line: dict[str, Any] = {}
    if step.call is not None:
        line["call"] = step.call
    if step.verb is not None:
        line["verb"] = step.verb
    if step.call is not None or step.verb is not None:
        line["args"] = list(map(hex, step.args))
    if step.ram:
        line["ram"] = _hex_words(step.ram)
    if step.set:
        line["set"] = _hex_values(step.set)
    if step.actions:
        line["actions"] = [
            {"point": action.point, "do": action.do, "args": list(map(hex, action.args))}
            for action in step.actions
        ]
    if step.expect is not None:
        line["expect"] = _expect_to_json(step.expect)
    return line


def _expect_to_json(expect: Expect) -> dict[str, Any]:
    return {
        key: value
        for key, value in (
            ("ret", expect.ret),
            ("value", None if expect.value is None else list(map(hex, expect.value))),
            ("error", expect.error),
            ("out", None if expect.out is None else _hex_values(expect.out)),
            ("events", _list(expect.events)),
            ("stop", expect.stop),
            ("crc", None if expect.crc is None else hex(expect.crc)),
        )
        if value is not None
    }


def _list(values: tuple[Any, ...] | None) -> list[Any] | None:
    return None if values is None else list(values)


def _hex_values(values: Values) -> dict[str, str]:
    return {name: hex(value) for name, value in values.items()}


def _hex_words(words: Words) -> dict[str, str]:
    return {hex(address): hex(word) for address, word in words.items()}


def stream(file: BinaryIO) -> tuple[Scenario, Iterator[Step]]:
    """The scenario of a .scn.jsonl file, and its steps, which are read as they are asked for.

    ScenarioError names the line.
    """
    lines = _lines(file)
    number, line = next(lines, (0, None))
    if line is None:
        raise ScenarioError("empty: a scenario begins with a header line")
    with _at(number):
        scenario = _header(line)
    steps = _steps(scenario, lines)
    first = next(steps, None)  # the state stands before it
    return scenario, steps if first is None else chain((first,), steps)


def _lines(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, text in enumerate(file, 1):
        if text.strip():
            with _at(number):
                line = _parse(text)
            yield number, line


def _steps(scenario: Scenario, lines: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[Step]:
    begun = False
    for number, line in lines:
        with _at(number):
            if "mem" not in line and "state" not in line:
                step = _step(line)
            elif begun:
                raise ScenarioError("the state line comes before the steps")
            else:
                _take_state(scenario, line)
                continue
        begun = True
        yield step


@contextmanager
def _at(number: int) -> Iterator[None]:
    """Put the line into what is said about it."""
    try:
        yield
    except ScenarioError as error:
        raise ScenarioError(f"line {number}: {error}") from None


def _parse(text: bytes) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError as error:
        raise ScenarioError(f"not JSON: {error}") from None
    if not isinstance(line, dict):
        raise ScenarioError("not a JSON object")
    return line


def _header(line: dict[str, Any]) -> Scenario:
    if line.get("format") != FORMAT:
        raise ScenarioError(
            f"unknown scenario format {line.get('format')!r}; this version reads format {FORMAT}"
        )
    values = {key: _take(key, line[key], _HEADER, "header") for key in line if key != "format"}
    if "model" not in values:
        raise ScenarioError("the header has no model")
    return Scenario(**values)


def _take_state(scenario: Scenario, line: dict[str, Any]) -> None:
    for key, value in line.items():
        setattr(scenario, key, _take(key, value, _STATE, "state"))


def _step(line: dict[str, Any]) -> Step:
    return Step(**{key: _take(key, value, _STEP, "step") for key, value in line.items()})


def _action(key: str, value: Any) -> Action:
    if not isinstance(value, dict):
        raise ScenarioError(f"{key} is a list of objects, not {value!r}")
    found = {name: _take(name, part, _ACTION, "action") for name, part in value.items()}
    if not {"point", "do"} <= found.keys():
        raise ScenarioError("an action has a point and what to do there")
    return Action(**found)


def _expect(key: str, value: Any) -> Expect:
    if not isinstance(value, dict):
        raise ScenarioError(f"{key} is an object")
    return Expect(**{name: _take(name, part, _EXPECT, "expect") for name, part in value.items()})


def _take(key: str, value: Any, table: dict[str, Callable[[str, Any], Any]], where: str) -> Any:
    if key not in table:
        raise ScenarioError(f"unknown key {key!r} in {where}{nearest(key, table)}")
    return table[key](key, value)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ScenarioError(f"{key} is a string, not {value!r}")
    return value


def _int(key: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ScenarioError(f"{key} is an integer, not {value!r}")
    return value


def _bool(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ScenarioError(f"{key} is true or false, not {value!r}")
    return value


def _hex(key: str, value: Any, limit: int = _U64) -> int:
    """The number of a hex string; ScenarioError otherwise."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ScenarioError(f"{key}: numbers are hex strings like '0x10', not {value!r}")
    try:
        number = int(value, 16)
    except ValueError:
        raise ScenarioError(f"{key}: not a hex number: {value!r}") from None
    if number > limit:
        raise ScenarioError(f"{key}: {value} is too wide")
    return number


def _sequence(take: Callable[[str, Any], Any]) -> Callable[[str, Any], tuple[Any, ...]]:
    def taker(key: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ScenarioError(f"{key} is a list, not {value!r}")
        return tuple(take(key, item) for item in value)

    return taker


def _optional(take: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    return lambda key, value: None if value is None else take(key, value)


def _values(key: str, value: Any) -> Values:
    if not isinstance(value, dict):
        raise ScenarioError(f"{key} is an object of field names and hex values, not {value!r}")
    return {name: _hex(name, number) for name, number in value.items()}


def _words(key: str, value: Any) -> Words:
    if not isinstance(value, dict):
        raise ScenarioError(f"{key} is an object of addresses and words, not {value!r}")
    return {_hex(key, address): _hex(key, word, _U32) for address, word in value.items()}


def _params(key: str, value: Any) -> str | dict[str, Any]:
    if isinstance(value, str | dict):
        return value
    raise ScenarioError(f"{key} is the name of a set or an object, not {value!r}")


def _range(key: str, value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ScenarioError(f"{key} is a list of [base, size] pairs")
    return _hex(key, value[0]), _hex(key, value[1])


_HEADER: dict[str, Callable[[str, Any], Any]] = {
    "model": _text,
    "params": _params,
    "fetch": _text,
    "handler": _text,
    "sw_tlb": _bool,
    "quirks": _sequence(_text),
    "cores": _int,
    "vms": _int,
    "vcpus": _int,
    "vcpu_thread": _optional(_sequence(_int)),
    "vcpu_vm": _optional(_sequence(_int)),
    "ram": _sequence(_range),
}
_STATE: dict[str, Callable[[str, Any], Any]] = {"state": _values, "mem": _words}
_STEP: dict[str, Callable[[str, Any], Any]] = {
    "call": _text,
    "verb": _text,
    "args": _sequence(_hex),
    "ram": _words,
    "set": _values,
    "actions": _sequence(_action),
    "expect": _expect,
}
_ACTION: dict[str, Callable[[str, Any], Any]] = {"point": _text, "do": _text, "args": _sequence(_hex)}
_EXPECT: dict[str, Callable[[str, Any], Any]] = {
    "ret": _int,
    "value": _sequence(_hex),
    "error": _text,
    "out": _values,
    "events": _sequence(_text),
    "stop": _text,
    "crc": lambda key, value: _hex(key, value, _U32),
}
