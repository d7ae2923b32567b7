# SPDX-License-Identifier: BSD-3-Clause
"""``pyexit check``: runs vectors and scenarios on backends and compares (design.md 7; vectors/SCHEMA.md).

A kernel case: state = baseline + in on a `recorded` machine, one call, then one comparison function per part
(ret, abort, out, events). The suite `sequences` is also replayed as whole sequences, where each step begins
in the state in which the step before it ended. A hw_tlb sequence: an e500mc machine, operation by operation.
A scenario: its own machine and steps.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from pyexit.backends.base import Result
from pyexit.errors import Divergence, FieldError, ScenarioError, VectorError
from pyexit.io.events import STOPS, UNRECORDED, Event, stop_text
from pyexit.io.vectors import (
    Case,
    Line,
    is_scenario,
    is_vector,
    memory_map,
    other_pages,
    ram_ranges,
    read_lines,
    suite_name,
)
from pyexit.layout import UNION, UNION_LISTED, element, record, recorded_name
from pyexit.machine import Machine, Outcome, Snapshot
from pyexit.playback import replays
from pyexit.scenario import compare_sequence

WHOLE = "(whole)"  # after the name of a suite: its sequences, each as one case
SCENARIOS = "scenarios"  # the suite under which scenarios are counted

#: The machine of each flavour: the model that has its width, with the recorded host's parameters.
MODELS = {32: "e500mc", 64: "e6500"}

#: The names that the vectors' `ret` has for a function's further results.
VALUES: dict[str, tuple[str, ...]] = {
    "kvmppc_load_last_inst": ("instr",),
    "kvmppc_get_last_inst": ("instr",),
    "kvmppc_ld": ("eaddr", "data0", "data1", "data2", "data3"),
    "kvmppc_st": ("eaddr",),
    "kvmppc_xlate": ("pte.eaddr", "pte.raddr", "pte.vpage", "pte.may_execute"),
    "kvmppc_core_vcpu_translate": ("valid", "physical_address"),
    "kvm_arch_vcpu_ioctl_translate": ("valid", "writeable", "usermode", "physical_address"),
    "kvm_arch_init_vm": ("kvm_ops_set",),
}

#: Results are signed decimals of 64 bits in the vectors and unsigned words here.
U64 = (1 << 64) - 1

#: What the recorder has not as fields: three TLB1 entries are the host kernel's (SCHEMA.md), and, in the
#: older baselines, the geometry of the guest's TLBs.
RECORDER = {
    "host.tlbcam_index": 3,
    "e500.gtlb_params0.entries": 256,
    "e500.gtlb_params0.ways": 2,
    "e500.gtlb_params0.sets": 128,
    "e500.gtlb_params1.entries": 16,
    "e500.gtlb_params1.ways": 16,
    "e500.gtlb_params1.sets": 1,
    "e500.gtlb_offset[1]": 256,
}

#: Functions that reach the VMM's memory by its address: the kernel does not ask page_is_ram() there.
BY_USER_ADDRESS = frozenset({"kvmppc_ld", "kvmppc_st"})

#: What only a machine with room for KVM_CAP_SW_TLB has, and what asks for it.
SW_TLB_FIELDS = ("user.tlb.", "user.config_tlb.", "e500.sw_")

#: Functions whose outcome under seed-v4 follows from a recorded case (mmu-kvm 15.3).
SEED_V4 = frozenset({"kvmppc_load_last_inst", "kvmppc_get_last_inst"})

#: What the recorded message says where seed-v4 returns FAIL and is silent (mmu-kvm 15.3, rows 4 to 6).
SEED_V4_FAILS = ("without execute permission", "mismatches storage attributes", "from non-RAM host address")

#: The hang in which the recorder stopped at an arbitrary toggle of this field (SCHEMA.md, abort).
NO_PROGRESS, TOGGLED = "HANG no progress (irq toggles)", "host.irq_enabled"

#: The arm of kvm_run's union that `out` shows, by run.exit_reason (KVM_EXIT_*).
EXIT_REASON = "run.exit_reason"
HARDWARE_EXIT_REASON = "run.hw.hardware_exit_reason"
UNION_VIEWS = {0: "hw", 4: "debug", 6: "mmio", 23: "epr"}
UNION_START = record("run").leaves["padding"].offset
UNION_SIZE = record("run").size - UNION_START
UNION_NAMES = tuple(f"run.{arm}" for arm in UNION_LISTED)

#: The tag of a case of `sequences`: number of the sequence, number of the step.
_SEQUENCE = re.compile(r"seq(\d+)\.(\d+)/")

TLB_MODEL = "e500mc"  # of an hw_tlb sequence that names no core

EMULATE_FAIL = 2
MAS1_V = 0x80000000
MAS0_ENTRY = 0x3FFF0000  # TLBSEL and ESEL: what hw_tlb claims of MAS0
SPR_MMUCSR0 = 1012


class Part(NamedTuple):
    """One difference: what, expected, got."""

    field: str
    expected: object
    got: object


@dataclass
class Failure:
    """A case that failed."""

    suite: str
    backend: str
    case: str
    label: str
    parts: list[Part]


@dataclass
class Tally:
    """The cases of one suite on one backend."""

    passed: int = 0
    failed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


@dataclass
class Report:
    """What a run came to; `tallies` by (suite, backend)."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    def tally(self, suite: str, backend: str) -> Tally:
        """The tally of a suite on a backend."""
        return self.tallies.setdefault((suite, backend), Tally())

    @property
    def passed(self) -> int:
        """Cases passed, times backends."""
        return sum(tally.passed for tally in self.tallies.values())

    @property
    def failed(self) -> int:
        """Cases failed, times backends."""
        return sum(tally.failed for tally in self.tallies.values())

    @property
    def skipped(self) -> Counter[str]:
        """Skips by reason."""
        return sum((tally.skipped for tally in self.tallies.values()), Counter[str]())


