# SPDX-License-Identifier: BSD-3-Clause
"""kvm/memslot: guest frame to slot, mapping and page (mmu-kvm 8.1); KVM's own copies (exit 12.8)."""

from __future__ import annotations

import pytest

from pyexit import Machine

from .kvmsupport import call, log
from .support import WIDTH, MachineFactory, each_model

HVA, GFN, PFN = 0x50000000, 0x1000, 0x80000
SHIFT = 12
V = 0x80000000
INVALID, PFNMAP, HUGETLB = 1, 1, 2
NOT_PRESENT, NO_PTE = 1, 2


def guest(machine: MachineFactory, model: str = "e500mc", npages: int = 0x1000, **options: object) -> Machine:
    """A slot of `npages` at GFN, mapped at HVA, backed from PFN on."""
    m = machine(model=model, **options)
    m.set(
        {
            "kvm.arch.lpid": 2,
            "kvm.memslot.base_gfn[2]": GFN,
            "kvm.memslot.npages[2]": npages,
            "kvm.memslot.userspace_addr[2]": HVA,
            "kvm.vma.start[1]": HVA,
            "kvm.vma.end[1]": HVA + (npages << SHIFT),
            "kvm.backing.hva[3]": HVA,
            "kvm.backing.npages[3]": npages,
            "kvm.backing.pfn[3]": PFN,
        }
    )
    return m


def gtlb1(m: Machine, entry: int, ea: int, gfn: int, tsize: int) -> None:
    values = {"mas1": V | tsize << 7, "mas2": ea | 4, "mas7_3": gfn << SHIFT | 0x3F}
    m.set({f"e500.gtlb1.{name}[{entry}]": value for name, value in values.items()})


def mapped(m: Machine, ea: int, gfn: int) -> list[str]:
    """What kvmppc_mmu_map asks of the host for a page of guest TLB1 entry 5."""
    m.events()
    call(m, "kvmppc_mmu_map", ea, gfn << SHIFT, 0x10005)
    return [event for event in log(m) if not event.startswith(("tlb", "kvm"))]


def shadow(m: Machine) -> tuple[int, int, int]:
    """The entry written last: size code, guest address, host page."""
    return m["spr.MAS1"] >> 7 & 31, m["spr.MAS2"] & ~0xFFF, m["spr.MAS7"] << 20 | m["spr.MAS3"] >> SHIFT


@each_model
def test_page_of_a_slot(machine: MachineFactory, model: str) -> None:
    """8.1, 8.1.10: the order of the host's services."""
    m = guest(machine, model)
    gtlb1(m, 5, 0x40000000, GFN, 10)
    assert mapped(m, 0x40012345, GFN + 0x12) == [
        "gfn_to_pfn_memslot 0x1012",
        *(f"{what} 0x80012" for what in ("set_pfn_accessed", "set_pfn_dirty", "flush_icache")),
        "release_pfn_clean 0x80012",
    ]
    assert shadow(m) == (2, 0x40012000, 0x80012)


@each_model
@pytest.mark.parametrize("gfn", [GFN - 1, GFN + 0x1000])
def test_frame_outside_of_every_slot(machine: MachineFactory, model: str, gfn: int) -> None:
    """8.1.6a: an error on a 64-bit host; page 0 on a 32-bit host."""
    m = guest(machine, model)
    gtlb1(m, 5, 0x40000000, gfn, 2)
    events = mapped(m, 0x40000000, gfn)
    if WIDTH[model] == 64:
        assert events[1].startswith("printk 3 kvmppc_e500_shadow_map: real page not found")
        assert len(events) == 2
    else:
        assert events[1] == "set_pfn_accessed 0x0"


def test_first_slot_counts(machine: MachineFactory) -> None:
    m = guest(machine)
    m.set({"kvm.memslot.base_gfn[0]": GFN + 4, "kvm.memslot.npages[0]": 1})
    m["kvm.memslot.userspace_addr[0]"] = HVA + 0x8000
    gtlb1(m, 5, 0x40000000, GFN, 10)
    assert mapped(m, 0x40004000, GFN + 4)[1] == "set_pfn_accessed 0x80008"
    assert mapped(m, 0x40005000, GFN + 5)[1] == "set_pfn_accessed 0x80005"


