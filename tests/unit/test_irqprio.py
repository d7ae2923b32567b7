# SPDX-License-Identifier: BSD-3-Clause
"""kvm/irqprio: queue and dequeue, the delivery table, doorbells, requests, checks before entry (exit 7)."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from pyexit import Machine

from .kvmsupport import (
    ALTIVEC,
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
    EXIT_EPR,
    EXIT_INTR,
    EXIT_WATCHDOG,
    EXTERNAL,
    EXTERNAL_LEVEL,
    FIT,
    HANG,
    ICM,
    MACHINE_CHECK,
    MTMSRWE,
    PC,
    PENDING_TIMER,
    PERFORMANCE_MONITOR,
    PROGRAM,
    REQ_WATCHDOG,
    SIGNAL_EXITS,
    SITE,
    TLB_FLUSH,
    UNBLOCK,
    VM_DEAD,
    WATCHDOG,
    arch,
    call,
    guest,
    log,
    pend,
    pending,
    queued,
    spr,
    stopped,
    vcpu,
    vector,
)
from .support import (
    CE,
    CM,
    DE,
    DS,
    EE,
    FE0,
    FE1,
    FP,
    GS,
    IS,
    ME,
    PMM,
    PR,
    RI,
    SPV,
    UBLE,
    UCLE,
    WE,
    MachineFactory,
    changed,
    each_model,
    each_model64,
    ones,
    texts,
)

ALL_MSR = UCLE | SPV | WE | CE | EE | PR | FP | ME | FE0 | UBLE | DE | FE1 | IS | DS | PMM | RI
KEPT = CE | ME | DE
ESR, DEAR = 0x00800000, 0xA0

SAVES = {
    "SRR": ("spr.GSRR0", "spr.GSRR1"),
    "CSRR": ("vcpu.arch.csrr0", "vcpu.arch.csrr1"),
    "DSRR": ("vcpu.arch.dsrr0", "vcpu.arch.dsrr1"),
    "MCSRR": ("vcpu.arch.mcsrr0", "vcpu.arch.mcsrr1"),
}


class Row(NamedTuple):
    """A row of exit 7.2 D4; `gate` is the MSR bit that it needs, 0 = always."""

    priority: int
    gate: int
    saves: str
    kept: int
    esr: bool = False
    dear: bool = False
    stays: bool = False
    vector: int | None = None


ROWS = (
    Row(0, 0, "SRR", KEPT, esr=True, dear=True),
    Row(1, 0, "SRR", KEPT, esr=True),
    Row(2, 0, "SRR", KEPT, esr=True, dear=True),
    Row(3, 0, "SRR", KEPT, esr=True),
    *(Row(n, 0, "SRR", KEPT) for n in (4, 5, 6, 8, 9, 11)),
    Row(10, 0, "SRR", KEPT, esr=True, dear=True),
    Row(12, ME, "MCSRR", 0),
    Row(13, DE, "DSRR", ME),
    *(Row(n, CE, "CSRR", ME) for n in (14, 15, 22)),
    *(Row(n, EE, "SRR", KEPT) for n in (16, 21)),
    *(Row(n, EE, "SRR", KEPT, stays=True) for n in (17, 18)),
    Row(20, EE, "SRR", KEPT, stays=True, vector=16),
)
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.priority))
each_gated = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.gate], ids=lambda row: str(row.priority)
)

NEVER = (7, 19, 23, 31)


def built(row: Row, model: str) -> bool:
    """Rows 5 and 6 are AltiVec's."""
    return row.priority not in (5, 6) or model in ALTIVEC


def ready(m: Machine, msr: int, *priorities: int, **fields: int) -> Machine:
    """A guest with a syndrome and these priorities pending."""
    guest(m, msr, **{"queued_esr": ESR, "queued_dear": DEAR} | fields)
    m.set({"spr.GESR": 1, "spr.GDEAR": 2})
    pend(m, *priorities)
    return m


def deliver(m: Machine, priority: int) -> int:
    return call(m, "kvmppc_booke_irqprio_deliver", priority)


# The delivery table


@each_model
@each_row
def test_delivery(machine: MachineFactory, model: str, row: Row) -> None:
    """exit 7.2 D4, D5: saves, vector, MSR, syndrome and pending bit of each row; every MSR bit was 1."""
    if not built(row, model):
        return
    msr = ALL_MSR & ~PR
    m = ready(machine(model=model), msr, row.priority)
    before = m.snapshot()
    assert deliver(m, row.priority) == 1
    save0, save1 = SAVES[row.saves]
    assert (m[save0], m[save1]) == (PC, GS | msr)
    target = vector(row.priority if row.vector is None else row.vector)
    assert vcpu(m, "regs.nip", "shared.msr") == (target, GS | row.kept)
    assert spr(m, "GESR", "GDEAR") == (ESR if row.esr else 1, DEAR if row.dear else 2)
    assert pending(m) == ({row.priority} if row.stays else set())
    fields = {save0, save1, "vcpu.arch.regs.nip", "vcpu.arch.shared.msr"}
    fields |= {"spr.GESR"} if row.esr else set()
    fields |= {"spr.GDEAR"} if row.dear else set()
    fields |= set() if row.stays else {"vcpu.arch.pending_exceptions"}
    assert {name for name in changed(m, before) if ".pins" not in name} == fields


