# SPDX-License-Identifier: BSD-3-Clause
"""KVM_RUN over an engine: its needs become verbs of the machine, and exits become KVM's (design.md 5).

One turn: what is pending is taken; the engine runs until it needs something; that is a translation, an
instruction, or an interrupt, and where it does not succeed the machine says who takes it: the guest, then the
engine goes on at its vector; or the hypervisor, then ``Machine.exit()`` is called and the guest goes on, or
KVM_RUN returns. Nothing is decided here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from errno import ENOSYS
from time import perf_counter_ns
from typing import ClassVar, NamedTuple

from pyexit.guest.decode import Access, data_access
from pyexit.guest.engine import Cause, Engine, Mmu, Page, Registers, Stop
from pyexit.io.events import Event
from pyexit.layout import constants, record
from pyexit.machine import ACCESSES, Machine, Outcome, Resume, Where

MSR_PR, MSR_IS_DS = 0x4000, 0x30
ESR_PIL, ESR_ST = 0x08000000, 0x00800000
#: MAS3; the user's bits stand one to the left.
PERM_SX, PERM_SW, PERM_SR = 0x10, 4, 1
ATTRIBUTE_E = 1
MAS1_V = 1 << 31
#: mfspr of TBL by its user and by its alternate number, rT left out (emulate.md 1).
_MFTBL, _MFTBL_MASK = {0x7C0C42A6, 0x7C0C42E6, 0x7C0E82A6}, 0xFC1FFFFF

EVENTS = constants("event_kind", "PYEXIT_EVENT_")
_TLBWE, _KICK, _HALT = EVENTS["tlbwe"], EVENTS["kick"], EVENTS["halt"]
_INVALIDATIONS = {EVENTS["tlbilx"], EVENTS["tlbivax"]}

_PAGE = 4096
_NS = 1_000_000_000
_THREAD = record("thread").leaves
#: pc to cr, as one piece: pc, msr, r0 to r31, lr, ctr, xer, cr.
_REGISTERS = struct.Struct("<38Q")
_OPS = struct.Struct(f"<{_THREAD['ops'].count}Q")


class KernelStop(Exception):
    """The kernel stopped: BUG, oops, or a loop that cannot end."""


class Exit(NamedTuple):
    """One exit, for who counts: its number, what KVM accounted it as, hardware operations, and time."""

    number: int
    account: int
    operations: int
    nanoseconds: int
    resume: Resume


class Vcpu(Mmu):
    """A vcpu of a machine on an engine.

    Time passes by rule, so that a run can be repeated: `ticks_per_mftb` with each read of the timebase, half
    a tick with each instruction of a full slice of `slice_size`, and to the next timer while the guest waits.
    `on_idle` waits for the outside world where no timer is armed; it returns False if nothing can come.
    `on_exit` is told of each exit, `on_events` gets what was observed and the time in nanoseconds.
    `mirror` is called with the real address of an instruction that the machine is about to read (see Board).
    """

    def __init__(
        self,
        machine: Machine,
        make_engine: Callable[[Mmu], Engine],
        *,
        vcpu: int = 0,
        slice_size: int = 1_000_000,
        ticks_per_mftb: int = 40_000,
        on_idle: Callable[[], bool] = lambda: False,
        on_exit: Callable[[Exit], None] | None = None,
        on_events: Callable[[list[Event], int], None] | None = None,
        mirror: Callable[[int], None] | None = None,
    ) -> None:
        self.machine, self.number = machine, vcpu
        self._slice, self._ticks = slice_size, ticks_per_mftb
        self._on_idle = on_idle
        self._on_exit, self._on_events, self._mirror = on_exit, on_events, mirror
        self._thread = vcpu % machine.shape.threads
        self._base = machine._offset("thread", self._thread)
        self._probe = machine._core.translate  # translate() without its checks: the hottest call of a run
        self._xer = 0
        self._spaces = -1
        self._pid = -1
        self._tlb0_sets = machine.geometry.tlb0_sets
        self._tlb0_ways = machine.geometry.tlb0_ways
        self._valid: set[tuple[int, int]] = (
            set()
        )  # slots of the hardware TLB that hold an entry: (TLB, index)
        self.engine = make_engine(self)

    # The engine's questions

    def page(self, ea: int, access: str) -> Page | None:
        """Where a page is, as the simulated TLB says; nothing changes."""
        found = self._probe(self.number, ea, 1, ACCESSES[access], True)
        if found.outcome or found.attributes & ATTRIBUTE_E:
            return None
        perms = found.perms if not self._user else found.perms >> 1
        can = (bool(perms & bit) for bit in (PERM_SR, PERM_SW, PERM_SX))
        return Page(found.real & ~(_PAGE - 1), *can)

    # KVM_RUN

    def run(self) -> Resume:
        """KVM_RUN: enter the guest and stay there until KVM returns to userspace; kvm_run says why."""
        resume = self._checked(self.machine.enter(self.number))
        self._observe()
        while resume.where == Where.GUEST:
            self._load()
            resume = self._turn() or resume
        return resume

    def _turn(self) -> Resume | None:
        """Until the next exit; None if the guest goes on without one."""
        if self._waiting:
            self._idle_until()
        end = self.machine.pending(self.number)
        if end.outcome == Outcome.EXIT:
            return self._exit(end.ivor)
        stop = self.engine.run(self._slice)
        self._store()
        return self._needs[stop.cause](self, stop)

    def _fetch(self, stop: Stop) -> Resume | None:
        return self._translated(Access(stop.pc, 4, "fetch"))

    def _data(self, stop: Stop) -> Resume | None:
        word = self._word(stop.pc)
        access = None if word is None else data_access(word, self._registers.gpr)
        if access is None:
            access = Access(stop.ea, 1, "store" if stop.store else "load")
        return self._translated(access)

    def _translated(self, access: Access) -> Resume | None:
        """The access for real: the interrupt that it causes is taken."""
        found = self.machine.translate(access.ea, access.size, access.access, self.number)
        return self._ended(found.outcome, found.ivor)

    def _instruction(self, stop: Stop) -> Resume | None:
        word = self._word(stop.pc)
        if word is None:
            return self._fetch(stop)
        if word & _MFTBL_MASK in _MFTBL:
            self._advance(self._ticks)
        try:
            end = self.machine.guest_op(word, self.number)
        except OSError as error:
            if error.errno != ENOSYS:
                raise
            end = self.machine.interrupt(6, ESR_PIL, vcpu=self.number)
        return self._ended(end.outcome, end.ivor)

    def _interrupt(self, stop: Stop) -> Resume | None:
        esr, dear = stop.esr, 0
        if stop.ivor == 5:
            access = data_access(self._word(stop.pc) or 0, self._registers.gpr)
            if access is not None:
                esr, dear = ESR_ST if access.access == "store" else 0, access.ea
        end = self.machine.interrupt(stop.ivor, esr, dear, self.number)
        return self._ended(end.outcome, end.ivor)

    def _wait(self, stop: Stop) -> Resume | None:
        self._waiting = True
        return None

    def _sliced(self, stop: Stop) -> Resume | None:
        self._advance(self._slice // 2)
        return None

    def _go_on(self, stop: Stop) -> Resume | None:
        return None

    _needs: ClassVar[dict[Cause, Callable[[Vcpu, Stop], Resume | None]]] = {
        Cause.FETCH: _fetch,
        Cause.DATA: _data,
        Cause.INSTRUCTION: _instruction,
        Cause.INTERRUPT: _interrupt,
        Cause.WAIT: _wait,
        Cause.SLICE: _sliced,
        Cause.ASKED: _go_on,
    }

    def _ended(self, outcome: int, number: int) -> Resume | None:
        """After a verb: an exit goes to the hypervisor, everything else goes on in the guest."""
        if outcome == Outcome.EXIT:
            return self._exit(number)
        return None

    def _exit(self, number: int) -> Resume:
        """The hypervisor's turn."""
        before = self._operations() if self._on_exit else 0
        start = perf_counter_ns()
        resume = self.machine.exit(number, self.number)
        spent = perf_counter_ns() - start
        if self._on_exit:
            account = self.machine[f"vcpu{self.number or ''}.arch.last_exit_type"]
            self._on_exit(Exit(number, account, self._operations() - before, spent, resume))
        self._observe()
        return self._checked(resume)

    def _checked(self, resume: Resume) -> Resume:
        if resume.stop is not None:
            raise KernelStop(f"the kernel stopped: {resume.stop}")
        return resume

    # Time

    def _advance(self, ticks: int) -> None:
        """Time passes; a timer that fires is an interrupt of the host's decrementer, in the guest an exit."""
        self.machine.advance(ticks)
        events = self.machine.events()
        if any(event.kind == _KICK for event in events):
            self.machine.pin(self._thread, "decrementer", True)
        if self._on_events:
            frequency = self.machine[f"host{self._thread or ''}.tb_freq"]
            self._on_events(events, self.machine["host.tb"] * _NS // frequency)

    def _idle_until(self) -> None:
        """The guest waits: go to its next timer, or wait for the outside world."""
        self._waiting = False
        if self.machine[f"thread{self._thread or ''}.pins"]:
            return
        ticks = self._to_timer()
        if ticks is not None:
            self._advance(ticks)
        elif not self._on_idle():
            raise KernelStop("the guest waits for an interrupt, and none can come")

    def _to_timer(self) -> int | None:
        """Ticks until the first timer fires; None if none is armed."""
        machine, word, host = self.machine, f"vcpu{self.number or ''}.arch", f"host{self._thread or ''}"
        now, ticks = machine["host.tb"], []
        if machine[f"{word}.dec_timer_armed"]:
            ticks.append(machine[f"{word}.dec_timer_expires"] - now)
        if machine[f"{word}.wdt_timer_armed"]:
            jiffies = machine[f"{word}.wdt_timer_expires"] - machine[f"{host}.jiffies"]
            ticks.append(jiffies * machine[f"{host}.tb_ticks_per_jiffy"])
        return max(min(ticks), 0) if ticks else None

    # Registers

    def _operations(self) -> int:
        data = self.machine._core.read(self._base + _THREAD["ops"].offset, _OPS.size)
        return sum(_OPS.unpack(data))

    def _word(self, pc: int) -> int | None:
        """The instruction at pc, for who must decode it."""
        found = self.machine.translate(pc, 4, "fetch", self.number, probe=True)
        if found.outcome:
            return None
        if self._mirror is not None:
            self._mirror(found.real)
        return self.machine.load_word(found.real)

    def _load(self) -> None:
        """The machine's registers into the engine."""
        pc, msr, *gpr, lr, ctr, self._xer, cr = _REGISTERS.unpack(
            self.machine._core.read(self._base, _REGISTERS.size)
        )
        pid = self.machine[f"spr{self._thread or ''}.PID"]
        if msr & MSR_IS_DS != self._spaces or pid != self._pid:
            self._spaces, self._pid = msr & MSR_IS_DS, pid
            self.engine.forget()
        self._user = bool(msr & MSR_PR)
        self._registers = Registers(tuple(gpr), lr, ctr, cr, pc, msr)
        self.engine.write(self._registers)

    def _store(self) -> None:
        """The engine's registers into the machine."""
        self._registers = now = self.engine.read()
        packed = _REGISTERS.pack(now.pc, now.msr, *now.gpr, now.lr, now.ctr, self._xer, now.cr)
        self.machine._core.write(self._base, packed)

    # What the machine did

    def _observe(self) -> None:
        """The events since the last question: changes of the hardware TLB, a halt.

        A kick in an exit of the vcpu itself needs no interrupt: the way back into the guest sees its reason.
        """
        events = self.machine.events()
        for event in events:
            if event.kind == _TLBWE:
                self._tlb_written(event)
            elif event.kind in _INVALIDATIONS:
                self.engine.forget()
            elif event.kind == _HALT:
                self._waiting = True
        if self._on_events:
            frequency = self.machine[f"host{self._thread or ''}.tb_freq"]
            self._on_events(events, self.machine["host.tb"] * _NS // frequency)

    def _tlb_written(self, event: Event) -> None:
        """A TLB entry that was there is gone: the engine may not go on with it."""
        mas0, mas1, mas2 = event.arg[:3]
        tlb, entry = mas0 >> 28 & 1, mas0 >> 16 & 0xFFF
        if tlb == 0:
            entry = (mas2 >> 12 & (self._tlb0_sets - 1)) * self._tlb0_ways + (entry & (self._tlb0_ways - 1))
        if (tlb, entry) in self._valid:
            self.engine.forget()
        if mas1 & MAS1_V:
            self._valid.add((tlb, entry))
        else:
            self._valid.discard((tlb, entry))

    _user = False
    _waiting = False
