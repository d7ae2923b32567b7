# SPDX-License-Identifier: BSD-3-Clause
"""Privileged instructions, interrupts, messages, time and fetches on lockstep, in any order (hardware 6-12).

Seeded walks over the two threads of an e6500 and over two cores: guest code of one thread beside hypervisor
code of the other, with the tables of mmu-hardware 6.5 and, one bit off, their neighbours.
"""

from __future__ import annotations

import errno
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pyexit import Action, Machine
from pyexit.actions import POINTS
from pyexit.machine import PINS

from .limits import run_repeatably
from .pools import CM, GS, IND, MODELS, PR, TGS, Access, Entry, V, access, entry_or_near_miss, msr_of

EXAMPLES, EXAMPLE_STEPS = 40, 30
WALKS, STEPS = 12, 200  # walks of each model, each with one of the strategies
RAM = ((0, 0x20000), (0x100000, 0x2000))
STRATEGIES = ("merged", "review", "lwepx", "lwepx-do-kvm", "lwepx-hijack", "seed-v4")

#: At least this share of each kind, or the test has lost its aim.
FLOOR = {"guest_op DONE": 0.2, "guest_op EXIT": 0.1, "pending EXIT": 0.05, "external DONE": 0.02}

DGTMI, MSRP_ALL = 0x00800000, 0x04000204
EPCRS = (0, 0, DGTMI, 0xF8000000, 0xF8000000 | DGTMI, 0x03000000)
MSRS = (GS, GS, GS, GS | PR, 0, PR, GS | 0x8000, GS | 0x29200, 0x04000004 | GS)

#: SPR numbers of the table of 6.5, and their neighbours come by flipping a bit.
SPRS = (
    26, 27, 272, 273, 275, 62, 61, 702, 286, 378, 379, 368, 371, 383, 381, 380, 382, 447, 440, 443, 276,
    279, 605, 256, 48, 624, 625, 626, 627, 628, 630, 944, 287, 268, 269, 284, 285, 526, 527, 947, 948, 1, 8,
    9, 604, 63, 400, 413, 528, 22, 54, 340, 336, 58, 574, 570, 572, 573, 308, 304, 312, 316, 307, 311, 338,
    339, 341, 56, 57, 342, 343, 350, 1015, 688, 344, 1012, 1008, 1010, 1023, 259, 263, 348, 349, 372, 373,
)  # fmt: skip

#: Extended opcodes of primary opcodes 31 and 19.
OPCODES_31 = (
    83, 146, 131, 163, 914, 946, 978, 978, 786, 566, 18, 18, 206, 238, 270, 470, 166, 390, 486, 334, 462, 31,
    31, 159, 850,
)  # fmt: skip
OPCODES_19 = (50, 102, 51, 38, 39)
VALUES = (0, 1, 5, 0x7234, 0x10003000, 0x10000104, GS | PR, 0x20001002, 0x7FFFFFFF, 0xFFFFFFFF, 0xE0030005)


