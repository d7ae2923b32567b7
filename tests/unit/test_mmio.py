# SPDX-License-Identifier: BSD-3-Clause
"""kvm/mmio: what KVM_RUN shows of an access, and how its answer comes back (emulate 6)."""

from __future__ import annotations

import pytest

from pyexit import Machine

from .kvmsupport import (
    BUG,
    EXIT_INTERNAL_ERROR,
    PC,
    PROGRAM,
    RESUME_GUEST,
    RESUME_GUEST_NV,
    RESUME_HOST_NV,
    RETURNED,
    SITE,
    arch,
    call,
    guest,
    log,
    pending,
    stopped,
    vcpu,
)
from .support import MachineFactory, each_model
from .test_loadstore import DO_MMIO, FAIL, PADDR, RT, VMX, accessing, d_form, x_form

EXIT_MMIO = 6
LWZ, STW, LHA, LWBRX, LFS = d_form(32), d_form(36), d_form(42), x_form(534), d_form(48)


def answer(m: Machine, data: str) -> None:
    """What userspace read from its device, and back into KVM_RUN; the guest is not entered."""
    m.set({f"run.mmio.data[{n}]": byte for n, byte in enumerate(bytes.fromhex(data))})
    m["host.signal_pending"] = 1
    m.call("kvm_arch_vcpu_ioctl_run", 0)


@each_model
def test_load_leaves_to_userspace(machine: MachineFactory, model: str) -> None:
    """6.3, 6.4: KVM_EXIT_MMIO and RESUME_HOST_NV; the pc is past the load already."""
    m = accessing(machine(model=model), LWZ)
    assert call(m, "kvmppc_emulate_mmio") == RESUME_HOST_NV
    assert (m["run.exit_reason"], m["run.mmio.len"], m["run.mmio.is_write"]) == (EXIT_MMIO, 4, 0)
    assert vcpu(m, "regs.nip") == (PC + 4,)


@each_model
@pytest.mark.parametrize(
    ("word", "data", "value"),
    [(LWZ, "89abcdef", 0x89ABCDEF), (LHA, "8001", -0x7FFF), (LWBRX, "11223344", 0x44332211)],
)
def test_load_is_completed(machine: MachineFactory, model: str, word: int, data: str, value: int) -> None:
    """6.7, 6.10: big-endian; byte-reversed and sign-extended where the instruction says so."""
    m = accessing(machine(model=model), word)
    call(m, "kvmppc_emulate_mmio")
    answer(m, data)
    wide = (1 << m.params["width"]) - 1
    assert (m[f"vcpu.arch.regs.gpr[{RT}]"], m["vcpu.mmio_needed"]) == (value & wide, 0)


@each_model
def test_single_becomes_double(machine: MachineFactory, model: str) -> None:
    """6.8: lfs of 1.0."""
    m = accessing(machine(model=model), LFS)
    call(m, "kvmppc_emulate_mmio")
    answer(m, "3f800000")
    assert m[f"vcpu.arch.fp.fpr[{RT}]"] == 0x3FF0000000000000


@each_model
def test_store_is_left_justified(machine: MachineFactory, model: str) -> None:
    """6.5: the low bytes, big-endian, at the front."""
    m = accessing(machine(model=model), STW)
    assert call(m, "kvmppc_emulate_mmio") == RESUME_HOST_NV
    assert [m[f"run.mmio.data[{n}]"] for n in range(5)] == [0x11, 0x22, 0x33, 0x44, 0]
    assert m["run.mmio.is_write"] == 1


@each_model
def test_in_kernel_device_answers_at_once(machine: MachineFactory, model: str) -> None:
    """6.9: wholly inside the device; nothing goes to userspace."""
    m = accessing(machine(model=model), LWZ)
    m.set({"host.io_base": PADDR, "host.io_len": 4, "host.io_data": 0x0102030400000000})
    assert call(m, "kvmppc_emulate_mmio") == RESUME_GUEST_NV
    assert vcpu(m, f"regs.gpr[{RT}]") == (0x01020304,)
    assert log(m) == [f"io_read {PADDR:#x} len=4"]
    m = accessing(machine(model=model), LWZ)
    m.set({"host.io_base": PADDR + 1, "host.io_len": 4})
    assert call(m, "kvmppc_emulate_mmio") == RESUME_HOST_NV