class Skip(Exception):
    """A case that this version does not run; the message names why."""


# Kernel cases


class Outputs(NamedTuple):
    """What the call of a kernel case came to."""

    before: Snapshot
    expected: Snapshot  # the state before the call with `out` in it
    after: Snapshot
    result: Result
    events: list[Event]
    union: bytes  # what the recorder's kernel had in kvm_run's union before the call
    alone: bool  # a step of a sequence without the steps before it


class KernelRunner:
    """Runs kernel cases of one flavour on one machine, which is reused."""

    def __init__(
        self, bits: int, backend: str, fetch: str, ram: tuple[tuple[int, int], ...], sw_tlb: bool
    ) -> None:
        self.machine = Machine(
            MODELS[bits],
            params="recorded",
            fetch=fetch,
            backend=backend,
            vcpus=2,
            ram=ram,
            events=1 << 16,
            sw_tlb=sw_tlb,
        )
        self.functions = frozenset(self.machine.functions)
        self.ram = ram
        self._states: dict[tuple[Path, str], Snapshot] = {}

    def run(self, line: Line) -> list[Part]:
        """The differences of a case; Skip if it cannot be run."""
        if line.func not in self.functions:
            raise Skip(str(line.func))
        case = self._case(line)
        try:
            before = self._baseline(line).replace(case.inputs)
        except (FieldError, ValueError) as error:
            raise line.wrong(str(error)) from None
        return self._compare(line, case, self._call(line, case, before, big_endian_union(case.inputs)))

    def run_sequence(self, lines: Sequence[Line]) -> list[Part]:
        """The differences of the first step that has some; a step begins where the last one ended."""
        state: SequenceState | None = None
        for number, line in enumerate(lines):
            if line.func not in self.functions:
                raise Skip(str(line.func))
            case = line.case()
            recorded = self._baseline(line).replace(case.inputs)
            before, union = (recorded, bytes(UNION_SIZE)) if state is None else state.next(case, recorded)
            got = self._call(line, case, before, big_endian_union(case.inputs, union), alone=False)
            parts = self._compare(line, case, got)
            if parts:
                return [Part(f"step {number} {part.field}", *part[1:]) for part in parts]
            state = SequenceState.after(case, got, recorded)
        return []

    def _compare(self, line: Line, case: Case, got: Outputs) -> list[Part]:
        fields = line.baseline().fields
        return [part for compare in COMPARISONS for part in compare(case, got, fields)]

    def _baseline(self, line: Line) -> Snapshot:
        """The state that the baseline of a case stands for."""
        key = line.path.parent, line.baseline_name
        if key not in self._states:
            world = RECORDER | memory_map(line.path.parent)
            self._states[key] = Snapshot.zero(self.machine.shape).replace(world | line.baseline().values)
        return self._states[key]

    def _case(self, line: Line) -> Case:
        """The case with the expectations of this machine's fetch strategy."""
        return seed_v4(line.case()) if self.machine.fetch == "seed-v4" else line.case()

    def _call(self, line: Line, case: Case, before: Snapshot, union: bytes, alone: bool = True) -> Outputs:
        try:
            expected = before.replace(case.out)
            return self._outputs(case, before, expected, union, alone and sequence_step(line) is not None)
        except (FieldError, OSError, ValueError) as error:
            raise line.wrong(str(error)) from None

    def _outputs(
        self, case: Case, before: Snapshot, expected: Snapshot, union: bytes, alone: bool
    ) -> Outputs:
        machine = self.machine
        machine.restore(before)
        words = [(at, word) for at, word in case.mem.items() if self._is_ram(at)]
        for address, word in words:
            machine.store_word(address, word)
        machine.events()
        try:
            result = machine.call(case.func, 0, *case.args)
        finally:
            events = machine.events()
            for address, _ in words:
                machine.store_word(address, 0)
        return Outputs(before, expected, machine.snapshot(), result, events, union, alone)

    def _is_ram(self, address: int) -> bool:
        return any(base <= address < base + size for base, size in self.ram)


