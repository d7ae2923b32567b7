# SPDX-License-Identifier: BSD-3-Clause
"""Draws scenarios, each as a plan: fields over the arena's state, RAM words, steps (style.md, Tests).

A kind of plan is a function of a :class:`Draw`. Entries are derived from the access that they should serve,
then in one case of four one bit of them is turned round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, Protocol, TypeVar

from pyexit.fuzz import pools
from pyexit.fuzz.pools import CE, CM, DE, DS, EE, FP, GS, IND, IPROT, IS, ME, PR, SPV, TGS, TS, VF, V
from pyexit.scenario import Step, Values, Words

T = TypeVar("T")

_U32, _U64 = (1 << 32) - 1, (1 << 64) - 1


@dataclass(slots=True)
class Plan:
    """One scenario: what is laid over the beginning, and the steps. An EXIT is followed by exit()."""

    kind: str
    values: Values = field(default_factory=dict)
    mem: Words = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)


class Pick(Protocol):
    """One of a pool."""

    def __call__(self, pool: Sequence[T], /) -> T:
        """One of a pool."""


def _picking(uniform: Callable[[], float]) -> Pick:
    """Draw.pick: a closure, as a scenario calls it twenty times."""

    def pick(pool: Sequence[T], /) -> T:
        return pool[int(uniform() * len(pool))]

    return pick


class Draw:
    """A source of seeded draws for a machine of some parameters."""

    def __init__(self, seed: int, params: dict[str, Any], lpid: int) -> None:
        self._random = Random(seed)
        self._uniform = self._random.random
        self.pick = _picking(self._uniform)
        self.width: int = params["width"]
        self.params, self.lpid = params, lpid
        self.keep: list[int] = params["mas_mask"]
        self.pages: tuple[int, ...] = pools.PAGES_64 if self.width == 64 else pools.PAGES
        self.ulong: int = (1 << self.width) - 1

    def chance(self, share: float) -> bool:
        """Whether something happens."""
        return self._uniform() < share

    def bits(self, count: int) -> int:
        """A number of that many bits."""
        return self._random.getrandbits(count)

    def below(self, end: int) -> int:
        """A number below `end`."""
        return int(self._uniform() * end)

    def ea(self) -> int:
        """An effective address."""
        return self.pick(self.pages) | self.pick(pools.OFFSETS)

    def value(self) -> int:
        """A register value: a special one, an address, or any."""
        choice = self._uniform()
        if choice < 0.5:
            return self.pick(pools.VALUES) & self.ulong
        return self.ea() if choice < 0.75 else self.bits(self.width)

    def msr(self) -> int:
        """The guest's MSR."""
        mode = self.pick((CM, CM, 0)) if self.width == 64 else 0
        extra = self.pick((0, 0, 0, PR)) | self.pick((0, 0, 0, IS | DS))
        return GS | mode | extra | self.pick((EE | CE | ME, EE | ME, EE, 0, EE | CE | ME | DE, CE | DE))

    def flip(self, value: int, width: int, share: float = 0.3) -> int:
        """The value, now and then with one bit turned round."""
        return value ^ (1 << self.below(width)) if self.chance(share) else value


# What plans are made of


def host_entry(draw: Draw, values: Values, ea: int, pid: int, space: int, index: int) -> int:
    """An entry of the host's TLBs that serves the guest's access, or nearly; its real page."""
    pick = draw.pick
    size, real = pick(pools.SIZES), pick(pools.REALS)
    mas1 = V | pick((0, 0, 0, IPROT)) | pick((pid, pid, 0)) << 16 | space * TS | size << 7
    mas2 = ea & -(1 << max(size + 10, 12)) & draw.ulong | pick(pools.ATTRIBUTES)
    mas8 = TGS | pick((0, 0, 0, 0, 0, 0, VF)) | pick((draw.lpid, draw.lpid, draw.lpid, 0))
    if draw.chance(0.25):
        mas1, mas2, mas8 = near_miss(draw, mas1, mas2, mas8, size)
    tlb0 = size == 2 and draw.chance(0.5)
    if tlb0:
        ways = draw.params["tlb0_ways"]
        word, row = "htlb0", (mas2 >> 12) % draw.params["tlb0_sets"] * ways + index % ways
    else:
        word, row = "htlb1", (3 + index) % draw.params["tlb1_entries"]
    keep, (name1, name2, name3, name7, name8) = draw.keep, entry_names(word, row)
    values[name1] = mas1 & keep[1]
    values[name2] = mas2 & keep[2]
    values[name3] = (real & 0xFFFFF000 | pick(pools.PERMS)) & keep[3]
    values[name7] = real >> 32 & keep[7]
    values[name8] = mas8 & keep[8]
    return real


