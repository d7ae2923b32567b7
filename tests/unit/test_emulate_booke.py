# SPDX-License-Identifier: BSD-3-Clause
"""kvm/emulate_booke: returns, MSR moves and the Book E SPRs (emulate 3)."""

from __future__ import annotations

import pytest

from .kvmsupport import PC, arch, guest, log, pending, vcpu
from .support import GS, MachineFactory, each_model
from .test_emulate import DONE, FAIL, emulate, spr_move

RFI, RFCI, RFDI, RFMCI = (19 << 26 | xop << 1 for xop in (50, 51, 39, 38))
MFMSR, MTMSR, WRTEE = (31 << 26 | 3 << 21 | xop << 1 for xop in (83, 146, 131))
WRTEEI_1, WRTEEI_0 = 31 << 26 | 0x8000 | 163 << 1, 31 << 26 | 163 << 1
EE, DE = 0x8000, 0x200
MTSPR, MFSPR = 467, 339


@each_model
@pytest.mark.parametrize(
    ("word", "fields", "account"),
    [
        (RFI, ("shared.srr0", "shared.srr1"), 18),
        (RFCI, ("csrr0", "csrr1"), 19),
        (RFDI, ("dsrr0", "dsrr1"), 20),
    ],
)
def test_returns(
    machine: MachineFactory, model: str, word: int, fields: tuple[str, str], account: int
) -> None:
    """3.1: the pc as it is; MSR through set_msr, so GS is forced. Q9: rfi uses the shared page."""
    pc, msr = fields
    m = guest(machine(model=model), **{pc: 0x2003, msr: EE})
    m.set({"spr.GSRR0": 0x9999, "spr.GSRR1": 0x9999})
    assert emulate(m, word) == DONE
    assert vcpu(m, "regs.nip", "shared.msr", "last_exit_type") == (0x2003, GS | EE, account)