@each_model
@each_gated
def test_masked_priority_is_blocked(machine: MachineFactory, model: str, row: Row) -> None:
    """exit 7.2 D4: every other MSR bit is 1; nothing but a doorbell comes of it."""
    m = ready(machine(model=model), ALL_MSR & ~row.gate, row.priority)
    before = m.snapshot()
    assert deliver(m, row.priority) == 0
    assert {name for name in changed(m, before) if ".pins" not in name} == set()


@each_model
@each_gated
def test_critical_section_blocks(machine: MachineFactory, model: str, row: Row) -> None:
    """exit 7.2 D1: r1 = shared.critical and not PR."""
    m = ready(machine(model=model), row.gate, row.priority, **{"regs.gpr[1]": 5, "shared.critical": 5})
    assert deliver(m, row.priority) == 0


@each_model
@each_gated
@pytest.mark.parametrize(("msr", "r1"), [(PR, 5), (0, 4)])
def test_user_mode_or_another_r1_is_no_critical_section(
    machine: MachineFactory, model: str, row: Row, msr: int, r1: int
) -> None:
    """exit 7.2 D1."""
    m = ready(machine(model=model), row.gate | msr, row.priority)
    arch(m, {"regs.gpr[1]": r1, "shared.critical": 5})
    assert deliver(m, row.priority) == 1


@each_model
@pytest.mark.parametrize("row", [row for row in ROWS if not row.gate], ids=lambda row: str(row.priority))
def test_critical_section_does_not_hold_synchronous_ones(
    machine: MachineFactory, model: str, row: Row
) -> None:
    """exit 7.2 D4: always."""
    m = ready(machine(model=model), 0, row.priority, **{"regs.gpr[1]": 0})
    assert deliver(m, row.priority) == built(row, model)


@each_model64
def test_critical_section_compares_32_bits(machine: MachineFactory, model: str) -> None:
    """exit 7.2 D1: SF is never 1, so both are cut, in 64-bit mode too."""
    m = ready(machine(model=model), EE | CM, EXTERNAL)
    arch(m, {"regs.gpr[1]": 0x1_00000005, "shared.critical": 0x2_00000005})
    assert deliver(m, EXTERNAL) == 0


@each_model
@pytest.mark.parametrize("priority", NEVER)
def test_priorities_without_a_row_are_never_delivered(
    machine: MachineFactory, model: str, priority: int
) -> None:
    """exit 7.2 D4: 7, 19, 23 and above."""
    m = ready(machine(model=model), ALL_MSR, priority)
    assert deliver(m, priority) == 0
    assert pending(m) == {priority}


@pytest.mark.parametrize("model", ["e500mc", "e5500"])
@pytest.mark.parametrize("priority", [5, 6])
def test_altivec_priorities_need_altivec(machine: MachineFactory, model: str, priority: int) -> None:
    """exit 7.2 D4: never without [AV]."""
    assert deliver(ready(machine(model=model), ALL_MSR, priority), priority) == 0


@each_model
def test_vector_is_ivpr_or_ivor(machine: MachineFactory, model: str) -> None:
    """exit 7.2 D5.2: bits that both have do not add up, and neither is masked (SCHEMA: not told apart)."""
    m = ready(machine(model=model), EE, EXTERNAL, ivpr=0x55557743)
    arch(m, {"ivor[16]": 0x00017741})
    deliver(m, EXTERNAL)
    assert m["vcpu.arch.regs.nip"] == 0x55557743 | 0x00017741


@each_model64
def test_vector_on_64_bits(machine: MachineFactory, model: str) -> None:
    """exit 7.2 D5.2: the whole IVPR."""
    m = ready(machine(model=model), EE, EXTERNAL, ivpr=0xC0000000_00010000)
    deliver(m, EXTERNAL)
    assert m["vcpu.arch.regs.nip"] == 0xC0000000_00017740


@each_model
@pytest.mark.parametrize("row", [ROWS[0], *(r for r in ROWS if r.saves != "SRR")], ids=lambda r: r.saves)
def test_saved_msr_is_32_bits(machine: MachineFactory, model: str, row: Row) -> None:
    """exit 7.2 D5.1: narrowed to u32 (SCHEMA: not told apart), in every class."""
    m = ready(machine(model=model), ALL_MSR & ~PR, row.priority)
    m["vcpu.arch.shared.msr"] |= 0xABCD_00000000
    assert deliver(m, row.priority) == 1
    assert m[SAVES[row.saves][1]] == GS | ALL_MSR & ~PR
    assert m["vcpu.arch.shared.msr"] == GS | row.kept


@each_model
@pytest.mark.parametrize("row", [ROWS[0], *(r for r in ROWS if r.saves != "SRR")], ids=lambda r: r.saves)
def test_computation_mode_of_the_handler(machine: MachineFactory, model: str, row: Row) -> None:
    """exit 7.2 D5.6: CM from EPCR[ICM] on 64 bits, never on 32."""
    m = ready(machine(model=model), ALL_MSR & ~PR, row.priority, epcr=ICM)
    deliver(m, row.priority)
    assert m["vcpu.arch.shared.msr"] == GS | row.kept | (0 if model == "e500mc" else CM)


@each_model
def test_computation_mode_of_the_interrupted_code_is_dropped(machine: MachineFactory, model: str) -> None:
    """exit 7.2 D5.6: CM is not among the kept bits."""
    m = ready(machine(model=model), EE | CM, EXTERNAL)
    deliver(m, EXTERNAL)
    assert m["vcpu.arch.shared.msr"] == GS


