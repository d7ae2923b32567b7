# SPDX-License-Identifier: BSD-3-Clause
"""The state block of a machine, field by field (design.md 3; csrc/include/pyexit.h, enum pyexit_record).

Nothing is typed twice: the table of fields is what cffi knows about the structs of the header. Names are
those of the kernel vectors: ``spr.MAS1``, ``vcpu.arch.regs.gpr[3]``; object n > 0 of a kind is ``vcpu1.``,
``spr1.``, and ``htlb0_1.``, ``e500_1.`` where the word ends in a digit.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from pyexit.backends._core import ffi
from pyexit.errors import FieldError, nearest

#: Record kinds in the order of enum pyexit_record.
RECORDS = (
    *("htlb0", "htlb1", "core", "spr", "thread", "host", "kvm"),
    *("vcpu", "run", "e500", "lrat", "user", "swtlb"),
)

#: Names that vectors have for a field that lives elsewhere; understood on input.
ALIASES = {"host.tlb0_nv": "core.tlb0_nv", "host.tb": "core.tb"}
#: The same for whole groups of fields, by the beginning of their names.
ALIAS_PREFIXES = {"user.tlb.": "swtlb.tlb.", "e500.sw_": "swtlb."}

#: The other way: the names that the recorder has for fields that live elsewhere here.
_RECORDED = {ours: theirs for theirs, ours in ALIASES.items()}
_RECORDED_PREFIXES = {
    "swtlb.tlb.": "user.tlb.",
    "swtlb.priv": "e500.sw_priv",
    "swtlb.g2h_tlb1_map": "e500.sw_g2h_tlb1_map",
}

#: The arms of kvm_run's union through which its bytes are listed; the other arms are names on input only.
UNION = frozenset({"hw", "debug", "mmio", "epr", "osi", "papr_hcall", "internal", "padding"})
UNION_LISTED = ("mmio", "padding")

_NAME = re.compile(
    r"(?P<kind>htlb0|htlb1|e500|[a-z]+)(?:_?(?P<number>\d+))?"
    r"\.(?P<path>[^\[\]]+)(?:\[(?P<index>\d+)\])?"
)
_PAD = re.compile(r"pad\d*")
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def constants(enum: str, prefix: str) -> dict[str, int]:
    """The members of ``enum pyexit_<enum>``, lower case and without `prefix`, by name."""
    members: dict[int, str] = ffi.typeof(f"enum pyexit_{enum}").elements
    return {name.removeprefix(prefix).lower(): value for value, name in sorted(members.items())}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One field of a record; `count` is 0 for a scalar. state() reports the elements from `listed` on."""

    path: str
    offset: int
    size: int
    count: int
    listed: int

    @property
    def code(self) -> str:
        """The format character of :mod:`struct`."""
        return _CODES[self.size]

    @property
    def elements(self) -> int:
        """How many values the field has: 1 for a scalar."""
        return max(self.count, 1)

    @property
    def end(self) -> int:
        """The offset behind the field."""
        return self.offset + self.size * self.elements


class Record(NamedTuple):
    """One kind of record: its size, all names, and the leaves that cover it once."""

    kind: str
    size: int
    leaves: dict[str, Leaf]
    listed: tuple[Leaf, ...]


class Shape(NamedTuple):
    """How many objects a machine has; `threads` is the number of hardware threads of all cores together."""

    cores: int
    threads: int
    vms: int
    vcpus: int
    sw_tlb: bool = False

    def counts(self) -> tuple[int, ...]:
        """The number of records of each kind, in the order of RECORDS."""
        core, thread, vm, vcpu, sw_tlb = self
        array = vcpu if sw_tlb else 0
        return (core, core, core, thread, thread, thread, vm, vcpu, vcpu, vcpu, core, vcpu, array)


class Field(NamedTuple):
    """Where a value lives in the state block."""

    name: str
    offset: int
    size: int


class Difference(NamedTuple):
    """A field in which two states differ."""

    field: str
    a: int
    b: int