@each_model
def test_invalid_slot(machine: MachineFactory, model: str) -> None:
    """6: tlbwe counts it as memory; a miss does not, and asks for MMIO; there is no page."""
    m = guest(machine, model)
    m["kvm.memslot.flags[2]"] = INVALID
    shared = {"mas0": 0, "mas1": V | 5 << 7, "mas2": 0x40000004, "mas7_3": GFN << SHIFT | 0x3F}
    m.set({f"vcpu.arch.shared.{name}": value for name, value in shared.items()})
    m.events()
    call(m, "kvmppc_e500_emul_tlbwe")
    assert "gfn_to_pfn_memslot 0x1000" in log(m)
    assert m["e500.gtlb0.mas1[0]"] == V | 2 << 7
    m.set({"vcpu.arch.fault_dear": 0x40000010, "vcpu.arch.last_inst": 0x80600000})
    call(m, "kvmppc_handle_exit", 13)
    assert m["vcpu.arch.paddr_accessed"] == GFN << SHIFT | 0x10


@each_model
def test_running_invalidation(machine: MachineFactory, model: str) -> None:
    """8.1.7: nothing is written, the page is released."""
    m = guest(machine, model)
    m["kvm.mmu_invalidate_in_progress"] = 1
    gtlb1(m, 5, 0x40000000, GFN, 2)
    assert mapped(m, 0x40000000, GFN) == ["gfn_to_pfn_memslot 0x1000", "release_pfn_clean 0x80000"]
    assert m["e500.gtlb_priv1.flags[5]"] == 0


@pytest.mark.parametrize("place", ["kvm.backing.pte[3]", "host.pte_mode"])
def test_page_table(machine: MachineFactory, place: str) -> None:
    """8.1.8: not present: an error; no entry: WIMGE 0, and interrupts stay off."""
    m = guest(machine)
    gtlb1(m, 5, 0x40000000, GFN, 2)
    m.set({place: NOT_PRESENT, "host.irq_enabled": 1})
    assert mapped(m, 0x40000000, GFN)[1].startswith("printk 3 kvmppc_e500_shadow_map: pte not present")
    assert (m["host.irq_enabled"], m["e500.gtlb_priv1.flags[5]"]) == (1, 0)
    m[place] = NO_PTE
    mapped(m, 0x40000000, GFN)
    assert (m["host.irq_enabled"], m["e500.gtlb_priv1.flags[5]"]) == (0, 0xA0000000)


def test_page_that_the_host_does_not_find(machine: MachineFactory) -> None:
    """8.1.6: a 64-bit host; no backing, or host.pfn_mode."""
    m = guest(machine, "e5500")
    gtlb1(m, 5, 0x40000000, GFN, 10)
    m["kvm.backing.npages[3]"] = 4
    assert len(mapped(m, 0x40003000, GFN + 3)) == 5
    assert len(mapped(m, 0x40004000, GFN + 4)) == 2
    m["host.pfn_mode"] = 1
    assert len(mapped(m, 0x40003000, GFN + 3)) == 2


@pytest.mark.parametrize(
    ("shift", "guest_tsize", "tsize"),
    [(22, 16, 12), (22, 12, 12), (22, 11, 10), (22, 3, 2), (16, 16, 6), (12, 16, 2), (0, 16, 2)],
)
def test_huge_page(machine: MachineFactory, shift: int, guest_tsize: int, tsize: int) -> None:
    """8.1.4: min(log2(page size) - 10, TSIZE), low bit cleared, 4 KiB at least; page and address are cut."""
    m = guest(machine)
    m.set({"kvm.vma.flags[1]": HUGETLB, "kvm.vma.page_shift[1]": shift})
    gtlb1(m, 5, 0x40000000, GFN, guest_tsize)
    mapped(m, 0x40123000, GFN + 0x123)
    mask = -(1 << (tsize - 2))
    assert shadow(m) == (tsize, 0x40000000 + ((0x123 & mask) << SHIFT), PFN + (0x123 & mask))


