# SPDX-License-Identifier: BSD-3-Clause
"""kvm/exit: kvmppc_handle_exit, one row per exit number, BUG sites, failed fetches, the way out (exit 3-6).

Rows that need instruction emulation, a page of the guest TLB or MMIO are tested with those rooms.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from pyexit import Machine

from .kvmsupport import (
    ALTIVEC,
    BUG,
    DEBUG_EXITS,
    DEC_EXITS,
    EINTR_HOST,
    EPR_EXIT,
    ESR_PIL,
    ESR_PPR,
    EXIT_DEBUG,
    EXIT_EPR,
    EXIT_INTR,
    EXIT_UNKNOWN,
    EXIT_WATCHDOG,
    FP_ACCOUNT,
    NO_TYPE,
    NOP,
    NOT_LOADED,
    PC,
    PRIORITIES,
    REQ_WATCHDOG,
    RESUME_GUEST,
    RESUME_HOST,
    SIGNAL_EXITS,
    SITE,
    arch,
    call,
    guest,
    handle_exit,
    log,
    pending,
    queued,
    spr,
    stopped,
    units,
    vcpu,
    vector,
)
from .support import (
    CE,
    DS,
    EE,
    GS,
    IS,
    ME,
    PR,
    RI,
    SX,
    TGS,
    UX,
    WIDTH,
    M,
    MachineFactory,
    V,
    changed,
    each_model,
    put,
    texts,
    tsize,
)

MSR = CE | EE | ME | RI
DEAR, ESR = 0xA0, 0x00800000
SW_BREAK = 0x00DDDD00  # KVMPPC_INST_SW_BREAKPOINT
ENABLE, SW_BP = 1, 0x10000


class Row(NamedTuple):
    """What an exit does when nothing is pending (exit 3.3); `type` None: no account."""

    number: int
    prio: str | None = None
    esr: int | None = None
    dear: int | None = None
    type: int | None = None
    stat: str | None = None
    host: str | None = None


#: The rows that go back to the guest without emulation (exit 3.3).
ROWS = (
    Row(2, "DATA_STORAGE", ESR, DEAR, 8, "dsi_exits"),
    Row(3, "INST_STORAGE", ESR, None, 7, "isi_exits"),
    Row(4, type=22, stat="ext_intr_exits", host="do_IRQ"),
    Row(5, "ALIGNMENT", ESR, DEAR),
    Row(6, "PROGRAM", ESR, None, 24),
    Row(7, "FP_UNAVAIL", type=FP_ACCOUNT),
    Row(10, type=DEC_EXITS, stat="dec_exits", host="timer_interrupt"),
    Row(12, host="unknown_exception"),
    Row(13, "DTLB_MISS", ESR, DEAR, 4, "dtlb_real_miss_exits"),
    Row(14, "ITLB_MISS", type=2, stat="itlb_real_miss_exits"),
    Row(35, host="performance_monitor_exception"),
    Row(36, type=28, stat="dbell_exits", host="doorbell_exception"),
    Row(38, type=29, stat="gdbell_exits"),
    Row(39, type=29, stat="gdbell_exits"),
)
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))

#: exit 14: names of exit numbers in the trace.
NAMES = {
    0: "CRITICAL", 1: "MACHINE_CHECK", 2: "DATA_STORAGE", 3: "INST_STORAGE", 4: "EXTERNAL", 5: "ALIGNMENT",
    6: "PROGRAM", 7: "FP_UNAVAIL", 8: "SYSCALL", 9: "AP_UNAVAIL", 10: "DECREMENTER", 11: "FIT",
    12: "WATCHDOG", 13: "DTLB_MISS", 14: "ITLB_MISS", 15: "DEBUG", 32: "SPE_UNAVAIL", 33: "SPE_FP_DATA",
    34: "SPE_FP_ROUND", 35: "PERFORMANCE_MONITOR", 36: "DOORBELL", 37: "DOORBELL_CRITICAL",
    38: "GUEST_DBELL", 39: "GUEST_DBELL_CRIT", 40: "HV_SYSCALL", 41: "HV_PRIV",
}  # fmt: skip

NO_CASE = (8, 9, 11, 34, 37, 42, *range(16, 32), 43, 64, 0x7FFFFFFF, 0xFFFFFFFF)

#: Exits that fetch the instruction first (exit 3.1 H3).
FETCHING = (2, 13, 41)


def exited(m: Machine, msr: int = MSR, **fields: int) -> Machine:
    """A guest that exited with a syndrome, its instruction in the cache."""
    return guest(m, msr, **{"fault_dear": DEAR, "fault_esr": ESR} | fields)


def delivered_by(row: Row) -> set[str]:
    """The fields that queueing and delivering the row's priority changes (exit 7.2)."""
    if row.prio is None:
        return set()
    fields = {"vcpu.arch.regs.nip", "vcpu.arch.shared.msr", "spr.GSRR0", "spr.GSRR1"}
    if row.esr is not None:
        fields |= {"vcpu.arch.queued_esr", "spr.GESR"}
    if row.dear is not None:
        fields |= {"vcpu.arch.queued_dear", "spr.GDEAR"}
    return fields


