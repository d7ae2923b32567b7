# SPDX-License-Identifier: BSD-3-Clause
"""kvm/ioctl: regs, sregs, capabilities, interrupts, translation (exit 12.4, 12.5, 12.7, emulate 6.11)."""

from __future__ import annotations

import pytest

from .kvmsupport import EXTERNAL, EXTERNAL_LEVEL, arch, call, guest, log, pending, vcpu
from .support import GS, MachineFactory, each_model

EINVAL, EFAULT, EOPNOTSUPP = -22, -14, -95
UNSET, SET_LEVEL, SET = 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF


@each_model
def test_set_regs_forces_gs(machine: MachineFactory, model: str) -> None:
    """12.4: msr through set_msr, cut to 32 bits; the rest stored."""
    m = guest(machine(model=model))
    m.set(
        {"user.regs.msr": 0x1_0000_8000, "user.regs.pc": 0x2000, "user.regs.gpr[31]": 7, "user.regs.pid": 9}
    )
    assert call(m, "kvm_arch_vcpu_ioctl_set_regs") == 0
    assert vcpu(m, "shared.msr", "regs.nip", "regs.gpr[31]", "pid") == (GS | 0x8000, 0x2000, 7, 9)


@each_model
def test_get_regs_gives_what_set_regs_took(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    given = {
        "pc": 0x2000,
        "cr": 3,
        "ctr": 4,
        "lr": 5,
        "xer": 6,
        "srr0": 7,
        "srr1": 8,
        "sprg0": 9,
        "sprg7": 10,
    }
    m.set({f"user.regs.{name}": value for name, value in given.items()})
    assert call(m, "kvm_arch_vcpu_ioctl_set_regs") == 0
    m.set({f"user.regs.{name}": 0 for name in given})
    assert call(m, "kvm_arch_vcpu_ioctl_get_regs") == 0
    assert {name: m[f"user.regs.{name}"] for name in given} == given


@each_model
def test_sregs_say_what_they_have(machine: MachineFactory, model: str) -> None:
    """12.5: features 5063, the FSL implementation."""
    m = guest(machine(model=model))
    assert call(m, "kvm_arch_vcpu_ioctl_get_sregs") == 0
    assert (m["user.sregs.features"], m["user.sregs.impl_id"]) == (0x5063, 1)
    assert m["user.sregs.pvr"] == m["vcpu.arch.pvr"]


@each_model
def test_q31_base_is_set_before_pir_is_refused(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    assert call(m, "kvm_arch_vcpu_ioctl_get_sregs") == 0
    m.set({"user.sregs.csrr0": 0x1234, "user.sregs.pir": 77, "user.sregs.features": 3})
    assert call(m, "kvm_arch_vcpu_ioctl_set_sregs") == EINVAL
    assert vcpu(m, "csrr0") == (0x1234,)


@each_model
def test_wrong_pvr_changes_nothing(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    m.set({"user.sregs.pvr": 1, "user.sregs.features": 1, "user.sregs.csrr0": 5})
    assert call(m, "kvm_arch_vcpu_ioctl_set_sregs") == EINVAL
    assert vcpu(m, "csrr0") == (0,)


@each_model
@pytest.mark.parametrize(
    ("irq", "left", "kicks"), [(SET, {EXTERNAL}, 1), (SET_LEVEL, {EXTERNAL_LEVEL}, 1), (5, {EXTERNAL}, 1)]
)
def test_interrupt(machine: MachineFactory, model: str, irq: int, left: set[int], kicks: int) -> None:
    """Q33: any number but the two special ones is an edge."""
    m = guest(machine(model=model))
    assert call(m, "kvm_vcpu_ioctl_interrupt", irq) == 0
    assert (pending(m), log(m).count("kick 0")) == (left, kicks)


@each_model
def test_unset_drops_both_and_does_not_kick(machine: MachineFactory, model: str) -> None:
    m = guest(machine(model=model))
    arch(m, {"pending_exceptions": 1 << EXTERNAL | 1 << EXTERNAL_LEVEL})
    assert call(m, "kvm_vcpu_ioctl_interrupt", UNSET) == 0
    assert (pending(m), log(m)) == (set(), [])


@each_model
def test_refused(machine: MachineFactory, model: str) -> None:
    """12.4: no FPU, no MP state."""
    m = guest(machine(model=model))
    assert call(m, "kvm_arch_vcpu_ioctl_get_fpu") == EOPNOTSUPP
    assert call(m, "kvm_arch_vcpu_ioctl_get_mpstate") == EINVAL


@each_model
def test_translate_miss_is_not_valid(machine: MachineFactory, model: str) -> None:
    """12.4: a miss is an answer, not an error."""
    m = guest(machine(model=model))
    result = m.call("kvm_arch_vcpu_ioctl_translate", 0, 0x1000)
    assert (result.ret, result.value[0]) == (0, 0)


@each_model
@pytest.mark.parametrize(("pid", "space"), [(0, 0), (5, 0), (0, 1), (6, 0)])
def test_translate_hit(machine: MachineFactory, model: str, pid: int, space: int) -> None:
    """12.4: PID in bits 39 to 32, AS in bit 40, which a 64-bit host leaves in the address: 0 or no hit."""
    m = guest(machine(model=model))
    entries = {4: 0x80000100, 5: 0x80051100 if space else 0x80050100}  # TID 0 AS 0, TID 5
    for n, mas1 in entries.items():
        m.set({f"e500.gtlb0.mas1[{n}]": mas1, f"e500.gtlb0.mas2[{n}]": 0x2000})
        m[f"e500.gtlb0.mas7_3[{n}]"] = 0x00077000
    result = m.call("kvm_arch_vcpu_ioctl_translate", 0, space << 40 | pid << 32 | 0x2ABC)
    hit = space == 0 and (model == "e500mc" or pid == 0)
    assert (result.ret, result.value[:4]) == (0, (1, 0, 0, 0x77ABC) if hit else (0, 0, 0, 0))


ENABLE_CAP, CAP_ADDRESS = 0x8068AEA3, 0x1000


@each_model
@pytest.mark.parametrize(
    ("number", "field", "ret"),
    [(52, "osi_enabled", 0), (68, "papr_enabled", EINVAL), (83, "watchdog_enabled", 0), (86, "epr_flags", 0)],
)
def test_enable_cap(machine: MachineFactory, model: str, number: int, field: str, ret: int) -> None:
    """12.7: each sets its flag; the sanity check's answer comes back."""
    m = guest(machine(model=model))
    m.set({"user.cap.cap": number, "user.cap.args[0]": 1})
    assert call(m, "kvm_arch_vcpu_ioctl", ENABLE_CAP, CAP_ADDRESS) == ret
    assert vcpu(m, field) == (1,)


@each_model
def test_enable_cap_of_epr_can_be_taken_back(machine: MachineFactory, model: str) -> None:
    """12.7: args[0] 0 clears EPR_USER alone."""
    m = guest(machine(model=model), epr_flags=3)
    m.set({"user.cap.cap": 86, "user.cap.args[0]": 0})
    assert call(m, "kvm_arch_vcpu_ioctl", ENABLE_CAP, CAP_ADDRESS) == 0
    assert vcpu(m, "epr_flags") == (2,)


@each_model
def test_enable_cap_refuses_flags_and_strangers(machine: MachineFactory, model: str) -> None:
    """12.7: and nothing is enabled; a pointer elsewhere faults."""
    m = guest(machine(model=model))
    m.set({"user.cap.cap": 52, "user.cap.flags": 1})
    assert call(m, "kvm_arch_vcpu_ioctl", ENABLE_CAP, CAP_ADDRESS) == EINVAL
    m.set({"user.cap.cap": 53, "user.cap.flags": 0})
    assert call(m, "kvm_arch_vcpu_ioctl", ENABLE_CAP, CAP_ADDRESS) == EINVAL
    assert call(m, "kvm_arch_vcpu_ioctl", ENABLE_CAP, CAP_ADDRESS + 8) == EFAULT
    assert call(m, "kvm_arch_vcpu_ioctl", 0, CAP_ADDRESS) == EINVAL
    assert vcpu(m, "osi_enabled") == (0,)


@each_model
@pytest.mark.parametrize(("online", "vcpus"), [(8, 8), (1 << 20, 24)])
def test_vcpus_are_bounded_by_kvm(machine: MachineFactory, model: str, online: int, vcpus: int) -> None:
    """12.7: NR_VCPUS is the smaller of online cpus and KVM_MAX_VCPUS."""
    m = guest(machine(model=model))
    m["host.online_cpus"] = online
    assert call(m, "kvm_vm_ioctl_check_extension", 9, 0) == vcpus