@each_model
@each_row
def test_debug_mode_is_forced_while_user_space_debugs(machine: MachineFactory, model: str, row: Row) -> None:
    """exit 7.3: a delivered interrupt gets DE again."""
    m = ready(machine(model=model), ALL_MSR & ~PR, row.priority)
    m["vcpu.guest_debug"] = 1
    if deliver(m, row.priority):
        assert m["vcpu.arch.shared.msr"] == GS | row.kept | DE
    else:
        assert not built(row, model)


@each_model
def test_level_external_does_not_touch_the_edge(machine: MachineFactory, model: str) -> None:
    """exit 7.2 row 20: bit 20 stays, bit 16 is not touched."""
    m = ready(machine(model=model), EE, EXTERNAL, EXTERNAL_LEVEL)
    assert deliver(m, EXTERNAL_LEVEL) == 1
    assert pending(m) == {EXTERNAL, EXTERNAL_LEVEL}


# EPR

EPR_USER, EPR_KERNEL, IRQ_MPIC = 1, 2, 1


@each_model
@pytest.mark.parametrize("flags", [EPR_USER, EPR_USER | EPR_KERNEL])
@pytest.mark.parametrize("priority", [EXTERNAL, EXTERNAL_LEVEL])
def test_external_proxy_asks_user_space(
    machine: MachineFactory, model: str, priority: int, flags: int
) -> None:
    """exit 7.2 D3, D5.5: USER wins over KERNEL."""
    m = ready(machine(model=model), EE, priority, epr_flags=flags)
    assert deliver(m, priority) == 1
    assert m["vcpu.requests"] == EPR_EXIT


@each_model
@pytest.mark.parametrize("priority", [DECREMENTER, DBELL, FIT, DATA_STORAGE])
def test_other_interrupts_have_no_vector_to_ask_for(
    machine: MachineFactory, model: str, priority: int
) -> None:
    """exit 7.2 D3: only 16 and 20."""
    m = ready(machine(model=model), EE, priority, epr_flags=EPR_KERNEL)
    assert deliver(m, priority) == 1
    assert m["vcpu.requests"] == 0


@each_model
def test_blocked_external_asks_for_nothing(machine: MachineFactory, model: str) -> None:
    """exit 7.2 D5: only if allowed."""
    m = ready(machine(model=model), 0, EXTERNAL, epr_flags=EPR_USER)
    assert (deliver(m, EXTERNAL), m["vcpu.requests"]) == (0, 0)


@each_model
@pytest.mark.parametrize("irq_type", [0, 2, 3])
def test_proxy_in_the_kernel_without_mpic_is_a_bug(
    machine: MachineFactory, model: str, irq_type: int
) -> None:
    """exit 7.2 D5.5, 3.3: BUG_ON at booke.c:537, after save, vector and syndrome, before the MSR."""
    m = ready(machine(model=model), EE, EXTERNAL, epr_flags=EPR_KERNEL, irq_type=irq_type)
    assert stopped(m, "kvmppc_booke_irqprio_deliver", EXTERNAL) == (BUG, SITE["epr_kernel"])
    assert vcpu(m, "regs.nip", "shared.msr") == (vector(EXTERNAL), GS | EE)
    assert (pending(m), m["spr.GSRR0"]) == ({EXTERNAL}, PC)


@each_model
def test_proxy_in_the_kernel_with_mpic(machine: MachineFactory, model: str) -> None:
    """exit 7.2 D5.5: without CONFIG_KVM_MPIC nothing (SCHEMA, limits)."""
    m = ready(machine(model=model), EE, EXTERNAL, epr_flags=EPR_KERNEL, irq_type=IRQ_MPIC)
    before = m["spr.GEPR"]
    assert (deliver(m, EXTERNAL), m["vcpu.requests"], m["spr.GEPR"]) == (1, 0, before)


# Guest doorbells


@each_model
@pytest.mark.parametrize("priority", range(23))
def test_doorbell_of_what_is_left_pending(machine: MachineFactory, model: str, priority: int) -> None:
    """exit 7.2 D6: EE class NONCRIT, CE class CRIT, bits 2 and 3 MC (Q3); sent from any attempt."""
    m = ready(machine(model=model), 0, priority)
    deliver(m, 23)
    expected = []
    if priority in range(16, 22):
        expected.append(DOORBELL)
    if priority in (14, 15, 22):
        expected.append(DOORBELL_CRIT)
    if priority in (2, 3):
        expected.append(DOORBELL_MC)
    assert log(m) == expected


@each_model
def test_all_three_doorbells_in_order(machine: MachineFactory, model: str) -> None:
    """exit 7.2 D6."""
    m = ready(machine(model=model), 0, EXTERNAL, CRITICAL, PROGRAM)
    deliver(m, 23)
    assert log(m) == [DOORBELL, DOORBELL_CRIT, DOORBELL_MC]


