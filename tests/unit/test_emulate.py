# SPDX-License-Identifier: BSD-3-Clause
"""kvm/emulate: what is emulated at all, and the generic rows (emulate 2, 4.5)."""

from __future__ import annotations

import pytest

from pyexit import Machine

from .kvmsupport import ESR_PIL, PC, PROGRAM, RESUME_GUEST_NV, RESUME_HOST, arch, call, guest, pending, vcpu
from .support import MachineFactory, each_model

DONE, FAIL, EXIT_USER = 0, 2, 4

#: emulate 4.5: accepted SPR numbers.
MTSPR = {
    *(
        22,
        26,
        27,
        54,
        58,
        59,
        61,
        62,
        63,
        *range(272, 280),
        284,
        285,
        286,
        304,
        308,
        309,
        310,
        312,
        313,
        316,
        317,
    ),
    *(336, 340, *range(400, 416), 531, 532, 533, 572, 574, 575, *range(1008, 1014), 1019),
}
MFSPR = {
    *(22, 26, 27, 54, 58, 59, 61, 62, 63, *range(272, 276), *range(284, 288), 304, 308, 309, 310, 312, 313),
    *(316, 317, 336, 340, *range(400, 416), 531, 532, 533, 572, 574, 575, 688, 689, 702, *range(1008, 1013)),
    *(1015, 1019, 1023),
}
WIDE, VECTOR, MMU_V2 = {307}, {528, 529}, {344, 345, 350}

#: emulate 4.5: extended opcodes of 31 and 19 that do not always fail, with 0 in the other fields.
OPCODES_31 = {4, 18, 83, 131, 146, 163, 166, 206, 238, 339, 467, 566, 786, 914, 946, 978}
OPCODES_19 = {39, 50, 51}
MFSPR_0, MTSPR_0 = 339, 467  # SPR 0 is none


def spr_move(xop: int, number: int, register: int = 3) -> int:
    """mfspr or mtspr of SPR `number`."""
    return 31 << 26 | register << 21 | (number & 31) << 16 | number >> 5 << 11 | xop << 1


def emulate(m: Machine, word: int) -> int:
    """The result of emulating `word`."""
    arch(m, {"last_inst": word, "regs.nip": PC})
    return call(m, "kvmppc_emulate_instruction")


def accepted(m: Machine, xop: int) -> set[int]:
    """The SPR numbers that a move does not fail on."""
    before = m.snapshot()
    found = set()
    for number in range(1024):
        if emulate(m, spr_move(xop, number)) == DONE:
            found.add(number)
        m.restore(before)
        m.events()
    return found


