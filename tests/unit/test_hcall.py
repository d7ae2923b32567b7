# SPDX-License-Identifier: BSD-3-Clause
"""kvm/hcall: kvmppc_kvm_pv (exit 10, 16 V19)."""

from __future__ import annotations

import pytest

from pyexit import Machine

from .kvmsupport import PC, TLB_FLUSH, arch, call, guest, handle_exit, log, vcpu
from .support import CM, GS, MachineFactory, changed, each_model, each_model64, ones

FEATURES, MAP_MAGIC_PAGE, EV_IDLE = 0x002A0003, 0x002A0004, 0x00010010
UNIMPLEMENTED = 12


def calling(m: Machine, number: int, *params: int) -> Machine:
    """A guest with a hypercall in its registers."""
    guest(m, **{"regs.gpr[11]": number, "regs.gpr[4]": 0x99})
    arch(m, {f"regs.gpr[{3 + n}]": value for n, value in enumerate(params)})
    return m


@each_model
@pytest.mark.parametrize(
    ("number", "params", "results", "requests"),
    [
        (FEATURES, (), (0, 0), 0),
        (MAP_MAGIC_PAGE, (0, 0x1000), (0, 3), TLB_FLUSH),
        (EV_IDLE, (), (0, 0), 0),
        (7, (), (UNIMPLEMENTED, 0), 0),
    ],
)
def test_v19(
    machine: MachineFactory,
    model: str,
    number: int,
    params: tuple[int, ...],
    results: tuple[int, int],
    requests: int,
) -> None:
    """exit 16 V19: what the function leaves, before the exit goes on."""
    m = calling(machine(model=model), number, *params)
    m["host.wake_signal"] = 0
    assert call(m, "kvmppc_kvm_pv") == results[0]
    assert m["vcpu.arch.regs.gpr[4]"] == results[1]
    assert (m["vcpu.requests"], m["vcpu.arch.regs.nip"]) == (requests, PC)


@each_model
@pytest.mark.parametrize(("param2", "nx"), [(0xFFFF1000, 1), (0xFFFF1FFE, 1), (0xFFFF1001, 0)])
def test_magic_page(machine: MachineFactory, model: str, param2: int, nx: int) -> None:
    """exit 10: bit 0 of param2 keeps the kernel's no-execute; addresses lose their low 12 bits."""
    m = calling(machine(model=model), MAP_MAGIC_PAGE, 0x12345FFF, param2)
    assert call(m, "kvmppc_kvm_pv") == 0
    assert vcpu(m, "magic_page_pa", "magic_page_ea") == (0x12345000, param2 & ~0xFFF)
    assert m["vcpu.arch.disable_kernel_nx"] == nx
    assert m["vcpu.requests"] == TLB_FLUSH * nx


@each_model64
@pytest.mark.parametrize("msr", [0, CM])
def test_parameters_are_cut_to_32_bits(machine: MachineFactory, model: str, msr: int) -> None:
    """exit 10, Q2: in 64-bit mode too."""
    m = calling(machine(model=model), MAP_MAGIC_PAGE, 0xA_12345000, 0xB_FFFF1001)
    m["vcpu.arch.shared.msr"] |= msr
    call(m, "kvmppc_kvm_pv")
    assert vcpu(m, "magic_page_pa", "magic_page_ea") == (0x12345000, 0xFFFF1000)


@each_model64
def test_number_is_an_int(machine: MachineFactory, model: str) -> None:
    """exit 10: nr := (int)gpr11."""
    m = calling(machine(model=model), 0xFFFFFFFF_00000000 | MAP_MAGIC_PAGE, 0, 1)
    assert call(m, "kvmppc_kvm_pv") == 0


@each_model
@pytest.mark.parametrize(
    "number", [0, 1, 16, 0x00010001, 0x0001000F, 0x00010011, 0x002A0001, 0x002A0005, 0x00020010, ones(32)]
)
def test_unimplemented(machine: MachineFactory, model: str, number: int) -> None:
    """exit 10, Q27: 12, and gpr4 is zeroed all the same; the function itself leaves gpr3."""
    m = calling(machine(model=model), number, 5)
    before = m.snapshot()
    assert call(m, "kvmppc_kvm_pv") == UNIMPLEMENTED
    assert changed(m, before) == {"vcpu.arch.regs.gpr[4]"}


@each_model
def test_idle_halts(machine: MachineFactory, model: str) -> None:
    """exit 10 EV_IDLE, SCHEMA host.wake_*."""
    m = calling(machine(model=model), EV_IDLE)
    m.set({"host.irq_enabled": 1, "host.wake_pending_exceptions": 1 << 16, "host.wake_requests": 1 << 10})
    call(m, "kvmppc_kvm_pv")
    assert log(m) == ["halt irq_enabled=1"]
    assert (m["vcpu.arch.pending_exceptions"], m["vcpu.requests"]) == (1 << 16, 1 << 10)
    assert m["host.signal_pending"] == 1


@each_model
def test_exit_40_moves_the_results_to_the_guest(machine: MachineFactory, model: str) -> None:
    """exit 3.3 row 40: gpr4 inside, gpr3 after; the flush it asked for happens before the entry."""
    m = calling(machine(model=model), MAP_MAGIC_PAGE, 0x3000, 0x1000)
    assert handle_exit(m, 40) == 0
    assert vcpu(m, "regs.gpr[3]", "regs.gpr[4]", "regs.nip") == (0, 3, PC)
    assert m["vcpu.requests"] == 0
    assert "tlbilxlpid mas5=0x80000002" in log(m)


@each_model
def test_magic_page_is_cut_unless_sf_is_set(machine: MachineFactory, model: str) -> None:
    """emulate 2.7, Q2: MSR[SF], which no guest of these cores has, is what is asked."""
    wide = model != "e500mc"
    for sf in (0, 1):
        m = guest(machine(model=model), **{"regs.gpr[11]": 0x002A0004})
        pa = 0x5_00003000 if wide else 0x3000
        arch(m, {"regs.gpr[3]": pa, "regs.gpr[4]": 0x7001, "shared.msr": GS | sf << 63})
        call(m, "kvmppc_kvm_pv")
        assert vcpu(m, "magic_page_pa") == (pa if sf and wide else 0x3000,)
