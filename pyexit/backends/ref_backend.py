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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from importlib import import_module
from operator import attrgetter
from typing import Any, NamedTuple

from pyexit.actions import Action, raw
from pyexit.backends.base import (
    EVENT,
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
    RawViolation,
    Result,
)
from pyexit.io.events import Event
from pyexit.layout import UNION, Layout, Leaf, record
from pyexit.ref.hw.core import Params as RefParams
from pyexit.ref.hw.core import params as ref_params

#: So few fields are compared one by one; so short an array, in bytes, is set as a whole.
_FEW, _SHORT = 16, 1024

#: kvm_run's union is one bytearray in the reference.
_UNION = "union"
#: Record kinds that belong to the hardware; the others are attributes of World.
_HARDWARE = frozenset({"htlb0", "htlb1", "core", "spr", "thread", "lrat"})


def params(model: str, param_set: str) -> Params:
    """The reference's own table of parameters, as a dict."""
    filled = ref_params(MODELS[model], PARAM_SETS[param_set])
    values = {item.name: getattr(filled, item.name) for item in fields(RefParams)}
    return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}


def create(options: Options) -> Reference:
    """A machine of the reference."""
    return Reference("ref", options)


class Model(NamedTuple):
    """The modules of the reference that a machine is made of: pyexit.ref's, or the same compiled."""

    api: Any
    core: Any
    memory: Any
    lowlevel: Any


@cache
def model(name: str) -> Model:
    """The modules of pyexit.ref or pyexit.refc."""
    modules = (f"pyexit.{name}.{room}" for room in ("api", "hw.core", "hw.memory", "kvm.lowlevel"))
    return Model(*map(import_module, modules))


class Slot(NamedTuple):
    """Where one leaf lives: an attribute of an object of the reference, and its bytes in the record."""

    name: str
    path: str
    start: int
    end: int
    size: int  # of an element
    length: int  # of an array in elements; 0 for a scalar
    code: str  # of an element, as struct has it
    group: int  # of the codec
    place: int  # in the group


class Group(NamedTuple):
    """The leaves that are attributes of one object: a getter of it, and one of all of them."""

    owner: Callable[[Any], Any]
    gather: Callable[[Any], tuple[Any, ...]]
    slots: tuple[Slot, ...]