@each_model
def test_failure_is_a_program_interrupt_with_esr_0(machine: MachineFactory, model: str) -> None:
    """6.3: not an exit to userspace; the pc stays."""
    m = accessing(machine(model=model), x_form(20))
    arch(m, {"queued_esr": 0x55})
    assert call(m, "kvmppc_emulate_mmio") == RESUME_GUEST
    assert (pending(m), *vcpu(m, "queued_esr", "regs.nip")) == ({PROGRAM}, 0, PC)


@each_model
def test_more_than_eight_bytes_fail(machine: MachineFactory, model: str) -> None:
    """6.4.2: and nothing changes."""
    m = guest(machine(model=model))
    before = m.snapshot()
    assert call(m, "kvmppc_handle_load", 3, 9, 1) == FAIL
    assert m.diff(before) == []
    assert call(m, "kvmppc_handle_load", 3, 8, 1) == DO_MMIO


@each_model
def test_unknown_register_class_is_a_bug(machine: MachineFactory, model: str) -> None:
    """6.2: at completion."""
    m = guest(machine(model=model), io_gpr=0x0200)
    m["run.mmio.len"] = 4
    assert stopped(m, "kvmppc_complete_mmio_load") == (BUG, SITE["mmio_class"])


def test_vector_load_comes_in_two_steps(machine: MachineFactory) -> None:
    """6.6, 6.10.1: the first answer asks for the second half."""
    m = accessing(machine(model="e6500"), x_form(103))
    assert call(m, "kvmppc_emulate_mmio") == RESUME_HOST_NV
    answer(m, "0102030405060708")
    assert (m["run.exit_reason"], m["run.mmio.phys_addr"], m["vcpu.mmio_needed"]) == (EXIT_MMIO, PADDR + 8, 1)
    answer(m, "1112131415161718")
    values = (m[f"vcpu.arch.vr.vr_u64[{2 * RT}]"], m[f"vcpu.arch.vr.vr_u64[{2 * RT + 1}]"])
    assert values == (0x0102030405060708, 0x1112131415161718)
    assert m["vcpu.mmio_needed"] == 0


@each_model
@pytest.mark.parametrize("function", ["kvmppc_ld", "kvmppc_st"])
def test_ld_st_miss_is_enoent(machine: MachineFactory, model: str, function: str) -> None:
    """6.12: no guest TLB entry: -ENOENT, the counter moves all the same."""
    m = guest(machine(model=model))
    args = (0x1000, 4, 1) if function == "kvmppc_ld" else (0x1000, 4, 1, 0, 0, 0, 0)
    assert call(m, function, *args) == -2
    assert m[f"vcpu.stat.{function[-2:]}"] == 1


@each_model
def test_insane_vcpu_does_not_run(machine: MachineFactory, model: str) -> None:
    """6.10: -EINVAL and KVM_EXIT_INTERNAL_ERROR."""
    m = guest(machine(model=model))
    arch(m, {"sane": 0})
    assert call(m, "kvm_arch_vcpu_ioctl_run") == -22
    assert m["run.exit_reason"] == EXIT_INTERNAL_ERROR


@each_model
def test_done_is_guest_nv(machine: MachineFactory, model: str) -> None:
    """6.3: a cache instruction."""
    m = accessing(machine(model=model), x_form(86))
    assert call(m, "kvmppc_emulate_mmio") == RESUME_GUEST_NV


@each_model
def test_xlate_knows_instruction_and_data(machine: MachineFactory, model: str) -> None:
    """exit 3.3, BUG summary: another kind of access."""
    m = guest(machine(model=model))
    assert stopped(m, "kvmppc_xlate", 0x1000, 2, 0) == (BUG, SITE["xlate"])


HVA, SLOT_PAGES, PFN = 0x1000000, 4, 0x10


def with_memory(m: Machine, mas7_3: int) -> Machine:
    """Guest frames 0 to 3 are the host's frames 10 to 13; EA 2000 of every PID is `mas7_3`."""
    guest(m)
    m.set(
        {
            "kvm.memslot.npages[0]": SLOT_PAGES,
            "kvm.memslot.userspace_addr[0]": HVA,
            "kvm.backing.hva[0]": HVA,
            "kvm.backing.npages[0]": SLOT_PAGES,
            "kvm.backing.pfn[0]": PFN,
            "e500.gtlb0.mas1[4]": 0x80000100,
            "e500.gtlb0.mas2[4]": 0x2000,
            "e500.gtlb0.mas7_3[4]": mas7_3,
        }
    )
    return m