@cache
def entry_names(word: str, row: int) -> tuple[str, ...]:
    """The fields of an entry of the host's TLBs; made once, as to make names is what a draw costs."""
    return tuple(f"{word}.mas{number}[{row}]" for number in (1, 2, 3, 7, 8))


def near_miss(draw: Draw, mas1: int, mas2: int, mas8: int, size: int) -> tuple[int, int, int]:
    """The words with one bit of a tag or of the page number turned round."""
    shift = max(size + 10, 12)
    which = draw.below(8)
    if which == 0:
        return mas1 ^ V, mas2, mas8
    if which == 1:
        return mas1 ^ 1 << 16 + draw.pick((0, 2, 7)), mas2, mas8
    if which == 2:
        return mas1 ^ TS, mas2, mas8
    if which == 3:
        return mas1, mas2, mas8 ^ TGS
    if which == 4:
        return mas1, mas2, mas8 ^ 1 << draw.pick((0, 1, 5))
    if which == 5:
        return mas1 ^ IND, mas2, mas8
    bit = min(shift, draw.width - 1) if which == 6 else draw.width - 1
    return mas1, mas2 ^ 1 << bit, mas8


def guest_entry(draw: Draw, values: Values, ea: int, pid: int, space: int) -> None:
    """An entry of the guest's own TLB that serves an access, or nearly."""
    pick = draw.pick
    gpa = pick(pools.GUEST_PAGES)
    tlb1 = draw.chance(0.6)
    size = pick(pools.SIZES) if tlb1 else 2
    mas1 = V | pick((0, 0, 0, IPROT)) | pick((pid, pid, 0)) << 16 | space * TS | size << 7
    mas2 = ea & -(1 << max(size + 10, 12)) & draw.ulong | pick(pools.ATTRIBUTES)
    if draw.chance(0.2):
        mas1, mas2, _ = near_miss(draw, mas1, mas2, 0, size)
    if tlb1:
        row, word = draw.below(16), "gtlb1"
    else:
        row, word = (ea >> 12 & 127) * 2 + draw.below(2), "gtlb0"
    values[f"e500.{word}.mas1[{row}]"] = mas1 & _U32
    values[f"e500.{word}.mas2[{row}]"] = mas2 & draw.ulong
    values[f"e500.{word}.mas7_3[{row}]"] = gpa | pick(pools.PERMS)
    if tlb1 and draw.chance(0.9):
        values["e500.tlb1_min_eaddr"], values["e500.tlb1_max_eaddr"] = 0, draw.ulong


def instruction(draw: Draw) -> int:
    """A word of the emulated set, or one bit off it."""
    pick, choice = draw.pick, draw.below(16)
    fields = pick((3, 4, 5, 0, 31, draw.below(32))) << 21 | pick((1, 4, 6, 0)) << 16
    if choice < 2:
        word = pick(pools.WORDS)
    elif choice < 6:
        spr = pick(pools.SPRS)
        word = 31 << 26 | fields & 31 << 21 | (spr & 31) << 16 | (spr >> 5) << 11 | pick((339, 467)) << 1
    elif choice < 12:
        word = 31 << 26 | fields | pick((1, 5, 7, 0)) << 11 | pick(pools.XOPS) << 1 | draw.below(2)
    else:
        word = pick(pools.PRIMARIES) << 26 | fields | pick((0, 1, 2, 8, 0x7FFC, 0x8000, 0xFFFF))
    return draw.flip(word, 32, 0.1)


