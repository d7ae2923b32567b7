# SPDX-License-Identifier: BSD-3-Clause
"""KVM's interface to its VMM, under KVM's names (exit.md 2.4, 12; mmu-kvm.md 8.1)."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from pyexit import Machine, Scenario, replay
from pyexit.userspace import CAPS, ONE_REGS, MemSlot

from .support import MachineFactory, each_model, refused

# Memory


@each_model
def test_slot_is_guest_memory_of_the_vmm(machine: MachineFactory, model: str) -> None:
    """mmu-kvm 8.1: guest frame -> slot -> host virtual address -> backing -> host frame."""
    m = machine(model=model, vms=2, vcpus=2)
    m.mmap(0x50000000, 0x8000, 0x100000, vm=1)
    m.set_user_memory_region(3, 0x2000, 0x8000, 0x50000000, vm=1)
    assert m.memory_regions(vm=1) == [MemSlot(3, 0x2000, 0x8000, 0x50000000, 0)]
    assert m.memory_regions() == []
    expected = {
        "memslot.base_gfn[3]": 2,
        "memslot.npages[3]": 8,
        "memslot.userspace_addr[3]": 0x50000000,
        "vma.start[0]": 0x50000000,
        "vma.end[0]": 0x50008000,
        "vma.page_shift[0]": 12,
        "backing.hva[0]": 0x50000000,
        "backing.npages[0]": 8,
        "backing.pfn[0]": 0x100,
    }
    fields = {name.removeprefix("kvm1."): value for name, value in m.state().items()}
    assert {name: fields[name] for name in expected} == expected


def test_huge_scattered_and_device_mappings(machine: MachineFactory) -> None:
    m = machine()
    m.mmap(0x50000000, 0x800000, [0x800000, 0x400000], hugetlb=0x400000)
    m.mmap(0x60000000, 0x4000, [0x1000, 0x2000, 0x9000, 0x5000])
    m.mmap(0x70000000, 0x2000, 0xFE000000, pfnmap=True)
    flags = [m[f"kvm.vma.flags[{n}]"] for n in range(3)]
    assert flags == [2, 0, 1]
    assert [m[f"kvm.vma.page_shift[{n}]"] for n in range(3)] == [22, 12, 12]
    assert m["kvm.vma.pgoff[2]"] == 0xFE000
    rows = [tuple(m[f"kvm.backing.{name}[{n}]"] for name in ("hva", "npages", "pfn")) for n in range(6)]
    assert rows == [
        (0x50000000, 0x400, 0x800),
        (0x50400000, 0x400, 0x400),
        (0x60000000, 2, 1),
        (0x60002000, 1, 9),
        (0x60003000, 1, 5),
        (0x70000000, 2, 0xFE000),
    ]


def test_memory_can_be_added_in_one_call(machine: MachineFactory) -> None:
    m = machine()
    assert m.add_memory(0, 0x10000) == 0
    assert m.add_memory(0x100000, 0x10000, real=0x40000) == 1
    assert [(slot.gpa, slot.size) for slot in m.memory_regions()] == [(0, 0x10000), (0x100000, 0x10000)]
    first, second = m.memory_regions()
    assert first.hva + first.size <= second.hva
    assert m["kvm.backing.pfn[1]"] == 0x40


def test_slot_of_size_0_goes_away(machine: MachineFactory) -> None:
    m = machine()
    m.add_memory(0, 0x10000)
    before = m["kvm.mmu_invalidate_seq"]
    m.set_user_memory_region(0, 0, 0, 0)
    assert m.memory_regions() == []
    assert m["kvm.mmu_invalidate_seq"] != before


def test_mapping_goes_away_with_what_is_behind_it(machine: MachineFactory) -> None:
    m = machine()
    m.mmap(0x50000000, 0x4000, [0x1000, 0x5000, 0x9000, 0xD000])
    m.munmap(0x50000000, 0x4000)
    assert not any(name.startswith(("kvm.vma", "kvm.backing")) for name in m.state())


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (lambda m: m.set_user_memory_region(32, 0, 0x1000, 0), ValueError, "slot is 0 to 0x1f"),
        (lambda m: m.set_user_memory_region(0, 0x10, 0x1000, 0), ValueError, "gpa.*multiples of 0x1000"),
        (lambda m: m.set_user_memory_region(0, 0, 0x1000, 1), ValueError, "hva.*multiples of 0x1000"),
        (lambda m: m.set_user_memory_region(1, 0x5000, 0x1000, 0), ValueError, "slot 0 has"),
        (lambda m: m.set_user_memory_region(1, 0x50000, "x", 0), TypeError, "size"),
        (lambda m: m.mmap(0x10000000, 0x1000, 0), ValueError, "mapped already"),
        (lambda m: m.mmap(0x50000000, 0x2000, [0x1000]), ValueError, "2 pages of 0x1000 bytes"),
        (lambda m: m.mmap(0x50000000, 0x2000, 0x10), ValueError, "real address 0x10"),
        (lambda m: m.mmap(0x50000000, 0x2000, 1 << 40), ValueError, "real address"),
        (lambda m: m.mmap(0x50000000, 0x2000, 0, hugetlb=0x3000), ValueError, "power of two"),
        (lambda m: m.mmap(0x50000000, 0x2000, [0, 0x1000], pfnmap=True), ValueError, "contiguous"),
        (lambda m: m.mmap(0x50000000, 0x202000, [n * 0x2000 for n in range(0x202)]), ValueError, "rows"),
        (lambda m: m.munmap(0x50000000, 0x1000), ValueError, "nothing is mapped"),
        (lambda m: m.munmap(0x10000000, 0x1000), ValueError, "not wholly"),
        (lambda m: m.add_memory(0x8000, 0x10000), ValueError, "slot 0 has"),
        (lambda m: m.add_memory(0x80000, 0), ValueError, "not a range"),
    ],
)
def test_memory_that_does_not_fit_is_refused(
    machine: MachineFactory, act: Callable[[Machine], object], error: type[Exception], text: str
) -> None:
    m = machine()
    m.add_memory(0, 0x10000)
    before = m.snapshot()
    with pytest.raises(error, match=text):
        act(m)
    assert m.diff(before) == []


# Registers


@each_model
def test_registers_are_those_of_the_vcpu(machine: MachineFactory, model: str) -> None:
    """exit 12.4."""
    m = machine(model=model)
    m.set_regs({"pc": 0x1234, "gpr": list(range(32)), "sprg5": 7, "pid": 3})
    assert m["vcpu.arch.regs.nip"] == 0x1234
    assert m["vcpu.arch.regs.gpr[31]"] == 31
    regs = m.get_regs()
    assert (regs["pc"], regs["gpr"], regs["sprg5"], regs["pid"]) == (0x1234, list(range(32)), 7, 3)
    m.set_regs({"pc": 0x2000})
    assert m.get_regs() == {**regs, "pc": 0x2000}


@each_model
def test_sregs_go_in_and_come_out(machine: MachineFactory, model: str) -> None:
    """exit 12.5: features 5063; impl_id 1."""
    m = machine(model=model)
    sregs = m.get_sregs()
    assert (sregs["features"], sregs["impl_id"], sregs["pvr"]) == (0x5063, 1, m["vcpu.arch.pvr"])
    m.set_sregs({"ivpr": 0x1000, "csrr0": 0x44})
    after = m.get_sregs()
    assert (after["ivpr"], after["csrr0"]) == (0x1000, 0x44)
    with refused(errno.EINVAL):
        m.set_sregs({"pvr": sregs["pvr"] ^ 1})


@each_model
def test_one_reg_by_name_and_by_id(machine: MachineFactory, model: str) -> None:
    """exit 12.6."""
    m = machine(model=model)
    m.set_one_reg("MAS2", 0x12345000)
    assert m.get_one_reg("MAS2") == m["vcpu.arch.shared.mas2"] == 0x12345000
    m.set_one_reg("TCR", 0x00C00000)
    assert m.get_one_reg(0x1020000000000089) == 0x00C00000
    assert m.get_one_reg("DEBUG_INST") == 0x00DDDD00
    for name in ("IAC3", "OR_TSR", "DBSR"):
        with refused(errno.EINVAL):
            m.get_one_reg(name)
    with refused(errno.EINVAL):
        m.set_one_reg("MMUCFG", m.get_one_reg("MMUCFG") ^ 1)


def test_vector_register_has_16_bytes(machine: MachineFactory) -> None:
    m = machine(model="e6500")
    m.set_one_reg("VR3", 0x0123456789ABCDEF_FEDCBA9876543210)
    assert m.get_one_reg("VR3") == 0x0123456789ABCDEF_FEDCBA9876543210
    assert (m["vcpu.arch.vr.vr_u64[6]"], m["vcpu.arch.vr.vr_u64[7]"]) == (
        0x0123456789ABCDEF,
        0xFEDCBA9876543210,
    )


# The other ioctls


def test_capabilities(machine: MachineFactory) -> None:
    """exit 12.7, Q32: PPC_PAPR is refused, but the flag sticks."""
    m = machine()
    m.enable_cap("ppc_epr", 1)
    m.enable_cap(CAPS["ppc_booke_watchdog"])
    assert (m["vcpu.arch.epr_flags"], m["vcpu.arch.watchdog_enabled"]) == (1, 1)
    with refused(errno.EINVAL):
        m.enable_cap("ppc_osi", flags=1)
    with refused(errno.EINVAL):
        m.enable_cap("ppc_papr")
    assert m["vcpu.arch.papr_enabled"] == 1


def test_guest_tlb_of_user_space(machine: MachineFactory) -> None:
    """mmu-kvm 2: the array becomes the guest's TLB."""
    m = machine(sw_tlb=True)
    m.config_tlb((64, 8), (4, 8))
    assert m["e500.num_shared_tlb_pages"]
    assert (m["e500.gtlb_params0.entries"], m["e500.gtlb_params0.ways"]) == (64, 4)
    with refused(errno.EINVAL):
        m.config_tlb((64, 8), (3, 8))


