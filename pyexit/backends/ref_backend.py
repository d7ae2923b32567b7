# SPDX-License-Identifier: BSD-3-Clause
"""The reference model as a backend (design.md 4): its objects, and the codec to the bytes of the state block.

The codec is worked out once per record kind: one getter that gathers all fields of an object, one
:class:`struct.Struct` that packs them. Padding is written as zeros and not read. An object that has not
changed since its bytes were last made keeps them, and of a state that is loaded only what differs is set: a
machine with its TLBs has ten thousand values, and a verb touches a handful.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

from pyexit.actions import Action, raw
from pyexit.backends.base import (
    EXIT_RECORD,
    FETCHES,
    HANDLERS,
    MODELS,
    PARAM_SETS,
    RESUME,
    Options,
    Params,
    RawEnd,
    RawResume,
    RawTranslation,
    Result,
)
from pyexit.io.events import Event
from pyexit.layout import UNION, Layout, Leaf, record
from pyexit.ref import api
from pyexit.ref.hw.core import params as ref_params
from pyexit.ref.hw.memory import Ram, read, write
from pyexit.ref.kvm.lowlevel import ExitRecord

#: kvm_run's union is one bytearray in the reference.
_UNION = "union"
#: Record kinds that belong to the hardware; the others are attributes of World.
_HARDWARE = frozenset({"htlb0", "htlb1", "core", "spr", "thread", "lrat"})


def params(model: str, param_set: str) -> Params:
    """The reference's own table of parameters, as a dict."""
    filled = ref_params(MODELS[model], PARAM_SETS[param_set])
    values = {item.name: getattr(filled, item.name) for item in fields(filled)}
    return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}


def create(options: Options) -> Reference:
    """A machine of the reference."""
    return Reference(options)


class Slot(NamedTuple):
    """Where one leaf lives in a reference object: the attribute, in the object at `path` below the record."""

    path: str
    name: str
    leaf: Leaf
    start: int  # index of the first value among those of the record

    def owner(self, obj: Any) -> Any:
        """The object that has the attribute."""
        return attrgetter(self.path)(obj) if self.path else obj


class Codec:
    """One record kind: objects of the reference to bytes and back."""

    def __init__(self, kind: str) -> None:
        self.slots: list[Slot] = []
        form, end, values = ["<"], 0, 0
        for leaf in _leaves(kind):
            path, _, name = leaf.path.rpartition(".")
            self.slots.append(Slot(path, name, leaf, values))
            form.append(f"{leaf.offset - end}x{leaf.elements}{leaf.code}")
            end, values = leaf.end, values + leaf.elements
        form.append(f"{record(kind).size - end}x")
        self.kind = kind
        self.struct = struct.Struct("".join(form))
        self.gather = attrgetter(*(slot.leaf.path for slot in self.slots))
        self.starts = [slot.leaf.offset for slot in self.slots]
        self.places = {
            (slot.leaf.offset + index * slot.leaf.size, slot.leaf.size): (slot, index)
            for slot in self.slots
            for index in range(slot.leaf.elements)
        }

    def encode(self, obj: Any, gathered: tuple[Any, ...]) -> bytes:
        """The bytes of the record, from what gather() says of the object."""
        values: list[int] = []
        for slot, value in zip(self.slots, gathered, strict=True):
            if slot.leaf.count:
                values += value
            else:
                values.append(value)
        try:
            return self.struct.pack(*values)
        except struct.error as error:
            raise ValueError(f"the reference holds a value that does not fit: {self._misfit(obj)}") from error

    def update(self, obj: Any, old: bytes, new: bytes) -> None:
        """Set what differs between the bytes that the object has and new ones."""
        differing = int.from_bytes(old, "little") ^ int.from_bytes(new, "little")
        done = 0  # in bytes
        while differing >> 8 * done:
            at = ((differing >> 8 * done & -(differing >> 8 * done)).bit_length() - 1) // 8 + done
            slot = self.slots[bisect_right(self.starts, at) - 1]
            if slot.leaf.offset <= at < slot.leaf.end:  # else it is padding
                _update(slot, obj, old, new)
            done = max(slot.leaf.end, at + 1)

    def _misfit(self, obj: Any) -> str:
        for slot, found in zip(self.slots, self.gather(obj), strict=True):
            for value in found if slot.leaf.count else [found]:
                if not isinstance(value, int) or value < 0 or value >> (8 * slot.leaf.size):
                    return f"{self.kind}.{slot.leaf.path} = {value!r}"
        return f"{self.kind} has an array of the wrong length"


def _leaves(kind: str) -> list[Leaf]:
    """The leaves of a record that do not overlap, in order; the union of kvm_run as one."""
    leaves = [leaf for leaf in record(kind).leaves.values() if leaf.path.partition(".")[0] not in UNION]
    if kind == "run":
        leaves.append(replace(record(kind).leaves["padding"], path=_UNION))
    return sorted(leaves, key=lambda leaf: leaf.offset)


