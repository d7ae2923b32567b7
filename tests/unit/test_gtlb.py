# SPDX-License-Identifier: BSD-3-Clause
"""kvm/gtlb: the guest entry whose shadow the reviewer's fetch evicts (mmu-kvm 1, 3, 15.4; design 6)."""

from __future__ import annotations

import pytest

from pyexit import Machine

from .support import (
    GS,
    IS,
    SR,
    SX,
    TGS,
    TS,
    M,
    MachineFactory,
    V,
    each_model,
    put,
    tlb0_index,
    tsize,
)

PC, PID, AGAIN = 0x10003234, 5, 3
VALID, BITMAP = 0x80000000, 0x40000000
WAYS = {"e500mc": 4, "e5500": 4, "e6500": 8}
#: mmu-kvm 3: base = ((ea >> 12) & (sets - 1)) * ways; 256 entries in 2 ways.
GUEST0 = (PC >> 12 & 127) * 2


def guest(machine: MachineFactory, model: str, fetch: str = "review", msr: int = GS) -> Machine:
    """A pc whose host entry, in TLB0, may not be executed."""
    m = machine(model=model, fetch=fetch)
    m.set({"vcpu.arch.regs.nip": PC, "vcpu.arch.pid": PID, "vcpu.arch.shared.msr": msr})
    ts = TS if msr & IS else 0
    mas8 = TGS | m["kvm.arch.lpid"]
    index = tlb0_index(PC, 0, ways=WAYS[model])
    put(m, 0, index, V | PID << 16 | ts | tsize(2), PC & ~0xFFF | M, 0x7000 | SR, mas8=mas8)
    return m


def guest_entry0(
    m: Machine, index: int, *, pid: int = PID, ts: int = 0, valid: int = 1, epn: int = PC
) -> None:
    """An entry of the guest's TLB0, shadowed."""
    gtlb = {
        "mas1": V * valid | pid << 16 | ts * TS | tsize(2),
        "mas2": epn & ~0xFFF | M,
        "mas7_3": 0x3000 | SX | SR,
    }
    m.set({f"e500.gtlb0.{name}[{index}]": value for name, value in gtlb.items()})
    m[f"e500.gtlb_priv0.flags[{index}]"] = VALID | M


@each_model
@pytest.mark.parametrize("way", [0, 1])
def test_eviction_clears_the_ref(machine: MachineFactory, model: str, way: int) -> None:
    """design 6: the guest entry's shadow ref is cleared too."""
    m = guest(machine, model)
    guest_entry0(m, GUEST0 + way)
    assert m.load_last_inst().ret == AGAIN
    assert m[f"e500.gtlb_priv0.flags[{GUEST0 + way}]"] & VALID == 0


@each_model
@pytest.mark.parametrize("fetch", ["merged", "seed-v4"])
def test_others_leave_it(machine: MachineFactory, model: str, fetch: str) -> None:
    m = guest(machine, model, fetch)
    guest_entry0(m, GUEST0)
    m.load_last_inst()
    assert m[f"e500.gtlb_priv0.flags[{GUEST0}]"] == VALID | M


@each_model
@pytest.mark.parametrize("entry", [{"pid": 6}, {"ts": 1}, {"valid": 0}, {"epn": PC ^ 0x80000}])
def test_entry_that_does_not_match_keeps_its_ref(
    machine: MachineFactory, model: str, entry: dict[str, int]
) -> None:
    """3.3: TID 0 or PID, V, TS, address."""
    m = guest(machine, model)
    guest_entry0(m, GUEST0, **entry)
    m.load_last_inst()
    assert m[f"e500.gtlb_priv0.flags[{GUEST0}]"] == VALID | M


@each_model
def test_global_entry_matches(machine: MachineFactory, model: str) -> None:
    """3.3: tid = 0."""
    m = guest(machine, model)
    guest_entry0(m, GUEST0, pid=0)
    m.load_last_inst()
    assert m[f"e500.gtlb_priv0.flags[{GUEST0}]"] & VALID == 0


@each_model
def test_space_is_that_of_fetches(machine: MachineFactory, model: str) -> None:
    """3: itlb index: AS = MSR[IS]."""
    m = guest(machine, model, msr=GS | IS)
    guest_entry0(m, GUEST0, ts=1)
    m.load_last_inst()
    assert m[f"e500.gtlb_priv0.flags[{GUEST0}]"] & VALID == 0


def two_slots(m: Machine, perms: int) -> None:
    """Guest TLB1 entry 7, 64 MiB at 40000000, in 4 MiB pages: host slots 0 and 1."""
    hva, real = 0x1_00000000 if m.params["width"] == 64 else 0x80000000, 0x80000
    vma = {"start": hva, "end": hva + 0x40000000, "flags": 2, "page_shift": 22}
    m.set({f"kvm.vma.{name}[0]": value for name, value in vma.items()})
    m.set({"kvm.memslot.npages[0]": 0x40000, "kvm.memslot.userspace_addr[0]": hva, "host.tlbcam_index": 16})
    m.set({"kvm.backing.hva[0]": hva, "kvm.backing.npages[0]": 0x40000, "kvm.backing.pfn[0]": real})
    mas = {"mas0": 0x10070000, "mas1": 0x80000800, "mas2": 0x40000004, "mas7_3": 0xC00 | perms}
    m.set({f"vcpu.arch.shared.{name}": value for name, value in mas.items()})
    assert m.call("kvmppc_e500_emul_tlbwe", 0).ret == 0
    assert m.call("kvmppc_mmu_map", 0, 0x40400000, 0x400000, 0x10007).ret == 0
    assert m["e500.g2h_tlb1_map[7]"] == 3


@pytest.mark.parametrize("model", ["e500mc", "e5500"])
def test_eviction_takes_one_slot_of_several(machine: MachineFactory, model: str) -> None:
    """design 6, mmu-kvm 8.5: the guest entry keeps its other slots; with the last one goes its reference."""
    m = machine(model=model, fetch="review")
    two_slots(m, 0x2F)  # all but SX
    for pc, left, flags in ((0x40401000, 1, VALID | BITMAP), (0x40001000, 0, 0)):
        m.set({"vcpu.arch.regs.nip": pc})
        assert m.load_last_inst().ret == AGAIN
        assert m["e500.g2h_tlb1_map[7]"] == left
        assert m["e500.gtlb_priv1.flags[7]"] & (VALID | BITMAP) == flags
        assert [m[f"e500.h2g_tlb1_rmap[{n}]"] for n in (0, 1)] == [8 * (left & 1), 0]