def test_interrupt_of_userspace(machine: MachineFactory) -> None:
    """exit 7.1: an edge, a level, and both taken away."""
    m = machine()
    m.kvm_interrupt()
    assert m["vcpu.arch.pending_exceptions"] == 1 << 16
    m.kvm_interrupt("set_level")
    assert m["vcpu.arch.pending_exceptions"] == 1 << 16 | 1 << 20
    m.kvm_interrupt("unset")
    assert m["vcpu.arch.pending_exceptions"] == 0


def test_translate_searches_the_guest_tlb(machine: MachineFactory) -> None:
    """exit 12.4: PID in bits 39 to 32, AS in bit 40."""
    m = machine()
    m.set(
        {
            "e500.gtlb1.mas1[0]": 0x80050500,
            "e500.gtlb1.mas2[0]": 0x10000000,
            "e500.gtlb1.mas7_3[0]": 0x0300003F,
            "e500.tlb1_min_eaddr": 0x10000000,
            "e500.tlb1_max_eaddr": 0x1001FFFF,
        }
    )
    assert m.kvm_translate(5 << 32 | 0x10000123) == 0x03000123
    assert m.kvm_translate(6 << 32 | 0x10000123) is None


def test_run_tells_why_it_returned(machine: MachineFactory) -> None:
    """exit 2.4: the arm of the union that belongs to the reason."""
    m = machine()
    m.set({"run.exit_reason": 6, "run.mmio.phys_addr": 0xFE000000, "run.mmio.data[0]": 9, "run.mmio.len": 1})
    run = m.kvm_run()
    assert (run.exit_reason, run.name) == (6, "MMIO")
    assert (run.arm["phys_addr"], run.arm["data"], run.arm["len"]) == (0xFE000000, [9] + [0] * 7, 1)
    m["run.exit_reason"] = 21
    assert m.kvm_run() == (21, "WATCHDOG", {})