@each_model
def test_ld_and_st_reach_guest_memory(machine: MachineFactory, model: str) -> None:
    """6.12: EMULATE_DONE; *eaddr is the real address of the guest; permissions are not looked at."""
    m = with_memory(machine(model=model, ram=((0, 0x20000),)), 0x1000)
    m.store_word(0x11010, 0x11223344)
    m.store_word(0x11014, 0x55667788)
    loaded = m.call("kvmppc_ld", 0, 0x2010, 8, 1)
    assert (loaded.ret, loaded.value) == (0, (0x1010, 0x1122334455667788, 0, 0, 0))
    stored = m.call("kvmppc_st", 0, 0x2013, 6, 1, 0xA1A2A3A4A5A6A7A8, 0, 0, 0)
    assert (stored.ret, stored.value[0]) == (0, 0x1013)
    assert [m.load_word(0x11010 + n) for n in (0, 4, 8)] == [0x112233A1, 0xA2A3A4A5, 0xA6000000]
    assert (m["vcpu.stat.ld"], m["vcpu.stat.st"]) == (1, 1)


@each_model
def test_ld_and_st_outside_memory_are_mmio(machine: MachineFactory, model: str) -> None:
    """6.12: the guest's own entry, but no memory slot: EMULATE_DO_MMIO, and *eaddr is the real address."""
    m = with_memory(machine(model=model, ram=((0, 0x20000),)), 0x50000000)
    assert m.call("kvmppc_ld", 0, 0x2010, 8, 1).value[0] == 0x50000010
    assert call(m, "kvmppc_ld", 0x2010, 8, 1) == DO_MMIO
    assert call(m, "kvmppc_st", 0x2010, 8, 1, 0, 0, 0, 0) == DO_MMIO


@each_model
@pytest.mark.parametrize(("kind", "bit"), [(0, 0x20), (1, 0x10)])
def test_ld_searches_the_space_of_its_kind(machine: MachineFactory, model: str, kind: int, bit: int) -> None:
    """6.12: AS is MSR[IS] for an instruction, MSR[DS] for data."""
    m = with_memory(machine(model=model, ram=((0, 0x20000),)), 0x1000)
    arch(m, {"shared.msr": 0x10000000 | bit})
    assert call(m, "kvmppc_ld", 0x2010, 4, kind) == -2
    arch(m, {"shared.msr": 0x10000000 | 0x30 ^ bit})
    assert call(m, "kvmppc_ld", 0x2010, 4, kind) == 0


@each_model
@pytest.mark.parametrize(("size", "value"), [(0, 0), (3, 0), (4, 0x11223344), (9, 0x77)])
def test_length_is_userspaces(machine: MachineFactory, model: str, size: int, value: int) -> None:
    """6.7, docs/choices.md: a length that no access has gives 0, one over 8 writes nothing."""
    m = guest(machine(model=model), io_gpr=5, **{"regs.gpr[5]": 0x77})
    m.set({"run.mmio.len": size, **{f"run.mmio.data[{n}]": 0x11 * (n + 1) for n in range(4)}})
    assert call(m, "kvmppc_complete_mmio_load") == 0
    assert vcpu(m, "regs.gpr[5]") == (value,)


@each_model
def test_vector_class_is_a_bug_without_altivec(machine: MachineFactory, model: str) -> None:
    """6.2: F32 and F64 have no VMX class."""
    m = guest(machine(model=model), io_gpr=VMX)
    m["run.mmio.len"] = 8
    outcome, _ = stopped(m, "kvmppc_complete_mmio_load")
    assert outcome == (RETURNED if model == "e6500" else BUG)


@each_model
def test_bug_of_a_completion_ends_the_entry(machine: MachineFactory, model: str) -> None:
    """6.2, 6.10: from KVM_RUN."""
    m = guest(machine(model=model), io_gpr=0x0200)
    m.set({"vcpu.mmio_needed": 1, "run.mmio.len": 4})
    assert m.enter().outcome == BUG
    assert m["vcpu.mmio_needed"] == 0


@each_model
def test_store_without_an_event_ring(machine: MachineFactory, model: str) -> None:
    """pyexit.h options.events 0: what is stored does not depend on who watches."""
    m = with_memory(machine(model=model, ram=((0, 0x20000),), events=0), 0x1000)
    assert call(m, "kvmppc_st", 0x2010, 4, 1, 0x1122334455667788, 0, 0, 0) == 0
    assert m.load_word(0x11010) == 0x11223344
    assert m.lost_events() > 0
