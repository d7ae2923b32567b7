# SPDX-License-Identifier: BSD-3-Clause
"""The machine: one face, whatever computes behind it (design.md 5, 7).

A machine is one or more e500mc, e5500 or e6500 cores, real memory, and KVM's virtual machines and vcpus.
It belongs to one thread at a time; different machines are independent. Errors: ValueError and TypeError for
an argument that is not valid, FieldError for an unknown field name, OSError with the core's errno.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

from pyexit import actions as interleaving
from pyexit import batch
from pyexit import scenario as scenarios
from pyexit.actions import Action
from pyexit.backends import base
from pyexit.backends._core import lib
from pyexit.backends.base import Backend, Options, Params, RawEnd, RawResume, Result
from pyexit.backends.native import Native
from pyexit.batch import ExitRecord
from pyexit.errors import InvariantError, nearest
from pyexit.invariant import Violation, named
from pyexit.io.events import Event, stop_text
from pyexit.layout import Difference, Shape, constants, encode, layout_of, record
from pyexit.options import bounded, choose, make_options
from pyexit.tlbentry import TlbEntry
from pyexit.userspace import Userspace

if TYPE_CHECKING:
    import numpy as np

    from pyexit.explore import Finding

#: The public methods of Machine. Tests run each of them once per backend.
PUBLIC = (
    "add_memory",
    "advance",
    "call",
    "check_invariants",
    "close",
    "config_tlb",
    "counters",
    "diff",
    "enable_cap",
    "enter",
    "entry_fetch",
    "events",
    "exit",
    "exits",
    "explore",
    "fields",
    "get_last_inst",
    "get_one_reg",
    "get_regs",
    "get_sregs",
    "guest_op",
    "interleave",
    "interrupt",
    "kvm_interrupt",
    "kvm_run",
    "kvm_translate",
    "load",
    "load_last_inst",
    "load_values",
    "load_word",
    "lost_events",
    "memory_regions",
    "mfspr",
    "mmap",
    "mtspr",
    "munmap",
    "pending",
    "pin",
    "read_ram",
    "repeat",
    "restore",
    "save",
    "scenario",
    "set",
    "set_guest_debug",
    "set_one_reg",
    "set_regs",
    "set_sregs",
    "set_tlb_entry",
    "set_user_memory_region",
    "snapshot",
    "state",
    "store_word",
    "thread_of",
    "tlb",
    "tlb_entry",
    "tlbilx",
    "tlbivax",
    "tlbre",
    "tlbsx",
    "tlbwe",
    "translate",
    "write_ram",
)

ACCESSES = constants("access", "PYEXIT_")
OPS = constants("op", "PYEXIT_OP_")
PINS = constants("pin", "PYEXIT_PIN_")
#: Added to the number of a data access that goes through EPLC or EPSC.
EXTERNAL: int = lib.PYEXIT_EXTERNAL

_U32, _U64 = (1 << 32) - 1, (1 << 64) - 1
_CHUNK = 1 << 16
#: SPRs that come in runs: name, first number of the run, SPR number of that, length (emulate.md 4.5).
_SPR_RUNS = (("IVOR", 0, 400, 16), ("IVOR", 32, 528, 6), ("IVOR", 38, 432, 5))


class Outcome(IntEnum):
    """What a verb came to (enum pyexit_outcome); all but DONE and DROPPED have taken an interrupt whole."""

    DONE = 0
    TAKEN_BY_GUEST = 1
    EXIT = 2
    TAKEN_BY_HOST = 3
    DROPPED = 4


class Translation(NamedTuple):
    """The answer of translate() (struct pyexit_translation).

    `ivor` is the interrupt number, with EXIT the exit number; `real` and `real2` are the real addresses of
    the first byte and of the first byte behind a 4 KiB boundary; `page_size` is in bytes; `perms` are the
    MAS3 bits UX 20 SX 10 UW 8 SW 4 UR 2 SR 1, `attributes` the MAS2 bits X0 40 X1 20 W 10 I 8 M 4 G 2 E 1.
    """

    outcome: Outcome
    ivor: int
    real: int
    real2: int
    page_size: int
    perms: int
    attributes: int


class End(NamedTuple):
    """The answer of guest_op(), interrupt(), pending() and entry_fetch() (struct pyexit_end).

    `ivor` is the interrupt number if not DONE; with EXIT it is the exit number.
    """

    outcome: Outcome
    ivor: int


class Fetch(NamedTuple):
    """The answer of a fetch: an emulation_result (0 DONE, 2 FAIL, 3 AGAIN) and the instruction word."""

    ret: int
    instr: int


class Where(IntEnum):
    """Where a vcpu goes on after enter() or exit() (enum pyexit_where)."""

    GUEST = 0
    HOST = 1


class Resume(NamedTuple):
    """The answer of enter() and exit() (struct pyexit_resume).

    `outcome` is 0 unless the kernel stopped: then `stop` says where, and the rest does not count. In the
    HOST, `ret` is what KVM_RUN returns, and kvm_run() says why.
    """

    outcome: int
    site: int
    where: Where
    ret: int

    @property
    def stop(self) -> str | None:
        """Where the kernel stopped, as the vectors say it; None if it did not."""
        return stop_text(self.outcome, self.site)


class Geometry(NamedTuple):
    """The TLBs of a core (mmu-hardware 4)."""

    tlb0_ways: int
    tlb0_sets: int
    tlb1_entries: int

    @property
    def tlb0_entries(self) -> int:
        """Entries of TLB0; index = set * ways + way."""
        return self.tlb0_ways * self.tlb0_sets


@dataclass(frozen=True)
class Snapshot:
    """The state block of a machine at one moment: plain bytes, equal when the states are. No RAM."""

    shape: Shape
    data: bytes

    @classmethod
    def zero(cls, shape: Shape) -> Snapshot:
        """The state in which every field is 0."""
        return cls(shape, bytes(layout_of(shape).size))

    def __getitem__(self, name: str) -> int:
        """The value of a field."""
        field = layout_of(self.shape).field(name)
        return int.from_bytes(self.data[field.offset : field.offset + field.size], "little")

    def replace(self, values: Mapping[str, int]) -> Snapshot:
        """A snapshot in which the named fields have other values."""
        return Snapshot(self.shape, layout_of(self.shape).pack(values, self.data))

    def state(self) -> dict[str, int]:
        """The fields that are not 0."""
        return layout_of(self.shape).values(self.data)

    def diff(self, other: Snapshot) -> list[Difference]:
        """The fields in which two snapshots of equally shaped machines differ."""
        if self.shape != other.shape:
            raise ValueError(f"machines of different shape: {self.shape} and {other.shape}")
        return layout_of(self.shape).diff(self.data, other.data)


class Machine(Userspace):
    """A simulated Book E hypervisor: cores with their TLBs, RAM, VMs and vcpus.

    `model`: e500mc, e5500 or e6500.
    `params`: a parameter set of mmu-hardware 0.4 ("core", "recorded"), or a dict of fields of struct
    pyexit_params over the core set; "set" in the dict names another set.
    `fetch`: how the guest's last instruction is fetched (design.md 6): merged, seed-v4, review, lwepx,
    lwepx-do-kvm, lwepx-hijack. `handler`: the exit handler, merged or seed-v4 (exit.md 3.2).
    `backend`: native, ref, lockstep, lockstep:A,B; by default what PYEXIT_BACKEND says, else native.
    `cores` 1 to 64, `vms` 1 to 64, `vcpus` 1 to 4096 of all VMs together. `vcpu_thread` and `vcpu_vm` give
    the hardware thread and the VM of each vcpu; by default vcpu modulo their number.
    `ram`: (base, size) ranges, zeroed, or (base, writable buffer) lent for the life of the machine and not
    copied; multiples of 4 KiB below 2**40. In lockstep the first backend works on a lent buffer and the
    second on a copy, so there change RAM through the machine only.
    `pvr`, `svr`: version registers other than the model's. `events`: capacity of the event ring.
    `sw_tlb`: each vcpu has room for KVM_CAP_SW_TLB; without it KVM_ENABLE_CAP of that finds no memory.
    `invariants`: call(), enter(), exit() and exits() end with check_invariants(), and raise InvariantError.
    Of native only, and never seen but in its speed: `search`, the form of the TLB search: auto, scalar,
    sse41, avx2, avx512, neon; by default the environment's PYEXIT_SEARCH, else auto. `lookaside`, the pages
    of code that each vcpu's fetch remembers: a power of two, "off", or "checked" (each hit compared with a
    search); by default PYEXIT_LOOKASIDE, else 1024.
    """

    def __init__(
        self,
        model: str = "e500mc",
        *,
        params: str | Mapping[str, Any] | None = None,
        fetch: str = "merged",
        backend: str | None = None,
        cores: int = 1,
        vms: int = 1,
        vcpus: int = 1,
        vcpu_thread: Sequence[int] | None = None,
        vcpu_vm: Sequence[int] | None = None,
        ram: Sequence[tuple[int, Any]] = ((0, 0x10000000),),
        pvr: int | None = None,
        svr: int | None = None,
        events: int = 4096,
        handler: str = "merged",
        sw_tlb: bool = False,
        search: str | None = None,
        lookaside: int | str | None = None,
        invariants: bool = False,
    ) -> None:
        self.backend = base.check_name(base.default_name() if backend is None else backend)
        counts = {"cores": cores, "vms": vms, "vcpus": vcpus, "events": events}
        wires = {"vcpu_thread": vcpu_thread, "vcpu_vm": vcpu_vm}
        self._options = make_options(
            model,
            params,
            fetch,
            counts,
            wires,
            ram,
            {"pvr": pvr, "svr": svr},
            handler,
            sw_tlb,
            search,
            lookaside,
        )
        self._core: Backend = base.create(self.backend, self._options)
        self._layout = self._core.layout
        self._interleaved = False
        if not isinstance(invariants, bool):
            raise TypeError(f"invariants is a bool, not {type(invariants).__name__}")
        self._invariants = invariants

    # What the machine is

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return isinstance(self._core, _Closed)

    @property
    def model(self) -> str:
        """The processor model."""
        return self._options.model

    @property
    def fetch(self) -> str:
        """The fetch strategy."""
        return self._options.fetch

    @property
    def handler(self) -> str:
        """The exit handler."""
        return self._options.handler

    @property
    def params(self) -> Params:
        """A copy of the parameters in force, by the field names of struct pyexit_params."""
        return deepcopy(self._core.params)

    @property
    def geometry(self) -> Geometry:
        """The size of the TLBs."""
        values = self._core.params
        return Geometry(values["tlb0_ways"], values["tlb0_sets"], values["tlb1_entries"])

    @property
    def shape(self) -> Shape:
        """How many cores, hardware threads, VMs and vcpus there are."""
        return self._layout.shape

    def thread_of(self, vcpu: int = 0) -> int:
        """The number of the hardware thread to which a vcpu is pinned."""
        bounded("vcpu", vcpu, 0, self.shape.vcpus - 1)
        threads = self._options.vcpu_thread
        return threads[vcpu] if threads is not None else vcpu % self.shape.threads

    @property
    def functions(self) -> tuple[str, ...]:
        """The names that call() knows."""
        return self._core.call_names()

    def __repr__(self) -> str:
        return f"Machine({self.model!r}, backend={self.backend!r}, fetch={self.fetch!r}, {self.shape})"

    # State by name

    def __getitem__(self, name: str) -> int:
        """The value of a field: ``m["spr.MAS1"]``, ``m["vcpu1.arch.regs.gpr[3]"]``."""
        field = self._layout.field(name)
        return int.from_bytes(self._core.read(field.offset, field.size), "little")

    def __setitem__(self, name: str, value: int) -> None:
        """Set a field as it is, without the bits that an instruction would drop."""
        field = self._layout.field(name)
        self._core.write(field.offset, encode(field, value))

    def set(self, values: Mapping[str, int]) -> None:
        """Set several fields; none is changed if a name or a value is not valid."""
        fields = [(self._layout.field(name), value) for name, value in values.items()]
        places = [(field.offset, encode(field, value)) for field, value in fields]
        if places:
            self._core.write_all(places)

    def state(self) -> dict[str, int]:
        """All fields that are not 0, by name."""
        return self._layout.values(self._core.state())

    def fields(self) -> Iterator[str]:
        """The names of all fields, an array's elements one by one."""
        return self._layout.names()

    def load_values(self, values: Mapping[str, int]) -> None:
        """Replace the whole state: the named fields, and 0 everywhere else; forget what interleave() set."""
        self._forget_actions()
        self._core.load_state(self._layout.pack(values))

    def snapshot(self) -> Snapshot:
        """The state block; RAM and waiting events are not part of it."""
        return Snapshot(self.shape, self._core.state())

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot of a machine of the same shape; forget what interleave() set."""
        if not isinstance(snapshot, Snapshot):
            raise TypeError(f"restore() takes a Snapshot, not {type(snapshot).__name__}")
        if snapshot.shape != self.shape:
            raise ValueError(f"the snapshot is of a machine with {snapshot.shape}, this one has {self.shape}")
        self._forget_actions()
        self._core.load_state(snapshot.data)

    def _forget_actions(self) -> None:
        """A state holds no actions that are yet to come."""
        if self._interleaved:
            self.interleave(())

    def diff(self, other: Snapshot | Machine) -> list[Difference]:
        """The fields in which this machine (a) and another one or a snapshot (b) differ."""
        return self.snapshot().diff(other.snapshot() if isinstance(other, Machine) else other)

    # Verbs

    def call(self, name: str, *args: int) -> Result:
        """Call one function of the core by name; args[0] is a hardware thread for ppc_*, a vcpu for kvmppc_*.

        `functions` lists the names, pyexit.h's pyexit_call() their arguments and results. OSError: ENOENT
        for an unknown name, E2BIG for a wrong number of arguments, EINVAL for a thread or vcpu that does not
        exist.
        """
        if not isinstance(name, str):
            raise TypeError(f"a function is called by name, not by {type(name).__name__}")
        for number, arg in enumerate(args):
            bounded(f"{name}: argument {number}", arg, 0, _U64)
        result = self._core.call(name, args)
        self._check_after(name)
        return result

    def repeat(self, name: str, *args: int, times: int) -> Result:
        """call() `times` times, 1 to 2**32, in one go: the loop of who measures. The last answer."""
        for number, arg in enumerate(args):
            bounded(f"{name}: argument {number}", arg, 0, _U64)
        return self._core.repeat(name, args, bounded("times", times, 1, 1 << 32))

    def mtspr(self, spr: int | str, value: int, thread: int = 0) -> Result:
        """mtspr in hypervisor state (mmu-hardware 1, 2.8); `spr` is a number or a name such as "MAS1"."""
        return self.call("ppc_mtspr", thread, spr_number(spr), value)

    def mfspr(self, spr: int | str, thread: int = 0) -> int:
        """mfspr in hypervisor state; OSError EINVAL for an SPR that this core does not have."""
        result = self.call("ppc_mfspr", thread, spr_number(spr))
        if result.ret != Outcome.DONE:
            raise OSError(22, f"mfspr {spr}: {Outcome(result.ret).name}, interrupt {result.value[0]}")
        return result.value[0]

    def tlbsx(self, ea: int, thread: int = 0) -> Result:
        """Search both TLBs with the tags of MAS5 and MAS6 (mmu-hardware 6.2)."""
        return self.call("ppc_tlbsx", thread, ea)

    def tlbre(self, thread: int = 0) -> Result:
        """Read the entry that MAS0 and MAS2 select into MAS (mmu-hardware 6.1)."""
        return self.call("ppc_tlbre", thread)

    def tlbwe(self, thread: int = 0) -> Result:
        """Write MAS into the entry that MAS0 and MAS2 select (mmu-hardware 6.3)."""
        return self.call("ppc_tlbwe", thread)

    def tlbilx(self, t: int, ea: int = 0, thread: int = 0) -> Result:
        """Invalidate: `t` 0 by LPID, 1 by LPID and PID, 3 by address (mmu-hardware 6.4)."""
        return self.call("ppc_tlbilx", thread, t, ea)

    def tlbivax(self, ea: int, thread: int = 0) -> Result:
        """Invalidate an address in all cores (mmu-hardware 6.4)."""
        return self.call("ppc_tlbivax", thread, ea)

    def translate(
        self,
        ea: int,
        size: int = 4,
        access: str | int = "load",
        vcpu: int = 0,
        probe: bool = False,
        external: bool = False,
    ) -> Translation:
        """Effective to real for the code that runs on the hardware thread of `vcpu` (mmu-hardware 5, 11, 12).

        The state is what thread.msr, PID and LPID of that thread say. `size` is 1 to 4096 bytes; `access` is
        fetch, load, store, cache_load, touch_load or touch_store. An access that fails takes its interrupt
        whole; with `probe` nothing changes and the answer is the same. `external` makes a data access one of
        the external-PID kind, in the context of EPLC or EPSC (mmu-hardware 9).
        """
        number = (
            choose("access", access, ACCESSES)
            if isinstance(access, str)
            else bounded("access", access, 0, _U32)
        )
        bounded("ea", ea, 0, _U64)
        bounded("size", size, 0, _U32)
        bounded("vcpu", vcpu, 0, _U32)
        number |= EXTERNAL if external else 0
        outcome, *rest = self._core.translate(vcpu, ea, size, number, bool(probe))
        return Translation(Outcome(outcome), *rest)

    def guest_op(self, instruction: int, vcpu: int = 0) -> End:
        """Execute a privileged instruction of the code on the thread of `vcpu` (mmu-hardware 6.5).

        It is at thread.pc, its registers are thread.gpr. DONE: executed, pc advanced; else the interrupt that
        it caused was taken. OSError ENOSYS for an instruction that is not privileged: the engine's business.
        """
        bounded("instruction", instruction, 0, _U32)
        return _end(self._core.guest_op(bounded("vcpu", vcpu, 0, _U32), instruction))

    def interrupt(self, ivor: int, esr: int = 0, dear: int = 0, vcpu: int = 0) -> End:
        """Take an interrupt that the engine found at thread.pc (mmu-hardware 12).

        `ivor`: 5 alignment, 6 program, 7 FP unavailable, 8 system call, 9 AP unavailable, 15 debug, 32 vector
        unavailable, 33 vector assist, 40 hypervisor system call; OSError EINVAL for others.
        """
        bounded("ivor", ivor, 0, _U32)
        bounded("esr", esr, 0, _U32)
        bounded("dear", dear, 0, _U64)
        return _end(self._core.interrupt(bounded("vcpu", vcpu, 0, _U32), ivor, esr, dear))

    def enter(self, vcpu: int = 0) -> Resume:
        """KVM_RUN up to the guest (exit.md 7.8, 7.7, 11.5): GUEST, and the hardware thread holds it; or HOST.

        OSError EBUSY if the vcpu is in the guest already.
        """
        resume = _resume(self._core.enter(bounded("vcpu", vcpu, 0, _U32)))
        self._check_after("enter")
        return resume

    def exit(self, exit_nr: int, vcpu: int = 0) -> Resume:
        """An exit that translate(), guest_op(), interrupt() or pending() reported (exit.md 11.3).

        The entry path, kvmppc_handle_exit, and the way back into the guest or out of KVM_RUN. OSError ENOENT
        for an exit number that no vector is hooked for.
        """
        bounded("exit_nr", exit_nr, 0, _U32)
        resume = _resume(self._core.exit(bounded("vcpu", vcpu, 0, _U32), exit_nr))
        self._check_after(f"exit {exit_nr}")
        return resume

    def exits(self, records: np.ndarray[Any, Any] | Sequence[ExitRecord]) -> np.ndarray[Any, Any]:
        """exit() for each record: an array of dtype("exit_record") in, one of dtype("resume") out.

        One call for all. The hardware thread is first put into the state that a record says. Ends behind the
        first exit in which the kernel stops, so the answer may be shorter.
        """
        import numpy as np

        answers = self._core.exits(batch.records(records).tobytes())
        self._check_after("exits")
        return np.frombuffer(answers, batch.dtype("resume"))

    def check_invariants(self) -> list[Violation]:
        """What does not hold of shadow entries and KVM's books about them (pyexit.h, pyexit_invariants).

        Changes nothing. The rules hold of whatever a guest does, not of state that was set from outside; a
        change of memory slots, mappings or host.pte_* is told to KVM by mmu_notifier_invalidate.
        """
        return [named(found) for found in self._core.invariants()]

    def _check_after(self, verb: str) -> None:
        """With ``invariants=True``: InvariantError if the verb has broken a rule."""
        if self._invariants and (found := self.check_invariants()):
            raise InvariantError(verb, found)

    @property
    def search(self) -> str:
        """The form of the TLB search that a native machine uses; "scalar" on another backend."""
        if not isinstance(self._core, Native):
            return "scalar"
        return next(name for name, number in base.SEARCHES.items() if number == lib.pyexit_search(self.raw))

    @property
    def raw(self) -> Any:
        """cffi's ``struct pyexit_machine *`` of a native machine, for calls of pyexit.backends._core's `lib`.

        Nothing is checked on that way. TypeError on another backend.
        """
        if not isinstance(self._core, Native):
            raise TypeError(f"raw is the C core's machine: this one is on {self.backend}")
        return self._core.raw

    def pin(self, thread: int, pin: str | int, level: int | bool) -> None:
        """Raise or lower an asynchronous cause of a hardware thread: a name of PINS, or its number."""
        number = choose("pin", pin, PINS) if isinstance(pin, str) else bounded("pin", pin, 0, _U32)
        self._core.pin(bounded("thread", thread, 0, _U32), number, bounded("level", int(level), 0, _U32))

    def pending(self, vcpu: int = 0) -> End:
        """Take the asynchronous interrupt that is due and enabled for the guest on the thread of `vcpu`."""
        return _end(self._core.pending(bounded("vcpu", vcpu, 0, _U32)))

    def advance(self, ticks: int) -> None:
        """Let `ticks` of the timebase pass; the timers that are due fire. Time moves nowhere else."""
        self._core.advance(bounded("ticks", ticks, 0, _U64))

    def interleave(self, actions: Sequence[Action] = ()) -> None:
        """Set what other threads do in the next fetches, in place of what was set before (design.md 6).

        Each action happens once, when its point is first passed, in the order given.
        """
        checked = interleaving.check(actions, self.functions)
        self._core.interleave(checked)
        self._interleaved = bool(checked)

    def explore(
        self,
        run: scenarios.Scenario | Callable[[Machine], Any],
        actions: Sequence[tuple[Any, ...]],
        points: Sequence[str] = tuple(interleaving.POINTS),
    ) -> list[Finding]:
        """Run every placement of `actions` at `points`, and tell the distinct outcomes (explore.py)."""
        from pyexit.explore import explore

        return explore(self, run, actions, points)

    def entry_fetch(self, vcpu: int = 0) -> End:
        """The fetch's part in the entry path (exit.md 11.3 E6, 11.6-11.8).

        DONE: arch.last_inst holds the word, or ffffffff; else the host exception that the load took.
        """
        result = self.call("kvmppc_entry_fetch", vcpu)
        return End(Outcome(result.ret), result.value[0] if result.ret else 0)

    def load_last_inst(self, vcpu: int = 0, type: int = 0) -> Fetch:
        """kvmppc_load_last_inst (mmu-kvm 15.2): read the word at the guest's pc through the host TLB.

        `type` is an enum instruction_fetch_type. `instr` is 0xdeadbeef if nothing was read.
        """
        result = self.call("kvmppc_load_last_inst", vcpu, type)
        return Fetch(result.ret, result.value[0])

    def get_last_inst(self, vcpu: int = 0, type: int = 0) -> Fetch:
        """kvmppc_get_last_inst (mmu-kvm 15.1): the cached word, or kvmppc_load_last_inst."""
        result = self.call("kvmppc_get_last_inst", vcpu, type)
        return Fetch(result.ret, result.value[0])

    # RAM

    def read_ram(self, addr: int, size: int) -> bytes:
        """`size` bytes at real address `addr`; OSError EFAULT if one of them is not RAM."""
        return self._core.read_ram(bounded("addr", addr, 0, _U64), bounded("size", size, 0, 1 << 40))

    def write_ram(self, addr: int, data: bytes) -> None:
        """Store `data` at real address `addr`; OSError EFAULT, and nothing stored, if a byte is not RAM."""
        self._core.write_ram(bounded("addr", addr, 0, _U64), bytes(memoryview(data)))

    def load_word(self, addr: int) -> int:
        """The 32-bit big-endian word at a real address."""
        return int.from_bytes(self.read_ram(addr, 4), "big")

    def store_word(self, addr: int, value: int) -> None:
        """Store a 32-bit big-endian word at a real address."""
        self.write_ram(addr, bounded("word", value, 0, _U32).to_bytes(4, "big"))

    # What was observed

    def events(self) -> list[Event]:
        """Take the events out of the ring, oldest first; ``str(event)`` is the text that the vectors have."""
        return self._core.events()

    def lost_events(self) -> int:
        """How many events found the ring full since the last question."""
        return self._core.lost_events()

    def counters(self, thread: int = 0) -> dict[str, int]:
        """The hardware operations that a thread has made (design.md 6), those that are not 0."""
        start = self._offset("thread", thread) + record("thread").leaves["ops"].offset
        counts = struct.unpack(f"<{len(OPS)}Q", self._core.read(start, 8 * len(OPS)))
        return {name: counts[index] for name, index in OPS.items() if counts[index]}

    # TLB entries

    def tlb(self, core: int = 0) -> list[TlbEntry]:
        """The valid entries of a core: TLB0, then TLB1."""
        entries = []
        for tlbsel, count in enumerate((self.geometry.tlb0_entries, self.geometry.tlb1_entries)):
            mas1 = self._array(tlbsel, "mas1", core)
            entries += [self.tlb_entry(tlbsel, n, core) for n in range(count) if mas1[n] >> 31]
        return entries

    def tlb_entry(self, tlbsel: int, index: int, core: int = 0) -> TlbEntry:
        """Entry `index` of TLB0 or TLB1, valid or not."""
        names = self._entry_names(tlbsel, index, core)
        mas1, mas2, mas3, mas7, mas8 = (self[name] for name in names)
        return TlbEntry.from_mas(mas1, mas2, mas3, mas7, mas8, tlbsel=tlbsel, index=index)

    def set_tlb_entry(self, tlbsel: int, index: int, entry: TlbEntry, core: int = 0) -> None:
        """Put an entry into TLB0 or TLB1 as it is, without the rules of tlbwe."""
        words = (entry.mas1, entry.mas2, entry.mas3, entry.mas7, entry.mas8)
        self.set(dict(zip(self._entry_names(tlbsel, index, core), words, strict=True)))

    def _entry_names(self, tlbsel: int, index: int, core: int) -> list[str]:
        bounded("tlbsel", tlbsel, 0, 1)
        count = self.geometry.tlb1_entries if tlbsel else self.geometry.tlb0_entries
        bounded(f"index of a TLB{tlbsel} entry", index, 0, count - 1)
        bounded("core", core, 0, self.shape.cores - 1)
        word = f"htlb{tlbsel}_{core}" if core else f"htlb{tlbsel}"
        return [f"{word}.mas{n}[{index}]" for n in (1, 2, 3, 7, 8)]

    def _array(self, tlbsel: int, name: str, core: int) -> tuple[int, ...]:
        leaf = record(f"htlb{tlbsel}").leaves[name]
        data = self._core.read(self._offset(f"htlb{tlbsel}", core) + leaf.offset, leaf.count * leaf.size)
        return struct.unpack(f"<{leaf.count}{leaf.code}", data)

    def _offset(self, kind: str, number: int) -> int:
        return self._layout.object_offset(kind, bounded(kind, number, 0, _U32))

    # Files

    def scenario(self) -> scenarios.Scenario:
        """A scenario without steps: this machine, its state, and every word of RAM that is not 0."""
        made = describe(self._options)
        made.state = self.state()
        for item in self._options.ram:
            made.mem.update(nonzero_words(item.base, item.memory))
        return made

    def save(self, path: str | Path) -> None:
        """Write scenario() to a file, whose name ends in .scn.jsonl or .scn (docs/scenario.md)."""
        scenarios.write(self.scenario(), path)

    @classmethod
    def load(cls, path: str | Path, backend: str | None = None) -> Machine:
        """The machine that save() wrote; a scenario with steps is refused, replay() is for those."""
        read = scenarios.read(path)
        if read.steps:
            raise ValueError(f"{path} has {len(read.steps)} steps: use pyexit.replay()")
        return read.machine(backend)

    # The end

    def close(self) -> None:
        """Free the machine and let go of lent buffers. Closing twice is allowed, other use is an error."""
        if not self.closed:
            self._core.close()
            self._core = cast(Backend, _Closed())
            base.release(self._options.ram)

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _end(answer: RawEnd) -> End:
    return End(Outcome(answer.outcome), answer.ivor)


def _resume(answer: RawResume) -> Resume:
    return Resume(answer.outcome, answer.site, Where(answer.where), answer.ret)


class _Closed:
    """What stands behind a closed machine."""

    def __getattr__(self, name: str) -> NoReturn:
        raise ValueError("this machine is closed")


def describe(options: Options) -> scenarios.Scenario:
    """A scenario of the machine that options make, without state and steps."""
    params: str | Params = (
        {"set": options.param_set, **options.overrides} if options.overrides else options.param_set
    )
    return scenarios.Scenario(
        options.model,
        params,
        options.fetch,
        cores=options.cores,
        vms=options.vms,
        vcpus=options.vcpus,
        vcpu_thread=options.vcpu_thread,
        vcpu_vm=options.vcpu_vm,
        ram=tuple((item.base, item.size) for item in options.ram),
        handler=options.handler,
        sw_tlb=options.sw_tlb,
    )


def nonzero_words(first: int, memory: Any) -> Iterator[tuple[int, int]]:
    """The 32-bit big-endian words of memory at real address `first` that are not 0, with their addresses."""
    view = memoryview(memory).cast("B")
    zeros = bytes(_CHUNK)
    for start in range(0, len(view), _CHUNK):
        chunk = bytes(view[start : start + _CHUNK])
        if chunk != zeros[: len(chunk)]:
            for index, (word,) in enumerate(struct.iter_unpack(">I", chunk)):
                if word:
                    yield first + start + 4 * index, word


@cache
def _spr_numbers() -> dict[str, int]:
    """SPR numbers by name, as the reference has them (mmu-hardware 1)."""
    from pyexit.ref.hw import regs

    single = {
        name.removeprefix("SPR_"): value for name, value in vars(regs).items() if name.startswith("SPR_")
    }
    runs = {f"{name}{first + n}": spr + n for name, first, spr, count in _SPR_RUNS for n in range(count)}
    return {name: value for name, value in (single | runs).items() if isinstance(value, int)}


def spr_number(spr: int | str) -> int:
    """The number of an SPR given by number or name; ValueError for an unknown name."""
    if isinstance(spr, str):
        number = _spr_numbers().get(spr)
        if number is None:
            raise ValueError(f"no SPR {spr!r}{nearest(spr, _spr_numbers())}")
        return number
    return bounded("an SPR number", spr, 0, 1023)
