# SPDX-License-Identifier: BSD-3-Clause
"""Traces (docs/trace.md): events with their time as JSON lines, and the kernel's ``kvm_booke`` ftrace text.

Both read as a sequence of :class:`Record`; ``stat`` makes of it the table that ``perf kvm stat`` would,
``chrome`` what Perfetto shows, ``timing_report`` is KVM's own exit timing (exit.md 13 T7).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from pyexit.errors import VectorError
from pyexit.io.events import KINDS, Event
from pyexit.layout import object_word

if TYPE_CHECKING:
    from pyexit.machine import Machine

FORMAT = 1
EXIT, ENTRY = "kvm_exit", "kvm_entry"

#: Kinds of event that are trace points of the kernel (exit.md 14).
TRACE_POINTS = frozenset(number for name, number in KINDS.items() if name.startswith("trace_"))

_NS = 1_000_000_000
_FTRACE = re.compile(
    r"\s*(?P<task>.+)-(?P<pid>\d+)\s+(?:\(\s*[\d-]+\)\s+)?"
    r"\[(?P<cpu>\d+)\]\s+(?:(?P<flags>[^\s\d]\S*|\d\S*)\s+)?"
    r"(?P<seconds>\d+)\.(?P<fraction>\d+):\s+(?P<event>\w+):\s*(?P<text>.*)"
)
_EXIT_TEXT = re.compile(
    r"exit=(?P<exit>\w+) \| pc=(?P<pc>0x[0-9a-f]+|0) \| msr=(?P<msr>0x[0-9a-f]+|0)"
    r" \| dar=(?P<dar>0x[0-9a-f]+|0) \| last_inst=(?P<last_inst>0x[0-9a-f]+|0)"
)


class Record(NamedTuple):
    """One event: its time in nanoseconds, whose it is (a vcpu, or ftrace's cpu), its name, and its text."""

    time: int
    who: int
    event: str
    text: str

    @property
    def exit(self) -> str:
        """The exit's name; empty for another event."""
        match = _EXIT_TEXT.match(self.text) if self.event == EXIT else None
        return match["exit"] if match else ""

    @property
    def values(self) -> dict[str, str]:
        """The fields of an exit's text."""
        match = _EXIT_TEXT.match(self.text) if self.event == EXIT else None
        return match.groupdict() if match else {}


def record_of(event: Event, time: int, who: int = 0) -> Record:
    """An event of a machine at a time in nanoseconds."""
    name, _, text = str(event).partition(" ")
    return Record(time, who, name, text)


def ftrace_text(record: Record, task: str = "pyexit", pid: int = 0) -> str:
    """A record as a line of the kernel's ``trace`` file; an instruction's text ends with its own newline."""
    seconds, fraction = divmod(record.time, _NS)
    newline = "\n" if record.event == "kvm_ppc_instr" else ""
    where = f"{task:>16}-{pid:<7} [{record.who:03d}] ....."
    return f"{where} {seconds:5d}.{fraction // 1000:06d}: {record.event}: {record.text}{newline}"


# Files


class Writer:
    """Writes a trace as JSON lines."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        print(json.dumps({"trace": FORMAT}), file=stream)

    def write(self, events: Iterable[Event], time: int, who: int = 0) -> None:
        """The trace points among the events of a machine, at a time in nanoseconds."""
        for event in events:
            if event.kind in TRACE_POINTS:
                self._put(record_of(event, time, who))

    def entry(self, time: int, who: int = 0) -> None:
        """The guest goes on: the end of an exit's handling."""
        self._put(Record(time, who, ENTRY, ""))

    def _put(self, record: Record) -> None:
        line = {"time": record.time, "vcpu": record.who, "event": record.event, "text": record.text}
        print(json.dumps(line), file=self._stream)


def read(path: Path) -> list[Record]:
    """The records of a trace, JSON lines or ftrace text; VectorError says what is wrong with it."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        return list(parse(lines, str(path)))


def parse(lines: Iterable[str], name: str = "trace") -> Iterator[Record]:
    """The records of the lines of a trace."""
    numbered = ((number, line.rstrip("\n")) for number, line in enumerate(lines, 1))
    filled = ((number, line) for number, line in numbered if line.strip())
    first = next(filled, None)
    if first is None:
        raise VectorError(f"{name}: empty")
    if first[1].startswith("{"):
        _header(name, first[1])
        yield from (_json_record(f"{name}:{number}", line) for number, line in filled)
    else:
        yield from _ftrace_records(name, [first, *filled])


def _header(name: str, line: str) -> None:
    header = _object(f"{name}:1", line)
    if header.get("trace") != FORMAT:
        raise VectorError(
            f"{name}: unknown trace format {header.get('trace')!r}; this version reads format {FORMAT}"
        )


def _object(where: str, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise VectorError(f"{where}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise VectorError(f"{where}: not a JSON object")
    return found


def _json_record(where: str, line: str) -> Record:
    found = _object(where, line)
    unknown = found.keys() - {"time", "vcpu", "event", "text"}
    if unknown:
        raise VectorError(f"{where}: unknown key {min(unknown)!r}")
    time, who, event, text = found.get("time"), found.get("vcpu"), found.get("event"), found.get("text", "")
    if not (
        isinstance(time, int) and isinstance(who, int) and isinstance(event, str) and isinstance(text, str)
    ):
        raise VectorError(f"{where}: a record has time and vcpu, which are numbers, and event and text")
    return Record(time, who, event, text)


def _ftrace_records(name: str, lines: Iterable[tuple[int, str]]) -> Iterator[Record]:
    found = False
    for number, line in lines:
        if line.lstrip().startswith("#"):
            continue
        match = _FTRACE.fullmatch(line)
        if match is None:
            raise VectorError(
                f"{name}:{number}: neither a line of ftrace text nor JSON: {line.strip()[:60]!r}"
            )
        found = True
        time = int(match["seconds"]) * _NS + int(match["fraction"].ljust(9, "0")[:9])
        yield Record(time, int(match["cpu"]), match["event"], match["text"].rstrip())
    if not found:
        raise VectorError(f"{name}: no event")


# What is made of them


class Span(NamedTuple):
    """The handling of one exit, in nanoseconds."""

    exit: str
    who: int
    start: int
    duration: int
    values: dict[str, str]


def spans(records: Iterable[Record]) -> Iterator[Span]:
    """Each exit with its time: up to the entry, or where a trace has none, to the next exit of that cpu.

    The last exit has no time where nothing follows it, and is left out, as perf does.
    """
    open_exits: dict[int, Record] = {}
    for record in records:
        if record.event in (EXIT, ENTRY):
            begun = open_exits.pop(record.who, None)
            if begun is not None:
                duration = max(record.time - begun.time, 0)
                yield Span(begun.exit, begun.who, begun.time, duration, begun.values)
        if record.event == EXIT:
            if not record.exit:
                raise VectorError(f"kvm_exit with another text than exit.md 14 has: {record.text!r}")
            open_exits[record.who] = record


@dataclass
class Row:
    """One row of the table: how often an exit happened and how long it took, in nanoseconds."""

    exit: str
    samples: int = 0
    total: int = 0
    shortest: int = 0
    longest: int = 0

    def add(self, duration: int) -> None:
        """Count one exit."""
        self.shortest = duration if not self.samples else min(self.shortest, duration)
        self.longest = max(self.longest, duration)
        self.samples += 1
        self.total += duration


def stat(found: Iterable[Span]) -> list[Row]:
    """The rows of perf's table, the most frequent first."""
    rows: dict[str, Row] = {}
    for span in found:
        rows.setdefault(span.exit, Row(span.exit)).add(span.duration)
    return sorted(rows.values(), key=lambda row: (-row.samples, row.exit))


_COLUMNS = (("VM-EXIT", 20), ("Samples", 10), ("Samples%", 10), ("Time%", 10))
_TIMES = (("Min Time", 12), ("Max Time", 12), ("Avg time", 12))


def table(rows: list[Row]) -> Iterator[str]:
    """The lines of perf's table."""
    samples, total = sum(row.samples for row in rows), sum(row.total for row in rows)
    yield " ".join(f"{name:>{width}}" for name, width in (*_COLUMNS, *_TIMES))
    yield ""
    for row in rows:
        shares = 100 * row.samples / samples, 100 * row.total / total if total else 0.0
        times = (row.shortest, row.longest, row.total / row.samples)
        cells = (
            row.exit,
            str(row.samples),
            *(f"{share:.2f}%" for share in shares),
            *map(_microseconds, times),
        )
        yield " ".join(
            f"{cell:>{width}}" for cell, (_, width) in zip(cells, (*_COLUMNS, *_TIMES), strict=True)
        )
    yield ""
    yield f"Total Samples:{samples}, Total events handled time:{_microseconds(total)}."


def _microseconds(nanoseconds: float) -> str:
    return f"{nanoseconds / 1000:.2f}us"


def chrome(records: list[Record]) -> dict[str, Any]:
    """What chrome://tracing and Perfetto read: exits as spans, the other events as instants."""
    events: list[dict[str, Any]] = [
        {
            "name": span.exit,
            "cat": "kvm",
            "ph": "X",
            "ts": span.start / 1000,
            "dur": span.duration / 1000,
            "pid": 0,
            "tid": span.who,
            "args": {name: value for name, value in span.values.items() if name != "exit"},
        }
        for span in spans(records)
    ]
    events += [
        {
            "name": record.event,
            "cat": "kvm",
            "ph": "i",
            "s": "t",
            "ts": record.time / 1000,
            "pid": 0,
            "tid": record.who,
            "args": {"text": record.text},
        }
        for record in records
        if record.event not in (EXIT, ENTRY)
    ]
    return {"traceEvents": sorted(events, key=lambda event: float(event["ts"])), "displayTimeUnit": "ns"}


# Exit timing (exit.md 13 T7)

#: exit.md 1.11: the printed names; None where the kernel has none and prints a NULL string.
_ACCOUNTS: tuple[str | None, ...] = (
    *("MMIO", "SIGNAL", "ITLBREAL", "ITLBVIRT", "DTLBREAL", "DTLBVIRT", "SYSCALL", "ISI", "DSI", "EMULINST"),
    *("EMUL_WAIT", "EMUL_WRTEE", "EMUL_MTSPR", "EMUL_MFSPR", "EMUL_MTMSR", "EMUL_MFMSR", "EMUL_TLBSX"),
    *("EMUL_TLBWE", "EMUL_RFI", None, None, "DEC", "EXTINT", "HALT", "USR_PR_INST", "FP_UNAVAIL", "DEBUG"),
    *("TIMEINGUEST", None, None),
)
_USECS = 1_000_000


def timing_report(machine: Machine, vcpu: int = 0) -> str:
    """The debugfs file "timing" of a vcpu, as the kernel prints it: times in microseconds."""
    word, host = object_word("vcpu", vcpu), object_word("host", machine.thread_of(vcpu))
    per_usec = max(machine[f"{host}.tb_freq"] // _USECS, 1)
    lines = ["type\tcount\tmin\tmax\tsum\tsum_squared\n"]
    for number, name in enumerate(_ACCOUNTS):
        count = machine[f"{word}.arch.timing_count_type[{number}]"]
        low, high, total, quad = (
            machine[f"{word}.arch.timing_{field}[{number}]"] // per_usec
            for field in ("min_duration", "max_duration", "sum_duration", "sum_quad_duration")
        )
        lines.append(f"{name or '(null)':>12}\t{count:10d}\t{low:10d}\t{high:10d}\t{total:20d}\t{quad:20d}\n")
    return "".join(lines)