@each_model
@pytest.mark.parametrize(("lpid", "vcpu_id", "tag"), [(2, 0, 0x8000), (63, 5, 0xFC005), (0x2001, 1, 0x4001)])
def test_tag_of_a_doorbell(machine: MachineFactory, model: str, lpid: int, vcpu_id: int, tag: int) -> None:
    """exit 7.4, 1.10: (lpid << 14) | vcpu_id, cut to 27 bits."""
    m = ready(machine(model=model), 0, EXTERNAL)
    m.set({"kvm.arch.lpid": lpid, "vcpu.vcpu_id": vcpu_id})
    deliver(m, EXTERNAL)
    assert log(m) == [f"msgsnd {0x10000000 | tag:#x}"]


@pytest.mark.parametrize(("cpu", "lpid"), [(0, 6), (1, 7), (4, 6), (5, 7)])
def test_tag_has_the_lpid_of_the_thread(machine: MachineFactory, cpu: int, lpid: int) -> None:
    """exit 7.4, 12.1: lpid | (cpu & 1) where a core has two threads."""
    m = ready(machine(model="e6500"), 0, EXTERNAL)
    m.set({"kvm.arch.lpid": 6, "host.cpu": cpu, "host.threads_per_core": 2})
    deliver(m, EXTERNAL)
    assert log(m) == [f"msgsnd {0x10000000 | lpid << 14:#x}"]


@each_model
@pytest.mark.parametrize(("priority", "pin"), [(EXTERNAL, 10), (CRITICAL, 5), (PROGRAM, 4)])
def test_doorbell_is_latched_by_the_thread_of_the_guest(
    machine: MachineFactory, model: str, priority: int, pin: int
) -> None:
    """exit 7.4: by LPID and GPIR; several sends are one latch."""
    m = ready(machine(model=model), 0, priority)
    call(m, "kvm_arch_vcpu_load")
    deliver(m, 23)
    deliver(m, 23)
    assert m["thread.pins"] == 1 << pin


# check_exceptions


@each_model
def test_lowest_priority_number_goes_first(machine: MachineFactory, model: str) -> None:
    """exit 7.5: at most one delivery per call."""
    m = ready(machine(model=model), EE | CE | ME | DE, EXTERNAL, DEBUG, MACHINE_CHECK, DECREMENTER)
    call(m, "kvmppc_core_check_exceptions")
    assert (pending(m), m["vcpu.arch.regs.nip"]) == ({EXTERNAL, DEBUG, DECREMENTER}, vector(MACHINE_CHECK))


@each_model
def test_blocked_priorities_are_passed_over(machine: MachineFactory, model: str) -> None:
    """exit 7.5: the next set bit above."""
    m = ready(machine(model=model), EE, MACHINE_CHECK, DEBUG, CRITICAL, EXTERNAL)
    call(m, "kvmppc_core_check_exceptions")
    assert (pending(m), m["vcpu.arch.regs.nip"]) == ({MACHINE_CHECK, DEBUG, CRITICAL}, vector(EXTERNAL))


@each_model
def test_doorbells_go_out_for_every_attempt(machine: MachineFactory, model: str) -> None:
    """exit 7.5: EXTERNAL and DECREMENTER with EE=0 send two."""
    m = ready(machine(model=model), 0, EXTERNAL, DECREMENTER)
    call(m, "kvmppc_core_check_exceptions")
    assert log(m) == [DOORBELL, DOORBELL]


@each_model
@pytest.mark.parametrize(
    ("msr", "priorities", "flag"),
    [(EE, (16,), 0), (EE, (18,), 1), (0, (16,), 1), (EE, (), 0), (EE, (30,), 1)],
)
def test_int_pending_is_written_after_delivery(
    machine: MachineFactory, model: str, msr: int, priorities: tuple[int, ...], flag: int
) -> None:
    """exit 7.5: (pending != 0) ? 1 : 0."""
    m = ready(machine(model=model), msr, *priorities)
    m["vcpu.arch.shared.int_pending"] = 0x1234
    call(m, "kvmppc_core_check_exceptions")
    assert m["vcpu.arch.shared.int_pending"] == flag


@each_model
def test_nothing_pending_sends_nothing(machine: MachineFactory, model: str) -> None:
    """exit 7.5: the loop is skipped."""
    m = ready(machine(model=model), EE)
    before = m.snapshot()
    call(m, "kvmppc_core_check_exceptions")
    assert (changed(m, before), log(m)) == (set(), [])


@each_model
def test_bits_above_the_last_priority_are_not_tried(machine: MachineFactory, model: str) -> None:
    """exit 7.5: while priority < 23."""
    m = ready(machine(model=model), ALL_MSR & ~PR, 23, 24, 31)
    call(m, "kvmppc_core_check_exceptions")
    assert (log(m), m["vcpu.arch.regs.nip"]) == ([], PC)


# Check values of exit 16