class Walk:
    """One machine in lockstep; every verb compares the two."""

    def __init__(self, model: str, fetch: str, seed: str, shares: Counter[str]) -> None:
        self.pick: Callable[..., Any] = random.Random(seed).choice
        self.shares = shares
        self.m = Machine(model, backend="lockstep", fetch=fetch, ram=RAM, cores=2, vcpus=4, events=256)
        self.width = self.m.params["width"]
        self.threads = self.m.shape.cores * self.m.params["threads"]
        self.dress()

    def word(self, kind: str, n: int) -> str:
        return f"{kind}{n or ''}"

    def dress(self) -> None:
        """Vectors, identities, external-PID contexts, and page tables in RAM."""
        for n in range(self.threads):
            spr = self.word("spr", n)
            self.m.set({f"{spr}.IVOR[{ivor}]": ivor << 4 for ivor in range(64)})
            self.m.set({f"{spr}.IVPR": 0x40000000, f"{spr}.GIVPR": 0x60000000, f"{spr}.GPIR": n})
        self.m.write_ram(0x10000, b"".join(self.pte().to_bytes(8, "big") for _ in range(0x400)))
        for at in (0x7234, 0x7FFC, 0x100000):
            self.m.store_word(at, 0x7C0007A4)

    def pte(self) -> int:
        """A page-table entry (mmu-hardware 11.3), with and without R, C and V."""
        low = self.pick((0x00040205, 0x000402FD, 0x000412FD, 0x00001205, 0x00040204, 0x00040305))
        return int(self.pick((0x7, 0x9, 0x100)) << 24 | low)

    def run(self) -> None:
        with self.m:
            for _ in range(STEPS):
                self.pick(STEP_KINDS)(self)

    def count(self, kind: str, outcome: str) -> None:
        self.shares[f"{kind} {outcome}"] += 1

    # State

    def wanted(self) -> Access:
        """An access of the pool, or one that a valid entry serves."""
        wanted = access(self.pick, self.width)
        entries = self.m.tlb(self.pick(range(2)))
        if not entries or self.pick((True, False, False)):
            return wanted
        found = self.pick(entries)
        tags = found.tid or wanted.pid, found.tlpid or wanted.lpid, found.tgs, found.ts
        return Access((found.epn << 12 | wanted.ea & 0xFFF) & (1 << self.width) - 1, *tags)

    def place(self) -> None:
        """An entry in a TLB, indirect now and then; or one in an LRAT."""
        core = self.pick(range(2))
        suffix = f"_{core}" if core else ""
        if self.pick((True, False, False)):
            words: tuple[int, ...] = (
                V | self.pick((2, 10, 20)) << 7,
                0,
                self.pick((0, 0x100000)),
                0,
                self.pick((0, 0, 1, 3)),
            )
            kind, index = self.word("lrat", core), self.pick(range(3))
        else:
            made = entry_or_near_miss(self.pick, self.m.params, self.wanted())
            tlbsel, (ways, sets, entries) = self.pick((0, 1)), self.m.geometry
            if tlbsel and self.pick((True, False)) and self.m.params["mav"] == 2:
                made = self.indirect(made)
            words = tuple(made)
            index = self.pick(range(9)) % entries
            if not tlbsel:
                index = (made.mas2 >> 12) % sets * ways + index % ways
            kind = f"htlb{tlbsel}{suffix}"
        names = (f"{kind}.mas{n}[{index}]" for n in (1, 2, 3, 7, 8))
        self.m.set(dict(zip(names, words, strict=True)))

    def indirect(self, made: Entry) -> Entry:
        """An entry of 1 or 2 MiB whose table is in RAM."""
        size = self.pick((10, 11))
        mas1 = made.mas1 & ~0xF80 | IND | size << 7
        return Entry(
            mas1, made.mas2 & -(1 << size + 10) | 4, 0x10000 | self.pick((0, 0x800, 0x1000)) | 4, 0, made.mas8
        )

    def become(self) -> None:
        """A thread runs something else: MSR, PID, LPID, EPCR, MSRP, EPLC, EPSC."""
        n, wanted = self.pick(range(self.threads)), self.wanted()
        spr, thread = self.word("spr", n), self.word("thread", n)
        msr = self.pick((self.pick(MSRS), msr_of(self.pick, wanted, self.width)))
        self.m.set({f"{thread}.msr": msr, f"{thread}.pc": self.pick((0x700100, 0x10003234, 0xFFFFFFFC))})
        self.m.set({f"{spr}.PID": wanted.pid, f"{spr}.LPID": wanted.lpid, f"{spr}.EPCR": self.pick(EPCRS)})
        self.m.set(
            {f"{spr}.MSRP": self.pick((0, 0, MSRP_ALL)), f"{spr}.HID0": self.pick((0x80, 0x80, 0x40000080))}
        )
        context = (
            self.pick((0, 0x80000000)) | wanted.space << 30 | wanted.gs << 29 | wanted.lpid << 16 | wanted.pid
        )
        self.m.set({f"{spr}.EPLC": context, f"{spr}.EPSC": self.pick((context, 0))})

    # Verbs

    def instruction(self) -> int:
        """One of the table, or one bit off it."""
        rt, ra, rb = (self.pick((0, 3, 4, 5)) for _ in range(3))
        if self.pick((True, False)):
            spr = self.pick(SPRS) ^ self.pick((0, 0, 0, 0, 1, 2, 16, 512))
            made = 31 << 26 | rt << 21 | (spr & 31) << 16 | spr >> 5 << 11 | self.pick((339, 467)) << 1
        elif self.pick((True, True, True, False)):
            made = 31 << 26 | rt << 21 | ra << 16 | rb << 11 | self.pick(OPCODES_31) << 1
        else:
            made = 19 << 26 | self.pick(OPCODES_19) << 1
        return int(made ^ 1 << self.pick(range(32)) if self.pick(range(10)) == 0 else made)

    def registers(self, n: int) -> None:
        """Operands: an address split in two, MAS registers of an entry of the pool."""
        thread, spr, wanted = self.word("thread", n), self.word("spr", n), self.wanted()
        self.m.set({f"{thread}.gpr[3]": self.pick(VALUES), f"{thread}.gpr[4]": self.pick((0, 0, 0x1000))})
        self.m.set({f"{thread}.gpr[5]": wanted.ea, f"{thread}.gpr[0]": 0})
        made = entry_or_near_miss(self.pick, self.m.params, wanted)
        values = {1: made.mas1, 2: made.mas2, 3: made.mas3, 7: made.mas7, 8: made.mas8}
        values |= {0: self.pick((0, 0x4000, 0x4000, 0x10030000, 0x10034000, 0x80010000, 0x2000, 0x1000))}
        values |= {5: wanted.gs * TGS | wanted.lpid, 6: wanted.pid << 16 | wanted.space}
        keep = self.m.params["mas_mask"]
        self.m.set({f"{spr}.MAS{reg}": value & keep[reg] for reg, value in values.items()})

    def guest_op(self) -> None:
        vcpu = self.pick(range(4))
        thread = self.word("thread", vcpu % self.threads)
        self.registers(vcpu % self.threads)
        if self.pick((True, True, False)):
            self.m[f"{thread}.msr"] = self.pick(MSRS) | self.pick((0, CM)) * (self.width == 64)
        try:
            end = self.m.guest_op(self.instruction(), vcpu)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            self.count("guest_op", "ENOSYS")
        else:
            self.count("guest_op", end.outcome.name)

    def pins(self) -> None:
        self.m.pin(self.pick(range(self.threads)), self.pick(tuple(PINS)), self.pick((1, 1, 0)))

    def pending(self) -> None:
        vcpu = self.pick(range(4))
        if self.pick((True, False)):
            self.m[f"{self.word('thread', vcpu % self.threads)}.msr"] = self.pick(MSRS)
        self.count("pending", self.m.pending(vcpu).outcome.name)

    def interrupt(self) -> None:
        ivor = self.pick((5, 6, 7, 8, 9, 15, 32, 33, 40))
        self.count(
            "interrupt",
            self.m.interrupt(ivor, self.pick(VALUES), self.wanted().ea, self.pick(range(4))).outcome.name,
        )

    def advance(self) -> None:
        self.m.advance(self.pick((0, 1, 1000, 1 << 33)))

    def external(self) -> None:
        """An access through EPLC or EPSC, aimed at an entry two times in three."""
        vcpu, wanted = self.pick(range(4)), self.wanted()
        spr = self.word("spr", vcpu % self.threads)
        context = wanted.space << 30 | wanted.gs << 29 | wanted.lpid << 16 | wanted.pid
        if self.pick((True, True, False)):
            self.m.set({f"{spr}.EPLC": context, f"{spr}.EPSC": context})
        kind = self.pick(("load", "load", "store", "cache_load", "touch_load", "touch_store"))
        found = self.m.translate(
            wanted.ea, self.pick((1, 4, 8)), kind, vcpu, self.pick((True, False, False)), True
        )
        self.count("external", found.outcome.name)

    def translate(self) -> None:
        vcpu, wanted = self.pick(range(4)), self.wanted()
        n = vcpu % self.threads
        spr = self.word("spr", n)
        self.m.set({f"{spr}.PID": wanted.pid, f"{spr}.LPID": wanted.lpid})
        self.m[f"{self.word('thread', n)}.msr"] = msr_of(self.pick, wanted, self.width)
        kind = self.pick(("fetch", "load", "store"))
        self.count("translate", self.m.translate(wanted.ea, 4, kind, vcpu).outcome.name)

    def message(self) -> None:
        thread = self.pick(range(self.threads))
        kind = self.pick((0, 1, 2, 3, 4, 5)) << 27
        tag = self.pick((0x04000000, thread, self.pick((0, 1, 3)) << 14 | self.pick(range(self.threads))))
        self.m.call(self.pick(("ppc_msgsnd", "ppc_msgsnd", "ppc_msgclr")), thread, kind | tag)

    def fetch(self) -> None:
        """The entry path's part, then C's; another thread acts meanwhile one time in three."""
        vcpu, wanted = self.pick(range(4)), self.wanted()
        arch, spr = f"{self.word('vcpu', vcpu)}.arch", self.word("spr", vcpu % self.threads)
        self.m.set({f"{arch}.regs.nip": wanted.ea, f"{arch}.pid": wanted.pid, "kvm.arch.lpid": wanted.lpid})
        self.m.set({f"{arch}.shared.msr": msr_of(self.pick, wanted, self.width), f"{spr}.PID": wanted.pid})
        self.m[f"{spr}.EPLC"] = 0x20000000 | wanted.lpid << 16
        if self.pick((True, False, False)):
            self.m.interleave([self.action(wanted) for _ in range(self.pick((1, 2)))])
        self.count("entry_fetch", self.m.entry_fetch(vcpu).outcome.name)
        self.count("load", ("DONE", "", "FAIL", "AGAIN")[self.m.load_last_inst(vcpu).ret])

    def action(self, wanted: Access) -> Action:
        thread, point = self.pick(range(self.threads)), self.pick(tuple(POINTS))
        ea = wanted.ea
        do, args = self.pick((
            ("preempt", ()), ("store", (0x7234, 0x60000000)),
            ("ppc_tlbilx", (thread, self.pick((0, 1, 3)), ea)),
            ("ppc_tlbwe", (thread,)), ("ppc_lwepx", (thread, ea)), ("ppc_tlbivax", (thread, ea & ~0xFFF | 8)),
            ("ppc_msgsnd", (thread, 0x04000000)),
        ))  # fmt: skip
        return Action(point, do, args)