class SequenceState(NamedTuple):
    """Where a step of a sequence ended: on this machine, and by the recording."""

    ours: Snapshot
    recorded: Snapshot
    union: bytes  # of the recorder's kernel

    @classmethod
    def after(cls, case: Case, got: Outputs, recorded: Snapshot) -> SequenceState:
        """The state after a step that was as recorded; what the recording does not claim is taken from it."""
        recorded = recorded.replace(case.out)
        stuck = case.abort == NO_PROGRESS
        unclaimed = {name: value for name, value, _ in recorded.diff(got.after) if stuck and name == TOGGLED}
        return cls(got.after.replace(unclaimed), recorded, big_endian_union(case.out, got.union))

    def next(self, case: Case, recorded: Snapshot) -> tuple[Snapshot, bytes]:
        """The state in which the next step begins: this one, and what the generator changed in between."""
        changed = {
            name: value for name, _, value in self.recorded.diff(recorded) if not name.startswith(UNION_NAMES)
        }
        supplied = {name: value for name, value in case.inputs.items() if in_union(name)}
        return self.ours.replace(changed | supplied), self.union


def sequence_step(line: Line) -> tuple[int, int] | None:
    """The numbers of a sequence and of its step, from the tag of a case of `sequences`."""
    match = _SEQUENCE.match(str(line.data.get("tag", "")))
    return (int(match[1]), int(match[2])) if match else None


def follows(sequence: Sequence[Line], line: Line) -> bool:
    """Whether a line is the next step of the sequence."""
    step = sequence_step(sequence[-1]) if sequence else None
    return step is not None and sequence_step(line) == (step[0], step[1] + 1)


def needs_sw_tlb(line: Line) -> bool:
    """Whether a case is about the array of KVM_CAP_SW_TLB: the machine is three times as large with it."""
    named = [*line.data.get("in", ()), *line.data.get("out", ())]
    return any(name.startswith(SW_TLB_FIELDS) or name == "e500.num_shared_tlb_pages" for name in named)


