# SPDX-License-Identifier: BSD-3-Clause
"""Exits, interrupts, timers, debug, hypercalls, load, put on lockstep, in any order (exit 3, 7-10, 12.3, 13).

Walks are seeded: the same run everywhere. Before most steps a few fields take values from small pools, so
that gates, critical sections and expiries are met or just missed. What was reached is printed, and checked.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest

from pyexit import Machine
from pyexit.io.events import SITES

from .pools import MODELS

WALKS, STEPS = 45, 45

RETURNED, BUG, HANG, OOPS = range(4)
STOPS = ("returned", "BUG", "HANG", "OOPS")
SITE_NAMES = {number: name for name, number in SITES.items()}

GS, CM, WE, CE, EE, PR, ME, DE = (0x10000000, 0x80000000, 0x40000, 0x20000, 0x8000, 0x4000, 0x1000, 0x200)
SW_BREAK, NOP, NOT_LOADED = 0x00DDDD00, 0x60000000, 0xFFFFFFFF
PC, RAM = 0x10003234, ((0, 0x10000),)

#: Exit numbers: the rows more often than the numbers without one.
ROWS = (1, 2, 3, 4, 5, 6, 7, 10, 12, 13, 14, 15, 32, 33, 35, 36, 38, 39, 40, 41)
NO_CASE = (0, 8, 9, 11, 16, 31, 34, 37, 42, 43, 0x7FFFFFFF, 0xFFFFFFFF)
EXITS = ROWS * 4 + NO_CASE

#: Delivery rows (exit 7.2) and those of them that MSR or a critical section can block.
DELIVERED = (*range(7), *range(8, 19), 20, 21, 22)
GATED = (*range(12, 19), 20, 21, 22)
ALTIVEC_PRIORITIES = (5, 6)

#: Sites that no input reaches: no strategy answers a fetch with DO_MMIO or EXIT_USER (exit 4.3).
UNREACHABLE = {"inst_load"}
#: Sites of rooms that these walks do not enter; their own tests stop there.
ELSEWHERE = {"mmio_class", "create_null", "entry_fetch", "xlate", "lookaside", "invariant"}


class Pools(NamedTuple):
    """Values of the fields that a step may change."""

    msr: tuple[int, ...]
    fields: dict[str, tuple[int, ...]]


def ulong(width: int, *values: int) -> tuple[int, ...]:
    """Values, on 64 bits also some that need the upper half."""
    return (*values, *(0x1_00000000 | value for value in values[:1])) if width == 64 else values


def pools(width: int) -> Pools:
    """exit 2: what the paths look at, at the values that matter."""
    msr = (0, EE, CE, ME, DE, EE | CE | ME | DE, EE | PR, EE | CE | ME | DE | PR, EE | 0x30)
    if width == 64:
        msr = (*msr, CM | EE, CM | EE | CE | ME | DE)
    a = "vcpu.arch."
    one = (0, *(1 << n for n in range(24)))
    fields = {
        a + "pending_exceptions": (*one, 0x3F0000, 0x40C000, 0xC, (1 << 23) - 1, 1 << 31),
        a + "regs.gpr[1]": ulong(width, 0, 0, 0xFFFFF8, 5),
        a + "shared.critical": (0, 0, 0, 5, 0x1_00000005),
        a + "regs.nip": ulong(width, PC, PC, 0x1000, 0xFFFFFFFC),
        a + "last_inst": (NOP, NOP, NOT_LOADED, SW_BREAK),
        a + "fault_dear": ulong(width, 0, 0xA0, 0xFFFFFFFF),
        a + "fault_esr": (0, 0x00800000, 0x08000000),
        a + "epcr": (0, 0x02000000, 0xFFFFFFFF),
        a + "ivpr": ulong(width, 0x55550000, 0x55557743),
        a + "ivor[16]": (0x7740, 0x17741),
        a + "epr_flags": (0, 0, 1, 2, 2, 3),
        a + "irq_type": (0, 0, 1),
        a + "pid": (0, 5, 0x1FF),
        a + "shared.mas4": (0, 0x0FFFFFFF, 0x10000F80),
        a + "shared.mas6": (0, 0xFFFFFFFF),
        a + "tcr": (0, 0x0C000000, 0xFC5E0000, 0xC01E0000, 0x00400000, 0x34000000),
        a + "tsr": (0, 0x80000000, 0x40000000, 0xC0000000, 0x08000000, 0xC8000000),
        a + "watchdog_enabled": (0, 1),
        a + "dec": ulong(width, 0, 1, 100, 0xFFFFFFFF),
        a + "decar": (0, 1, 50),
        a + "dec_jiffies": (0, 0x1234),
        a + "dbsr": (0, 0x80000000, 0x81000000, 0x08000000, 0x00060000, 0x00880000),
        a + "dbg_reg.dbcr0": (0, 0x40000000, 0x4DFF0000),
        a + "dbg_reg.dac1": (0, 0x111),
        a + "regs.gpr[11]": (0x002A0003, 0x002A0004, 0x00010010, 7, 0xFFFFFFFF),
        a + "regs.gpr[3]": ulong(width, 0, 0x12345FFF),
        a + "regs.gpr[4]": ulong(width, 0x1000, 0x1001, 0),
        a + "sane": (1, 1, 1, 1, 0),
        a + "last_exit_type": (0xDEAD, 1, 21, 27),
        a + "timing_exit": (0, 1, 1000, (1 << 64) - 1),
        a + "timing_last_enter": (0, 900),
        a + "timing_last_exit": (0, 1, 800),
        a + "timing_sum_duration[21]": (0, (1 << 64) - 5),
        a + "oldpir": (0, 0xFFFFFFFF),
        "vcpu.requests": (*(0,) * 8, 1, 0x100, 0x200, 0x300, 0x400, 0x701, 2, 4),
        "vcpu.guest_debug": (0, 0, 1, 0x10001, 0x20003),
        "vcpu.vcpu_id": (0, 3),
        "spr.DBSR": (0, 0x81000000, 0x00880000, 0x01000000),
        "spr.MCSR": (0, 0x8000),
        "spr.GESR": (0, 0x11),
        "spr.GSRR0": (0, 0x4000),
        "host.signal_pending": (0, 0, 0, 0, 1),
        "host.need_resched": (0, 0, 0, 1),
        "host.irq_enabled": (0, 1),
        "host.thread_regs_msr": (0, 0x2000, 0x02002000),
        "host.wake_signal": (0, 1),
        "host.wake_pending_exceptions": (0, 1 << 16, 1 << 14),
        "host.wake_requests": (0, 0, 0x100, 0x200),
        "host.halt_limit": (0, 4, 4),
        "host.tb_ticks_per_jiffy": (100, 100, 160000, 1),
        "host.jiffies": (0, 0x100, 0xFFFFFFFF),
        "host.cpu": (0, 1),
        "host.guest_enter_ret": (0, 0xFFFFFFFC),
        "host.real_vcpu_load": (0, 1),
        "kvm.arch.lpid": (2, 6, 63),
        "e500.gtlb_nv[0]": (0, 1),
        "e500.gtlb_priv1.flags[3]": (0, 0x80000004, 0x40000004),
    }
    return Pools(tuple(GS | value for value in (*msr, WE, WE | EE)), fields)


#: Functions by what they take after the vcpu.
PLAIN = (
    "kvmppc_core_check_exceptions", "kvmppc_core_prepare_to_enter", "kvmppc_prepare_to_enter",
    "kvmppc_core_check_requests", "kvmppc_vcpu_run", "kvm_arch_vcpu_runnable", "kvmppc_core_flush_tlb",
    "kvmppc_update_timing_stats", "kvmppc_init_timing_stats", "kvmppc_handle_debug", "kvmppc_kvm_pv",
)  # fmt: skip
QUEUES = (
    "kvmppc_core_queue_itlb_miss", "kvmppc_core_queue_fpunavail", "kvmppc_core_queue_vec_unavail",
    "kvmppc_core_queue_dec", "kvmppc_core_queue_debug", "kvmppc_core_dequeue_dec",
    "kvmppc_core_dequeue_debug", "kvmppc_core_dequeue_external", "kvmppc_core_pending_dec",
)  # fmt: skip
QUEUES_ESR = ("kvmppc_core_queue_inst_storage", "kvmppc_core_queue_program")
QUEUES_DEAR = ("kvmppc_core_queue_dtlb_miss", "kvmppc_core_queue_data_storage", "kvmppc_core_queue_alignment")
TIMERS = (
    "update_timer_ints", "arm_next_watchdog", "watchdog_next_timeout", "kvmppc_watchdog_func",
    "kvmppc_decrementer_func", "kvmppc_emulate_dec",
)  # fmt: skip
TIMER_WORDS = ("kvmppc_set_tcr", "kvmppc_set_tsr", "kvmppc_set_tsr_bits", "kvmppc_clr_tsr_bits")
WORDS = (0, 0x08000000, 0x40000000, 0x80000000, 0xC0000000, 0xC01E0000, 0xFC5E0000, 0xFFFFFFFF)
LOADS = ("kvmppc_core_vcpu_load", "kvmppc_core_vcpu_put", "kvm_arch_vcpu_load", "kvm_arch_vcpu_put")
BITMAPS = (0x200, 4, 0x04000000, 0x04000204, 0, 1, 0x8000)
CONTROLS = (0, 1, 3, 0x10001, 0x20001, 0x20003)
TYPES = (0, 2, 2, 4, 8, 12, 14, 1)


class Walk:
    """One machine of a model in lockstep, and what its walks came to."""

    def __init__(self, m: Machine, reached: Counter[str]) -> None:
        self.m, self.reached = m, reached
        self.rng = random.Random(f"{m.model} {m.fetch}")
        self.pools = pools(m.params["width"])
        self.steps: tuple[Callable[[], None], ...] = (
            *(self.exit,) * 6,
            *(self.deliver,) * 3,
            self.plain,
            self.plain,
            self.queue,
            self.time,
            self.time,
            self.debug,
            self.msr,
            self.load,
        )

    def one(self, n: int) -> None:
        """A new guest, and `n` steps of its life."""
        for _ in range(n):
            if self.rng.random() < 0.8:
                self.change()
            self.rng.choice(self.steps)()

    def change(self) -> None:
        """Some fields take a value from their pools; the MSR nearly always."""
        names = self.rng.sample(tuple(self.pools.fields), 12)
        chosen = {name: self.rng.choice(self.pools.fields[name]) for name in names}
        chosen["vcpu.arch.shared.msr"] = self.rng.choice(self.pools.msr)
        chosen["vcpu.requests"] = self.rng.choice(self.pools.fields["vcpu.requests"])
        self.m.set(chosen)

    def call(self, kind: str, name: str, *args: int) -> Any:
        """Call, and count how it ended."""
        result = self.m.call(name, 0, *args)
        self.m.events()
        outcome = STOPS[result.outcome]
        self.reached[f"{kind} {outcome}"] += 1
        if result.outcome in (BUG, HANG):
            self.reached[f"site {SITE_NAMES[result.site]}"] += 1
        return result

    def exit(self) -> None:
        """kvmppc_handle_exit of any number."""
        number = self.rng.choice(EXITS)
        result = self.call("exit", "kvmppc_handle_exit", number)
        if result.outcome == RETURNED:
            self.reached[f"row {number}"] += 1
            self.reached[f"r {result.ret}"] += 1
        elif result.outcome == BUG and result.site == SITES["exit_nr"]:
            self.reached[f"row {number}"] += 1

    def deliver(self) -> None:
        """One priority, allowed or blocked."""
        priority = self.rng.randrange(24)
        result = self.call("deliver", "kvmppc_booke_irqprio_deliver", priority)
        if result.outcome == RETURNED:
            self.reached[f"{'delivered' if result.ret else 'blocked'} {priority}"] += 1

    def plain(self) -> None:
        self.call("plain", self.rng.choice(PLAIN))

    def queue(self) -> None:
        """Queue and dequeue functions."""
        pick = self.rng.choice
        pick(
            (
                lambda: self.call("queue", pick(QUEUES)),
                lambda: self.call("queue", pick(QUEUES_ESR), pick(WORDS)),
                lambda: self.call("queue", pick(QUEUES_DEAR), pick(WORDS), pick(WORDS)),
                lambda: self.call(
                    "queue", "kvmppc_core_queue_external", pick((0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFE, 7))
                ),
                lambda: self.call("queue", "kvmppc_booke_queue_irqprio", self.rng.randrange(32)),
            )
        )()

    def time(self) -> None:
        """Timer functions, and time that passes: nothing, just short of an expiry, far."""
        pick = self.rng.choice
        kind = pick(("function", "word", "advance", "advance", "get_dec"))
        if kind == "advance":
            self.m.advance(pick((0, 1, 49, 99, 100, 101, 160000, 1 << 33)))
            self.m.events()
            self.reached["timer advance"] += 1
        elif kind == "word":
            self.call("timer", pick(TIMER_WORDS), pick(WORDS))
        elif kind == "get_dec":
            self.call("timer", "kvmppc_get_dec", pick((0, 0x1234, 0x1235, (1 << 64) - 1)))
        else:
            self.call("timer", pick(TIMERS))

    def debug(self) -> None:
        """KVM_SET_GUEST_DEBUG and the protected MSR bits."""
        pick = self.rng.choice
        if pick((True, True, False)):
            pairs = [word for n in range(pick((0, 1, 4, 4, 6))) for word in (0x100 + n, pick(TYPES))]
            self.call("debug", "kvm_arch_vcpu_ioctl_set_guest_debug", pick(CONTROLS), *pairs)
        else:
            self.call("debug", "kvm_guest_protect_msr", pick(BITMAPS), pick((0, 1)))

    def msr(self) -> None:
        name = self.rng.choice(("kvmppc_set_msr", "kvmppc_set_epcr"))
        self.call("msr", name, self.rng.choice((0, EE | WE, 0x02000000, 0xFFFFFFFF)))

    def load(self) -> None:
        self.call("load", self.rng.choice(LOADS))


def prepare(m: Machine) -> None:
    """A host entry for the pc: an early fetch succeeds for a guest at PC with PID 5 and LPID 2, else not."""
    m.set({"htlb1.mas1[7]": 0x80050100, "htlb1.mas2[7]": PC & ~0xFFF | 4, "htlb1.mas3[7]": 0x7030})
    m.set({"htlb1.mas8[7]": 0x80000002})
    m.store_word(0x7234, NOP)
    m.set({"vcpu.arch.regs.nip": PC, "vcpu.arch.pid": 5, "host.tb_ticks_per_jiffy": 100})


@cache
def walked(model: str) -> Counter[str]:
    """All walks of a model, once; what they reached."""
    reached: Counter[str] = Counter()
    for fetch in ("merged", "seed-v4"):
        with Machine(model, backend="lockstep", fetch=fetch, ram=RAM, events=512) as m:
            prepare(m)
            start = m.snapshot()
            walk = Walk(m, reached)
            for _ in range(WALKS):
                m.restore(start)
                walk.one(STEPS)
            assert m.lost_events() == 0
    return reached


@pytest.mark.parametrize("model", MODELS)
def test_native_and_ref_agree(model: str, shares: Counter[str]) -> None:
    """Results, events and the whole state after every step."""
    kinds = ("exit", "r", "deliver", "plain", "queue", "timer", "debug", "msr", "load", "site")
    reached = walked(model)
    shares.update({name: count for name, count in reached.items() if name.split()[0] in kinds})
    assert shares["exit returned"] > shares["exit BUG"] > 0


def built(model: str, priority: int) -> bool:
    """Priorities 5 and 6 are delivered on a core with AltiVec."""
    return model == "e6500" or priority not in ALTIVEC_PRIORITIES


@pytest.mark.parametrize("model", MODELS)
def test_every_exit_row_is_reached(model: str) -> None:
    """exit 3.3: each row and each kind of number without one; 41 beyond its fetch is the emulator's."""
    assert {number for number in {*ROWS, *NO_CASE} if not walked(model)[f"row {number}"]} == set()


@pytest.mark.parametrize("model", MODELS)
def test_every_delivery_row_is_reached(model: str) -> None:
    """exit 7.2 D4: allowed, and blocked where it can be."""
    reached = walked(model)
    missing = {f"delivered {n}" for n in DELIVERED if built(model, n)} | {f"blocked {n}" for n in GATED}
    missing |= {f"blocked {n}" for n in (7, 19, 23)}
    assert {name for name in missing if not reached[name]} == set()


@pytest.mark.parametrize("model", MODELS)
def test_every_bug_and_hang_is_reached(model: str) -> None:
    """exit 3.3 BUG() summary, 7.6: all sites but those that no input reaches."""
    missing = {name for name in SITES if not walked(model)[f"site {name}"]}
    assert missing - ELSEWHERE == UNREACHABLE


@pytest.mark.parametrize("model", MODELS)
def test_every_kind_of_result_is_reached(model: str) -> None:
    """exit 1.3: back to the guest, to user space, and there because of a signal."""
    assert {f"r {r}" for r in (0, 2, -14)} <= {name for name, count in walked(model).items() if count}
