# SPDX-License-Identifier: BSD-3-Clause
"""The protocol of a backend, what one is made from, and the table of their names (design.md 7)."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

from pyexit.actions import Action
from pyexit.errors import nearest
from pyexit.io.events import Event
from pyexit.layout import Layout, Shape, constants, layout_of

#: Names of enum pyexit_model, enum pyexit_param_set and enum pyexit_fetch.
MODELS = {name: constants("model", "PYEXIT_")[name] for name in ("e500mc", "e5500", "e6500")}
PARAM_SETS = constants("param_set", "PYEXIT_PARAMS_")


def _options(enum: str) -> dict[str, int]:
    """The values of an option by the names that users write: seed-v4."""
    names = constants(enum, f"PYEXIT_{enum.upper()}_")
    return {name.replace("_", "-"): number for name, number in names.items()}


FETCHES = _options("fetch")
HANDLERS = _options("handler")
SEARCHES = _options("search")

PAGE_SIZE = 4096

#: Parameters of a machine by the field names of struct pyexit_params; mas_mask is a list of 9.
Params = dict[str, Any]


class Result(NamedTuple):
    """The answer of call(): what the function returned, and further results (pyexit_call in pyexit.h).

    `outcome` is an enum pyexit_stop: `ret` counts only if it is 0. Otherwise `site` says where the kernel
    stopped (enum pyexit_site).
    """

    ret: int
    value: tuple[int, int, int, int, int]
    outcome: int = 0
    site: int = 0


class RawEnd(NamedTuple):
    """struct pyexit_end as numbers."""

    outcome: int
    ivor: int


class RawResume(NamedTuple):
    """struct pyexit_resume as numbers."""

    outcome: int
    site: int
    where: int
    ret: int


class RawViolation(NamedTuple):
    """struct pyexit_violation as numbers."""

    rule: int
    core: int
    entry: int
    vcpu: int
    guest_entry: int
    got: int
    want: int


#: struct pyexit_exit_record and struct pyexit_resume: what exits() takes and gives, as bytes.
EXIT_RECORD = struct.Struct("<IIQQQI4x")
RESUME = struct.Struct("<IIIi")
#: struct pyexit_event.
EVENT = struct.Struct("<2I8Q")


class RawTranslation(NamedTuple):
    """struct pyexit_translation as numbers."""

    outcome: int
    ivor: int
    real: int
    real2: int
    page_size: int
    perms: int
    attributes: int


@dataclass(frozen=True)
class RamRange:
    """One range of RAM: real address, bytes, and the writable memory behind it."""

    base: int
    size: int
    memory: Any  # mmap.mmap, or the buffer that the caller lent
    lent: bool

    def copy(self) -> RamRange:
        """Fresh memory with the same content: for a second backend."""
        memory = allocate(self.size)
        if self.lent:
            memory[:] = bytes(self.memory)
        return replace(self, memory=memory, lent=False)


@dataclass(frozen=True)
class Options:
    """Everything that a backend needs to make a machine. Checked by Machine."""

    model: str
    param_set: str
    overrides: Params  # parameters over the set
    fetch: str
    cores: int
    vms: int
    vcpus: int
    vcpu_thread: tuple[int, ...] | None
    vcpu_vm: tuple[int, ...] | None
    ram: tuple[RamRange, ...]
    events: int
    handler: str = "merged"
    sw_tlb: bool = False
    search: str = "auto"
    lookaside: int = 0
    lookaside_checked: bool = False

    def params(self, base: Params) -> Params:
        """The machine's parameters, from those of its set."""
        return {**base, **self.overrides}

    def layout(self, params: Params) -> Layout:
        """The layout of the state block."""
        return layout_of(Shape(self.cores, self.cores * params["threads"], self.vms, self.vcpus, self.sw_tlb))


