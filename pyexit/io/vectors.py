# SPDX-License-Identifier: BSD-3-Clause
"""Readers for the recorded vectors: kernel suites, hw_tlb, baselines, the RAM map (vectors/SCHEMA.md).

A file holds one JSON object a line. An object with ``ops`` is a sequence of hw_tlb, one with ``func`` a
kernel case. VectorError names the file, the line, and what is wrong.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pyexit.errors import VectorError

SUFFIXES = (".jsonl", ".jsonl.gz")
SCENARIO_SUFFIXES = (".scn", ".scn.jsonl")

#: The suites whose state stands on baseline2 (SCHEMA.md, "Suites ioctl_regs, ...").
BASELINE2_SUITES = frozenset({"ioctl_regs", "ioctl_tlb", "ldst", "create", "edges"})

_CASE_KEYS = frozenset({"id", "suite", "tag", "func", "args", "in", "mem", "ret", "out", "events", "abort"})
_OPERATIONS = frozenset({"tlbwe", "tlbsx", "tlbre", "tlbilx", "mmucsr0"})
_U32, _U64 = (1 << 32) - 1, (1 << 64) - 1


@dataclass(frozen=True)
class Baseline:
    """The state that the cases of a suite start from."""

    bits: int
    values: dict[str, int]
    fields: frozenset[str]  # names without index


@dataclass(frozen=True)
class Case:
    """One call of a kernel function, its numbers read."""

    func: str
    args: tuple[int, ...]
    inputs: dict[str, int]
    mem: dict[int, int]
    ret: dict[str, int]
    out: dict[str, int]
    events: tuple[str, ...]
    abort: str | None


@dataclass(frozen=True)
class Line:
    """One object of a vector file."""

    path: Path
    number: int
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """The case's own number, else the line's."""
        return str(self.data.get("id", f"line {self.number}"))

    @property
    def func(self) -> str | None:
        """The kernel function; None for a sequence of hw_tlb."""
        return self.data.get("func")

    @property
    def label(self) -> str:
        """The tag, and what is called."""
        return " ".join(str(part) for part in (self.data.get("tag"), self.func) if part)

    @property
    def bits(self) -> int:
        """The width of the flavour: 64 where the file name says so."""
        return 64 if suite_name(self.path).endswith("_64") else 32

    def wrong(self, what: str) -> VectorError:
        """The error that this line is."""
        return VectorError(f"{self.path}:{self.number}: {what}")

    @property
    def baseline_name(self) -> str:
        """The file name of the baseline that this case stands on."""
        second = "2" if self.data.get("suite") in BASELINE2_SUITES else ""
        return f"baseline{second}{'_64' if self.bits == 64 else ''}.json"

    def baseline(self) -> Baseline:
        """The baseline of this case."""
        return baseline(self.path.parent, self.baseline_name)

    def case(self) -> Case:
        """The kernel case with its numbers."""
        unknown = self.data.keys() - _CASE_KEYS
        if unknown:
            raise self.wrong(f"unknown key {min(unknown)!r}")
        return Case(
            func=str(self.func),
            args=tuple(self._hex("args", value) for value in self._take("args", list)),
            inputs=self._numbers("in"),
            mem=self._words(),
            ret=self._results(),
            out=self._numbers("out"),
            events=self._texts("events"),
            abort=self._take("abort", str) if "abort" in self.data else None,
        )

    def _take(self, key: str, kind: type, default: Any = None) -> Any:
        value = self.data.get(key, default)
        if not isinstance(value, kind):
            raise self.wrong(f"{key!r} is missing or not a {kind.__name__}")
        return value

    def _numbers(self, key: str) -> dict[str, int]:
        return {name: self._hex(name, value) for name, value in self._take(key, dict).items()}

    def _words(self) -> dict[int, int]:
        words = self._take("mem", dict, {}).items()
        return {self._hex("mem", at): self._hex("mem", word, _U32) for at, word in words}

    def _results(self) -> dict[str, int]:
        results: dict[str, int] = self._take("ret", dict)
        for name, value in results.items():
            if not isinstance(value, int):
                raise self.wrong(f"ret: {name} is not an integer: {value!r}")
        return results

    def _texts(self, key: str) -> tuple[str, ...]:
        texts = self._take(key, list)
        for text in texts:
            if not isinstance(text, str):
                raise self.wrong(f"{key}: not a string: {text!r}")
        return tuple(texts)

    def _hex(self, key: str, value: Any, limit: int = _U64) -> int:
        try:
            number = int(value, 16)
        except (TypeError, ValueError):
            raise self.wrong(f"{key}: not a hex number: {value!r}") from None
        if not 0 <= number <= limit:
            raise self.wrong(f"{key}: {value} is not a {limit.bit_length()}-bit number")
        return number

    def operations(self) -> list[dict[str, Any]]:
        """The operations of a hw_tlb sequence, checked."""
        for index, operation in enumerate(self._take("ops", list)):
            if not isinstance(operation, dict) or operation.get("op") not in _OPERATIONS:
                raise self.wrong(f"ops[{index}]: no operation of hw_tlb: {operation!r}")
        operations: list[dict[str, Any]] = self.data["ops"]
        return operations


def is_vector(path: Path | Traversable) -> bool:
    """Whether a file name is that of a vector file or a scenario."""
    return path.name.endswith((*SUFFIXES, *SCENARIO_SUFFIXES))


def is_scenario(path: Path) -> bool:
    """Whether a file name is that of a scenario."""
    return path.name.endswith(SCENARIO_SUFFIXES)


def suite_name(path: Path) -> str:
    """The suite as the table has it: the file name without its suffixes."""
    return path.name.removesuffix(".gz").removesuffix(".jsonl")


def read_lines(path: Path) -> Iterator[Line]:
    """The objects of a vector file."""
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rb") as source:
            for number, text in enumerate(source, 1):
                if text.strip():
                    yield _line(path, number, text)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise VectorError(f"{path}: not a whole gzip file: {error}") from None


def _line(path: Path, number: int, text: bytes) -> Line:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise VectorError(f"{path}:{number}: not JSON: {error}") from None
    if not isinstance(data, dict) or not ("ops" in data or isinstance(data.get("func"), str)):
        raise VectorError(f"{path}:{number}: neither a kernel case (func) nor a hw_tlb sequence (ops)")
    return Line(path, number, data)


def sample() -> Path:
    """The folder of the vectors in the package."""
    return Path(str(files("pyexit") / "vectors"))


def _companion(folder: Path, name: str) -> Any:
    """A JSON file beside the vectors, else from the package."""
    for place in (folder / name, sample() / name):
        if place.is_file():
            try:
                return json.loads(place.read_bytes())
            except ValueError as error:
                raise VectorError(f"{place}: not JSON: {error}") from None
    raise VectorError(f"{name} is neither in {folder} nor in the package")


@cache
def baseline(folder: Path, name: str) -> Baseline:
    """A baseline file."""
    data = _companion(folder, name)
    try:
        values = {field: int(value, 16) for field, value in data["baseline"].items()}
        return Baseline(data["bits"], values, frozenset(data["fields"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise VectorError(f"{name}: not a baseline: {error!r}") from None


@cache
def ram_ranges(folder: Path) -> tuple[tuple[int, int], ...]:
    """The RAM of world.json as (base, size) in bytes; its ranges are page numbers [first, end)."""
    data = _companion(folder, "world.json")
    try:
        page = data["page_size"]
        pairs = [(int(first, 16), int(end, 16)) for first, end in data["ram_map_pfn"]]
    except (KeyError, TypeError, ValueError) as error:
        raise VectorError(f"world.json: no RAM map: {error!r}") from None
    return tuple((first * page, (end - first) * page) for first, end in pairs)


@cache
def memory_map(folder: Path) -> dict[str, int]:
    """The memory slots of world.json as fields of a VM: memslot, vma and backing (SCHEMA.md, Memory)."""
    data = _companion(folder, "world.json")
    values: dict[str, int] = {}
    try:
        for row, slot in enumerate(data["memslots"]):
            values |= {f"kvm.{name}[{row}]": value for name, value in _slot_fields(slot).items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise VectorError(f"world.json: no memory slots: {error!r}") from None
    return values


@cache
def other_pages(folder: Path) -> tuple[tuple[int, int], ...]:
    """The pages behind memory slots that are no RAM for page_is_ram(), as ram_ranges() has them."""
    ram, values = ram_ranges(folder), memory_map(folder)
    found = []
    for row in range(_MEMSLOTS):
        base, size = (values.get(f"kvm.backing.{leaf}[{row}]", 0) * _PAGE for leaf in ("pfn", "npages"))
        if size and not any(base < first + length and first < base + size for first, length in ram):
            found.append((base, size))
    return tuple(found)


_MEMSLOTS, _PAGE = 32, 4096

#: What world.json says of a slot's host pages, as pyexit_backings.pte.
_LINUX_PTES = {"": 0, "not present": 1, "NULL": 2}
_MEMSLOT_FLAGS = {"0x0": 0, "KVM_MEMSLOT_INVALID": 1}
_VMA_FLAGS = {"0x0": 0, "VM_PFNMAP": 1, "VM_HUGETLB": 2}


def _slot_fields(slot: dict[str, Any]) -> dict[str, int]:
    """One slot, its VMA and its backing; a slot whose pages cannot be had has no backing."""
    vma = slot["vma"]
    fields = {
        "memslot.base_gfn": int(slot["base_gfn"], 16),
        "memslot.npages": int(slot["npages"], 16),
        "memslot.userspace_addr": int(slot["userspace_addr"], 16),
        "memslot.flags": _MEMSLOT_FLAGS[slot["flags"]],
        "vma.start": int(vma["vm_start"], 16),
        "vma.end": int(vma["vm_end"], 16),
        "vma.pgoff": int(vma.get("vm_pgoff", "0x0"), 16),
        "vma.flags": _VMA_FLAGS[vma["vm_flags"]],
        "vma.page_shift": int(vma.get("kernel_pagesize", "0x1000"), 16).bit_length() - 1,
    }
    if "gfn_to_pfn" in slot:
        return fields
    return fields | {
        "backing.hva": int(slot["userspace_addr"], 16),
        "backing.npages": int(slot["npages"], 16),
        "backing.pfn": int(slot["pfn_base"], 16),
        "backing.pte": _LINUX_PTES[slot.get("linux_pte", "")],
    }
