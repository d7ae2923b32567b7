# SPDX-License-Identifier: BSD-3-Clause
"""kvm/create: a new vcpu, allocations that fail, LPIDs, the processor check (exit 12.1, 12.2, 16 V20)."""

from __future__ import annotations

import pytest

from .kvmsupport import call, guest, log, stopped, vcpu
from .support import MachineFactory, each_model

OOPS = 3
ENOMEM, ENOTSUPP = -12, -524
E500MC, E5500, E6500, POWER8 = 0, 1, 2, 4


@each_model
def test_v20_new_vcpu(machine: MachineFactory, model: str) -> None:
    m = machine(model=model)
    m.set({"vcpu.arch.regs.nip": 0x1234, "vcpu.arch.ivpr": 0, "vcpu.arch.ivor[16]": 0})
    assert call(m, "kvm_arch_vcpu_create") == 0
    assert vcpu(m, "regs.nip", "regs.gpr[1]", "shared.msr", "ivpr") == (0, 0xFFFFF8, 0x10000000, 0x55550000)
    assert vcpu(m, "ivor[0]", "ivor[16]", "ivor[22]", "ivor[23]") == (0x7700, 0x7740, 0x7758, 0)
    epcr = 0x14800000 if model == "e500mc" else 0x16800000
    assert vcpu(m, "shadow_epcr", "shadow_msrp", "oldpir", "sane") == (epcr, 0x04000004, 0xFFFFFFFF, 1)
    assert vcpu(m, "pvr", "cpu_type") == (m["spr.PVR"], 5)


@each_model
@pytest.mark.parametrize("nth", [1, 2, 5, 6])
def test_failed_allocation(machine: MachineFactory, model: str, nth: int) -> None:
    """C3, mmu-kvm 1.4: the creation fails, by the host's lack of memory."""
    m = machine(model=model)
    m["host.alloc_fail"] = nth
    assert call(m, "kvm_arch_vcpu_create") < 0
    assert any(text.startswith("alloc") and text.endswith("fails") for text in log(m))


@each_model
@pytest.mark.parametrize("nth", [3, 4])
def test_failed_private_data_is_the_kernels_own_fault(machine: MachineFactory, model: str, nth: int) -> None:
    """SCHEMA, Suites create: the error path flushes through a NULL pointer."""
    m = machine(model=model)
    m["host.alloc_fail"] = nth
    assert stopped(m, "kvm_arch_vcpu_create")[0] == OOPS


@each_model
def test_lpids_are_the_lowest_free(machine: MachineFactory, model: str) -> None:
    """12.1: 0 is the host's; 64 of them, or 32 pairs."""
    m = guest(machine(model=model))
    m["host.lpid_inuse"] = 0b1011
    assert call(m, "kvmppc_alloc_lpid") == 2
    assert m["host.lpid_inuse"] == 0b1111
    call(m, "kvmppc_free_lpid", 1)
    assert call(m, "kvmppc_alloc_lpid") == 1
    m["host.lpid_inuse"] = (1 << 64) - 1
    assert call(m, "kvmppc_alloc_lpid") == ENOMEM


@each_model
def test_processor_check(machine: MachineFactory, model: str) -> None:
    """12.1: e6500 only where the kernel has AltiVec."""
    m = machine(model=model)
    altivec = 0 if m.params["altivec"] else ENOTSUPP
    found = [call(m, "kvmppc_core_check_processor_compat", n) for n in (E500MC, E5500, E6500, POWER8)]
    assert found == [0, 0, altivec, ENOTSUPP]


@each_model
def test_sanity(machine: MachineFactory, model: str) -> None:
    """C8: no PVR, no vcpu that can run."""
    m = machine(model=model)
    assert call(m, "kvmppc_sanity_check") == 0
    m["vcpu.arch.pvr"] = 0
    assert call(m, "kvmppc_sanity_check") == -22
    assert vcpu(m, "sane") == (0,)


@each_model
def test_lpids_of_a_host_that_names_no_threads(machine: MachineFactory, model: str) -> None:
    """12.1: as with one thread a core."""
    m = guest(machine(model=model))
    m.set({"host.threads_per_core": 0, "host.lpid_inuse": (1 << 63) - 1})
    assert call(m, "kvmppc_alloc_lpid") == 63
