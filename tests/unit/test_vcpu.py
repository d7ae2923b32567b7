# SPDX-License-Identifier: BSD-3-Clause
"""kvm/vcpu: the state of new vcpus and the layout of what user space sees (exit 2, 12.2, mmu-kvm 1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyexit.backends._core import ffi
from pyexit.layout import record

from .support import GS, WIDTH, MachineFactory, each_model, ones

VECTORS = Path(__file__).parents[1] / "vectors" / "linux-6.1"

#: Offsets in struct kvm_vcpu_arch_shared (exit 2.3).
SHARED = {
    "scratch1": 0, "scratch2": 8, "scratch3": 16, "critical": 24, "sprg0": 32, "sprg1": 40, "sprg2": 48,
    "sprg3": 56, "srr0": 64, "srr1": 72, "dar": 80, "msr": 88, "dsisr": 96, "int_pending": 100, "sr": 104,
    "mas0": 168, "mas1": 172, "mas7_3": 176, "mas2": 184, "mas4": 192, "mas6": 196, "esr": 200, "pir": 204,
    "sprg4": 208, "sprg5": 216, "sprg6": 224, "sprg7": 232,
}  # fmt: skip

#: Offset and bytes in struct kvm_run (exit 2.4).
RUN = {
    "request_interrupt_window": (0, 1),
    "immediate_exit": (1, 1),
    "exit_reason": (8, 4),
    "ready_for_interrupt_injection": (12, 1),
    "hw.hardware_exit_reason": (32, 8),
    "debug.arch.address": (32, 8),
    "debug.arch.status": (40, 4),
    "mmio.phys_addr": (32, 8),
    "mmio.data": (40, 1),
    "mmio.len": (48, 4),
    "mmio.is_write": (52, 1),
    "epr.epr": (32, 4),
    "osi.gprs": (32, 8),
}

#: What guest MMUCFG, TLB0CFG and TLB1CFG become of the host's (mmu-kvm 1.4).
GUEST_CONFIG = {
    "e500mc": (0x004809C4, 0x02110100, 0x101BC010),
    "e5500": (0x00480B44, 0x02110100, 0x101BC010),
    "e6500": (0x00500B45, 0x02012100, 0x10008010),
}


@each_model
def test_new_vcpu_has_the_values_after_creation(machine: MachineFactory, model: str) -> None:
    """exit 12.2 C3-C8, 16 V20."""
    m = machine(model=model)
    arch = {
        name.removeprefix("vcpu.arch."): value
        for name, value in m.state().items()
        if name[:10] == "vcpu.arch."
    }
    assert arch["regs.gpr[1]"] == 0x00FFFFF8
    assert arch["shared.msr"] == GS
    assert (arch["ivpr"], arch["shadow_msrp"], arch["oldpir"]) == (0x55550000, 0x04000004, 0xFFFFFFFF)
    assert arch["shadow_epcr"] == (0x14800000 if WIDTH[model] == 32 else 0x16800000)
    assert [arch.get(f"ivor[{n}]", 0) for n in range(64)] == [0x7700 | 4 * n for n in range(23)] + [0] * 41
    assert (arch["pvr"], m["e500.svr"]) == (m["spr.PVR"], m["spr.SVR"])
    assert (arch["cpu_type"], arch["sane"], m["vcpu.wants_to_run"]) == (5, 1, 1)


@each_model
def test_everything_else_of_a_new_vcpu_is_0(machine: MachineFactory, model: str) -> None:
    """exit 12.2: tcr, tsr, epcr, pid, pending, last_inst = 0 - not FFFFFFFF."""
    m = machine(model=model)
    for name in ("tcr", "tsr", "epcr", "pid", "pending_exceptions", "last_inst", "regs.nip", "shared.pir"):
        assert m[f"vcpu.arch.{name}"] == 0
    assert (m["vcpu.requests"], m["vcpu.mode"], m["run.exit_reason"]) == (0, 0, 0)


@each_model
def test_exit_timing_starts_with_its_sentinels(machine: MachineFactory, model: str) -> None:
    """exit 13: minima at FFFFFFFF, last type DEAD."""
    m = machine(model=model)
    assert [m[f"vcpu.arch.timing_min_duration[{n}]"] for n in range(30)] == [0xFFFFFFFF] * 30
    assert m["vcpu.arch.last_exit_type"] == 0xDEAD


@each_model
def test_guest_configuration_registers_follow_the_host(machine: MachineFactory, model: str) -> None:
    """mmu-kvm 1.4: LPIDSIZE and LRAT hidden, 256 entries in 2 ways, 16 in 16; e6500 without PT and IND."""
    m = machine(model=model)
    got = (m["vcpu.arch.mmucfg"], m["vcpu.arch.tlbcfg[0]"], m["vcpu.arch.tlbcfg[1]"])
    assert got == GUEST_CONFIG[model]
    page_sizes = (4, 0x7FFFFFFC) if model == "e6500" else (0, 0)
    assert (m["vcpu.arch.tlbps[0]"], m["vcpu.arch.tlbps[1]"]) == page_sizes


@each_model
def test_guest_tlb_starts_empty_with_an_empty_range(machine: MachineFactory, model: str) -> None:
    """mmu-kvm 17: min all ones, max 0."""
    state = machine(model=model).state()
    assert state["e500.tlb1_min_eaddr"] == ones(WIDTH[model])
    held = {name: value for name, value in state.items() if name.startswith(("e500.gtlb", "e500.num"))}
    # mmu-kvm 1.4: 256 entries in 2 ways, 16 entries, one after the other; nothing else is set
    assert held == {
        "e500.gtlb_params0.entries": 256,
        "e500.gtlb_params0.ways": 2,
        "e500.gtlb_params0.sets": 128,
        "e500.gtlb_params1.entries": 16,
        "e500.gtlb_params1.ways": 16,
        "e500.gtlb_params1.sets": 1,
        "e500.gtlb_offset[1]": 256,
    }


def test_vms_have_the_lowest_lpids(machine: MachineFactory) -> None:
    """exit 12.1: 1, 2, ...; shifted left by one where a core has two threads."""
    assert [machine(model="e500mc", vms=3)[f"kvm{n or ''}.arch.lpid"] for n in range(3)] == [1, 2, 3]
    assert [machine(model="e6500", vms=3)[f"kvm{n or ''}.arch.lpid"] for n in range(3)] == [2, 4, 6]


def test_vcpus_are_numbered_and_pinned(machine: MachineFactory) -> None:
    """exit 12.2 C4: vcpu_id, guest PIR; cpu is its hardware thread."""
    m = machine(model="e6500", vcpus=3, vcpu_thread=(1, 0, 1))
    names = ["vcpu", "vcpu1", "vcpu2"]
    assert [m[f"{name}.vcpu_id"] for name in names] == [0, 1, 2]
    assert [m[f"{name}.arch.shared.pir"] for name in names] == [0, 1, 2]
    assert [m[f"{name}.cpu"] for name in names] == [1, 0, 1]


@each_model
def test_host_inputs_start_at_their_baseline(machine: MachineFactory, model: str) -> None:
    """vectors/SCHEMA.md host.*."""
    m = machine(model=model)
    expected = {
        "threads_per_core": 2 if model == "e6500" else 1,
        "halt_limit": 4,
        "wake_signal": 1,
        "pte_wimge": 4,
    }
    expected |= {"tb_freq": 40000000, "tb_ticks_per_jiffy": 160000, "cpu": 0, "tb": 0, "jiffies": 0}
    assert {name: m[f"host.{name}"] for name in expected} == expected


def test_host_cpu_is_the_thread(machine: MachineFactory) -> None:
    """vectors/SCHEMA.md: smp_processor_id()."""
    m = machine(model="e6500", cores=2)
    assert [m[f"host{n or ''}.cpu"] for n in range(4)] == [0, 1, 2, 3]


def test_shared_page_has_the_kernels_offsets() -> None:
    """exit 2.3: 240 bytes."""
    assert {name: ffi.offsetof("struct pyexit_shared", name) for name in SHARED} == SHARED
    assert ffi.sizeof("struct pyexit_shared") == 240


def test_run_has_the_kernels_offsets() -> None:
    """exit 2.4: all arms of the union overlap at 32."""
    leaves = record("run").leaves
    assert {name: (leaves[name].offset, leaves[name].size) for name in RUN} == RUN
    assert (leaves["mmio.data"].count, leaves["osi.gprs"].count) == (8, 32)


@pytest.mark.parametrize("arm", ["hw.hardware_exit_reason", "debug.arch.address", "osi.gprs[0]"])
def test_arms_of_the_union_overlap(machine: MachineFactory, arm: str) -> None:
    """exit 2.4: writing one clobbers the others."""
    m = machine()
    m[f"run.{arm}"] = 0x1122334455667788
    assert m["run.mmio.phys_addr"] == 0x1122334455667788
    assert m["run.epr.epr"] == 0x55667788


def baseline_fields() -> dict[str, tuple[int, int]]:
    """Bytes and count of each field of the vectors, of the wider flavour, as a ulong is stored (design 3)."""
    fields: dict[str, tuple[int, int]] = {}
    for name in ("baseline.json", "baseline_64.json"):
        table: dict[str, dict[str, Any]] = json.loads((VECTORS / name).read_text())["fields"]
        for field, kind in table.items():
            size, count = fields.get(field, (0, 0))
            fields[field] = (max(size, int(kind["bytes"])), max(count, int(kind["count"])))
    return fields


def test_fields_have_the_vectors_names_and_widths() -> None:
    """design 3: names and widths are those of `fields` in the baselines, ulong 64 bits wide."""
    wrong = []
    for field, (size, count) in baseline_fields().items():
        kind, _, path = field.partition(".")
        kind = kind.replace("vcpu1", "vcpu")
        if field in ("host.tlb0_nv", "host.tb"):  # aliases of fields of the core
            kind = "core"
        leaf = record(kind).leaves.get(path)
        # TLB0 has room for the largest geometry; registers of the host are ulong in one flavour.
        if leaf is None or leaf.size != size or (leaf.count != count and path[:3] != "mas"):
            wrong.append((field, size, count, leaf))
    assert wrong == []


def test_host_tlb_has_room_for_every_geometry() -> None:
    """pyexit.h: upper bounds, whatever the machine's own geometry."""
    assert record("htlb0").leaves["mas1"].count == 1024
    assert record("htlb1").leaves["mas1"].count == 64
