# SPDX-License-Identifier: BSD-3-Clause
"""The quirks of exit 15 that KVM's code shows, one test each, named after the quirk.

Those of a room of their own are tested there: Q7 test_emulate_e500, Q13 test_one_reg, Q31 test_ioctl, Q39
test_lowlevel. Q14, Q37 and Q40 cannot be observed: docs/choices.md says why. Q22 is that no page's byte order
is looked at. Q25 is observable as the recorder has it: every halt is asked, also of a runnable vcpu (SCHEMA
host.wake_*).
"""

from __future__ import annotations

import pytest

from pyexit import Machine, Outcome

from .kvmsupport import (
    BUG,
    CRITICAL,
    DATA_STORAGE,
    DBELL,
    DBELL_CRIT,
    DEBUG,
    DECREMENTER,
    DOORBELL,
    DOORBELL_CRIT,
    DOORBELL_MC,
    EPR_EXIT,
    ESR_PPR,
    EXIT_DEBUG,
    EXIT_EPR,
    EXIT_UNKNOWN,
    EXTERNAL,
    EXTERNAL_LEVEL,
    HANG,
    MACHINE_CHECK,
    NOP,
    NOT_LOADED,
    PC,
    PENDING_TIMER,
    PERFORMANCE_MONITOR,
    PROGRAM,
    REQ_WATCHDOG,
    RESUME_GUEST,
    RESUME_HOST,
    SITE,
    WATCHDOG,
    WIE,
    WIS,
    arch,
    call,
    guest,
    handle_exit,
    log,
    pend,
    pending,
    spr,
    stopped,
    vcpu,
    vector,
)
from .support import (
    CE,
    CM,
    DE,
    EE,
    GS,
    ME,
    PR,
    SX,
    TGS,
    UX,
    WE,
    WIDTH,
    M,
    MachineFactory,
    V,
    each_model,
    each_model64,
    events_of,
    put,
    texts,
    tsize,
)

SW_BREAK, SW_BP_ARMED = 0x00DDDD00, 0x10001
MAP_MAGIC_PAGE = 0x002A0004
E_BIT = 1


def mapped(m: Machine, word: int, attributes: int = M, perms: int = SX | UX) -> Machine:
    """A guest whose pc has a host entry and `word` behind it; nothing is cached."""
    guest(m, last_inst=NOT_LOADED)
    put(m, 1, 7, V | tsize(2), PC | attributes, 0x7000 | perms, mas8=TGS | 2)
    m.store_word(0x7000, word)
    return m


@each_model
@pytest.mark.parametrize(
    ("priority", "gate"), [(EXTERNAL, EE), (CRITICAL, CE), (MACHINE_CHECK, ME), (DEBUG, DE)]
)
def test_q1_low_word_of_r1_zero_is_a_critical_section(
    machine: MachineFactory, model: str, priority: int, gate: int
) -> None:
    """Nothing comes through, and a doorbell goes out on each try."""
    r1 = 0x1_00000000 if WIDTH[model] == 64 else 0
    m = guest(machine(model=model), gate, **{"regs.gpr[1]": r1})
    pend(m, priority)
    for _ in range(2):
        call(m, "kvmppc_core_check_exceptions")
        again = {EXTERNAL: [DOORBELL], CRITICAL: [DOORBELL_CRIT]}
        assert log(m) == again.get(priority, [])
        assert pending(m) == {priority}


@each_model64
def test_q2_hypercall_parameters_of_64_bit_guests_are_cut(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), CM, **{"regs.gpr[11]": MAP_MAGIC_PAGE, "regs.gpr[3]": 0xA_12345000})
    call(m, "kvmppc_kvm_pv")
    assert m["vcpu.arch.magic_page_pa"] == 0x12345000