def miss_updates(number: int) -> set[str]:
    """The guest MAS of a reflected miss, as they change from 0 (exit 3.7)."""
    shared = {f"vcpu.arch.shared.{name}" for name in ("mas1", "mas2", "mas0")}
    return (shared | {"e500.gtlb_nv[0]"}) if number in (13, 14) else set()


@each_model
@each_row
def test_row(machine: MachineFactory, model: str, row: Row) -> None:
    """exit 3.3: queued priority and syndrome, account, counter, host handler, r = 0."""
    m = exited(machine(model=model))
    before = m.snapshot()
    assert handle_exit(m, row.number) == RESUME_GUEST
    events = texts(m)
    trace = (
        f"kvm_exit exit={NAMES[row.number]} | pc=0x1000 | msr={GS | MSR:#x} | dar=0xa0 | last_inst={NOP:#x}"
    )
    expected = [f"host {row.host}"] * (row.host is not None) + [trace]
    expected += [f"kvm_booke_queue_irqprio vcpu=0 prio={row.prio} pending=0"] * (row.prio is not None)
    assert events == expected + units(model)
    fields = {"vcpu.mode", "run.ready_for_interrupt_injection", "host.thread_regs_msr"} | delivered_by(row)
    fields |= {"host.irq_enabled"} if WIDTH[model] == 64 else set()
    fields |= {"vcpu.arch.last_exit_type"} if row.type is not None else set()
    fields |= {f"vcpu.stat.{row.stat}"} if row.stat else set()
    found = changed(m, before)
    assert found - miss_updates(row.number) == fields
    assert m["vcpu.arch.last_exit_type"] == (NO_TYPE if row.type is None else row.type)
    if row.stat:
        assert m[f"vcpu.stat.{row.stat}"] == 1


@each_model
@each_row
def test_syndrome_of_a_row(machine: MachineFactory, model: str, row: Row) -> None:
    """exit 3.3 "ESR/DEAR": what is handed on and what is left alone."""
    m = exited(machine(model=model), queued_esr=0x11, queued_dear=0x22)
    m.set({"spr.GESR": 0x33, "spr.GDEAR": 0x44})
    handle_exit(m, row.number)
    assert vcpu(m, "queued_esr", "queued_dear") == (row.esr or 0x11, row.dear or 0x22)
    assert spr(m, "GESR", "GDEAR") == (row.esr or 0x33, row.dear or 0x44)
    if row.prio:
        assert m["vcpu.arch.regs.nip"] == vector(PRIORITIES.index(row.prio))


@each_model
@pytest.mark.parametrize("number", NO_CASE)
def test_number_without_a_case_is_a_bug(machine: MachineFactory, model: str, number: int) -> None:
    """exit 3.3 BUG() summary, Q23: the emergency line has the number as a signed int."""
    m = exited(machine(model=model))
    assert stopped(m, "kvmppc_handle_exit", number) == (BUG, SITE["exit_nr"])
    signed = number - (number >> 31 << 32)
    assert log(m) == [f"printk 0 exit_nr {signed}"]


@each_model
def test_critical_is_handed_to_the_host_before_the_bug(machine: MachineFactory, model: str) -> None:
    """exit 3.3 row 0."""
    m = exited(machine(model=model))
    assert stopped(m, "kvmppc_handle_exit", 0) == (BUG, SITE["exit_nr"])
    assert log(m) == ["host unknown_exception", "printk 0 exit_nr 0"]