#: How often each step is taken.
STEP_KINDS: tuple[Callable[[Walk], None], ...] = (
    *(Walk.guest_op,) * 8, *(Walk.place,) * 4, *(Walk.become,) * 2, *(Walk.external,) * 3, *(Walk.fetch,) * 3,
    Walk.translate, Walk.pins, Walk.pins, Walk.pending, Walk.pending, Walk.interrupt, Walk.advance,
    Walk.message,
)  # fmt: skip


@contextmanager
def named(walk: str) -> Iterator[None]:
    """The walk that a divergence belongs to."""
    try:
        yield
    except Exception as error:
        error.add_note(f"walk {walk!r}")
        raise


class GuestMachine(RuleBasedStateMachine):
    """The steps of a walk as rules: operands chosen, and shrunk, by Hypothesis."""

    counts: ClassVar[Counter[str]] = Counter()
    walk: Walk | None = None

    @initialize(model=st.sampled_from(MODELS), fetch=st.sampled_from(STRATEGIES))
    def make(self, model: str, fetch: str) -> None:
        """Two cores; of an e6500 each has two threads."""
        self.walk = Walk(model, fetch, "Hypothesis", self.counts)

    def teardown(self) -> None:
        if self.walk is not None:
            self.walk.m.close()

    @rule(data=st.data(), step=st.sampled_from(STEP_KINDS))
    def act(self, data: st.DataObject, step: Callable[[Walk], None]) -> None:
        """One step."""
        assert self.walk is not None
        self.walk.pick = lambda values: data.draw(st.sampled_from(values))
        step(self.walk)


def test_native_and_ref_agree_on_threads_and_cores(shares: Counter[str]) -> None:
    """Short ways to a difference between two threads, or two cores; a floor says that they are reached."""
    made = type("CountedGuestMachine", (GuestMachine,), {"counts": shares})
    run_repeatably(made, EXAMPLES, EXAMPLE_STEPS)
    for outcome in ("guest_op DONE", "guest_op EXIT", "pending EXIT", "entry_fetch DONE"):
        assert shares[outcome], outcome


@pytest.mark.parametrize("model", MODELS)
def test_native_and_ref_agree_on_what_a_guest_does(model: str, shares: Counter[str]) -> None:
    """All strategies in turn; the seed names the walk."""
    for number in range(WALKS):
        seed = f"{model} {number}"
        with named(seed):
            Walk(model, STRATEGIES[number % len(STRATEGIES)], seed, shares).run()
    for outcome, floor in FLOOR.items():
        kind = outcome.split()[0]
        total = sum(count for name, count in shares.items() if name.split()[0] == kind)
        assert shares[outcome] / total >= floor, f"{outcome} {shares[outcome]} of {total}"