def _update(slot: Slot, obj: Any, old: bytes, new: bytes) -> None:
    """Set one field, of an array the elements from the first to the last that differ."""
    leaf, owner = slot.leaf, slot.owner(obj)
    if not leaf.count:
        setattr(owner, slot.name, int.from_bytes(new[leaf.offset : leaf.end], "little"))
        return
    before, after = old[leaf.offset : leaf.end], new[leaf.offset : leaf.end]
    differing = int.from_bytes(before, "little") ^ int.from_bytes(after, "little")
    bits = 8 * leaf.size
    first, end = ((differing & -differing).bit_length() - 1) // bits, -(-differing.bit_length() // bits)
    form = f"<{end - first}{leaf.code}"
    getattr(owner, slot.name)[first:end] = struct.unpack_from(form, after, first * leaf.size)


@cache
def codec(kind: str) -> Codec:
    """The codec of a record kind."""
    return Codec(kind)


class Object:
    """One record of a machine: its place in the state block, its object in the reference, its bytes."""

    def __init__(self, start: int, end: int, codec: Codec, obj: Any) -> None:
        self.start, self.end, self.codec, self.obj = start, end, codec, obj
        self._gathered: tuple[Any, ...] = ()
        self._data = b""

    def image(self) -> bytes:
        """The bytes of the record; those of the last time if no value has changed."""
        gathered = self.codec.gather(self.obj)
        if gathered != self._gathered:
            self._data = self.codec.encode(self.obj, gathered)
            self._keep(gathered)
        return self._data

    def load(self, data: bytes) -> None:
        """Set the object from bytes."""
        old = self.image()
        if data != old:
            self.codec.update(self.obj, old, data)
            self._keep(self.codec.gather(self.obj))
            # Padding stays 0, whatever the bytes had there.
            self._data = self.codec.encode(self.obj, self._gathered)

    def _keep(self, gathered: tuple[Any, ...]) -> None:
        self._gathered = tuple(value if isinstance(value, int) else value.copy() for value in gathered)