@pytest.mark.parametrize(
    ("guest_tsize", "gfn", "tsize"),
    [(10, GFN, 10), (11, GFN, 10), (12, GFN + 0x400, 12), (16, GFN, 14), (4, GFN + 7, 4), (2, GFN + 7, 2)],
)
def test_device_mapping(machine: MachineFactory, guest_tsize: int, gfn: int, tsize: int) -> None:
    """8.1.3: no page look-up; the largest aligned block inside mapping and slot."""
    m = guest(machine)
    m.set({"kvm.vma.flags[1]": PFNMAP, "kvm.vma.pgoff[1]": 0xC0000})
    gtlb1(m, 5, 0x40000000, GFN, guest_tsize)
    offset = gfn - GFN
    events = mapped(m, 0x40000000 + (offset << SHIFT), gfn)
    mask = -(1 << (tsize - 2))
    assert not any(event.startswith("gfn_to_pfn") for event in events)
    assert shadow(m) == (tsize, 0x40000000 + ((offset & mask) << SHIFT), 0xC0000 + (offset & mask))


def test_device_mapping_that_is_not_aligned(machine: MachineFactory) -> None:
    """8.1.3: frame and host page must be equal modulo the block."""
    m = guest(machine)
    m.set({"kvm.vma.flags[1]": PFNMAP, "kvm.vma.pgoff[1]": 0xC0004})
    gtlb1(m, 5, 0x40000000, GFN, 10)
    mapped(m, 0x40004000, GFN + 4)
    assert shadow(m) == (4, 0x40004000, 0xC0008)


def test_slot_bounds_the_device_mapping(machine: MachineFactory) -> None:
    """8.1.3: the range is cut to the slot."""
    m = guest(machine)
    m.set({"kvm.vma.flags[1]": PFNMAP, "kvm.vma.pgoff[1]": 0xC0000, "kvm.memslot.npages[2]": 0x20})
    gtlb1(m, 5, 0x40000000, GFN, 12)
    mapped(m, 0x40000000, GFN)
    assert shadow(m)[0] == 6


# KVM's own copies (exit 12.8)


def peek(m: Machine, gpa: int, size: int) -> tuple[int, list[str]]:
    """kvmppc_ld through a guest TLB1 entry that maps all of the first 4 GiB to itself."""
    m.set({"e500.gtlb1.mas1[0]": V | 22 << 7, "e500.tlb1_min_eaddr": 0, "e500.tlb1_max_eaddr": 0xFFFFFFFF})
    m.events()
    return call(m, "kvmppc_ld", gpa, size, 1), log(m)


def test_copy_goes_page_by_page(machine: MachineFactory) -> None:
    m = guest(machine, ram=[(0, 0x10000)])
    m["kvm.backing.pfn[3]"] = 4
    ret, events = peek(m, (GFN << SHIFT) + 0xFFC, 8)
    assert (ret, events) == (0, ["read_guest 0x1000ffc len=4", "read_guest 0x1001000 len=4"])


@pytest.mark.parametrize(
    "hole",
    [{"kvm.memslot.npages[2]": 1}, {"kvm.backing.npages[3]": 1}],
)
def test_copy_ends_at_a_fault(machine: MachineFactory, hole: dict[str, int]) -> None:
    """MMIO then; what came before stays."""
    m = guest(machine, ram=[(0, 0x10000)])
    m.set({"kvm.backing.pfn[3]": 4} | hole)
    ret, events = peek(m, (GFN << SHIFT) + 0xFFC, 8)
    assert (ret, events[1]) == (1, "read_guest 0x1001000 len=4 fault")


def test_copy_from_an_invalid_slot(machine: MachineFactory) -> None:
    m = guest(machine)
    m["kvm.memslot.flags[2]"] = INVALID
    assert peek(m, GFN << SHIFT, 4) == (1, ["read_guest 0x1000000 len=4 fault"])