@each_model
@pytest.mark.parametrize(("priority", "sent"), [(2, [DOORBELL_MC]), (3, [DOORBELL_MC]), (12, [])])
def test_q3_machine_check_doorbell_goes_by_the_wrong_bits(
    machine: MachineFactory, model: str, priority: int, sent: list[str]
) -> None:
    m = guest(machine(model=model))
    pend(m, priority)
    call(m, "kvmppc_booke_irqprio_deliver", 23)
    assert log(m) == sent


@each_model
@pytest.mark.parametrize("priority", [DECREMENTER, EXTERNAL_LEVEL])
def test_q4_delivered_level_sends_a_doorbell_and_takes_an_exit_38(
    machine: MachineFactory, model: str, priority: int
) -> None:
    m = guest(machine(model=model), EE)
    call(m, "kvm_arch_vcpu_load")
    pend(m, priority)
    call(m, "kvmppc_core_check_exceptions")
    assert (pending(m), m["vcpu.arch.shared.msr"]) == ({priority}, GS)
    assert DOORBELL in log(m)
    m["thread.msr"] = GS
    assert m.pending().outcome == Outcome.DONE
    m["thread.msr"] = GS | EE
    assert m.pending() == (Outcome.EXIT, 38)
    assert m.pending().outcome == Outcome.DONE


@each_model
def test_q5_one_syndrome_for_all(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    call(m, "kvmppc_core_queue_data_storage", 0xA0, 1)
    call(m, "kvmppc_core_queue_alignment", 0xB0, 2)
    call(m, "kvmppc_core_check_exceptions")
    assert m["vcpu.arch.regs.nip"] == vector(DATA_STORAGE)
    assert spr(m, "GESR", "GDEAR") == (2, 0xB0)


@each_model
def test_q6_second_interrupt_on_top_of_the_first(machine: MachineFactory, model: str) -> None:
    """Delivery asks user space for an EPR; the next try delivers again before the guest has run."""
    m = guest(machine(model=model), EE | CE, epr_flags=1)
    m["host.irq_enabled"] = 1
    pend(m, EXTERNAL, DBELL_CRIT)
    assert call(m, "kvmppc_prepare_to_enter") == 0
    assert m["vcpu.arch.regs.nip"] == vector(EXTERNAL)
    assert call(m, "kvmppc_prepare_to_enter") == 1
    assert vcpu(m, "regs.nip", "csrr0") == (vector(DBELL_CRIT), vector(EXTERNAL))


@each_model
def test_q8_watchdog_exit_is_lost_beside_an_epr_exit(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    m["vcpu.requests"] = REQ_WATCHDOG | EPR_EXIT
    assert call(m, "kvmppc_core_check_requests") == 0
    assert (m["run.exit_reason"], m["vcpu.requests"]) == (EXIT_EPR, 0)


@each_model
def test_q9_machine_check_dump_has_the_stale_copies(machine: MachineFactory, model: str) -> None:
    """The emulated instructions of Q9 need the instruction emulator."""
    m = guest(machine(model=model), **{"shared.srr0": 0x77, "shared.srr1": 0x88})
    m.set({"spr.GSRR0": 1, "spr.GSRR1": 2})
    handle_exit(m, 1)
    assert "printk -1 srr0: 00000077 srr1: 00000088" in log(m)


@each_model
def test_q10_watchdog_is_queued_again_while_wis_is_set(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), CE, tcr=WIE, tsr=WIS)
    call(m, "update_timer_ints")
    call(m, "kvmppc_core_check_exceptions")
    assert pending(m) == set()
    call(m, "update_timer_ints")
    assert pending(m) == {WATCHDOG}


@each_model
def test_q11_guest_debug_does_not_touch_msr_de(machine: MachineFactory, model: str) -> None:
    """Neither forced when it is enabled, nor removed when it is disabled."""
    m = guest(machine(model=model))
    call(m, "kvm_arch_vcpu_ioctl_set_guest_debug", 1)
    assert m["vcpu.arch.shared.msr"] == GS
    call(m, "kvmppc_set_msr", 0)
    call(m, "kvm_arch_vcpu_ioctl_set_guest_debug", 0)
    assert m["vcpu.arch.shared.msr"] == GS | DE


@each_model
def test_q12_guest_doorbell_overwrites_the_guests_srr(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    call(m, "kvm_arch_vcpu_load")
    m.set({"spr.GSRR0": 0x77, "spr.GSRR1": 0x88, "thread.pc": 0x4000, "thread.msr": GS | EE})
    m.pin(0, "gdbell", 1)
    assert m.pending() == (Outcome.EXIT, 38)
    assert spr(m, "GSRR0", "GSRR1") == (0x4000, GS | EE)
    handle_exit(m, 38)
    assert spr(m, "GSRR0", "GSRR1") == (0x4000, GS | EE)


@each_model
def test_q15_breakpoint_reports_an_old_dbsr(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), last_inst=SW_BREAK, dbsr=0x00040000)
    m.set({"vcpu.guest_debug": SW_BP_ARMED, "vcpu.arch.dbg_reg.dac1": 0x111})
    assert handle_exit(m, 6) == RESUME_HOST
    assert (m["run.debug.arch.status"], m["run.debug.arch.address"]) == (4, 0x111)
    assert (m["run.exit_reason"], m["vcpu.arch.dbsr"]) == (EXIT_DEBUG, 0)


@each_model
def test_q16_hypercall_of_user_mode_is_not_rewound(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), PR)
    assert handle_exit(m, 40) == RESUME_GUEST
    assert spr(m, "GSRR0", "GESR") == (PC, ESR_PPR)