def test_guest_debug(machine: MachineFactory) -> None:
    """exit 9.2: an instruction breakpoint."""
    m = machine()
    m.set_guest_debug(0x20001, [(0x1000, 2)])
    assert (m["vcpu.guest_debug"], m["vcpu.arch.dbg_reg.iac1"]) == (0x20001, 0x1000)


def test_face_is_steps_of_a_scenario() -> None:
    """Lockstep keeps what the face did, so that a finding can be replayed."""
    with Machine(backend="lockstep") as m:
        m.add_memory(0, 0x10000)
        m.set_regs({"pc": 0x100})
        scenario: Scenario = m._core.scenario()  # type: ignore[attr-defined]
    assert {step.call for step in scenario.steps} >= {"kvm_arch_vcpu_ioctl_set_regs"}
    assert replay(scenario, "native") == []


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (lambda m: m.set_regs({"ip": 1}), ValueError, "kvm_regs has no 'ip'"),
        (lambda m: m.set_regs({"gpr": [1]}), ValueError, "gpr has 32 elements"),
        (lambda m: m.get_one_reg("MAS9"), ValueError, "MAS9.*MAS"),
        (lambda m: m.set_one_reg("MAS0", 1 << 32), ValueError, "value is 0 to 0xffffffff"),
        (lambda m: m.enable_cap("sw-tlb"), ValueError, "did you mean 'sw_tlb'"),
        (lambda m: m.enable_cap(1, 1, 2, 3, 4, 5), ValueError, "at most 4"),
        (lambda m: m.config_tlb((1,), (1, 1)), ValueError, "TLB0 and one for TLB1"),
        (lambda m: m.kvm_interrupt("clear"), ValueError, "set_level"),
        (lambda m: m.kvm_interrupt(None), TypeError, "interrupt"),
        (lambda m: m.get_regs(vcpu=1), OSError, "vcpu"),
    ],
)
def test_wrong_argument_is_named(
    machine: MachineFactory, act: Callable[[Any], object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        act(machine())


def test_ids_of_registers_carry_their_size() -> None:
    """exit 12.6: size code in bits 52 to 55."""
    assert ONE_REGS["MAS2"] == 0x103000000000008E
    assert ONE_REGS["TCR"] == 0x1020000000000089
    assert ONE_REGS["VR31"] == 0x104000000000005F
