# SPDX-License-Identifier: BSD-3-Clause
"""kvm/ioctl: regs, sregs, capabilities, interrupts, translation (exit 12.4, 12.5, 12.7, emulate 6.11)."""

from __future__ import annotations

import pytest

from .kvmsupport import EXTERNAL, EXTERNAL_LEVEL, arch, call, guest, log, pending, vcpu
from .support import GS, MachineFactory, each_model

EINVAL, EOPNOTSUPP = -22, -95
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