CHECKS: dict[str, dict[str, Any]] = {
    "V1": {
        "start": {"shared.msr": 0x10029002, "pending_exceptions": 1 << 16},
        "spr": {"GSRR0": 0x1000, "GSRR1": 0x10029002},
        "vcpu": {"regs.nip": 0x55557740, "shared.msr": 0x10021000, "shared.int_pending": 0},
        "pending": set(),
        "log": [],
    },
    "V2": {
        "start": {"shared.msr": 0x10029002, "pending_exceptions": 1 << 20},
        "spr": {"GSRR0": 0x1000, "GSRR1": 0x10029002},
        "vcpu": {"regs.nip": 0x55557740, "shared.msr": 0x10021000, "shared.int_pending": 1},
        "pending": {20},
        "log": [DOORBELL],
    },
    "V3": {
        "start": {"shared.msr": 0x10021002, "pending_exceptions": 1 << 16},
        "spr": {"GSRR0": 0, "GSRR1": 0},
        "vcpu": {"regs.nip": 0x1000, "shared.msr": 0x10021002, "shared.int_pending": 1},
        "pending": {16},
        "log": [DOORBELL],
    },
    "V6": {
        "start": {"shared.msr": 0x10001000, "pending_exceptions": 1 << 12},
        "spr": {"GSRR0": 0},
        "vcpu": {"regs.nip": 0x55557730, "shared.msr": 0x10000000, "mcsrr0": 0x1000, "mcsrr1": 0x10001000},
        "pending": set(),
        "log": [],
    },
    "V7": {
        "start": {"shared.msr": 0x10001200, "pending_exceptions": 1 << 13},
        "spr": {"GSRR0": 0},
        "vcpu": {"regs.nip": 0x55557734, "shared.msr": 0x10001000, "dsrr0": 0x1000, "dsrr1": 0x10001200},
        "pending": set(),
        "log": [],
    },
    "V8": {
        "start": {"shared.msr": 0x10031200, "pending_exceptions": 1 << 15},
        "spr": {"GSRR0": 0},
        "vcpu": {"regs.nip": 0x5555773C, "shared.msr": 0x10001000, "csrr0": 0x1000, "csrr1": 0x10031200},
        "pending": set(),
        "log": [],
    },
}


@each_model
@pytest.mark.parametrize("name", CHECKS)
def test_check_value(machine: MachineFactory, model: str, name: str) -> None:
    """exit 16 V1-V3, V6-V8."""
    check = CHECKS[name]
    m = guest(machine(model=model), **check["start"])
    call(m, "kvmppc_core_check_exceptions")
    assert {key: m[f"spr.{key}"] for key in check["spr"]} == check["spr"]
    assert {key: m[f"vcpu.arch.{key}"] for key in check["vcpu"]} == check["vcpu"]
    assert (pending(m), log(m)) == (check["pending"], check["log"])


@each_model
def test_v4_later_syndrome_goes_with_the_earlier_exception(machine: MachineFactory, model: str) -> None:
    """exit 16 V4, Q3, Q5."""
    m = guest(machine(model=model))
    call(m, "kvmppc_core_queue_data_storage", 0xA0, 0x00800000)
    call(m, "kvmppc_core_queue_program", 0x08000000)
    m.events()
    call(m, "kvmppc_core_check_exceptions")
    assert m["vcpu.arch.regs.nip"] == 0x55557700
    assert spr(m, "GESR", "GDEAR") == (0x08000000, 0xA0)
    assert (pending(m), log(m)) == ({3}, [DOORBELL_MC])


@each_model64
def test_v5_low_word_of_r1_is_0(machine: MachineFactory, model: str) -> None:
    """exit 16 V5, Q1."""
    m = guest(machine(model=model), 0x29202, **{"regs.gpr[1]": 0x1_00000000, "shared.msr": 0x10029202})
    pend(m, EXTERNAL)
    call(m, "kvmppc_core_check_exceptions")
    assert (pending(m), m["vcpu.arch.regs.nip"], log(m)) == ({EXTERNAL}, PC, [DOORBELL])


@each_model
def test_v7_while_user_space_debugs(machine: MachineFactory, model: str) -> None:
    """exit 16 V7, second part."""
    m = ready(machine(model=model), ME | DE, DEBUG)
    m["vcpu.guest_debug"] = 1
    call(m, "kvmppc_core_check_exceptions")
    assert m["vcpu.arch.shared.msr"] == 0x10001200


@each_model64
def test_v9_decrementer_in_64_bit_mode(machine: MachineFactory, model: str) -> None:
    """exit 16 V9."""
    m = guest(machine(model=model), epcr=ICM, **{"shared.msr": 0x10028000})
    pend(m, DECREMENTER)
    call(m, "kvmppc_core_check_exceptions")
    assert vcpu(m, "regs.nip", "shared.msr") == (0x55557748, 0x90020000)
    assert (pending(m), log(m)) == ({DECREMENTER}, [DOORBELL])


# Queue and dequeue

#: exit 7.1: function, arguments, priority, what it writes before.
QUEUES: tuple[tuple[str, tuple[int, ...], int, dict[str, int]], ...] = (
    ("dtlb_miss", (DEAR, ESR), 10, {"queued_dear": DEAR, "queued_esr": ESR}),
    ("data_storage", (DEAR, ESR), 0, {"queued_dear": DEAR, "queued_esr": ESR}),
    ("alignment", (DEAR, ESR), 2, {"queued_dear": DEAR, "queued_esr": ESR}),
    ("inst_storage", (ESR,), 1, {"queued_esr": ESR}),
    ("program", (ESR,), 3, {"queued_esr": ESR}),
    ("itlb_miss", (), 11, {}),
    ("fpunavail", (), 4, {}),
    ("dec", (), 18, {}),
    ("debug", (), 13, {}),
)