@each_model
def test_state_at_a_bug_is_that_of_the_moment(machine: MachineFactory, model: str) -> None:
    """exit 3.1 H6, H7: interrupts on, exit_reason and the ready flag written, nothing more."""
    m = exited(machine(model=model))
    m["run.exit_reason"] = 7
    before = m.snapshot()
    m.call("kvmppc_handle_exit", 0, 11)
    fields = {"host.irq_enabled", "run.exit_reason", "run.ready_for_interrupt_injection"}
    assert changed(m, before) == fields


@each_model
@pytest.mark.parametrize(("number", "prio"), [(32, 5), (33, 6)])
def test_altivec_exits(machine: MachineFactory, model: str, number: int, prio: int) -> None:
    """exit 3.3 rows 32, 33: queued with AltiVec, without account; BUG without."""
    m = exited(machine(model=model))
    if model not in ALTIVEC:
        assert stopped(m, "kvmppc_handle_exit", number) == (BUG, SITE["exit_nr"])
        return
    assert handle_exit(m, number) == RESUME_GUEST
    assert queued(m) == [PRIORITIES[prio]]
    assert vcpu(m, "regs.nip", "last_exit_type") == (vector(prio), NO_TYPE)


# Exits to user space


@each_model
def test_v14_machine_check(machine: MachineFactory, model: str) -> None:
    """exit 3.3 row 1, 3.4, 16 V14: no account, MCSR kept, nothing queued, the dump."""
    m = exited(machine(model=model))
    arch(m, {f"regs.gpr[{n}]": 0x100 + n for n in range(2, 32)} | {"regs.link": 0x20, "regs.ctr": 0x30})
    arch(m, {"shared.srr0": 0x77, "shared.srr1": 0x88})
    m.set({"spr.MCSR": 0x8000, "spr.GSRR0": 1, "spr.GSRR1": 2, "run.exit_reason": 9})
    before = m.snapshot()
    assert handle_exit(m, 1) == RESUME_HOST
    assert m["run.hw.hardware_exit_reason"] == 0xFFFFFFFE00008000
    assert (m["run.exit_reason"], m["spr.MCSR"], pending(m)) == (EXIT_UNKNOWN, 0x8000, set())
    assert {name for name in changed(m, before) if not name.startswith("run.")} == {"host.irq_enabled"}
    gprs = [0, 0xFFFFF8, *range(0x102, 0x120)]
    lines = [f"gpr{n:02d}: " + " ".join(f"{value:08x}" for value in gprs[n : n + 4]) for n in range(0, 32, 4)]
    head = [
        "MACHINE CHECK: 8000",
        f"pc:   00001000 msr:  {GS | MSR:08x}",
        "lr:   00000020 ctr:  00000030",
        "srr0: 00000077 srr1: 00000088",  # the shared page's, not GSRR (Q9)
        "exceptions: 00000000",
    ]
    assert log(m) == [f"printk -1 {line}" for line in head + lines]


@each_model
@pytest.mark.parametrize("cached", [SW_BREAK, NOP])
def test_program_with_software_breakpoints_armed(machine: MachineFactory, model: str, cached: int) -> None:
    """exit 3.3 row 6 (a), (b): only the breakpoint instruction is user space's."""
    m = exited(machine(model=model), last_inst=cached)
    m["vcpu.guest_debug"] = ENABLE | SW_BP
    if cached == SW_BREAK:
        assert handle_exit(m, 6) == RESUME_HOST
        assert (m["run.exit_reason"], m["run.debug.arch.address"]) == (EXIT_DEBUG, PC)
        assert vcpu(m, "last_exit_type", "pending_exceptions") == (DEBUG_EXITS, 0)
    else:
        assert handle_exit(m, 6) == RESUME_GUEST
        assert queued(m) == ["PROGRAM"]


@each_model
def test_breakpoint_instruction_without_armed_breakpoints_is_the_guests(
    machine: MachineFactory, model: str
) -> None:
    """exit 3.3 row 6: USE_SW_BP decides, not ENABLE."""
    m = exited(machine(model=model), last_inst=SW_BREAK)
    m["vcpu.guest_debug"] = ENABLE
    assert handle_exit(m, 6) == RESUME_GUEST
    assert queued(m) == ["PROGRAM"]