@each_model
def test_mtspr_accepts_these_numbers(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    extra = {"e500mc": set(), "e5500": WIDE, "e6500": WIDE | VECTOR}[model]
    assert accepted(m, 467) == MTSPR | extra


@each_model
def test_mfspr_accepts_these_numbers(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    extra = {"e500mc": set(), "e5500": WIDE, "e6500": WIDE | VECTOR | MMU_V2}[model]
    assert accepted(m, 339) == MFSPR | extra


@each_model
def test_opcodes_of_31_and_19(machine: MachineFactory, model: str) -> None:
    """4.5: everything else fails; ehpriv, mftmr and the SPR moves go by their operands."""
    m = guest(machine(model=model))
    before = m.snapshot()
    wide = set() if model == "e500mc" else {68}
    for primary, known in ((31, OPCODES_31 - {MFSPR_0, MTSPR_0} | wide), (19, OPCODES_19)):
        found = set()
        for xop in range(1024):
            if emulate(m, primary << 26 | xop << 1) != FAIL:
                found.add(xop)
            m.restore(before)
            m.events()
        assert found == known, primary


@each_model
def test_other_primary_opcodes_fail(machine: MachineFactory, model: str) -> None:
    """2.3: 3 always traps; 0 is the software breakpoint or nothing; sc never comes here."""
    m = guest(machine(model=model))
    before = m.snapshot()
    for primary in set(range(64)) - {19, 31}:
        assert emulate(m, primary << 26) == (DONE if primary == 3 else FAIL), primary
        m.restore(before)
        m.events()


@each_model
def test_software_breakpoint(machine: MachineFactory, model: str) -> None:
    """2.3: KVM_EXIT_DEBUG at the pc, whatever guest_debug says; the pc stays."""
    m = guest(machine(model=model))
    assert emulate(m, 0x00DDDD00) == EXIT_USER
    assert (m["run.exit_reason"], m["run.debug.arch.address"], m["run.debug.arch.status"]) == (4, PC, 0)
    assert vcpu(m, "regs.nip", "last_exit_type") == (PC, 9)


@each_model
def test_trap_queues_program_with_the_stale_esr(machine: MachineFactory, model: str) -> None:
    """2.3, Q9: shared.esr | PTR; the condition is not evaluated; pc stays."""
    m = guest(machine(model=model), **{"shared.esr": 0x00800000})
    assert emulate(m, 3 << 26) == DONE
    assert vcpu(m, "queued_esr", "regs.nip") == (0x02800000, PC)
    assert PROGRAM in pending(m)


@each_model
def test_v15_failed_emulation(machine: MachineFactory, model: str) -> None:
    """exit 16 V15: hardware_exit_reason, RESUME_HOST, PROGRAM with PIL queued."""
    m = guest(machine(model=model), last_inst=0x7C0004AC)
    assert call(m, "emulation_exit") == RESUME_HOST
    assert m["run.hw.hardware_exit_reason"] == 0xFFFFFFFF_7C0004AC
    assert (pending(m), *vcpu(m, "queued_esr")) == ({PROGRAM}, ESR_PIL)


@each_model
def test_done_is_guest_nv_and_counts(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), last_inst=spr_move(339, 336))
    arch(m, {"tsr": 0x12345678})
    assert call(m, "emulation_exit") == RESUME_GUEST_NV
    assert vcpu(m, "regs.gpr[3]", "regs.nip", "last_exit_type") == (0x12345678, PC + 4, 13)
    assert m["vcpu.stat.emulated_inst_exits"] == 1


@each_model
def test_timebase_halves_are_swapped(machine: MachineFactory, model: str) -> None:
    """2.5, Q2: TBWL gives the high word; TBWU the whole register, cut to an ulong."""
    m = guest(machine(model=model))
    m["core.tb"] = 0x123456789A
    assert emulate(m, spr_move(339, 284)) == DONE
    assert vcpu(m, "regs.gpr[3]") == (0x12,)
    assert emulate(m, spr_move(339, 285)) == DONE
    assert vcpu(m, "regs.gpr[3]") == (0x3456789A if model == "e500mc" else 0x123456789A,)


@pytest.mark.parametrize("number", [26, 27])
def test_srr_moves_go_to_the_live_registers(machine: MachineFactory, number: int) -> None:
    """0.4.1, 2.4: GSRR0 and GSRR1, not the shared page."""
    m = guest(machine(), **{"regs.gpr[3]": 0x1234})
    assert emulate(m, spr_move(467, number)) == DONE
    assert m[f"spr.GSRR{number - 26}"] == 0x1234
    assert vcpu(m, f"shared.srr{number - 26}") == (0,)


def test_pir_reads_the_vcpu_id(machine: MachineFactory) -> None:
    """2.5: vcpu_id, not shared.pir; mtspr PIR is accepted and ignored."""
    m = guest(machine(), **{"shared.pir": 77})
    m["vcpu.vcpu_id"] = 5
    assert emulate(m, spr_move(467, 286)) == DONE
    assert emulate(m, spr_move(339, 286)) == DONE
    assert vcpu(m, "regs.gpr[3]", "shared.pir") == (5, 77)