class Codec:
    """One record kind: objects of the reference to bytes and back."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        leaves = _leaves(kind)
        owners: dict[str, list[Slot]] = {}
        self.slots: list[Slot] = []
        for leaf in leaves:
            path, _, name = leaf.path.rpartition(".")
            group = owners.setdefault(path, [])
            bounds = leaf.offset, leaf.end, leaf.size, leaf.count, leaf.code
            self.slots.append(Slot(name, leaf.path, *bounds, list(owners).index(path), len(group)))
            group.append(self.slots[-1])
        self.groups = [_group(path, slots) for path, slots in owners.items()]
        self.padding = _padding(record(kind).size, leaves)
        self.places = {
            (start, slot.size): (slot, index)
            for slot in self.slots
            for index, start in enumerate(range(slot.start, slot.end, slot.size))
        }

    def put(self, data: bytearray, slot: Slot, value: Any) -> None:
        """The bytes of one field."""
        try:
            if slot.length:
                struct.pack_into(f"<{slot.length}{slot.code}", data, slot.start, *value)
            else:
                data[slot.start : slot.end] = value.to_bytes(slot.size, "little")
        except (AttributeError, OverflowError, struct.error) as error:
            wrong = f"{self.kind}.{slot.path} = {value!r}"
            raise ValueError(f"the reference holds a value that does not fit: {wrong}") from error


def _group(path: str, slots: list[Slot]) -> Group:
    owner: Callable[[Any], Any] = attrgetter(path) if path else _itself
    get = attrgetter(*(slot.name for slot in slots))
    # attrgetter of a single name gives its value and no tuple.
    return Group(owner, get if len(slots) > 1 else lambda found: (get(found),), tuple(slots))


def _itself(obj: Any) -> Any:
    return obj


def _padding(size: int, leaves: Sequence[Leaf]) -> int:
    """The bytes of a record that belong to no field, as the ones of a number."""
    mask = bytearray(b"\xff" * size)
    for leaf in leaves:
        mask[leaf.offset : leaf.end] = bytes(leaf.end - leaf.offset)
    return int.from_bytes(mask, "little")


def _leaves(kind: str) -> list[Leaf]:
    """The leaves of a record that do not overlap, in order; the union of kvm_run as one."""
    leaves = [leaf for leaf in record(kind).leaves.values() if leaf.path.partition(".")[0] not in UNION]
    if kind == "run":
        leaves.append(replace(record(kind).leaves["padding"], path=_UNION))
    return sorted(leaves, key=lambda leaf: leaf.offset)


@cache
def codec(kind: str) -> Codec:
    """The codec of a record kind."""
    return Codec(kind)


class Object:
    """One record of a machine: its place in the state block, its object in the reference, its bytes.

    `kept` are the values that the bytes stand for, group by group; its arrays are copies.
    """

    def __init__(self, start: int, end: int, codec: Codec, obj: Any) -> None:
        self.start, self.end, self.codec, self.obj = start, end, codec, obj
        self.data = bytes(end - start)
        self._kept: list[list[Any]] = [[None] * len(group.slots) for group in codec.groups]

    def image(self) -> bytes:
        """The bytes of the record, made anew where a value has changed."""
        obj, put = self.obj, self.codec.put
        changed: bytearray | None = None
        for kept, (owner, gather, slots) in zip(self._kept, self.codec.groups, strict=True):
            values = gather(owner(obj))
            if values == tuple(kept):
                continue
            changed = changed or bytearray(self.data)
            for place, (old, value) in enumerate(zip(kept, values, strict=True)):
                if value is not old and value != old:
                    put(changed, slots[place], value)
                    kept[place] = value[:] if slots[place].length else value
        if changed is not None:
            self.data = bytes(changed)
        return self.data

    def load(self, data: bytes) -> None:
        """Set what differs between the bytes that the object has, which are up to date, and new ones."""
        padding, new = self.codec.padding, data
        if padding:
            new = (int.from_bytes(data, "little") & ~padding).to_bytes(len(data), "little")
        for slot in self._differing(new):
            owner = self.codec.groups[slot.group].owner(self.obj)
            if slot.length:
                self._set_array(slot, owner, new)
            else:
                self._set(slot, owner, new)
        self.data = new

    def _differing(self, new: bytes) -> list[Slot]:
        """The fields whose bytes differ: halves are compared until a field is left."""
        old, slots = self.data, self.codec.slots
        if len(slots) <= _FEW:
            return [slot for slot in slots if old[slot.start : slot.end] != new[slot.start : slot.end]]
        found: list[Slot] = []
        waiting = [(0, len(slots))]
        while waiting:
            first, end = waiting.pop()
            start, stop = slots[first].start, slots[end - 1].end
            if old[start:stop] == new[start:stop]:
                continue
            if end - first == 1:
                found.append(slots[first])
                continue
            middle = (first + end) // 2
            waiting += [(first, middle), (middle, end)]
        return found

    def _set(self, slot: Slot, owner: Any, data: bytes) -> None:
        """Set one field that is no array."""
        value = int.from_bytes(data[slot.start : slot.end], "little")
        setattr(owner, slot.name, value)
        self._kept[slot.group][slot.place] = value

    def _set_array(self, slot: Slot, owner: Any, data: bytes) -> None:
        """Set the elements of an array from the first to the last that differ."""
        first, end = 0, slot.end - slot.start
        if end > _SHORT:
            first, end = _span(self.data[slot.start : slot.end], data[slot.start : slot.end])
        first, end = first // slot.size, -(-end // slot.size)
        values = struct.unpack_from(f"<{end - first}{slot.code}", data, slot.start + first * slot.size)
        getattr(owner, slot.name)[first:end] = values
        self._kept[slot.group][slot.place][first:end] = values


def _span(old: bytes, new: bytes) -> tuple[int, int]:
    """From the first byte that differs to the last, by halves; there is one."""
    first, end = 0, len(old)
    while end - first > 1:
        middle = (first + end) // 2
        if old[first:middle] != new[first:middle]:
            end = middle
        else:
            first = middle
    begin, end = first, len(old)
    while end - first > 1:
        middle = (first + end) // 2
        if old[middle:end] != new[middle:end]:
            first = middle
        else:
            end = middle
    return begin, end


class Reference:
    """A World of the reference; `name` says of which of its two forms."""

    def __init__(self, name: str, options: Options) -> None:
        self.name, self.options = name, options
        self._api, core, self._memory, self._lowlevel = model(name)
        base = core.params(MODELS[options.model], PARAM_SETS[options.param_set])
        for name, value in options.overrides.items():
            setattr(base, name, list(value) if name == "mas_mask" else value)
        self.params = options.params(params(options.model, options.param_set))
        self.layout = options.layout(self.params)
        threads = self.layout.shape.threads
        self._ram = [
            self._memory.Ram(item.base, item.size, memoryview(item.memory).cast("B"), set())
            for item in options.ram
        ]
        self._world = self._api.new_world(
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
        self._touched = True  # whether the objects may have changed since their bytes were made

    def call_names(self) -> tuple[str, ...]:
        """The functions that call() knows."""
        return tuple(self._api.CALLS)

    def call(self, name: str, args: Sequence[int]) -> Result:
        """pyexit.ref.api.call()."""
        with self._ring():
            return Result(*self._api.call(self._world, name, list(args)))

    def repeat(self, name: str, args: Sequence[int], times: int) -> Result:
        """The same call, `times` times."""
        for _ in range(times - 1):
            self.call(name, args)
        return self.call(name, args)

    def translate(self, vcpu: int, ea: int, size: int, access: int, probe: bool) -> RawTranslation:
        """pyexit.ref.api.translate()."""
        with self._ring():
            return RawTranslation(*self._api.translate(self._world, vcpu, ea, size, access, probe))

    def guest_op(self, vcpu: int, instruction: int) -> RawEnd:
        """pyexit.ref.api.guest_op()."""
        with self._ring():
            return RawEnd(*self._api.guest_op(self._world, vcpu, instruction))

    def interrupt(self, vcpu: int, ivor: int, esr: int, dear: int) -> RawEnd:
        """pyexit.ref.api.interrupt()."""
        with self._ring():
            return RawEnd(*self._api.interrupt(self._world, vcpu, ivor, esr, dear))

    def enter(self, vcpu: int) -> RawResume:
        """pyexit.ref.api.enter()."""
        with self._ring():
            return RawResume(*self._api.enter(self._world, vcpu))

    def exit(self, vcpu: int, exit_nr: int) -> RawResume:
        """pyexit.ref.api.exit_()."""
        with self._ring():
            return RawResume(*self._api.exit_(self._world, vcpu, exit_nr))

    def exits(self, records: bytes) -> bytes:
        """pyexit.ref.api.exits()."""
        exits = [self._lowlevel.ExitRecord(*values) for values in EXIT_RECORD.iter_unpack(records)]
        with self._ring():
            return b"".join(RESUME.pack(*resume) for resume in self._api.exits(self._world, exits))

    def pin(self, thread: int, pin: int, level: int) -> None:
        """pyexit.ref.api.pin()."""
        self._touched = True
        self._api.pin(self._world, thread, pin, level)

    def pending(self, vcpu: int) -> RawEnd:
        """pyexit.ref.api.pending()."""
        with self._ring():
            return RawEnd(*self._api.pending(self._world, vcpu))

    def advance(self, ticks: int) -> None:
        """pyexit.ref.api.advance()."""
        with self._ring():
            self._api.advance(self._world, ticks)

    def interleave(self, actions: Sequence[Action]) -> None:
        """pyexit.ref.api.interleave()."""
        self._api.interleave(self._world, [raw(action, self.call_names()) for action in actions])

    def invariants(self) -> list[RawViolation]:
        """pyexit.ref.api.invariants()."""
        return [RawViolation(*found) for found in self._api.invariants(self._world)]

    @contextmanager
    def _ring(self) -> Iterator[None]:
        """A full ring keeps what it has and counts what it loses, as the core's does."""
        self._touched = True
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
        value = getattr(item.codec.groups[slot.group].owner(item.obj), slot.name)
        return int(value[index] if slot.length else value).to_bytes(size, "little")

    def write(self, offset: int, data: bytes) -> None:
        """Change bytes of the state block."""
        if offset < 0 or offset + len(data) > self.layout.size:
            raise OSError(22, f"state write at {offset}: outside the block")
        item = self._find(offset, len(data))
        place = item.codec.places.get((offset - item.start, len(data))) if item else None
        if item is None or place is None:
            self._patch(offset, data)
            return
        self._touched = True
        slot, index = place
        owner, value = item.codec.groups[slot.group].owner(item.obj), int.from_bytes(data, "little")
        if slot.length:
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
        if self._touched:
            for item in self._objects:
                item.image()
            self._touched = False
        return b"".join([item.data for item in self._objects])

    def load_state(self, state: bytes | bytearray) -> None:
        """Set every object from a state block."""
        if self._touched:
            self.state()
        state = bytes(state)
        for item in self._objects:
            data = state[item.start : item.end]
            if data != item.data:
                item.load(data)

    def read_ram(self, address: int, size: int) -> bytes:
        """RAM."""
        return bytes(self._memory.read(self._world.hw.memory, address, size))

    def write_ram(self, address: int, data: bytes) -> None:
        """Store in RAM."""
        self._memory.write(self._world.hw.memory, address, data)

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

    def raw_events(self) -> bytes:
        """The events so far as struct pyexit_event."""
        ring = self._world.hw.events
        taken = b"".join([EVENT.pack(event.kind, event.detail, *event.arg) for event in ring])
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