@each_model
def test_debug_exit_samples_and_clears_dbsr(machine: MachineFactory, model: str) -> None:
    """exit 6 DEBUG, 3.3 row 15: arch.dbsr := DBSR, DBSR cleared by writing it to itself."""
    m = exited(machine(model=model))
    m.set({"spr.DBSR": 0x00800000, "vcpu.arch.dbsr": 0x11})
    assert handle_exit(m, 15) == RESUME_GUEST
    assert (m["spr.DBSR"], m["vcpu.arch.dbsr"]) == (0, 0x00800000)
    assert (m["run.exit_reason"], m["vcpu.arch.last_exit_type"]) == (EXIT_UNKNOWN, DEBUG_EXITS)
    assert "mtspr 304 0x800000" in texts(m)


# Hypercalls


@each_model
def test_hypercall_of_the_supervisor(machine: MachineFactory, model: str) -> None:
    """exit 3.3 row 40: gpr3 and gpr4, pc as it is, no account."""
    m = exited(machine(model=model), **{"regs.gpr[11]": 7, "regs.gpr[4]": 5})
    assert handle_exit(m, 40) == RESUME_GUEST
    got = vcpu(m, "regs.gpr[3]", "regs.gpr[4]", "regs.nip", "last_exit_type", "pending_exceptions")
    assert got == (12, 0, PC, NO_TYPE, 0)


@each_model
def test_hypercall_of_user_mode_is_privileged(machine: MachineFactory, model: str) -> None:
    """exit 3.3 row 40: PROGRAM with PPR, gpr3 and gpr4 untouched."""
    m = exited(machine(model=model), msr=MSR | PR, **{"regs.gpr[3]": 1, "regs.gpr[4]": 2})
    assert handle_exit(m, 40) == RESUME_GUEST
    assert vcpu(m, "regs.gpr[3]", "regs.gpr[4]", "regs.nip") == (1, 2, vector(3))
    assert spr(m, "GESR") == (ESR_PPR,)


# The early fetch


def mapped(m: Machine, perms: int = SX | UX) -> None:
    """A host entry for the pc whose word is NOP; the cache is empty."""
    arch(m, {"last_inst": NOT_LOADED})
    put(m, 1, 7, V | tsize(2), PC | M, 0x7000 | perms, mas8=TGS | 2)
    m.store_word(0x7000, NOP)


@each_model
@pytest.mark.parametrize("number", [2, 13])
def test_early_fetch_fills_the_cache_before_the_trace(
    machine: MachineFactory, model: str, number: int
) -> None:
    """exit 3.1 H3, H4."""
    m = exited(machine(model=model))
    mapped(m)
    assert handle_exit(m, number) == RESUME_GUEST
    events = texts(m)
    kinds = [text.split()[0] for text in events[:3]]
    assert kinds == ["tlbsx", "kmap", "kvm_exit"]
    assert events[2].endswith(f"last_inst={NOP:#x}")


@each_model
@pytest.mark.parametrize("number", [row.number for row in ROWS if row.number not in FETCHING] + [40, 15, 1])
def test_other_exits_do_not_fetch(machine: MachineFactory, model: str, number: int) -> None:
    """exit 3.1 H3: any other exit none."""
    m = exited(machine(model=model), last_inst=NOT_LOADED)
    handle_exit(m, number)
    assert not [text for text in texts(m) if text.startswith("tlbsx")]


@each_model
@pytest.mark.parametrize("number", [*FETCHING, 6])
def test_v21_failed_fetch_drops_the_exit(machine: MachineFactory, model: str, number: int) -> None:
    """exit 3.1 H8, 4.3, 16 V21: no fault queued, nothing counted, r 0, the type inherited."""
    m = exited(machine(model=model), last_inst=NOT_LOADED, last_exit_type=5)
    m.set({"vcpu.guest_debug": SW_BP * (number == 6), "run.exit_reason": 4})
    before = m.snapshot()
    assert handle_exit(m, number) == RESUME_GUEST
    events = texts(m)
    assert events[0].startswith("tlbsx")
    assert events[1].startswith(f"kvm_exit exit={NAMES[number]}")
    assert events[1].endswith("last_inst=0xffffffff")
    assert events[2:] == units(model)
    fields = {name for name in changed(m, before) if name.startswith(("vcpu", "run", "e500"))}
    assert fields == {"vcpu.mode", "run.exit_reason", "run.ready_for_interrupt_injection"}
    assert m["run.exit_reason"] == EXIT_UNKNOWN