@each_model
def test_q18_patterns_of_the_hardware_exit_reason(machine: MachineFactory, model: str) -> None:
    """That of a failed emulation needs the instruction emulator."""
    m = guest(machine(model=model))
    m["spr.MCSR"] = 0x1234
    handle_exit(m, 1)
    assert m["run.hw.hardware_exit_reason"] == 0xFFFFFFFE_00001234
    m = mapped(machine(model=model, fetch="seed-v4"), NOP, perms=0)
    handle_exit(m, 13)
    assert m["run.hw.hardware_exit_reason"] == 0xFFFFFFFF_FFFFFFFF


@each_model
def test_q19_light_exits_rewrite_exit_reason(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    m["run.exit_reason"] = 6
    assert handle_exit(m, 38) == RESUME_GUEST
    assert m["run.exit_reason"] == EXIT_UNKNOWN


@each_model
def test_q20_failed_fetch_drops_the_event_for_ever(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), last_inst=NOT_LOADED)
    for _ in range(5):
        assert handle_exit(m, 2) == RESUME_GUEST
    assert (pending(m), m["vcpu.stat.dsi_exits"], m["vcpu.arch.regs.nip"]) == (set(), 0, PC)


@each_model
def test_q21_all_ones_is_never_cached(machine: MachineFactory, model: str) -> None:
    m = mapped(machine(model=model), NOT_LOADED)
    assert handle_exit(m, 2) == RESUME_GUEST
    assert m["vcpu.stat.dsi_exits"] == 1
    arch(m, {"regs.nip": PC})
    m.events()
    assert m.get_last_inst() == (0, NOT_LOADED)
    assert len(events_of(m, "tlbsx")) == 1


@each_model
def test_q22_little_endian_pages_are_not_swapped(machine: MachineFactory, model: str) -> None:
    m = mapped(machine(model=model), 0x01020304, attributes=M | E_BIT)
    assert m.get_last_inst() == (0, 0x01020304)


@each_model
@pytest.mark.parametrize("number", [42, 9, 11, 37, 0, 8])
def test_q23_hooked_exits_without_a_case(machine: MachineFactory, model: str, number: int) -> None:
    m = guest(machine(model=model))
    assert stopped(m, "kvmppc_handle_exit", number) == (BUG, SITE["exit_nr"])