def _walk(ctype: Any, prefix: str, base: int) -> Iterator[Leaf]:
    """Every named field below a struct, padding left out."""
    for name, field in ctype.fields or ():
        if _PAD.fullmatch(name):
            continue
        path, offset = prefix + name, base + field.offset
        if field.type.kind == "struct":
            yield from _walk(field.type, path + ".", offset)
        elif field.type.kind == "array":
            item = field.type.item
            yield Leaf(path, offset, ffi.sizeof(item), field.type.length or 0, 0)
        else:
            yield Leaf(path, offset, ffi.sizeof(field.type), 0, 0)


def _listing(kind: str, leaves: list[Leaf]) -> list[Leaf]:
    """The leaves with their `listed` number, so that kvm_run's union is listed through one view only."""
    if kind != "run":
        return leaves
    mmio_end = max(leaf.end for leaf in leaves if leaf.path.startswith("mmio."))
    result = []
    for leaf in leaves:
        arm = leaf.path.partition(".")[0]
        if arm in UNION and arm not in UNION_LISTED:
            leaf = replace(leaf, listed=leaf.elements)
        elif arm == "padding":
            leaf = replace(leaf, listed=mmio_end - leaf.offset)
        result.append(leaf)
    return result


def canonical(name: str) -> str:
    """The name under which a field is listed, from the one that vectors have for it."""
    for theirs, ours in ALIAS_PREFIXES.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return ALIASES.get(name, name)


def recorded_name(name: str) -> str:
    """The name that vectors have for a field, from the one under which it is listed."""
    for ours, theirs in _RECORDED_PREFIXES.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return _RECORDED.get(name, name)


@cache
def record(kind: str) -> Record:
    """The table of one record kind."""
    ctype = ffi.typeof(f"struct pyexit_{kind}")
    leaves = _listing(kind, sorted(_walk(ctype, "", 0), key=lambda leaf: leaf.offset))
    listed = tuple(leaf for leaf in leaves if leaf.listed < leaf.elements)
    return Record(kind, ffi.sizeof(ctype), {leaf.path: leaf for leaf in leaves}, listed)


def object_word(kind: str, number: int) -> str:
    """The first word of the fields of object `number`: ``vcpu``, ``vcpu1``, ``htlb0_1``."""
    if number == 0:
        return kind
    return f"{kind}_{number}" if kind[-1].isdigit() else f"{kind}{number}"


def element(word: str, leaf: Leaf, index: int) -> str:
    """The name of one value."""
    return f"{word}.{leaf.path}[{index}]" if leaf.count else f"{word}.{leaf.path}"