@each_model
@pytest.mark.parametrize("number", FETCHING)
def test_v22_refused_fetch_of_v4(machine: MachineFactory, model: str, number: int) -> None:
    """exit 4.3 FAIL, 16 V22: r 2, all ones, PROGRAM with PIL left queued."""
    m = exited(machine(model=model, fetch="seed-v4"))
    mapped(m, perms=0)
    assert handle_exit(m, number) == RESUME_HOST
    assert (m["run.hw.hardware_exit_reason"], m["run.exit_reason"]) == ((1 << 64) - 1, EXIT_UNKNOWN)
    assert (pending(m), m["vcpu.arch.queued_esr"], m["vcpu.arch.regs.nip"]) == ({3}, ESR_PIL, PC)


@each_model
@pytest.mark.parametrize("number", FETCHING)
def test_refused_fetch_of_6_1_is_retried(machine: MachineFactory, model: str, number: int) -> None:
    """exit 4.2 L2 to L4: AGAIN in 6.1."""
    m = exited(machine(model=model))
    mapped(m, perms=0)
    assert handle_exit(m, number) == RESUME_GUEST
    assert pending(m) == set()


# TLB misses that the guest gets


@each_model
@pytest.mark.parametrize("space", [0, 1])
@pytest.mark.parametrize(("number", "bit"), [(13, DS), (14, IS)])
def test_mas_of_a_reflected_miss(
    machine: MachineFactory, model: str, number: int, bit: int, space: int
) -> None:
    """exit 3.7, mmu-kvm 4: address and space of the data or the instruction access, PID 8 bits."""
    m = exited(machine(model=model), msr=MSR | (bit if space else (IS | DS) ^ bit), pid=0x1FF)
    arch(m, {"fault_dear": 0xABCDE123, "regs.nip": 0x12345678})
    arch(m, {"shared.mas0": 0xFFFFFFFF, "shared.mas4": 0x0FFFFFFF, "shared.mas6": 0xFFFFFFFF})
    arch(m, {"shared.mas7_3": (1 << 64) - 1})
    assert handle_exit(m, number) == RESUME_GUEST
    page = 0xABCDE000 if number == 13 else 0x12345000
    got = vcpu(m, "shared.mas0", "shared.mas1", "shared.mas2", "shared.mas7_3", "shared.mas6")
    mas6 = 0x7FFE | 0xFF << 16 | space
    assert got == (1, V | space << 12 | 0xFF << 16 | 0xF80, page | 0x63, 0x3C0, mas6)


@each_model
@pytest.mark.parametrize(("nv", "victim", "after"), [(0, 0, 1), (1, 1, 0)])
def test_victim_of_a_reflected_miss_goes_round(
    machine: MachineFactory, model: str, nv: int, victim: int, after: int
) -> None:
    """exit 3.7: ESEL is the old next victim, NV the new one; two ways."""
    m = exited(machine(model=model))
    m["e500.gtlb_nv[0]"] = nv
    handle_exit(m, 14)
    assert (m["vcpu.arch.shared.mas0"], m["e500.gtlb_nv[0]"]) == (victim << 16 | after, after)


@each_model
def test_miss_with_tlb1_as_default_has_no_victim(machine: MachineFactory, model: str) -> None:
    """exit 3.7: t = MAS4[TLBSELD] = 1: ESEL 0, NV as it is."""
    m = exited(machine(model=model), **{"shared.mas4": 0x10000000})
    m.set({"e500.gtlb_nv[0]": 1, "e500.gtlb_nv[1]": 3})
    handle_exit(m, 14)
    assert m["vcpu.arch.shared.mas0"] == 0x10000003
    assert (m["e500.gtlb_nv[0]"], m["e500.gtlb_nv[1]"]) == (1, 3)


# The way out


@each_model
@pytest.mark.parametrize("reason", [4, 6, 21])
def test_every_exit_rewrites_exit_reason_and_the_ready_flag(
    machine: MachineFactory, model: str, reason: int
) -> None:
    """exit 3.1 H7: also light exits."""
    m = exited(machine(model=model))
    m.set({"run.exit_reason": reason, "run.ready_for_interrupt_injection": 0})
    handle_exit(m, 4)
    assert (m["run.exit_reason"], m["run.ready_for_interrupt_injection"]) == (EXIT_UNKNOWN, 1)