@each_model
def test_q24_machine_check_without_a_reason(machine: MachineFactory, model: str) -> None:
    """The delivery's part: mcsr is not set, and the new MSR has GS alone."""
    m = guest(machine(model=model), ME | EE | CE | DE)
    pend(m, MACHINE_CHECK)
    call(m, "kvmppc_core_check_exceptions")
    assert vcpu(m, "mcsr", "shared.msr") == (0, GS)


@each_model
def test_q25_masked_interrupt_and_we_spin(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), WE)
    m["host.wake_signal"] = 0
    pend(m, EXTERNAL)
    assert stopped(m, "kvmppc_handle_exit", 38) == (HANG, SITE["halt_limit"])


@each_model
def test_q26_request_does_not_end_the_halt(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), WE)
    m.set({"host.wake_signal": 0, "host.wake_requests": PENDING_TIMER, "host.halt_limit": 2})
    assert stopped(m, "kvmppc_handle_exit", 38) == (HANG, SITE["halt_limit"])
    assert log(m) == ["halt irq_enabled=1"] * 3


@each_model
def test_q27_unknown_hypercall_clears_gpr4(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), **{"regs.gpr[11]": 0x12345678, "regs.gpr[4]": 9})
    handle_exit(m, 40)
    assert vcpu(m, "regs.gpr[3]", "regs.gpr[4]") == (12, 0)


def test_q28_altivec_exits_have_names_of_spe(machine: MachineFactory) -> None:
    m = guest(machine(model="e6500"))
    for number in (32, 33, 42):
        m.call("kvmppc_handle_exit", 0, number)
    names = [text.split(" | ")[0] for text in texts(m) if text.startswith("kvm_exit")]
    assert names == ["kvm_exit exit=SPE_UNAVAIL", "kvm_exit exit=SPE_FP_DATA", "kvm_exit exit=0x2a"]


@each_model
def test_q29_trace_has_stale_dar_and_instruction(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), fault_dear=0xDEAD, last_inst=NOP)
    handle_exit(m, 4)
    assert any("dar=0xdead | last_inst=0x60000000" in text for text in texts(m))


@each_model
def test_q30_exit_without_account_keeps_the_old_type(machine: MachineFactory, model: str) -> None:
    """And the sentinel of the minimum is 32 bits wide; the report's parts belong to the report."""
    m = guest(machine(model=model))
    assert m["vcpu.arch.timing_min_duration[0]"] == 0xFFFFFFFF
    handle_exit(m, 10)
    handle_exit(m, 5)
    assert m["vcpu.arch.last_exit_type"] == 21


@each_model
def test_q33_any_number_is_an_edge_and_unset_drops_both(machine: MachineFactory, model: str) -> None:
    """The queue's part; that the ioctl does not kick needs the register ioctls."""
    m = guest(machine(model=model))
    call(m, "kvmppc_core_queue_external", 0x1234)
    call(m, "kvmppc_core_queue_external", 0xFFFFFFFD)
    assert pending(m) == {EXTERNAL, EXTERNAL_LEVEL}
    call(m, "kvmppc_core_dequeue_external")
    assert pending(m) == set()


@each_model
def test_q34_performance_monitor_rings_for_ever(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), EE)
    pend(m, PERFORMANCE_MONITOR)
    for _ in range(3):
        call(m, "kvmppc_core_check_exceptions")
        assert (log(m), pending(m)) == ([DOORBELL], {PERFORMANCE_MONITOR})


@each_model
def test_q36_delivery_goes_by_priority_number(machine: MachineFactory, model: str) -> None:
    """Critical doorbells last; EXTERNAL before DECREMENTER before the level."""
    m = guest(machine(model=model))
    everything = (PROGRAM, MACHINE_CHECK, DEBUG, CRITICAL, WATCHDOG, EXTERNAL, DBELL, DBELL_CRIT)
    pend(m, *everything)
    order = []
    while pending(m):
        arch(m, {"shared.msr": GS | EE | CE | ME | DE})
        before = pending(m)
        call(m, "kvmppc_core_check_exceptions")
        order += before - pending(m)
    assert order == list(everything)