@each_model
@pytest.mark.parametrize(("name", "args", "priority", "writes"), QUEUES, ids=[row[0] for row in QUEUES])
def test_queue(
    machine: MachineFactory,
    model: str,
    name: str,
    args: tuple[int, ...],
    priority: int,
    writes: dict[str, int],
) -> None:
    """exit 7.1: the syndrome, the trace with the word before, the bit; no wake-up, no request."""
    m = guest(machine(model=model))
    pend(m, 20)
    before = m.snapshot()
    call(m, f"kvmppc_core_queue_{name}", *args)
    assert changed(m, before) == {"vcpu.arch.pending_exceptions"} | {f"vcpu.arch.{key}" for key in writes}
    assert {key: m[f"vcpu.arch.{key}"] for key in writes} == writes
    assert pending(m) == {20, priority}
    (trace,) = texts(m)
    assert trace.startswith("kvm_booke_queue_irqprio vcpu=0 prio=")
    assert trace.endswith(" pending=100000")


def test_queue_vector_unavailable(machine: MachineFactory) -> None:
    """exit 7.1 [AV]."""
    m = guest(machine(model="e6500"))
    call(m, "kvmppc_core_queue_vec_unavail")
    assert queued(m) == ["ALTIVEC_UNAVAIL"]
    assert pending(m) == {5}


@each_model
@pytest.mark.parametrize(
    ("irq", "priority"), [(0xFFFFFFFD, 20), (0xFFFFFFFF, 16), (0xFFFFFFFE, 16), (0, 16), (20, 16), (7, 16)]
)
def test_queue_external(machine: MachineFactory, model: str, irq: int, priority: int) -> None:
    """exit 7.1: the level only for SET_LEVEL, any other number is an edge."""
    m = guest(machine(model=model))
    call(m, "kvmppc_core_queue_external", irq)
    assert pending(m) == {priority}


@each_model
def test_queueing_twice_traces_twice(machine: MachineFactory, model: str) -> None:
    """exit 7.1: the trace has the pending word before the change."""
    m = guest(machine(model=model))
    for _ in range(2):
        call(m, "kvmppc_core_queue_dec")
    assert [text.split("pending=")[1] for text in texts(m)] == ["0", "40000"]


@each_model
@pytest.mark.parametrize(
    ("name", "cleared"), [("dequeue_dec", {18}), ("dequeue_debug", {13}), ("dequeue_external", {16, 20})]
)
def test_dequeue(machine: MachineFactory, model: str, name: str, cleared: set[int]) -> None:
    """exit 7.1: nothing but the bits, no trace."""
    m = guest(machine(model=model))
    pend(m, *range(23))
    before = m.snapshot()
    call(m, f"kvmppc_core_{name}")
    assert pending(m) == set(range(23)) - cleared
    assert (changed(m, before), texts(m)) == ({"vcpu.arch.pending_exceptions"}, [])


@each_model
def test_pending_dec(machine: MachineFactory, model: str) -> None:
    """exit 7.1."""
    m = guest(machine(model=model))
    pend(m, *(n for n in range(23) if n != DECREMENTER))
    assert not call(m, "kvmppc_core_pending_dec")
    pend(m, DECREMENTER)
    assert call(m, "kvmppc_core_pending_dec")


@each_model
@pytest.mark.parametrize("priority", [0, 7, 22, 31])
def test_queue_primitive_takes_any_bit(machine: MachineFactory, model: str, priority: int) -> None:
    """exit 7.1."""
    m = guest(machine(model=model))
    call(m, "kvmppc_booke_queue_irqprio", priority)
    assert pending(m) == {priority}


@each_model
@pytest.mark.parametrize(
    ("bits", "requests", "runnable"),
    [(0, 0, 0), (1 << 16, 0, 1), (1 << 7, 0, 1), (0, VM_DEAD, 1), (0, UNBLOCK, 1)],
)
def test_runnable(machine: MachineFactory, model: str, bits: int, requests: int, runnable: int) -> None:
    """exit 7.6: pending_exceptions, masked ones too, or any request."""
    m = guest(machine(model=model), pending_exceptions=bits)
    m["vcpu.requests"] = requests
    assert bool(call(m, "kvm_arch_vcpu_runnable")) == bool(runnable)


# Requests (exit 7.6)