class Layout:
    """The state block of a machine of one shape: name to place, and whole states by name."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.objects: list[tuple[str, Record, int]] = []  # first word, record, offset
        self._first: dict[str, list[int]] = {}
        self._fields: dict[str, Field] = {}
        offset = 0
        for kind, count in zip(RECORDS, shape.counts(), strict=True):
            self._first[kind] = [offset + n * record(kind).size for n in range(count)]
            self.objects += [
                (object_word(kind, n), record(kind), at) for n, at in enumerate(self._first[kind])
            ]
            offset += count * record(kind).size
        self.size = offset

    def count(self, kind: str) -> int:
        """How many objects of a kind the machine has."""
        return len(self._first[kind])

    def object_offset(self, kind: str, number: int) -> int:
        """The offset of object `number` of a kind; FieldError if the machine does not have it."""
        offsets = self._first[kind]
        if number >= len(offsets):
            count = f"{len(offsets)} {kind} record{'' if len(offsets) == 1 else 's'}"
            raise FieldError(f"no {object_word(kind, number)}: this machine has {count}")
        return offsets[number]

    def field(self, name: str) -> Field:
        """Where `name` lives; FieldError names what is wrong with it."""
        found = self._fields.get(name)
        if found is None:
            found = self._fields[name] = self._resolve(name)
        return found

    def _resolve(self, name: str) -> Field:
        match = _NAME.fullmatch(canonical(name)) if isinstance(name, str) else None
        if match is None:
            raise FieldError(
                f"{name!r} is not a field name: write it like 'spr.MAS1' or 'vcpu.arch.regs.gpr[3]'"
            )
        kind, path = match["kind"], match["path"]
        if kind not in self._first:
            raise FieldError(f"no field {name!r}: no record {kind!r}{nearest(kind, RECORDS)}")
        number = int(match["number"] or 0)
        word = object_word(kind, number)
        if not canonical(name).startswith(word + "."):
            raise FieldError(f"no field {name!r}; did you mean {word + '.' + path!r}?")
        base = self.object_offset(kind, number)
        leaf = record(kind).leaves.get(path)
        if leaf is None:
            raise FieldError(
                f"no field {name!r}{nearest(name, [f'{word}.{known}' for known in record(kind).leaves])}"
            )
        index = _index(name, leaf, match["index"])
        return Field(element(word, leaf, index), base + leaf.offset + index * leaf.size, leaf.size)

    def names(self) -> Iterator[str]:
        """The names of all values that state() can report, in the order of the block."""
        for word, rec, _ in self.objects:
            for leaf in rec.listed:
                for index in range(leaf.listed, leaf.elements):
                    yield element(word, leaf, index)

    def values(self, state: bytes) -> dict[str, int]:
        """The fields of a state block that are not 0, by name."""
        return {field: value for field, value, _ in self._compare(state, bytes(self.size))}

    def diff(self, a: bytes, b: bytes) -> list[Difference]:
        """The fields in which two state blocks differ."""
        return [Difference(*found) for found in self._compare(a, b)]

    def _compare(self, a: bytes, b: bytes) -> Iterator[tuple[str, int, int]]:
        if a == b:
            return
        for word, rec, base in self.objects:
            end = base + rec.size
            if a[base:end] != b[base:end]:
                for leaf in rec.listed:
                    yield from _compare_leaf(word, leaf, a, b, base)

    def pack(self, values: Mapping[str, int], state: bytes | None = None) -> bytes:
        """A state block: `state` (default: zeros) with `values` in it."""
        block = bytearray(self.size if state is None else state)
        for name, value in values.items():
            field = self.field(name)
            block[field.offset : field.offset + field.size] = encode(field, value)
        return bytes(block)


@cache
def layout_of(shape: Shape) -> Layout:
    """The layout of a shape; machines of one shape share it and the names that it has looked up."""
    return Layout(shape)


def _index(name: str, leaf: Leaf, index: str | None) -> int:
    """The element that a name selects."""
    if not leaf.count and index is not None:
        raise FieldError(f"no field {name!r}: {leaf.path} is not an array")
    if leaf.count and index is None:
        raise FieldError(f"{name!r} is an array of {leaf.count}: write {name}[i]")
    if leaf.count and int(index or 0) >= leaf.count:
        raise FieldError(f"no field {name!r}: the array has {leaf.count} elements")
    return int(index or 0)


def _compare_leaf(word: str, leaf: Leaf, a: bytes, b: bytes, base: int) -> Iterator[tuple[str, int, int]]:
    start, end = base + leaf.offset + leaf.listed * leaf.size, base + leaf.end
    if a[start:end] == b[start:end]:
        return
    form = f"<{leaf.elements - leaf.listed}{leaf.code}"
    pairs = zip(struct.unpack_from(form, a, start), struct.unpack_from(form, b, start), strict=True)
    for index, (left, right) in enumerate(pairs, leaf.listed):
        if left != right:
            yield element(word, leaf, index), left, right


def encode(field: Field, value: int) -> bytes:
    """The bytes of a field's value; TypeError or ValueError if it is not an integer of its width."""
    if not isinstance(value, int):
        raise TypeError(f"{field.name} takes an int, not {type(value).__name__}")
    if value < 0 or value >> (8 * field.size):
        raise ValueError(f"{field.name} is {8 * field.size} bits wide: {value:#x} does not fit")
    return value.to_bytes(field.size, "little")