class Backend(Protocol):
    """One machine. Addresses are real addresses; offsets are those of the state block (layout.py)."""

    name: str
    options: Options
    params: Params
    layout: Layout

    def call_names(self) -> tuple[str, ...]:
        """The functions that call() knows."""

    def call(self, name: str, args: Sequence[int]) -> Result:
        """Call one function of the core; OSError as pyexit_call says."""

    def repeat(self, name: str, args: Sequence[int], times: int) -> Result:
        """The same call `times` times; the last answer."""

    def translate(self, vcpu: int, ea: int, size: int, access: int, probe: bool) -> RawTranslation:
        """Translate; OSError as pyexit_translate says."""

    def guest_op(self, vcpu: int, instruction: int) -> RawEnd:
        """Execute a privileged instruction; OSError as pyexit_guest_op says."""

    def interrupt(self, vcpu: int, ivor: int, esr: int, dear: int) -> RawEnd:
        """Take an interrupt that the engine found; OSError as pyexit_interrupt says."""

    def enter(self, vcpu: int) -> RawResume:
        """KVM_RUN up to the guest; OSError as pyexit_enter says."""

    def exit(self, vcpu: int, exit_nr: int) -> RawResume:
        """An exit and the way on; OSError as pyexit_exit says."""

    def exits(self, records: bytes) -> bytes:
        """Exits one after the other, EXIT_RECORDs in and RESUMEs out; OSError as pyexit_exits says."""

    def pin(self, thread: int, pin: int, level: int) -> None:
        """Raise or lower an asynchronous cause; OSError as pyexit_pin says."""

    def pending(self, vcpu: int) -> RawEnd:
        """Take the asynchronous interrupt that is due; OSError as pyexit_pending says."""

    def advance(self, ticks: int) -> None:
        """Let time pass."""

    def interleave(self, actions: Sequence[Action]) -> None:
        """Set what happens in the next fetches; OSError as pyexit_interleave says."""

    def invariants(self) -> list[RawViolation]:
        """The violations that pyexit_invariants finds."""

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the state block."""

    def write(self, offset: int, data: bytes) -> None:
        """Change bytes of the state block."""

    def write_all(self, places: Sequence[tuple[int, bytes]]) -> None:
        """Change the state block at several offsets, as one act."""

    def state(self) -> bytes:
        """A copy of the state block."""

    def load_state(self, state: bytes | bytearray) -> None:
        """Replace the state block."""

    def read_ram(self, address: int, size: int) -> bytes:
        """RAM; OSError EFAULT if a byte is not RAM."""

    def write_ram(self, address: int, data: bytes) -> None:
        """Store in RAM; OSError EFAULT if a byte is not RAM."""

    def dirty_pages(self) -> set[int]:
        """Numbers of the pages that were stored to since the last question."""

    def events(self) -> list[Event]:
        """Take the events out of the ring, oldest first."""

    def raw_events(self) -> bytes:
        """As events(), each as EVENT packs it: what is only compared need not be unpacked."""

    def lost_events(self) -> int:
        """How many events found the ring full since the last question."""

    def close(self) -> None:
        """Free the machine and let go of lent memory."""


#: Backend names and the modules that have their create(options) and params(model, set).
MODULES = {
    "native": "pyexit.backends.native",
    "ref": "pyexit.backends.ref_backend",
    "refc": "pyexit.backends.refc_backend",
}
LOCKSTEP = "lockstep"
LOCKSTEP_PAIR = ("native", "ref")


@cache
def built() -> tuple[str, ...]:
    """The backends that this installation has: refc is left out of a build with PYEXIT_NO_REFC=1."""
    return tuple(name for name in MODULES if name != "refc" or find_spec("pyexit.refc.api"))


def default_name() -> str:
    """The backend of a Machine that names none: PYEXIT_BACKEND, else native."""
    return os.environ.get("PYEXIT_BACKEND") or "native"


def lockstep_pair(name: str) -> tuple[str, str] | None:
    """The two backends of ``lockstep`` or ``lockstep:A,B``; None for another name."""
    if name == LOCKSTEP:
        return LOCKSTEP_PAIR
    if not name.startswith(LOCKSTEP + ":"):
        return None
    pair = name.removeprefix(LOCKSTEP + ":").split(",")
    if len(pair) != 2 or not set(pair) <= set(MODULES):
        raise ValueError(f"backend {name!r}: write lockstep:A,B with A and B of {', '.join(MODULES)}")
    return pair[0], pair[1]


def check_name(name: str) -> str:
    """`name` if it is a backend; ValueError otherwise."""
    if not isinstance(name, str):
        raise TypeError(f"backend is a name, not {type(name).__name__}")
    if name not in MODULES and lockstep_pair(name) is None:
        known = [*MODULES, LOCKSTEP]
        raise ValueError(f"no backend {name!r}; there are {', '.join(known)}{nearest(name, known)}")
    if "refc" in (name, *(lockstep_pair(name) or ())) and "refc" not in built():
        raise ValueError(
            f"backend {name!r}: refc is not built here; install pyexit without PYEXIT_NO_REFC=1 to have it"
        )
    return name


def create(name: str, options: Options) -> Backend:
    """A new machine on backend `name`."""
    if lockstep_pair(check_name(name)):
        make: Callable[[str, Options], Backend] = import_module("pyexit.lockstep").Lockstep
        return make(name, options)
    backend: Backend = import_module(MODULES[name]).create(options)
    return backend


def allocate(size: int) -> mmap.mmap:
    """Zeroed memory that costs nothing until it is touched."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    return mmap.mmap(-1, size, flags=flags)


def release(ranges: Iterable[RamRange]) -> None:
    """Free the memory that allocate() made."""
    for item in ranges:
        if not item.lent:
            item.memory.close()