class Reference:
    """A World of the reference."""

    name = "ref"

    def __init__(self, options: Options) -> None:
        self.options = options
        base = ref_params(MODELS[options.model], PARAM_SETS[options.param_set])
        for name, value in options.overrides.items():
            setattr(base, name, list(value) if name == "mas_mask" else value)
        self.params = options.params(params(options.model, options.param_set))
        self.layout = options.layout(self.params)
        threads = self.layout.shape.threads
        self._ram = [
            Ram(item.base, item.size, memoryview(item.memory).cast("B"), set()) for item in options.ram
        ]
        self._world = api.new_world(
            MODELS[options.model],
            base,
            FETCHES[options.fetch],
            options.cores,
            options.vms,
            options.vcpus,
            list(options.vcpu_thread or (n % threads for n in range(options.vcpus))),
            list(options.vcpu_vm or (n % options.vms for n in range(options.vcpus))),
            self._ram,
            HANDLERS[options.handler],
            options.sw_tlb,
        )
        self._objects = _objects(self._world, self.layout)
        self._starts = [item.start for item in self._objects]
        self._lost = 0

    def call_names(self) -> tuple[str, ...]:
        """The functions that call() knows."""
        return tuple(api.CALLS)

    def call(self, name: str, args: Sequence[int]) -> Result:
        """pyexit.ref.api.call()."""
        with self._ring():
            return Result(*api.call(self._world, name, list(args)))

    def repeat(self, name: str, args: Sequence[int], times: int) -> Result:
        """The same call, `times` times."""
        for _ in range(times - 1):
            self.call(name, args)
        return self.call(name, args)

    def translate(self, vcpu: int, ea: int, size: int, access: int, probe: bool) -> RawTranslation:
        """pyexit.ref.api.translate()."""
        with self._ring():
            return RawTranslation(*api.translate(self._world, vcpu, ea, size, access, probe))

    def guest_op(self, vcpu: int, instruction: int) -> RawEnd:
        """pyexit.ref.api.guest_op()."""
        with self._ring():
            return RawEnd(*api.guest_op(self._world, vcpu, instruction))

    def interrupt(self, vcpu: int, ivor: int, esr: int, dear: int) -> RawEnd:
        """pyexit.ref.api.interrupt()."""
        with self._ring():
            return RawEnd(*api.interrupt(self._world, vcpu, ivor, esr, dear))

    def enter(self, vcpu: int) -> RawResume:
        """pyexit.ref.api.enter()."""
        with self._ring():
            return RawResume(*api.enter(self._world, vcpu))

    def exit(self, vcpu: int, exit_nr: int) -> RawResume:
        """pyexit.ref.api.exit_()."""
        with self._ring():
            return RawResume(*api.exit_(self._world, vcpu, exit_nr))

    def exits(self, records: bytes) -> bytes:
        """pyexit.ref.api.exits()."""
        exits = [ExitRecord(*values) for values in EXIT_RECORD.iter_unpack(records)]
        with self._ring():
            return b"".join(RESUME.pack(*resume) for resume in api.exits(self._world, exits))

    def pin(self, thread: int, pin: int, level: int) -> None:
        """pyexit.ref.api.pin()."""
        api.pin(self._world, thread, pin, level)

    def pending(self, vcpu: int) -> RawEnd:
        """pyexit.ref.api.pending()."""
        with self._ring():
            return RawEnd(*api.pending(self._world, vcpu))

    def advance(self, ticks: int) -> None:
        """pyexit.ref.api.advance()."""
        with self._ring():
            api.advance(self._world, ticks)

    def interleave(self, actions: Sequence[Action]) -> None:
        """pyexit.ref.api.interleave()."""
        api.interleave(self._world, [raw(action, self.call_names()) for action in actions])

    @contextmanager
    def _ring(self) -> Iterator[None]:
        """A full ring keeps what it has and counts what it loses, as the core's does."""
        try:
            yield
        finally:
            self._trim(self._world.hw.events)

    def _trim(self, ring: list[Any]) -> None:
        excess = len(ring) - self.options.events
        if excess > 0:
            self._lost += excess
            del ring[-excess:]

    def _find(self, offset: int, size: int) -> Object | None:
        """The record in which the bytes lie, if it is a single one."""
        item = self._objects[max(bisect_right(self._starts, offset) - 1, 0)]
        return item if item.start <= offset and offset + size <= item.end else None

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the state block."""
        item = self._find(offset, size)
        if item is None:
            return self.state()[offset : offset + size]
        place = item.codec.places.get((offset - item.start, size))
        if place is None:
            return item.image()[offset - item.start :][:size]
        slot, index = place
        value = getattr(slot.owner(item.obj), slot.name)
        return int(value[index] if slot.leaf.count else value).to_bytes(size, "little")

    def write(self, offset: int, data: bytes) -> None:
        """Change bytes of the state block."""
        if offset < 0 or offset + len(data) > self.layout.size:
            raise OSError(22, f"state write at {offset}: outside the block")
        item = self._find(offset, len(data))
        place = item.codec.places.get((offset - item.start, len(data))) if item else None
        if item is None or place is None:
            self._patch(offset, data)
            return
        slot, index = place
        owner, value = slot.owner(item.obj), int.from_bytes(data, "little")
        if slot.leaf.count:
            getattr(owner, slot.name)[index] = value
        else:
            setattr(owner, slot.name, value)

    def _patch(self, offset: int, data: bytes) -> None:
        state = bytearray(self.state())
        state[offset : offset + len(data)] = data
        self.load_state(bytes(state))

    def write_all(self, places: Sequence[tuple[int, bytes]]) -> None:
        """Change several places of the state block."""
        for offset, data in places:
            self.write(offset, data)

    def state(self) -> bytes:
        """The state block."""
        return b"".join([item.image() for item in self._objects])

    def load_state(self, state: bytes) -> None:
        """Set every object from a state block."""
        for item in self._objects:
            item.load(state[item.start : item.end])

    def read_ram(self, address: int, size: int) -> bytes:
        """RAM."""
        return bytes(read(self._world.hw.memory, address, size))

    def write_ram(self, address: int, data: bytes) -> None:
        """Store in RAM."""
        write(self._world.hw.memory, address, data)

    def dirty_pages(self) -> set[int]:
        """The pages stored to since the last question."""
        pages: set[int] = set().union(*(item.dirty for item in self._ram))
        for item in self._ram:
            item.dirty.clear()
        return pages

    def events(self) -> list[Event]:
        """The events so far."""
        ring = self._world.hw.events
        taken = [Event(event.kind, event.detail, tuple(event.arg)) for event in ring]
        ring.clear()
        return taken

    def lost_events(self) -> int:
        """Events that found the ring full."""
        lost, self._lost = self._lost, 0
        return lost

    def close(self) -> None:
        """Let go of lent memory."""
        self._objects = []
        for item in self._ram:
            item.data.release()


def _objects(world: Any, layout: Layout) -> list[Object]:
    """The objects of a world in the order of the state block."""
    seen: dict[str, int] = {}
    result = []
    for _, rec, start in layout.objects:
        number = seen[rec.kind] = seen.get(rec.kind, -1) + 1
        room = world.hw if rec.kind in _HARDWARE else world
        obj = getattr(room, rec.kind)[number]
        result.append(Object(start, start + rec.size, codec(rec.kind), obj))
    return result
