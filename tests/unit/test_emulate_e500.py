# SPDX-License-Identifier: BSD-3-Clause
"""kvm/emulate_e500: TLB instructions' operands, messages, ehpriv, mftmr, the e500's SPRs (emulate 4, 7)."""

from __future__ import annotations

import pytest

from .kvmsupport import DBELL, DBELL_CRIT, PC, arch, guest, log, pend, pending, vcpu
from .support import CM, MachineFactory, each_model
from .test_emulate import DONE, EXIT_USER, FAIL, emulate, spr_move

MSGSND, MSGCLR = (31 << 26 | 5 << 11 | xop << 1 for xop in (206, 238))
EHPRIV_DEBUG, EHPRIV = 0x7C000A1C, 0x7C00021C
DCBTLS = 31 << 26 | 166 << 1
MFTMR = 31 << 26 | 3 << 21 | 366 << 1
TLBSX = 31 << 26 | 4 << 16 | 5 << 11 | 914 << 1
MTSPR, MFSPR = 467, 339


@each_model
def test_ehpriv_1_stops_for_the_debugger(machine: MachineFactory, model: str) -> None:
    """4.1: KVM_EXIT_DEBUG, account DEBUG; any other operand fails."""
    m = guest(machine(model=model))
    assert emulate(m, EHPRIV_DEBUG) == EXIT_USER
    assert (m["run.exit_reason"], m["run.debug.arch.address"]) == (4, PC)
    assert vcpu(m, "regs.nip", "last_exit_type") == (PC, 26)
    assert emulate(m, EHPRIV) == FAIL


@each_model
def test_mftmr_shows_one_thread(machine: MachineFactory, model: str) -> None:
    """4.1: TMCFG0 alone."""
    m = guest(machine(model=model))
    assert emulate(m, MFTMR | 16 << 16) == DONE
    assert vcpu(m, "regs.gpr[3]", "regs.nip") == (0x101, PC + 4)
    assert emulate(m, MFTMR | 17 << 16) == FAIL


@each_model
def test_locks_always_fail(machine: MachineFactory, model: str) -> None:
    """4.1: dcbtls sets CUL: unable to lock."""
    m = guest(machine(model=model))
    m["e500.l1csr0"] = 1
    assert emulate(m, DCBTLS) == DONE
    assert m["e500.l1csr0"] == 0x401


@each_model
def test_q7_msgsnd_always_sends_a_doorbell(machine: MachineFactory, model: str) -> None:
    """7, Q7: the type comes from the register's number; broadcast reaches all, also the sender."""
    m = guest(machine(model=model, vcpus=2))
    arch(m, {"regs.gpr[5]": 1 << 27 | 0x04000000})
    assert emulate(m, MSGSND) == DONE
    assert pending(m) == {DBELL}
    assert m["vcpu1.arch.pending_exceptions"] == 1 << DBELL
    assert [text for text in log(m) if text.startswith("kick")] == ["kick 0", "kick 1"]


@each_model
@pytest.mark.parametrize(("tag", "hit"), [(1, 1), (0, 0), (2, None)])
def test_msgsnd_matches_pir(machine: MachineFactory, model: str, tag: int, hit: int | None) -> None:
    m = guest(machine(model=model, vcpus=2), **{"regs.gpr[5]": tag})
    assert emulate(m, MSGSND) == DONE
    found = [m[f"{name}.arch.pending_exceptions"] >> DBELL & 1 for name in ("vcpu", "vcpu1")]
    assert found == [int(hit == 0), int(hit == 1)]


@each_model
@pytest.mark.parametrize(("kind", "left"), [(0, {DBELL_CRIT}), (1, {DBELL}), (2, None)])
def test_msgclr_uses_the_value(machine: MachineFactory, model: str, kind: int, left: set[int] | None) -> None:
    """7: the executing vcpu alone; other types fail."""
    m = guest(machine(model=model), **{"regs.gpr[5]": kind << 27})
    pend(m, DBELL, DBELL_CRIT)
    assert emulate(m, MSGCLR) == (FAIL if left is None else DONE)
    assert pending(m) == ({DBELL, DBELL_CRIT} if left is None else left)


@each_model
@pytest.mark.parametrize(
    ("number", "written", "field", "kept"),
    [
        (1010, 0xFFFFFFFF, "l1csr0", 0xFFFFFEFD),
        (1011, 0xFFFFFFFF, "l1csr1", 0xFFFFFEFD),
        (1008, 0x12345678, "hid0", 0x12345678),
        (1009, 0x12345678, "hid1", 0x12345678),
    ],
)
def test_registers(
    machine: MachineFactory, model: str, number: int, written: int, field: str, kept: int
) -> None:
    """4.3: flash bits read back 0."""
    m = guest(machine(model=model), **{"regs.gpr[3]": written})
    assert emulate(m, spr_move(MTSPR, number)) == DONE
    assert m[f"e500.{field}"] == kept
    assert emulate(m, spr_move(MFSPR, number)) == DONE
    assert vcpu(m, "regs.gpr[3]") == (kept,)


@each_model
def test_bucsr_is_written_and_never_read(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    assert emulate(m, spr_move(MTSPR, 1013)) == DONE
    assert emulate(m, spr_move(MFSPR, 1013)) == FAIL


@each_model
def test_mmucsr0_flushes_the_shadow_always(machine: MachineFactory, model: str) -> None:
    """4.3: even for 0; mfspr gives 0."""
    m = guest(machine(model=model))
    assert emulate(m, spr_move(MTSPR, 1012)) == DONE
    assert log(m) == ["tlbilxlpid mas5=0x80000002"]
    assert emulate(m, spr_move(MFSPR, 1012)) == DONE
    assert vcpu(m, "regs.gpr[3]") == (0,)


@each_model
@pytest.mark.parametrize("mode", [0, CM])
def test_indexed_address_follows_cm(machine: MachineFactory, model: str, mode: int) -> None:
    """1: the EA is cut to 32 bits without MSR[CM]: entry at 1000, EA 1_0000_1000."""
    m = guest(machine(model=model), mode, **{"regs.gpr[4]": 0, "shared.mas6": 0})
    m.set({"e500.gtlb1.mas1[0]": 0x80000100, "e500.gtlb1.mas2[0]": 0x1000, "e500.tlb1_max_eaddr": 0x1FFF})
    m["e500.tlb1_min_eaddr"] = 0x1000
    wide = model != "e500mc"
    arch(m, {"regs.gpr[5]": 0x1_0000_1000 if wide else 0x1000})
    assert emulate(m, TLBSX) == DONE
    assert bool(m["vcpu.arch.shared.mas1"] >> 31) == (not (wide and mode))
    assert vcpu(m, "last_exit_type") == (16,)


@each_model
def test_doorbells_stay_in_their_vm(machine: MachineFactory, model: str) -> None:
    """7: every vcpu of the VM; the other VM's vcpu is not asked, whatever its PIR."""
    m = guest(machine(model=model, vms=2, vcpus=3), **{"regs.gpr[5]": 0x04000000})
    assert emulate(m, MSGSND) == DONE
    found = [m[f"{name}.arch.pending_exceptions"] >> DBELL & 1 for name in ("vcpu", "vcpu1", "vcpu2")]
    assert found == [1, 0, 1]
