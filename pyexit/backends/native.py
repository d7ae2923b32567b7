# SPDX-License-Identifier: BSD-3-Clause
"""The C core as a backend (design.md 3): everything goes through the functions of csrc/include/pyexit.h."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyexit.actions import Action, raw
from pyexit.backends._core import ffi, lib
from pyexit.backends.base import (
    EVENT,
    EXIT_RECORD,
    FETCHES,
    HANDLERS,
    MODELS,
    PAGE_SIZE,
    PARAM_SETS,
    RESUME,
    SEARCHES,
    Options,
    Params,
    RamRange,
    RawEnd,
    RawResume,
    RawTranslation,
    RawViolation,
    Result,
)
from pyexit.io.events import Event
from pyexit.layout import RECORDS

_ARGS = 8  # a call with more arguments gets a longer array
_EVENTS = 256  # taken out of the ring at a time
_CHUNK = 1024  # bytes of a dirty bitmap looked at together

if lib.pyexit_abi_check(lib.PYEXIT_ABI_MAJOR, lib.PYEXIT_ABI_MINOR):
    raise ImportError(
        f"the pyexit core is not of ABI {lib.PYEXIT_ABI_MAJOR}.{lib.PYEXIT_ABI_MINOR}; rebuild it"
    )


def check(error: int, what: str) -> None:
    """Raise the OSError of a negative return value."""
    if error < 0:
        raise OSError(-error, f"{what}: {ffi.string(lib.pyexit_strerror(error)).decode()}")


def params(model: str, param_set: str) -> Params:
    """struct pyexit_params of a set, as a dict."""
    filled = ffi.new("struct pyexit_params *")
    check(lib.pyexit_params(MODELS[model], PARAM_SETS[param_set], filled), "pyexit_params")
    names = [name for name, _ in ffi.typeof("struct pyexit_params").fields if name not in ("size", "pad")]
    values = {name: getattr(filled, name) for name in names}
    return {name: value if isinstance(value, int) else list(value) for name, value in values.items()}


def create(options: Options) -> Native:
    """A machine of the C core."""
    return Native(options)


class Native:
    """struct pyexit_machine, with the memory that it was lent kept alive."""

    name = "native"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.params = options.params(params(options.model, options.param_set))
        self.layout = options.layout(self.params)
        self._dirty = [bytearray((item.size // PAGE_SIZE + 7) // 8) for item in options.ram]
        self._bitmaps = [ffi.from_buffer("uint8_t[]", bitmap) for bitmap in self._dirty]
        self._clean = [bytes(len(bitmap)) for bitmap in self._dirty]
        self._host = [
            ffi.from_buffer("uint8_t[]", item.memory, require_writable=True) for item in options.ram
        ]
        self.raw = self._new()
        size = ffi.new("size_t *")
        self._state = ffi.buffer(lib.pyexit_state(self.raw, size), self.layout.size)
        self._check_layout(size[0])
        self._args = ffi.new("uint64_t[]", _ARGS)
        self._result = ffi.new("struct pyexit_result *")
        self._translation = ffi.new("struct pyexit_translation *")
        self._end = ffi.new("struct pyexit_end *")
        self._resume = ffi.new("struct pyexit_resume *")
        self._events = ffi.new("struct pyexit_event[]", _EVENTS)
        self._names: dict[str, Any] = {name: ffi.new("char[]", name.encode()) for name in self.call_names()}

    def _new(self) -> Any:
        opts = self.options
        keep = self._ram(), self._params(), *map(_numbers, (opts.vcpu_thread, opts.vcpu_vm))
        ram, filled, thread, vm = keep
        out = ffi.new("struct pyexit_machine **")
        fields = {
            "size": ffi.sizeof("struct pyexit_options"),
            "model": MODELS[opts.model],
            "fetch": FETCHES[opts.fetch],
            "params": filled,
            "cores": opts.cores,
            "vms": opts.vms,
            "vcpus": opts.vcpus,
            "events": opts.events,
            "handler": HANDLERS[opts.handler],
            "sw_tlb": opts.sw_tlb,
            "search": SEARCHES[opts.search],
            "lookaside": opts.lookaside,
            "lookaside_checked": opts.lookaside_checked,
            "vcpu_thread": thread,
            "vcpu_vm": vm,
            "ram": ram,
            "ram_count": len(opts.ram),
        }
        check(lib.pyexit_machine_new(ffi.new("struct pyexit_options *", fields), out), "new machine")
        return ffi.gc(out[0], lib.pyexit_machine_free)

    def _params(self) -> Any:
        return ffi.new("struct pyexit_params *", {"size": ffi.sizeof("struct pyexit_params"), **self.params})

    def _ram(self) -> Any:
        ram = ffi.new("struct pyexit_ram[]", len(self.options.ram))
        for entry, item, host, dirty in zip(ram, self.options.ram, self._host, self._bitmaps, strict=True):
            entry.base, entry.size, entry.host, entry.dirty = item.base, item.size, host, dirty
        return ram

    def _check_layout(self, size: int) -> None:
        """The offsets that layout.py works out must be those of the core."""
        kinds = [(number, kind) for number, kind in enumerate(RECORDS) if self.layout.count(kind)]
        ours = [self.layout.object_offset(kind, 0) for _, kind in kinds]
        theirs = [lib.pyexit_state_offset(self.raw, number, 0) for number, _ in kinds]
        if size != self.layout.size or ours != theirs:
            raise ImportError("the state block of the core is laid out otherwise than its header says")

    def call_names(self) -> tuple[str, ...]:
        """The functions that call() knows."""
        names: list[str] = []
        while (name := lib.pyexit_call_name(self.raw, len(names))) != ffi.NULL:
            names.append(ffi.string(name).decode())
        return tuple(names)

    def call(self, name: str, args: Sequence[int]) -> Result:
        """pyexit_call()."""
        return self.repeat(name, args, 1)

    def repeat(self, name: str, args: Sequence[int], times: int) -> Result:
        """pyexit_repeat(): the loop is in C."""
        count = len(args)
        array = self._args if count <= _ARGS else ffi.new("uint64_t[]", count)
        array[0:count] = args
        result = self._result
        known = self._names.get(name) or name.encode()
        error = lib.pyexit_repeat(self.raw, known, array, count, times, result)
        if error:
            check(error, f"{name}({', '.join(map(hex, args))})")
        value = result.value
        return Result(result.ret, tuple(value), result.outcome, result.site)

    def translate(self, vcpu: int, ea: int, size: int, access: int, probe: bool) -> RawTranslation:
        """pyexit_translate()."""
        out = self._translation
        error = lib.pyexit_translate(self.raw, vcpu, ea, size, access, probe, out)
        if error:
            check(error, f"translate(vcpu={vcpu}, size={size}, access={access})")
        return RawTranslation(
            out.outcome, out.ivor, out.real, out.real2, out.page_size, out.perms, out.attributes
        )

    def guest_op(self, vcpu: int, instruction: int) -> RawEnd:
        """pyexit_guest_op()."""
        error = lib.pyexit_guest_op(self.raw, vcpu, instruction, self._end)
        return self._ended(error, f"guest_op(vcpu={vcpu}, instruction={instruction:#010x})")

    def interrupt(self, vcpu: int, ivor: int, esr: int, dear: int) -> RawEnd:
        """pyexit_interrupt()."""
        error = lib.pyexit_interrupt(self.raw, vcpu, ivor, esr, dear, self._end)
        return self._ended(error, f"interrupt(vcpu={vcpu}, ivor={ivor})")

    def enter(self, vcpu: int) -> RawResume:
        """pyexit_enter()."""
        return self._resumed(lib.pyexit_enter(self.raw, vcpu, self._resume), f"enter(vcpu={vcpu})")

    def exit(self, vcpu: int, exit_nr: int) -> RawResume:
        """pyexit_exit()."""
        error = lib.pyexit_exit(self.raw, vcpu, exit_nr, self._resume)
        return self._resumed(error, f"exit(vcpu={vcpu}, exit_nr={exit_nr})")

    def exits(self, records: bytes) -> bytes:
        """pyexit_exits()."""
        count = len(records) // EXIT_RECORD.size
        resumes = ffi.new("struct pyexit_resume[]", count)
        array = ffi.from_buffer("struct pyexit_exit_record[]", records)
        done = lib.pyexit_exits(self.raw, array, count, resumes)
        check(done, f"exits({count} records)")
        return bytes(ffi.buffer(resumes, done * RESUME.size))

    def _resumed(self, error: int, what: str) -> RawResume:
        check(error, what)
        found = self._resume
        return RawResume(found.outcome, found.site, found.where, found.ret)

    def pin(self, thread: int, pin: int, level: int) -> None:
        """pyexit_pin()."""
        check(lib.pyexit_pin(self.raw, thread, pin, level), f"pin(thread={thread}, pin={pin})")

    def pending(self, vcpu: int) -> RawEnd:
        """pyexit_pending()."""
        return self._ended(lib.pyexit_pending(self.raw, vcpu, self._end), f"pending(vcpu={vcpu})")

    def advance(self, ticks: int) -> None:
        """pyexit_advance()."""
        check(lib.pyexit_advance(self.raw, ticks), f"advance({ticks})")

    def interleave(self, actions: Sequence[Action]) -> None:
        """pyexit_interleave()."""
        array = ffi.new("struct pyexit_action[]", len(actions))
        functions = tuple(self._names)
        for entry, action in zip(array, actions, strict=True):
            entry.point, entry.kind, entry.call, args = raw(action, functions)
            entry.n = len(args)
            entry.arg[0 : len(args)] = args
        check(lib.pyexit_interleave(self.raw, array, len(actions)), "interleave")

    def invariants(self) -> list[RawViolation]:
        """pyexit_invariants()."""
        count = lib.pyexit_invariants(self.raw, ffi.NULL, 0)
        found = ffi.new("struct pyexit_violation[]", count)
        lib.pyexit_invariants(self.raw, found, count)
        return [RawViolation(*(getattr(item, name) for name in RawViolation._fields)) for item in found]

    def _ended(self, error: int, what: str) -> RawEnd:
        check(error, what)
        return RawEnd(self._end.outcome, self._end.ivor)

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of pyexit_state()."""
        data: bytes = self._state[offset : offset + size]
        return data

    def write(self, offset: int, data: bytes) -> None:
        """pyexit_state_write()."""
        error = lib.pyexit_state_write(self.raw, offset, data, len(data))
        if error:
            check(error, f"state write at {offset}")

    def write_all(self, places: Sequence[tuple[int, bytes]]) -> None:
        """Change several places of the state block."""
        for offset, data in places:
            self.write(offset, data)

    def state(self) -> bytes:
        """A copy of pyexit_state()."""
        data: bytes = self._state[:]
        return data

    def load_state(self, state: bytes | bytearray) -> None:
        """pyexit_state_write() of the whole block."""
        self.write(0, ffi.from_buffer(state))

    def read_ram(self, address: int, size: int) -> bytes:
        """pyexit_ram_read()."""
        data = ffi.new("uint8_t[]", size)
        error = lib.pyexit_ram_read(self.raw, address, data, size)
        if error:
            check(error, f"read of {size} bytes at {address:#x}")
        return bytes(ffi.buffer(data))

    def write_ram(self, address: int, data: bytes) -> None:
        """pyexit_ram_write()."""
        error = lib.pyexit_ram_write(self.raw, address, data, len(data))
        if error:
            check(error, f"write of {len(data)} bytes at {address:#x}")

    def dirty_pages(self) -> set[int]:
        """The pages of the dirty bitmaps, which are cleared."""
        pages: set[int] = set()
        for item, bitmap, clean in zip(self.options.ram, self._dirty, self._clean, strict=True):
            if bitmap != clean:
                pages |= _pages(item, bitmap)
                bitmap[:] = clean
        return pages

    def events(self) -> list[Event]:
        """pyexit_events(), until the ring is empty."""
        return [
            Event(kind, detail, tuple(args)) for kind, detail, *args in EVENT.iter_unpack(self.raw_events())
        ]

    def raw_events(self) -> bytes:
        """pyexit_events(), until the ring is empty, as it gives them."""
        taken = b""
        while count := lib.pyexit_events(self.raw, self._events, _EVENTS):
            taken += ffi.buffer(self._events, count * EVENT.size)[:]
        return taken

    def lost_events(self) -> int:
        """pyexit_events_lost()."""
        lost: int = lib.pyexit_events_lost(self.raw)
        return lost

    def close(self) -> None:
        """pyexit_machine_free(), and lent memory is let go."""
        ffi.release(self.raw)
        del self._state
        for lent in (*self._host, *self._bitmaps):
            ffi.release(lent)


def _numbers(values: tuple[int, ...] | None) -> Any:
    return ffi.NULL if values is None else ffi.new("uint32_t[]", values)


def _pages(item: RamRange, bitmap: bytearray) -> set[int]:
    """The page numbers of the bits that are set; most chunks have none."""
    pages: set[int] = set()
    first, clean = item.base // PAGE_SIZE, bytes(_CHUNK)
    for start in range(0, len(bitmap), _CHUNK):
        chunk = bitmap[start : start + _CHUNK]
        if chunk != clean[: len(chunk)]:
            marked, base = int.from_bytes(chunk, "little"), first + 8 * start
            while marked:
                bit = marked.bit_length() - 1
                pages.add(base + bit)
                marked ^= 1 << bit
    return pages