def registers(draw: Draw, values: Values) -> None:
    """Some of the guest's registers."""
    for number in (*range(8), draw.below(32)):
        values[f"vcpu.arch.regs.gpr[{number}]"] = draw.value()
    values["vcpu.arch.shared.msr"] = draw.msr()
    if draw.chance(0.3):
        values["vcpu.arch.regs.gpr[1]"] = draw.pick((0, 0xFFFFF8, 0x1_00000000 & draw.ulong))


def guest_mas(draw: Draw, values: Values, ea: int, pid: int, space: int) -> None:
    """The guest's MAS registers, for its own TLB instructions."""
    pick = draw.pick
    tlbsel, size = pick((0, 1, 1, 2)), pick(pools.SIZES)
    shared = "vcpu.arch.shared."
    values[shared + "mas0"] = tlbsel << 28 | pick((0, 1, 5, 15, 16, 31)) << 16 | pick((0, 1, 2))
    values[shared + "mas1"] = pick((V, V, V, 0)) | pick((0, 0, IPROT)) | pid << 16 | space * TS | size << 7
    values[shared + "mas2"] = (ea & -(1 << max(size + 10, 12)) | pick(pools.ATTRIBUTES)) & draw.ulong
    values[shared + "mas7_3"] = pick(pools.GUEST_PAGES) | pick(pools.PERMS)
    values[shared + "mas4"] = pick((0, 0x100, 0x10000100, 0x10000584))
    values[shared + "mas6"] = pid << 16 | space


def interrupts(draw: Draw, values: Values) -> None:
    """Pending exceptions, requests, timers and what the host says."""
    pick, chance = draw.pick, draw.chance
    if chance(0.4):
        values["vcpu.arch.pending_exceptions"] = 1 << draw.below(24) | (1 << draw.below(24)) * draw.below(2)
    if chance(0.2):
        values["vcpu.requests"] = pick((1, 0x100, 0x200, 0x400, 0x401, 0x700, 2))
    if chance(0.15):
        values["host.signal_pending"] = 1
    if chance(0.1):
        values["host.need_resched"] = 1
    if chance(0.2):
        values["vcpu.arch.tcr"], values["vcpu.arch.tsr"] = pick(pools.TCRS), pick(pools.TSRS)
    if chance(0.15):
        values["vcpu.guest_debug"] = pick((1, 3, 0x10001, 0x20001))
    if chance(0.1):
        values["vcpu.arch.epr_flags"] = pick((1, 2, 3))
    if chance(0.1):
        values["vcpu.arch.watchdog_enabled"] = 1
    if chance(0.1):
        values["host.pte_mode"], values["host.pfn_mode"] = pick((0, 1, 2)), pick((0, 0, 1))
    if chance(0.1):
        values["kvm.mmu_invalidate_in_progress"] = 1


# Kinds


def fetch(draw: Draw) -> Plan:
    """The guest's last instruction, through the host's TLB."""
    pick = draw.pick
    ea, pid, space = draw.ea(), pick(pools.PIDS), pick((0, 0, 1))
    values: Values = {
        "vcpu.arch.regs.nip": ea,
        "vcpu.arch.shared.msr": GS | space * (IS | DS) | pick((0, 0, PR)),
        "vcpu.arch.pid": pid,
        "spr.PID": pid,
    }
    real = host_entry(draw, values, ea, pid, space, 0)
    if draw.chance(0.2):
        host_entry(draw, values, ea, pid, space, 1)
    if draw.chance(0.1):
        values["vcpu.arch.last_inst"] = 0x7C0007A4
    at = real | ea & 0xFFC
    call = pick(("kvmppc_get_last_inst", "kvmppc_load_last_inst"))
    return Plan("fetch", values, {at: 0x7C000000 | at & 0xFFFF}, [Step(call, args=(0, pick((0, 0, 1))))])