def seed_v4(case: Case) -> Case:
    """What patch v4 answers, from what 6.1 answered (mmu-kvm 15.3); Skip where that does not follow."""
    if case.func not in SEED_V4:
        raise Skip(f"{case.func} (no seed-v4 expectation)")
    if case.inputs.get("host.threads_per_core", 1) == 2 and case.inputs.get("host.cpu", 0) & 1:
        raise Skip(f"{case.func} (odd cpu of two threads: v4 uses the VM's LPID)")
    failing = [event for event in case.events if any(text in event for text in SEED_V4_FAILS)]
    if not failing:
        return case
    kept = tuple(event for event in case.events if event not in failing)
    return replace(case, ret={**case.ret, "ret": EMULATE_FAIL}, events=kept)


def compare_ret(case: Case, got: Outputs, fields: frozenset[str]) -> Iterator[Part]:
    """The return value and the named results of a function that returned."""
    if got.result.outcome != STOPS["returned"]:
        return
    answers = {"ret": got.result.ret, **dict(zip(VALUES.get(case.func, ()), got.result.value, strict=False))}
    for name, expected in case.ret.items():
        answer = answers.get(name)
        if answer is None or (answer ^ expected) & U64:
            yield Part(name, expected, answer)


def compare_abort(case: Case, got: Outputs, fields: frozenset[str]) -> Iterator[Part]:
    """BUG and HANG: where the kernel stopped."""
    found = stop_text(got.result.outcome, got.result.site)
    if case.abort != found:
        yield Part("abort", case.abort, found)


def compare_out(case: Case, got: Outputs, fields: frozenset[str]) -> Iterator[Part]:
    """Every field of `out`, and that nothing else of the baseline's fields changed."""
    for name, expected, value in got.expected.diff(got.after):
        name = recorded_name(name)
        if name.startswith(UNION_NAMES) or (case.abort == NO_PROGRESS and name == TOGGLED):
            continue
        if name.partition("[")[0] in fields:
            yield Part(name, expected, value)


def compare_union(case: Case, got: Outputs, fields: frozenset[str]) -> Iterator[Part]:
    """The arms of kvm_run's union, through the one view that `out` has (SCHEMA.md, Field names)."""
    view = union_view(case)
    if view is None:
        return
    for leaf in (leaf for path, leaf in record("run").leaves.items() if path.startswith(f"{view}.")):
        for index in range(leaf.elements):
            name = element("run", leaf, index)
            value, start = got.after[name], leaf.offset - UNION_START + index * leaf.size
            if view == "epr" and got.after[HARDWARE_EXIT_REASON] != got.before[HARDWARE_EXIT_REASON]:
                value = got.after[HARDWARE_EXIT_REASON] >> 32  # written as hw, seen as epr, big-endian
            # Arms of different width overlap otherwise in the recorder's byte order.
            kept = {got.before[name], int.from_bytes(got.union[start : start + leaf.size], "big")}
            expected = {case.out[name]} if name in case.out else kept
            # Bytes that an earlier step left are not repeated in `in` (SCHEMA.md): the whole sequence judges.
            unclaimed = got.alone and view == "mmio" and name not in case.out
            if value not in expected and not unclaimed:
                yield Part(name, case.out.get(name, got.before[name]), value)


def union_view(case: Case) -> str | None:
    """The arm of the union that the recorder looked at."""
    reason = case.out.get(EXIT_REASON, case.inputs.get(EXIT_REASON, 0))
    if case.func == "kvmppc_handle_debug":
        return "debug"
    if any(event.startswith("io_") for event in case.events):
        return "mmio"
    return UNION_VIEWS.get(reason)


def in_union(name: str) -> bool:
    """Whether a field is an arm of kvm_run's union."""
    return name.startswith("run.") and name.removeprefix("run.").partition(".")[0] in UNION


def big_endian_union(values: Mapping[str, int], before: bytes = b"") -> bytes:
    """The bytes that the recorder's kernel has in the union once `values` were written over `before`."""
    leaves, union = record("run").leaves, bytearray(before or UNION_SIZE)
    for name, value in values.items():
        if in_union(name):
            path, _, index = name.removeprefix("run.").rstrip("]").partition("[")
            start = leaves[path].offset - UNION_START + int(index or 0) * leaves[path].size
            union[start : start + leaves[path].size] = value.to_bytes(leaves[path].size, "big")
    return bytes(union)


