# SPDX-License-Identifier: BSD-3-Clause
"""kvm/stlb: kvmppc_core_flush_tlb (exit 7.6, mmu-kvm 10)."""

from __future__ import annotations

import itertools

import pytest

from pyexit import Machine

from .kvmsupport import TLB_FLUSH, call, guest, log
from .support import IPROT, TGS, MachineFactory, V, changed, each_model, is_valid, put, tsize

VALID, BITMAP, TLB0 = 0x80000000, 0x40000000, 0x20000000


@each_model
@pytest.mark.parametrize(
    "flags", [sum(bits) | 4 for bits in itertools.product((0, VALID), (0, BITMAP), (0, TLB0))]
)
@pytest.mark.parametrize("place", ["gtlb_priv0.{}[0]", "gtlb_priv0.{}[255]", "gtlb_priv1.{}[15]"])
def test_only_valid_references_lose_their_flags(
    machine: MachineFactory, model: str, flags: int, place: str
) -> None:
    """exit 7.6 TLB_FLUSH: entries without VALID are untouched (SCHEMA: not told apart); the pfn stays."""
    m = guest(machine(model=model))
    name = f"e500.{place}"
    m.set({name.format("flags"): flags, name.format("pfn"): 0x123})
    call(m, "kvmppc_core_flush_tlb")
    assert m[name.format("flags")] == (0 if flags & VALID else flags)
    assert m[name.format("pfn")] == 0x123


@each_model
def test_maps_between_guest_and_host_entries_are_cleared(machine: MachineFactory, model: str) -> None:
    """exit 7.6: every g2h bitmap and h2g slot."""
    m = guest(machine(model=model))
    maps = {f"e500.g2h_tlb1_map[{n}]": 1 << 63 | n + 1 for n in range(16)}
    maps |= {f"e500.h2g_tlb1_rmap[{n}]": n + 1 for n in range(64)}
    m.set(maps)
    before = m.snapshot()
    call(m, "kvmppc_core_flush_tlb")
    assert changed(m, before) == set(maps)


@each_model
def test_host_entries_of_the_lpid_go(machine: MachineFactory, model: str) -> None:
    """exit 7.6: tlbilx by LPID with MAS5 := SGS | lpid; MAS5 := 0 after; IPROT and other LPIDs stay."""
    m = guest(machine(model=model))
    for index, (mas1, lpid) in enumerate([(V, 2), (V | IPROT, 2), (V, 0), (V, 3)]):
        put(m, 1, index, mas1 | tsize(2), 0x1000 * index, 0x3F, mas8=TGS | lpid)
    m["spr.MAS5"] = 0x77
    call(m, "kvmppc_core_flush_tlb")
    assert [is_valid(m, 1, index) for index in range(4)] == [False, True, True, True]
    assert (log(m), m["spr.MAS5"]) == (["tlbilxlpid mas5=0x80000002"], 0)


def flushed_lpid(m: Machine) -> str:
    call(m, "kvmppc_core_flush_tlb")
    return log(m)[0]


@pytest.mark.parametrize(("cpu", "lpid"), [(0, 6), (3, 7)])
def test_flush_has_the_lpid_of_the_thread(machine: MachineFactory, cpu: int, lpid: int) -> None:
    """exit 7.6, mmu-kvm 12.2."""
    m = guest(machine(model="e6500"))
    m.set({"kvm.arch.lpid": 6, "host.cpu": cpu, "host.threads_per_core": 2})
    assert flushed_lpid(m) == f"tlbilxlpid mas5={0x80000000 | lpid:#x}"


@each_model
def test_request_flushes(machine: MachineFactory, model: str) -> None:
    """exit 7.6: the request does it, once."""
    m = guest(machine(model=model))
    m.set({"vcpu.requests": TLB_FLUSH, "e500.gtlb_priv1.flags[3]": VALID | 5})
    call(m, "kvmppc_core_check_requests")
    assert (m["vcpu.requests"], m["e500.gtlb_priv1.flags[3]"]) == (0, 0)


@each_model
def test_other_vcpus_keep_theirs(machine: MachineFactory, model: str) -> None:
    """mmu-kvm 10: the references of this vcpu."""
    m = guest(machine(model=model, vcpus=2))
    m["e500_1.gtlb_priv1.flags[3]"] = VALID
    call(m, "kvmppc_core_flush_tlb")
    assert m["e500_1.gtlb_priv1.flags[3]"] == VALID


@each_model
def test_notifier_flushes_the_vcpus_of_its_vm(machine: MachineFactory, model: str) -> None:
    """mmu-kvm 11: KVM_REQ_TLB_FLUSH, and no other VM's."""
    m = machine(model=model, vms=2, vcpus=3)
    m.call("mmu_notifier_invalidate", 0)
    flagged = [m[f"{word}.requests"] & 1 for word in ("vcpu", "vcpu1", "vcpu2")]
    assert flagged == [1, 0, 1]
    assert (m["kvm.mmu_invalidate_seq"], m["kvm1.mmu_invalidate_seq"]) == (1, 0)