def exit_(draw: Draw) -> Plan:
    """kvmppc_handle_exit, then perhaps the answer of user space."""
    pick = draw.pick
    plan = Plan("exit")
    values = plan.values
    ea, pid, space = draw.ea(), pick(pools.PIDS), pick((0, 0, 1))
    number = pick(pools.EXITS)
    registers(draw, values)
    interrupts(draw, values)
    values["vcpu.arch.regs.nip"] = ea & ~3
    values["vcpu.arch.pid"] = values["spr.PID"] = pid
    values["vcpu.arch.fault_dear"], values["vcpu.arch.fault_esr"] = draw.ea(), pick(pools.ESRS)
    if draw.chance(0.85):
        values["vcpu.arch.last_inst"] = instruction(draw)
    else:
        plan.mem[host_entry(draw, values, ea & ~3, pid, space, 0) | ea & 0xFFC] = instruction(draw)
    for _ in range(draw.below(3)):
        guest_entry(draw, values, values["vcpu.arch.fault_dear"], pid, space)
    if number == 40:
        values["vcpu.arch.regs.gpr[11]"] = pick(pools.HCALLS)
    if number == 15:
        values["spr.DBSR"] = pick(pools.DBSRS)
    if number == 41:
        guest_mas(draw, values, draw.ea(), pid, space)
    plan.steps.append(Step("kvmppc_handle_exit", args=(0, number)))
    if draw.chance(0.5):
        plan.steps.append(_answer(draw))
    return plan


def _answer(draw: Draw) -> Step:
    """KVM_RUN again, with the bytes of a device's answer."""
    data = {f"run.mmio.data[{n}]": draw.bits(8) for n in range(8)} if draw.chance(0.7) else {}
    return Step("kvm_arch_vcpu_ioctl_run", args=(0,), set=data)


def mmio(draw: Draw) -> Plan:
    """A load or store that the guest makes of a device, and its completion."""
    pick = draw.pick
    plan = Plan("mmio")
    values = plan.values
    registers(draw, values)
    if draw.chance(0.7):
        values["vcpu.arch.shared.msr"] |= FP | pick((0, SPV))
        values["host.thread_regs_msr"] = pick((0x2000, 0x02002000, 0))
    for number in range(0, 8):
        values[f"vcpu.arch.fp.fpr[{number}]"] = draw.bits(64)
        values[f"vcpu.arch.vr.vr_u64[{number}]"] = draw.bits(64)
    values["vcpu.arch.last_inst"] = instruction(draw)
    gpa = pick((0xFE000234, 0xFE001000, 0xFE00100C, 0x4000000, 0x9_FE001001, 0x3000, 0xFE000FFE))
    values["vcpu.arch.paddr_accessed"], values["vcpu.arch.vaddr_accessed"] = gpa, draw.ea()
    if draw.chance(0.15):
        rt, size = draw.below(32) | pick((0, 0, 0x20, 0x40, 0x60, 0x80)), pick((1, 2, 4, 8, 3))
        name = pick(("kvmppc_handle_load", "kvmppc_handle_loads", "kvmppc_handle_store"))
        first = draw.bits(64) if name == "kvmppc_handle_store" else rt
        plan.steps.append(Step(name, args=(0, first, size, draw.below(2))))
    else:
        plan.steps.append(Step(pick(("kvmppc_emulate_mmio", "kvmppc_emulate_loadstore")), args=(0,)))
    for _ in range(1 + draw.below(3)):
        plan.steps.append(_answer(draw))
    return plan


def life(draw: Draw) -> Plan:
    """Steps of a small guest: its TLB, misses, invalidations, timers, interrupts, instructions."""
    pick = draw.pick
    plan = Plan("life")
    values = plan.values
    pid, space = pick(pools.PIDS), pick((0, 0, 1))
    registers(draw, values)
    values["vcpu.arch.pid"] = values["spr.PID"] = pid
    for _ in range(draw.below(3)):
        guest_entry(draw, values, draw.ea(), pid, space)
    for _ in range(2 + draw.below(6)):
        plan.steps.append(pick(LIFE)(draw, pid, space))
    return plan


def _tlbwe(draw: Draw, pid: int, space: int) -> Step:
    values: Values = {}
    guest_mas(draw, values, draw.ea(), pid, space)
    return Step("kvmppc_e500_emul_tlbwe", args=(0,), set=values)