def compare_events(case: Case, got: Outputs, fields: frozenset[str]) -> Iterator[Part]:
    """The ordered events; printk and WARN by kind and level."""
    expected = tuple(map(comparable, case.events))
    found = tuple(comparable(str(event)) for event in got.events if event.kind not in UNRECORDED)
    for part in compare_sequence("events", expected, found):
        yield Part(*part)


def comparable(event: str) -> str:
    """An event without what is not compared: the text of printk and WARN."""
    kind, _, rest = event.partition(" ")
    if kind == "printk":
        return f"printk {rest.partition(' ')[0]}"
    return kind if kind in ("WARN", "printk_warn") else event


Comparison = Callable[[Case, Outputs, frozenset[str]], Iterator[Part]]
COMPARISONS: tuple[Comparison, ...] = (
    compare_ret,
    compare_abort,
    compare_out,
    compare_union,
    compare_events,
)


# hw_tlb (vectors/hw_tlb.md)


class TlbRunner:
    """Runs sequences of hw_tlb on one machine, which is reset for each."""

    def __init__(self, backend: str, model: str) -> None:
        self.machine = Machine(model, backend=backend, ram=(), events=0)
        self.reset = self.machine.snapshot()

    def run(self, line: Line) -> list[Part]:
        """The first operation that differs."""
        self.machine.restore(self.reset)
        self.machine["spr.MAS4"] = 0x100
        for index, operation in enumerate(line.operations()):
            try:
                parts = list(self._operate(operation))
            except (KeyError, TypeError, ValueError) as error:
                raise line.wrong(f"ops[{index}]: {error!r}") from None
            if parts:
                return [Part(f"ops[{index}].{part.field}", part.expected, part.got) for part in parts]
        return []

    def _operate(self, operation: dict[str, Any]) -> Iterator[Part]:
        kind = operation["op"]
        inputs = ("mas4", "mas6") if kind == "tlbsx" else ("mas0", "mas1", "mas2", "mas3", "mas6", "mas7")
        self.machine.set({f"spr.{name.upper()}": operation[name] for name in inputs if name in operation})
        result = self._execute(kind, operation)
        if result.ret != Outcome.DONE:
            yield Part("outcome", "DONE", Outcome(result.ret).name)
        elif kind == "tlbsx":
            yield from self._search(operation)
        elif kind == "tlbre":
            yield from self._registers(operation["out"], ("mas1", "mas2", "mas3", "mas7"))

    def _execute(self, kind: str, operation: dict[str, Any]) -> Result:
        if kind == "tlbsx":
            return self.machine.tlbsx(operation["ea"])
        if kind == "tlbilx":
            return self.machine.tlbilx(operation["t"], operation["ea"])
        if kind == "mmucsr0":
            return self.machine.mtspr(SPR_MMUCSR0, operation["value"])
        return self.machine.tlbwe() if kind == "tlbwe" else self.machine.tlbre()

    def _search(self, operation: dict[str, Any]) -> Iterator[Part]:
        hit = bool(self.machine["spr.MAS1"] & MAS1_V)
        if hit != operation["hit"]:
            yield Part("hit", operation["hit"], hit)
        elif hit:
            mas0 = self.machine["spr.MAS0"] & MAS0_ENTRY
            if mas0 != operation["mas0"] & MAS0_ENTRY:
                yield Part("mas0", operation["mas0"] & MAS0_ENTRY, mas0)
            yield from self._registers(operation, ("mas1", "mas2", "mas3", "mas7"))

    def _registers(self, expected: dict[str, Any], names: Sequence[str]) -> Iterator[Part]:
        for name in names:
            got = self.machine[f"spr.{name.upper()}"]
            if got != expected[name]:
                yield Part(name, expected[name], got)


# A run