@each_model
def test_q38_decrementer_of_0_keeps_its_old_start(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), dec=0, dec_jiffies=0x10)
    m["core.tb"] = 0x1000
    call(m, "kvmppc_emulate_dec")
    assert m["vcpu.arch.dec_jiffies"] == 0x10
    assert call(m, "kvmppc_get_dec", 0x1000) == 0


@pytest.mark.parametrize(("fetch", "lpid"), [("merged", 7), ("seed-v4", 6)])
def test_q41_v4_searches_with_the_lpid_of_the_vm(machine: MachineFactory, fetch: str, lpid: int) -> None:
    m = guest(machine(model="e6500", fetch=fetch), last_inst=NOT_LOADED)
    m.set({"kvm.arch.lpid": 6, "host.cpu": 1, "host.threads_per_core": 2})
    handle_exit(m, 13)
    assert events_of(m, "tlbsx")[0].arg[1] == 0x80000000 | lpid


@each_model
def test_q17_failed_emulation_leaves_the_interrupt_queued(machine: MachineFactory, model: str) -> None:
    """The next entry delivers the PROGRAM that the exit to userspace left behind."""
    m = guest(machine(model=model), last_inst=0x7C0004AC)
    assert call(m, "emulation_exit") == 2
    call(m, "kvmppc_core_prepare_to_enter")
    assert (m["vcpu.arch.regs.nip"], m["spr.GESR"]) == (vector(3), 0x08000000)


@each_model
def test_q32_papr_leaves_the_vcpu_insane(machine: MachineFactory, model: str) -> None:
    """KVM_ENABLE_CAP fails, and the flag sticks."""
    m = guest(machine(model=model))
    m["user.cap.cap"] = 68
    assert call(m, "kvm_arch_vcpu_ioctl", 0x8068AEA3, 0x1000) == -22
    assert (m["vcpu.arch.papr_enabled"], m["vcpu.arch.sane"]) == (1, 0)


@each_model
def test_q35_xlate_joins_with_or(machine: MachineFactory, model: str) -> None:
    """mmu-kvm 17 K37: a 1 MiB page whose RPN is not aligned."""
    m = guest(machine(model=model))
    m.set(
        {"e500.gtlb1.mas1[2]": 0x80000500, "e500.gtlb1.mas2[2]": 0x80000000, "e500.gtlb1.mas7_3[2]": 0x34501F}
    )
    assert call(m, "kvmppc_mmu_xlate", 0x10002, 0x80012345) == 0x357345


@each_model
def test_q42_without_nv_the_live_registers_stay(machine: MachineFactory, model: str) -> None:
    """What C writes to gpr[15..31] is lost on RESUME_GUEST; gpr[14] comes back from the vcpu."""
    m = guest(machine(model=model))
    assert m.enter().where == 0
    m.set({"spr.SRR0": 0x2000, "spr.SRR1": 0x10000000, "thread.gpr[20]": 7, "vcpu.arch.regs.gpr[20]": 0x999})
    assert m.exit(36).where == 0
    assert m["thread.gpr[20]"] == 7


@each_model
def test_q24_itlb_miss_to_mmio(machine: MachineFactory, model: str) -> None:
    """The guest's entry names no memory slot: MACHINE_CHECK is queued, and mcsr says nothing."""
    m = guest(machine(model=model))
    m.set(
        {"e500.gtlb1.mas1[0]": 0x80000100, "e500.gtlb1.mas2[0]": 0x1000, "e500.gtlb1.mas7_3[0]": 0x50000015}
    )
    m.set({"e500.tlb1_min_eaddr": 0x1000, "e500.tlb1_max_eaddr": 0x1FFF})
    assert call(m, "kvmppc_handle_exit", 14) == 0
    assert m["vcpu.arch.pending_exceptions"] >> 12 & 1
    assert m["vcpu.arch.mcsr"] == 0