@each_model
def test_no_request_changes_nothing(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    before = m.snapshot()
    assert call(m, "kvmppc_core_check_requests") == 1
    assert (changed(m, before), texts(m)) == (set(), [])


@each_model
@pytest.mark.parametrize(
    ("request_bit", "ret", "reason", "epr_needed"),
    [
        (PENDING_TIMER, 1, 0, 0),
        (TLB_FLUSH, 1, 0, 0),
        (REQ_WATCHDOG, 0, EXIT_WATCHDOG, 0),
        (EPR_EXIT, 0, EXIT_EPR, 1),
        (REQ_WATCHDOG | EPR_EXIT, 0, EXIT_EPR, 1),
        (REQ_WATCHDOG | PENDING_TIMER | TLB_FLUSH, 0, EXIT_WATCHDOG, 0),
    ],
)
def test_request(
    machine: MachineFactory, model: str, request_bit: int, ret: int, reason: int, epr_needed: int
) -> None:
    """exit 7.6: each test clears its bit; both exits: EPR wins (Q8)."""
    m = guest(machine(model=model))
    m.set({"vcpu.requests": request_bit, "run.epr.epr": 0x55})
    assert call(m, "kvmppc_core_check_requests") == ret
    assert (m["vcpu.requests"], m["run.exit_reason"]) == (0, reason)
    assert m["vcpu.arch.epr_needed"] == epr_needed
    assert m["run.epr.epr"] == (0 if epr_needed else 0x55)


@each_model
def test_timer_request_updates_the_timer_interrupts(machine: MachineFactory, model: str) -> None:
    """exit 7.6: before the other requests."""
    m = guest(machine(model=model), tcr=0x0C000000, tsr=0x48000000)
    m["vcpu.requests"] = PENDING_TIMER | EPR_EXIT
    call(m, "kvmppc_core_check_requests")
    assert pending(m) == {DECREMENTER, WATCHDOG}


@each_model
def test_other_requests_are_never_cleared(machine: MachineFactory, model: str) -> None:
    """exit 7.6: VM_DEAD, UNBLOCK."""
    m = guest(machine(model=model))
    m["vcpu.requests"] = VM_DEAD | UNBLOCK | 1 << 31
    assert call(m, "kvmppc_core_check_requests") == 1
    assert m["vcpu.requests"] == VM_DEAD | UNBLOCK | 1 << 31


# Checks before entry (exit 7.6)


def halting(m: Machine, msr: int = 0, **host: int) -> Machine:
    """A guest with MSR[WE]; what a halt finds."""
    guest(m, WE | msr)
    m.set({"host.wake_signal": 0} | {f"host.{name}": value for name, value in host.items()})
    return m


@each_model
def test_core_prepare_delivers_and_returns_0(machine: MachineFactory, model: str) -> None:
    m = ready(machine(model=model), EE, EXTERNAL)
    assert call(m, "kvmppc_core_prepare_to_enter") == 0
    assert m["vcpu.arch.regs.nip"] == vector(EXTERNAL)


@each_model
def test_core_prepare_starts_over_for_a_request(machine: MachineFactory, model: str) -> None:
    """exit 7.6 core 2: after check_exceptions, before WE."""
    m = ready(machine(model=model), WE, DATA_STORAGE)
    m["vcpu.requests"] = 1 << 40 if model != "e500mc" else 1 << 20
    assert call(m, "kvmppc_core_prepare_to_enter") == 1
    assert (pending(m), log(m)) == (set(), [])


@each_model
def test_core_prepare_halts(machine: MachineFactory, model: str) -> None:
    """exit 7.6 core 3: halt with interrupts on, type MTMSRWE, then start over."""
    m = halting(machine(model=model))
    assert call(m, "kvmppc_core_prepare_to_enter") == 1
    assert log(m) == ["halt irq_enabled=1"]
    assert (m["host.irq_enabled"], m["vcpu.arch.last_exit_type"]) == (0, MTMSRWE)
    assert m["vcpu.arch.shared.msr"] == GS | WE


@each_model
def test_core_prepare_warns_of_enabled_interrupts(machine: MachineFactory, model: str) -> None:
    """exit 7.6, 14.1: booke.c:710, and goes on."""
    m = guest(machine(model=model))
    m["host.irq_enabled"] = 1
    assert call(m, "kvmppc_core_prepare_to_enter") == 0
    assert log(m) == ["WARN booke.c:710 kvmppc_core_prepare_to_enter"]


@each_model
def test_prepare_enters(machine: MachineFactory, model: str) -> None:
    """exit 7.6: returns 1 with interrupts off and the mode IN_GUEST_MODE."""
    m = guest(machine(model=model))
    m["host.irq_enabled"] = 1
    assert call(m, "kvmppc_prepare_to_enter") == 1
    assert (m["host.irq_enabled"], m["vcpu.mode"], log(m)) == (0, 1, [])


@each_model
def test_prepare_warns_of_disabled_interrupts(machine: MachineFactory, model: str) -> None:
    """exit 7.6, 14.1: powerpc.c:84, every time."""
    m = guest(machine(model=model))
    for _ in range(2):
        m["host.irq_enabled"] = 0
        assert call(m, "kvmppc_prepare_to_enter") == 1
        assert log(m) == ["WARN powerpc.c:84 kvmppc_prepare_to_enter"]


def entering(m: Machine, msr: int = 0, **fields: int) -> Machine:
    """A guest about to be entered: host interrupts on."""
    guest(m, msr, **fields)
    m["host.irq_enabled"] = 1
    return m


@each_model
def test_prepare_stops_for_a_signal(machine: MachineFactory, model: str) -> None:
    """exit 7.6 step 2: before the mode is set."""
    m = entering(machine(model=model))
    m["host.signal_pending"] = 1
    assert call(m, "kvmppc_prepare_to_enter") == -4
    assert (m["run.exit_reason"], m["vcpu.stat.signal_exits"]) == (EXIT_INTR, 1)
    assert (m["vcpu.arch.last_exit_type"], m["vcpu.mode"], m["host.irq_enabled"]) == (SIGNAL_EXITS, 0, 1)


@each_model
def test_prepare_reschedules_first(machine: MachineFactory, model: str) -> None:
    """exit 7.6 step 1."""
    m = entering(machine(model=model))
    m.set({"host.need_resched": 1, "host.signal_pending": 1})
    assert call(m, "kvmppc_prepare_to_enter") == -4
    assert (log(m), m["host.need_resched"]) == (["cond_resched"], 0)


@each_model
def test_prepare_traces_requests_and_goes_round(machine: MachineFactory, model: str) -> None:
    """exit 7.6 step 4: r > 0 restarts the loop."""
    m = entering(machine(model=model))
    m["vcpu.requests"] = PENDING_TIMER
    assert call(m, "kvmppc_prepare_to_enter") == 1
    assert texts(m) == ["kvm_check_requests vcpu=0 requests=400"]


@each_model
@pytest.mark.parametrize(("request_bit", "reason"), [(REQ_WATCHDOG, EXIT_WATCHDOG), (EPR_EXIT, EXIT_EPR)])
def test_prepare_leaves_for_user_space(
    machine: MachineFactory, model: str, request_bit: int, reason: int
) -> None:
    """exit 7.6 step 4: r = 0, interrupts on, mode left."""
    m = entering(machine(model=model))
    m["vcpu.requests"] = request_bit
    assert call(m, "kvmppc_prepare_to_enter") == 0
    assert (m["run.exit_reason"], m["host.irq_enabled"], m["vcpu.mode"]) == (reason, 1, 1)


@each_model
@pytest.mark.parametrize("request_bit", [VM_DEAD, UNBLOCK, VM_DEAD | PENDING_TIMER, 1 << 11, 1 << 31])
def test_prepare_hangs_on_a_request_that_nothing_clears(
    machine: MachineFactory, model: str, request_bit: int
) -> None:
    """exit 7.6: an outcome of its own."""
    m = entering(machine(model=model))
    m["vcpu.requests"] = request_bit
    assert stopped(m, "kvmppc_prepare_to_enter") == (HANG, SITE["no_progress"])
    assert m["vcpu.requests"] == request_bit & ~PENDING_TIMER


@each_model
def test_signal_gets_out_of_the_hang(machine: MachineFactory, model: str) -> None:
    """exit 7.6: until a signal."""
    m = entering(machine(model=model))
    m.set({"vcpu.requests": VM_DEAD, "host.signal_pending": 1})
    assert call(m, "kvmppc_prepare_to_enter") == -4


@each_model
def test_watchdog_request_gets_out_of_the_hang(machine: MachineFactory, model: str) -> None:
    """exit 7.6: a result 0 leaves the loop, whatever else is set."""
    m = entering(machine(model=model))
    m["vcpu.requests"] = VM_DEAD | REQ_WATCHDOG
    assert call(m, "kvmppc_prepare_to_enter") == 0
    assert m["vcpu.requests"] == VM_DEAD


@each_model
@pytest.mark.parametrize("limit", [0, 1, 4])
def test_prepare_hangs_on_endless_halts(machine: MachineFactory, model: str, limit: int) -> None:
    """SCHEMA host.halt_limit: one halt more than that, after its event."""
    m = halting(machine(model=model), halt_limit=limit)
    m["host.irq_enabled"] = 1
    assert stopped(m, "kvmppc_prepare_to_enter") == (HANG, SITE["halt_limit"])
    assert log(m) == ["halt irq_enabled=1"] * (limit + 1)


@each_model
@pytest.mark.parametrize(
    ("wake", "ret", "halts"),
    [
        ({"wake_signal": 1}, -4, 1),
        ({"wake_pending_exceptions": 1 << EXTERNAL}, 1, 1),
        ({"wake_requests": REQ_WATCHDOG}, 0, 1),
    ],
)
def test_halt_wakes(machine: MachineFactory, model: str, wake: dict[str, int], ret: int, halts: int) -> None:
    """exit 7.6, SCHEMA host.wake_*."""
    m = halting(machine(model=model), EE, **wake)
    m["host.irq_enabled"] = 1
    assert call(m, "kvmppc_prepare_to_enter") == ret
    assert log(m) == ["halt irq_enabled=1"] * halts
    assert bool(m["vcpu.arch.shared.msr"] & WE) == (ret != 1)


@each_model
def test_performance_monitor_is_in_the_doorbell_mask(machine: MachineFactory, model: str) -> None:
    """exit 1.2 BOOKE_IRQMASK_EE, Q34."""
    m = ready(machine(model=model), ALL_MSR & ~PR, PERFORMANCE_MONITOR)
    call(m, "kvmppc_core_check_exceptions")
    assert (log(m), pending(m)) == ([DOORBELL], {PERFORMANCE_MONITOR})


@each_model
@pytest.mark.parametrize("priority", [DBELL_CRIT, CRITICAL, WATCHDOG])
def test_ee_does_not_let_critical_ones_through(machine: MachineFactory, model: str, priority: int) -> None:
    """exit 7.2: CE alone counts."""
    assert deliver(ready(machine(model=model), EE | ME | DE, priority), priority) == 0


@each_model
def test_queued_values_are_ulongs(machine: MachineFactory, model: str) -> None:
    """exit 2.2: 32 bits on a 32-bit host, 64 on a 64-bit host."""
    width = 32 if model == "e500mc" else 64
    m = guest(machine(model=model))
    call(m, "kvmppc_core_queue_data_storage", ones(64), ones(64))
    assert vcpu(m, "queued_dear", "queued_esr") == (ones(width), ones(width))


@each_model
def test_signal_ends_what_no_request_can(machine: MachineFactory, model: str) -> None:
    """7.6: a request that nothing clears would loop for ever; with a signal it is -EINTR."""
    m = guest(machine(model=model))
    m["vcpu.requests"] = VM_DEAD
    assert stopped(m, "kvmppc_prepare_to_enter") == (HANG, SITE["no_progress"])
    m["host.signal_pending"] = 1
    assert call(m, "kvmppc_prepare_to_enter") == -4