class Run:
    """One `pyexit check`: the backends, their machines, and the report that grows."""

    def __init__(
        self, backends: Sequence[str], fetch: str = "merged", text: str = "", max_failures: int = 0
    ) -> None:
        self.backends, self.fetch, self.text, self.max_failures = backends, fetch, text, max_failures
        self.report = Report()
        self._kernel = cache(KernelRunner)
        self._tlb = cache(TlbRunner)

    def file(self, path: Path) -> Iterator[int]:
        """Run a file; yields the number of cases done so far, for who shows progress."""
        cases = self._scenario(path) if is_scenario(path) else self._lines(path)
        for number, _ in enumerate(cases, 1):
            yield number
            if self.full:
                return

    @property
    def full(self) -> bool:
        """Whether as many cases failed as the caller wants to see."""
        return 0 < self.max_failures <= self.report.failed

    def _lines(self, path: Path) -> Iterator[None]:
        suite, sequence = suite_name(path), list[Line]()
        for line in read_lines(path):
            if self.text and self.text not in f"{suite}:{line.id} {line.label}":
                continue
            for backend in self.backends:
                self._count(suite, backend, line.id, line.label, partial(self._run_line, line=line))
            if sequence_step(line) is not None:
                if follows(sequence, line):
                    sequence.append(line)
                else:
                    self._whole(suite, sequence)
                    sequence = [line]
            yield
        self._whole(suite, sequence)

    def _whole(self, suite: str, lines: Sequence[Line]) -> None:
        """A sequence as a case of its own, if the file has it from its first step on."""
        number, first = (lines and sequence_step(lines[0])) or (0, -1)
        if first != 0:
            return
        for backend in self.backends:
            run = partial(self._run_sequence, lines=lines)
            self._count(f"{suite} {WHOLE}", backend, f"seq{number}", f"{len(lines)} steps", run)

    def _run_sequence(self, backend: str, lines: Sequence[Line]) -> list[Part]:
        line = lines[0]
        ram = ram_ranges(line.path.parent)
        sw_tlb = any(map(needs_sw_tlb, lines))
        return self._kernel(line.bits, backend, self.fetch, ram, sw_tlb).run_sequence(lines)

    def _run_line(self, backend: str, line: Line) -> list[Part]:
        if line.func is None:
            return self._tlb(backend, line.data.get("core", TLB_MODEL)).run(line)
        ram = ram_ranges(line.path.parent)
        if line.func in BY_USER_ADDRESS:
            ram = (*ram, *other_pages(line.path.parent))
        return self._kernel(line.bits, backend, self.fetch, ram, needs_sw_tlb(line)).run(line)

    def _scenario(self, path: Path) -> Iterator[None]:
        """A scenario; steps that expect nothing are compared with what the first backend answers."""
        if self.text and self.text not in f"{SCENARIOS}:{path.name}":
            return
        try:
            found = replays(path, self.backends)
        except (ValueError, TypeError, LookupError, OSError) as error:
            raise VectorError(
                str(error) if isinstance(error, ScenarioError) else f"{path}: {error}"
            ) from None
        for replay in found:
            parts = [Part(f"step {step}: {part}", *pair) for step, part, *pair in replay.found]
            self._count(SCENARIOS, replay.backend, path.name, "", partial(_as_found, parts))
            self.report.tally(SCENARIOS, replay.backend).seconds += replay.seconds
        yield

    def _count(
        self, suite: str, backend: str, case: str, label: str, run: Callable[[str], list[Part]]
    ) -> None:
        tally, start = self.report.tally(suite, backend), perf_counter()
        try:
            parts = run(backend)
        except Skip as skip:
            tally.skipped[str(skip)] += 1
            return
        except Divergence as found:
            parts = [Part(found.field, found.a, found.b)]
        tally.seconds += perf_counter() - start
        if not parts:
            tally.passed += 1
            return
        tally.failed += 1
        self.report.failures.append(Failure(suite, backend, case, label, parts))


def _as_found(parts: list[Part], backend: str) -> list[Part]:
    """What a replay, already done, has found."""
    return parts


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The vector files of files and folders, folders searched to the bottom; VectorError for others."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(item for item in path.rglob("*") if item.is_file() and is_vector(item))
        elif not path.exists():
            raise VectorError(f"{path}: no such file or folder")
        elif not is_vector(path):
            raise VectorError(
                f"{path}: not a vector file: the name ends in .jsonl, .jsonl.gz, .scn or .scn.jsonl"
            )
        else:
            found.append(path)
    return found