def _guest_tlb(draw: Draw, pid: int, space: int) -> Step:
    values: Values = {}
    guest_mas(draw, values, draw.ea(), pid, space)
    name, args = draw.pick(
        (
            ("kvmppc_e500_emul_tlbre", ()),
            ("kvmppc_e500_emul_tlbsx", (draw.ea(),)),
            ("kvmppc_e500_emul_tlbivax", (draw.ea() & ~0xFFF | draw.pick((0, 4, 8, 0xC)),)),
            ("kvmppc_e500_emul_tlbilx", (draw.pick(pools.TLBILX_TS), draw.ea())),
            ("kvmppc_e500_emul_mt_mmucsr0", (draw.pick(pools.MMUCSR0S),)),
            ("kvmppc_mmu_dtlb_index", (draw.ea(),)),
            ("kvmppc_mmu_itlb_index", (draw.ea(),)),
            ("kvmppc_xlate", (draw.ea(), draw.below(2), draw.below(2))),
            ("kvmppc_core_flush_tlb", ()),
        )
    )
    return Step(name, args=(0, *args), set=values)


def _miss(draw: Draw, pid: int, space: int) -> Step:
    values = {"vcpu.arch.fault_dear": draw.ea(), "vcpu.arch.fault_esr": draw.pick(pools.ESRS)}
    values["vcpu.arch.last_inst"] = instruction(draw)
    return Step("kvmppc_handle_exit", args=(0, draw.pick((13, 13, 14, 2, 3))), set=values)


def _map(draw: Draw, pid: int, space: int) -> Step:
    index = draw.pick((draw.below(256), 0x10000 | draw.below(16), 0x10000 | draw.below(16)))
    gpa = draw.pick(pools.GUEST_PAGES[:-3])
    return Step("kvmppc_mmu_map", args=(0, draw.ea(), gpa, index))


def _shadow(draw: Draw, pid: int, space: int) -> Step:
    name, args = draw.pick(
        (
            ("inval_gtlbe_on_host", (0, draw.below(256))),
            ("inval_gtlbe_on_host", (1, draw.below(16))),
            ("kvmppc_e500_tlbil_one", (draw.below(272),)),
            ("mmu_notifier_invalidate", ()),
        )
    )
    return Step(name, args=(0, *args))


def _emulate(draw: Draw, pid: int, space: int) -> Step:
    values: Values = {"vcpu.arch.last_inst": instruction(draw)}
    values[f"vcpu.arch.regs.gpr[{draw.pick((3, 4, 5))}]"] = draw.value()
    return Step("kvmppc_handle_exit", args=(0, 41), set=values)


def _memory(draw: Draw, pid: int, space: int) -> Step:
    size, data = draw.pick((1, 2, 4, 8, 16, 32)), draw.below(2)
    if draw.chance(0.5):
        return Step("kvmppc_ld", args=(0, draw.ea(), size, data))
    return Step("kvmppc_st", args=(0, draw.ea(), size, data, *(draw.bits(64) for _ in range(4))))


def _timer(draw: Draw, pid: int, space: int) -> Step:
    name, args = draw.pick(
        (
            ("kvmppc_set_tcr", (draw.pick(pools.TCRS),)),
            ("kvmppc_set_tsr", (draw.pick(pools.TSRS),)),
            ("kvmppc_set_tsr_bits", (draw.pick(pools.TSRS),)),
            ("kvmppc_clr_tsr_bits", (draw.pick(pools.TSRS),)),
            ("kvmppc_watchdog_func", ()),
            ("kvmppc_decrementer_func", ()),
            ("kvmppc_emulate_dec", ()),
            ("kvmppc_get_dec", (draw.bits(40),)),
        )
    )
    return Step(name, args=(0, *args))


def _advance(draw: Draw, pid: int, space: int) -> Step:
    return Step(verb="advance", args=(draw.pick((0, 1, 159999, 160000, 1 << 20, 1 << 32, _U64)),))