@each_model
def test_rfmci_fails(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    assert emulate(m, RFMCI) == FAIL
    assert any("Couldn't emulate" in text for text in log(m))


@each_model
def test_msr_moves(machine: MachineFactory, model: str) -> None:
    """3.1: mfmsr shows GS; mtmsr forces it; wrtee changes EE alone."""
    m = guest(machine(model=model), **{"regs.gpr[3]": 0x4000})
    assert emulate(m, MTMSR) == DONE
    assert vcpu(m, "shared.msr", "regs.nip", "last_exit_type") == (GS | 0x4000, PC + 4, 14)
    assert emulate(m, MFMSR) == DONE
    assert vcpu(m, "regs.gpr[3]", "last_exit_type") == (GS | 0x4000, 15)
    for word, value, msr in ((WRTEE, 0xFFFFFFFF, EE), (WRTEE, 0, 0), (WRTEEI_1, 0, EE), (WRTEEI_0, EE, 0)):
        arch(m, {"regs.gpr[3]": value})
        assert emulate(m, word) == DONE
        assert vcpu(m, "shared.msr", "last_exit_type") == (GS | 0x4000 | msr, 11)


@each_model
def test_guest_debug_forces_de(machine: MachineFactory, model: str) -> None:
    """0.4.5: mtmsr while userspace debugs the guest."""
    m = guest(machine(model=model))
    m["vcpu.guest_debug"] = 1
    assert emulate(m, MTMSR) == DONE
    assert vcpu(m, "shared.msr") == (GS | DE,)


@each_model
def test_dbcr0_keeps_what_a_guest_may_set(machine: MachineFactory, model: str) -> None:
    """3.3: the mask; G: nothing is stored while userspace debugs, and EDM shows."""
    m = guest(machine(model=model), **{"regs.gpr[3]": 0xFFFFFFFF})
    assert emulate(m, spr_move(MTSPR, 308)) == DONE
    assert vcpu(m, "dbg_reg.dbcr0") == (0x4DFF0000,)
    m["vcpu.guest_debug"] = 1
    arch(m, {"regs.gpr[3]": 0})
    assert emulate(m, spr_move(MTSPR, 308)) == DONE
    assert vcpu(m, "dbg_reg.dbcr0") == (0x4DFF0000,)
    assert emulate(m, spr_move(MFSPR, 308)) == DONE
    assert vcpu(m, "regs.gpr[3]") == (0xCDFF0000,)


@each_model
def test_dbsr_is_write_one_to_clear(machine: MachineFactory, model: str) -> None:
    """3.3: with nothing but IDE left, the pending debug interrupt goes."""
    m = guest(machine(model=model), dbsr=0x80880000, pending_exceptions=1 << 13)
    arch(m, {"regs.gpr[3]": 0x00800000})
    assert emulate(m, spr_move(MTSPR, 304)) == DONE
    assert (vcpu(m, "dbsr"), pending(m)) == ((0x80080000,), {13})
    arch(m, {"regs.gpr[3]": 0x00080000})
    assert emulate(m, spr_move(MTSPR, 304)) == DONE
    assert (vcpu(m, "dbsr"), pending(m)) == ((0x80000000,), set())


@each_model
def test_ivors(machine: MachineFactory, model: str) -> None:
    """3.6: SPR to ivor[] index; IVOR2 and IVOR8 are also the live GIVORs; no mask."""
    indexes = (14, 12, 0, 1, 16, 2, 3, 4, 8, 9, 18, 17, 15, 10, 11, 13)
    m = guest(machine(model=model))
    for number, index in enumerate(indexes):
        arch(m, {"regs.gpr[3]": 0x1003 + number})
        assert emulate(m, spr_move(MTSPR, 400 + number)) == DONE
        assert vcpu(m, f"ivor[{index}]") == (0x1003 + number,)
    assert (m["spr.GIVOR2"] & 0xFFFF, m["spr.GIVOR8"] & 0xFFFF) == (0x1005, 0x100B)


@each_model
def test_ivpr_is_written_through(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model), **{"regs.gpr[3]": 0x12345678})
    assert emulate(m, spr_move(MTSPR, 63)) == DONE
    assert (*vcpu(m, "ivpr"), m["spr.GIVPR"]) == (0x12345678, 0x12345678)


@each_model
def test_watchdog_reset_control_is_sticky(machine: MachineFactory, model: str) -> None:
    """3.3 TCR: WRC, once set, keeps its value."""
    m = guest(machine(model=model), tcr=0x20000000, **{"regs.gpr[3]": 0x14000000})
    assert emulate(m, spr_move(MTSPR, 340)) == DONE
    assert vcpu(m, "tcr") == (0x24000000,)


@each_model
def test_dear_and_esr_are_the_shared_copies(machine: MachineFactory, model: str) -> None:
    """3.3, Q9: the live GDEAR and GESR are not touched."""
    m = guest(machine(model=model), **{"regs.gpr[3]": 0x77})
    assert emulate(m, spr_move(MTSPR, 61)) == DONE
    assert emulate(m, spr_move(MTSPR, 62)) == DONE
    assert vcpu(m, "shared.dar", "shared.esr") == (0x77, 0x77)
    assert (m["spr.GDEAR"], m["spr.GESR"]) == (0, 0)


def test_epcr_sets_gicm(machine: MachineFactory) -> None:
    """3.3: ICM becomes the shadow's GICM, in the processor too; mfspr gives the guest's view."""
    m = guest(machine(model="e5500"), **{"regs.gpr[3]": 0x02000000})
    assert emulate(m, spr_move(MTSPR, 307)) == DONE
    assert vcpu(m, "epcr", "shadow_epcr") == (0x02000000, 0x17800000)
    assert m["spr.EPCR"] == 0x17800000
    assert emulate(m, spr_move(MFSPR, 307)) == DONE
    assert vcpu(m, "regs.gpr[3]") == (0x02000000,)