@each_model
def test_v13_signal_ends_a_light_exit(machine: MachineFactory, model: str) -> None:
    """exit 3.1 H10, 1.3, 16 V13: (-EINTR << 2) | 2; the caller's shift gives -EINTR back."""
    m = exited(machine(model=model))
    m["host.signal_pending"] = 1
    ret = handle_exit(m, 4)
    assert (ret, ret >> 2) == (EINTR_HOST, -4)
    assert (m["run.exit_reason"], m["vcpu.arch.last_exit_type"]) == (EXIT_INTR, SIGNAL_EXITS)
    assert (m["vcpu.stat.signal_exits"], m["vcpu.stat.ext_intr_exits"]) == (1, 1)
    assert (m["host.irq_enabled"], m["vcpu.mode"]) == (1, 0)


@each_model
def test_signal_leaves_what_was_queued(machine: MachineFactory, model: str) -> None:
    """exit 7.6: the signal comes before delivery."""
    m = exited(machine(model=model))
    m["host.signal_pending"] = 1
    assert handle_exit(m, 2) == EINTR_HOST
    assert (pending(m), m["vcpu.arch.regs.nip"]) == ({0}, PC)


@each_model
def test_signals_are_not_looked_at_on_the_way_to_user_space(machine: MachineFactory, model: str) -> None:
    """exit 3.1: exit_reason is not overwritten."""
    m = exited(machine(model=model))
    m["host.signal_pending"] = 1
    assert handle_exit(m, 1) == RESUME_HOST
    assert (m["run.exit_reason"], m["vcpu.stat.signal_exits"]) == (EXIT_UNKNOWN, 0)


@each_model
@pytest.mark.parametrize(("request_bit", "reason"), [(REQ_WATCHDOG, EXIT_WATCHDOG), (EPR_EXIT, EXIT_EPR)])
def test_requests_that_go_to_user_space(
    machine: MachineFactory, model: str, request_bit: int, reason: int
) -> None:
    """exit 1.3: s = 0 is composed to 2."""
    m = exited(machine(model=model))
    m["vcpu.requests"] = request_bit
    assert handle_exit(m, 4) == RESUME_HOST
    assert (m["run.exit_reason"], m["vcpu.requests"], m["host.irq_enabled"]) == (reason, 0, 1)


@each_model
@pytest.mark.parametrize("loaded", [0, 0x2000, 0x02000000, 0x02002000])
def test_guest_units_are_loaded_unless_the_thread_holds_them(
    machine: MachineFactory, model: str, loaded: int
) -> None:
    """exit 3.1, FP/AltiVec load rule."""
    m = exited(machine(model=model))
    m["host.thread_regs_msr"] = loaded
    handle_exit(m, 4)
    wanted = [name for name, bit in zip(units(model), (0x2000, 0x02000000), strict=False) if not loaded & bit]
    assert log(m)[1:] == wanted
    assert m["host.thread_regs_msr"] == loaded | (0x02002000 if model in ALTIVEC else 0x2000)


@each_model
def test_soft_interrupt_state_after_the_handler(machine: MachineFactory, model: str) -> None:
    """exit 3.1 H10: 64-bit marks itself enabled, 32-bit stays off."""
    m = exited(machine(model=model))
    handle_exit(m, 4)
    assert m["host.irq_enabled"] == (WIDTH[model] == 64)


@each_model
def test_v18_trap_without_debug_mode(machine: MachineFactory, model: str) -> None:
    """exit 16 V18: DEBUG, DBSR IDE|TIE, DE=0 -> PROGRAM with PTR is delivered at once."""
    m = exited(machine(model=model), msr=0)
    m["spr.DBSR"] = 0x81000000
    assert handle_exit(m, 15) == RESUME_GUEST
    assert vcpu(m, "queued_esr", "dbsr", "regs.nip") == (0x02000000, 0x81000000, 0x5555770C)
    assert (pending(m), m["spr.GESR"]) == (set(), 0x02000000)


@each_model
def test_each_vcpu_has_its_own_exit(machine: MachineFactory, model: str) -> None:
    """design 7: nothing of the other vcpu, its run page or its thread changes."""
    thread = 2 if model == "e6500" else 1
    m = machine(model=model, cores=2, vcpus=2, vcpu_thread=(0, thread))
    before = m.snapshot()
    assert call(m, "kvmppc_handle_exit", 7, vcpu=1) == RESUME_GUEST
    objects = {name.split(".")[0] for name in changed(m, before)}
    assert objects == {"vcpu1", "run1", f"spr{thread}", f"host{thread}"}