def _queue(draw: Draw, pid: int, space: int) -> Step:
    name, args = draw.pick(
        (
            ("kvmppc_booke_queue_irqprio", (draw.below(24),)),
            ("kvmppc_core_queue_external", (draw.pick((0xFFFFFFFF, 0xFFFFFFFD, 0)),)),
            ("kvmppc_core_dequeue_external", ()),
            ("kvm_vcpu_ioctl_interrupt", (draw.pick((0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 1)),)),
            ("kvmppc_core_prepare_to_enter", ()),
            ("kvmppc_set_msr", (draw.msr(),)),
        )
    )
    return Step(name, args=(0, *args))


#: What a life consists of.
LIFE: tuple[Callable[[Draw, int, int], Step], ...] = (
    *(_tlbwe, _tlbwe, _tlbwe, _guest_tlb, _miss, _miss, _miss, _map, _shadow, _emulate, _emulate),
    *(_memory, _timer, _advance, _queue, lambda draw, pid, space: _answer(draw)),
)


def engine(draw: Draw) -> Plan:
    """A simulator's loop: enter, accesses and instructions of the guest, the exits that they cause, time."""
    pick = draw.pick
    plan = Plan("engine")
    values = plan.values
    pid, space = pick(pools.PIDS), pick((0, 0, 1))
    registers(draw, values)
    values["vcpu.arch.pid"] = pid
    values["vcpu.arch.regs.nip"] = draw.ea() & ~3
    values["host.irq_enabled"] = 1
    for _ in range(1 + draw.below(3)):
        guest_entry(draw, values, draw.ea(), pid, space)
    plan.steps.append(Step("kvm_arch_vcpu_put", args=(0,)))
    plan.steps.append(Step(verb="enter", args=(0,)))
    for _ in range(2 + draw.below(6)):
        plan.steps.append(pick(ENGINE)(draw))
    return plan


def _access(draw: Draw) -> Step:
    size = draw.pick((4, 4, 1, 8, 16))
    return Step(verb="translate", args=(0, draw.ea(), size, draw.pick((0, 1, 1, 2, 2, 3)), 0))


def _guest_op(draw: Draw) -> Step:
    return Step(verb="guest_op", args=(0, instruction(draw)))


def _engine_interrupt(draw: Draw) -> Step:
    ivor = draw.pick((8, 6, 5, 7, 40, 15, 32, 33))
    return Step(verb="interrupt", args=(0, ivor, draw.pick(pools.ESRS), draw.ea()))


def _pin(draw: Draw) -> Step:
    return Step(verb="pin", args=(0, draw.below(12), draw.below(2)))


def _pending(draw: Draw) -> Step:
    return Step(verb="pending", args=(0,))


def _record(draw: Draw) -> Step:
    number = draw.pick(pools.EXITS[:-9])
    args = (0, number, draw.ea() & ~3, draw.msr(), draw.ea(), draw.pick(pools.ESRS))
    return Step(verb="exits", args=args)


ENGINE: tuple[Callable[[Draw], Step], ...] = (
    *(_access, _access, _access, _guest_op, _guest_op, _engine_interrupt, _pin, _pending, _record),
    lambda draw: _advance(draw, 0, 0),
    lambda draw: Step(verb="enter", args=(0,)),
)


def ioctl(draw: Draw) -> Plan:
    """What a VMM asks of a vcpu, between two runs."""
    plan = Plan("ioctl")
    registers(draw, plan.values)
    plan.values["host.irq_enabled"] = 1
    for _ in range(1 + draw.below(4)):
        plan.steps.append(draw.pick(IOCTLS)(draw))
    return plan


def _one_reg(draw: Draw) -> Step:
    name = draw.pick(("kvm_vcpu_ioctl_get_one_reg", "kvm_vcpu_ioctl_set_one_reg"))
    values = {f"user.buf[{n}]": draw.bits(8) for n in range(16)}
    number = draw.flip(draw.pick(pools.ONE_REGS), 64, 0.1)
    return Step(name, args=(0, number, draw.pick(pools.USER_ADDRESSES)), set=values)


def _regs(draw: Draw) -> Step:
    if draw.chance(0.5):
        return Step("kvm_arch_vcpu_ioctl_get_regs", args=(0,))
    names = ("pc", "cr", "lr", "msr", "srr0", "srr1", "pid", "sprg3", "sprg7", "gpr[1]", "gpr[31]")
    return Step(
        "kvm_arch_vcpu_ioctl_set_regs", args=(0,), set={f"user.regs.{n}": draw.value() for n in names}
    )


def _sregs(draw: Draw) -> Step:
    if draw.chance(0.4):
        return Step("kvm_arch_vcpu_ioctl_get_sregs", args=(0,))
    words = (
        "pir",
        "csrr1",
        "esr",
        "tsr",
        "tcr",
        "dec",
        "vrsave",
        "mas0",
        "mas6",
        "ivor_low[3]",
        "ivor_high[4]",
    )
    values = {f"user.sregs.{name}": draw.value() & _U32 for name in words}
    values |= {
        f"user.sregs.{name}": draw.value() for name in ("csrr0", "dear", "ivpr", "mas2", "mas7_3", "mcsr")
    }
    values["user.sregs.features"] = draw.pick((0x5063, 1, 3, 0x23, 0x63, 0x40, 0))
    values["user.sregs.update_special"] = draw.below(8)
    values["user.sregs.impl_id"] = draw.below(2)
    if draw.chance(0.8):
        values["user.sregs.pir"] = 0
    return Step("kvm_arch_vcpu_ioctl_set_sregs", args=(0,), set=values)


def _enable_cap(draw: Draw) -> Step:
    values = {"user.cap.cap": draw.pick(pools.CAPS), "user.cap.flags": draw.pick((0, 0, 0, 1))}
    values["user.cap.args[0]"] = draw.pick((0, 1, 0x2000, 0x2000, 5))
    values |= _tlb_configuration(draw)
    return Step("kvm_arch_vcpu_ioctl", args=(0, 0x8068AEA3, draw.pick((0x1000, 0x1000, 0))), set=values)


def _tlb_configuration(draw: Draw) -> Values:
    ways = draw.pick((1, 2, 4, 16, 3))
    entries, second = ways * draw.pick((1, 8, 64, 128, 5)), draw.pick((1, 16, 64, 65, 5))
    return {
        "user.config_tlb.params": draw.pick((0x3000, 0x3000, 0x3000, 0)),
        "user.config_tlb.array": draw.pick((0x10000, 0x10018, 0)),
        "user.config_tlb.mmu_type": draw.pick((0, 0, 0, 1)),
        "user.config_tlb.array_len": 24 * (entries + second) - draw.pick((0, 0, 0, 1)),
        "user.tlb_params.tlb_sizes[0]": entries,
        "user.tlb_params.tlb_sizes[1]": second,
        "user.tlb_params.tlb_ways[0]": ways,
        "user.tlb_params.tlb_ways[1]": draw.pick((second, second, second, 4)),
    }


def _config_tlb(draw: Draw) -> Step:
    return Step("kvm_vcpu_ioctl_config_tlb", args=(0,), set=_tlb_configuration(draw))


def _other(draw: Draw) -> Step:
    name, args = draw.pick(
        (
            ("kvm_arch_vcpu_ioctl_translate", (draw.pick(pools.PIDS) << 32 | draw.ea(),)),
            ("kvm_vcpu_ioctl_interrupt", (draw.pick((0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 1)),)),
            (
                "kvm_arch_vcpu_ioctl_set_guest_debug",
                (draw.pick((0, 1, 3, 0x20001)), draw.ea(), draw.below(4)),
            ),
            ("kvm_vm_ioctl_check_extension", (draw.below(200), draw.below(2))),
            ("kvm_arch_vcpu_runnable", ()),
            ("kvm_arch_vcpu_ioctl_run", ()),
            ("kvm_vcpu_ioctl_dirty_tlb", ()),
        )
    )
    return Step(name, args=(0, *args))


IOCTLS: tuple[Callable[[Draw], Step], ...] = (
    *(_one_reg, _one_reg, _one_reg, _regs, _sregs, _sregs, _enable_cap, _config_tlb, _other, _other),
)

#: The kinds by name.
KINDS: dict[str, Callable[[Draw], Plan]] = {
    "fetch": fetch,
    "exit": exit_,
    "mmio": mmio,
    "life": life,
    "engine": engine,
    "ioctl": ioctl,
}
