# SPDX-License-Identifier: BSD-3-Clause
"""kvm/invariant: what must hold of shadow entries, rule by rule, and what Linux does against it (mmu-kvm 7).

Entries are mapped by KVM itself, then one field is changed: the rule that this breaks is told.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyexit import InvariantError, Machine, Violation
from pyexit.invariant import RULES

from .kvmsupport import TLB_FLUSH, call
from .support import MODELS, MachineFactory, each_model

HVA = 0x10000000
VALID, BITMAP, TLB0 = 0x80000000, 0x40000000, 0x20000000
HUGETLB, PFNMAP = 2, 1


def kvm_machine(machine: MachineFactory, model: str, **options: object) -> Machine:
    """Guest RAM of 64 MiB at 0 from host page 80000 on, LPID 2, PID 5."""
    m = machine(model=model, **options)
    m.set(
        {
            "kvm.memslot.npages[0]": 0x4000,
            "kvm.memslot.userspace_addr[0]": HVA,
            "kvm.backing.hva[0]": HVA,
            "kvm.backing.npages[0]": 0x4000,
            "kvm.backing.pfn[0]": 0x80000,
            "kvm.arch.lpid": 2,
            "vcpu.arch.pid": 5,
            "vcpu.arch.shared.msr": 0,
        }
    )
    return m


def vma(m: Machine, flags: int, page_shift: int = 22, pgoff: int = 0x80000) -> None:
    """All of it is one mapping of the VMM."""
    m.set({"kvm.vma.start[0]": HVA, "kvm.vma.end[0]": HVA + 0x4000000, "kvm.vma.pgoff[0]": pgoff})
    m.set({"kvm.vma.flags[0]": flags, "kvm.vma.page_shift[0]": page_shift})


def write(m: Machine, mas0: int, mas1: int, mas2: int, mas7_3: int) -> None:
    """The guest's tlbwe, as KVM emulates it."""
    words = {"mas0": mas0, "mas1": mas1, "mas2": mas2, "mas7_3": mas7_3}
    m.set({f"vcpu.arch.shared.{name}": value for name, value in words.items()})
    call(m, "kvmppc_e500_emul_tlbwe")


def small(m: Machine) -> None:
    """Guest TLB0: EA 10003000, PID 5, guest page 7, SR SW UX."""
    write(m, 0x00030000, 0x80050100, 0x10003004, 0x7025)


def large(m: Machine, flags: int = PFNMAP) -> None:
    """Guest TLB1: 4 MiB at EA 40000000 from guest address 800000 on, all permissions."""
    vma(m, flags)
    write(m, 0x10070000, 0x80000600, 0x40000004, 0x80003F)


def shadow(m: Machine) -> str:
    """The name of the one shadow entry's words, with a hole for the word."""
    (entry,) = [entry for entry in m.tlb() if entry.tgs]
    return f"htlb{entry.tlbsel}.{{}}[{entry.index}]"


def rules(m: Machine) -> list[str]:
    return [found.rule for found in m.check_invariants()]


@each_model
@pytest.mark.parametrize("write_one", [small, large])
def test_what_kvm_maps_is_allowed(
    machine: MachineFactory, model: str, write_one: Callable[[Machine], None]
) -> None:
    """mmu-kvm 7, 8: a page of host TLB0, a slot of host TLB1."""
    m = kvm_machine(machine, model)
    write_one(m)
    assert shadow(m).startswith("htlb0" if write_one is small else "htlb1")
    assert m.check_invariants() == []


#: The rule, what is mapped, the word of the shadow entry, and the bits of it that are turned round.
BROKEN = (
    ("lpid", small, "mas8", 0x4),
    ("lpid", small, "mas8", 0x2),
    ("bits", small, "mas1", 0x40000000),
    ("bits", small, "mas8", 0x40000000),
    ("entry", small, "mas1", 0x10000),
    ("entry", small, "mas1", 0x50000),
    ("entry", small, "mas1", 0x1000),
    ("entry", small, "mas2", 0x1000),
    ("entry", small, "mas1", 0x600),
    ("entry", large, "mas2", 0x400000),
    ("entry", large, "mas1", 0x100),
    ("permissions", small, "mas3", 0x10),
    ("permissions", small, "mas3", 0x2),
    ("page", small, "mas3", 0x1000),
    ("page", large, "mas3", 0x400000),
    ("page", small, "mas7", 0x1),
    ("attributes", small, "mas2", 0x8),
    ("attributes", small, "mas2", 0x4),
    ("attributes", large, "mas2", 0x1),
)


@each_model
@pytest.mark.parametrize(("rule", "write_one", "word", "bits"), BROKEN)
def test_rule_of_the_shadow_entry(
    machine: MachineFactory, model: str, rule: str, write_one: Callable[[Machine], None], word: str, bits: int
) -> None:
    """One turned bit breaks the rule, and is told once."""
    m = kvm_machine(machine, model)
    write_one(m)
    name = shadow(m).format(word)
    m[name] ^= bits
    assert rules(m) == [rule]


#: The rule, what is mapped, and fields of the books or of the guest that are set.
BROKEN_BOOKS = (
    ("entry", small, {"e500.gtlb0.mas1[7]": 0}),
    ("entry", large, {"e500.gtlb1.mas1[7]": 0}),
    ("permissions", small, {"e500.gtlb0.mas7_3[7]": 0x7021}),
    ("page", small, {"e500.gtlb0.mas7_3[7]": 0x8025}),
    ("page", small, {"kvm.backing.npages[0]": 7}),
    ("page", small, {"kvm.memslot.flags[0]": 1}),
    ("page", large, {"kvm.memslot.base_gfn[0]": 1}),
    ("attributes", small, {"host.pte_wimge": 0}),
    ("ref", small, {"e500.gtlb_priv0.flags[7]": 4}),
    ("ref", large, {"e500.gtlb_priv1.flags[7]": VALID | 4}),
)


@each_model
@pytest.mark.parametrize(("rule", "write_one", "values"), BROKEN_BOOKS)
def test_rule_of_the_books(
    machine: MachineFactory,
    model: str,
    rule: str,
    write_one: Callable[[Machine], None],
    values: dict[str, int],
) -> None:
    """The guest's entry, the slot or the reference is another than when the page was mapped."""
    m = kvm_machine(machine, model)
    write_one(m)
    m.set(values)
    assert rules(m) == [rule]


@each_model
def test_bitmap_and_reverse_map_agree(machine: MachineFactory, model: str) -> None:
    """mmu-kvm 8.5; the entry in the slot and the books each tell."""
    m = kvm_machine(machine, model)
    large(m)
    m["e500.h2g_tlb1_rmap[0]"] = 0
    last = m.geometry.tlb1_entries - 1
    assert m.check_invariants() == [
        Violation("rmap", 0, 1, last, 0, (1, 7), 0, 8),
        Violation("rmap", 0, 1, last, 0, (1, 7), 0, 1),
    ]
    m.set({"e500.h2g_tlb1_rmap[0]": 8, "e500.g2h_tlb1_map[7]": 3})
    assert m.check_invariants() == [Violation("rmap", 0, 1, last - 1, 0, (1, 7), 0, 3)]


@each_model
def test_pending_flush_excuses_what_it_will_remove(machine: MachineFactory, model: str) -> None:
    """mmu-kvm 11: the request is served before the guest runs; the tags are asked all the same."""
    m = kvm_machine(machine, model)
    small(m)
    m.set({"kvm.backing.npages[0]": 0, "vcpu.requests": TLB_FLUSH})
    assert rules(m) == []
    name = shadow(m).format("mas8")
    m[name] ^= 4
    assert rules(m) == ["lpid"]


@each_model
def test_a_change_of_memory_that_kvm_is_told_of(machine: MachineFactory, model: str) -> None:
    """mmu-kvm 11: mmu_notifier_invalidate, then the request."""
    m = kvm_machine(machine, model)
    small(m)
    m["kvm.backing.npages[0]"] = 0
    assert rules(m) == ["page"]
    m.call("mmu_notifier_invalidate", 0)
    assert rules(m) == []
    call(m, "kvmppc_core_check_requests")
    assert ([entry for entry in m.tlb() if entry.tgs], rules(m)) == ([], [])


def test_threads_have_lpids_of_their_own(machine: MachineFactory) -> None:
    """mmu-kvm 12.2: thread 1's entry under thread 0's LPID is nobody's that may have it."""
    m = kvm_machine(machine, "e6500", vcpus=2)
    m.set({"kvm.arch.lpid": 2, "vcpu1.arch.pid": 5, "vcpu1.arch.shared.msr": 0})
    words = {"mas0": 0x00030000, "mas1": 0x80050100, "mas2": 0x10003004, "mas7_3": 0x7025}
    m.set({f"vcpu1.arch.shared.{name}": value for name, value in words.items()})
    call(m, "kvmppc_e500_emul_tlbwe", vcpu=1)
    assert rules(m) == []
    m[shadow(m).format("mas8")] ^= 1
    assert rules(m) == ["entry"]


# What Linux does all the same (docs/choices.md, Exceptions from the invariants)


def quirk_rpn(m: Machine) -> None:
    """5.3.7, 3: the entry's own page by its RPN, the next one by RPN | address."""
    write(m, 0x10020000, 0x80000500, 0x20000004, 0x34501F)
    call(m, "kvmppc_mmu_map", 0x20012000, 0x357000, 0x10002)


def quirk_cached_ref(m: Machine) -> None:
    """7.1: an oversize entry of guest TLB0, mapped at another address of its own."""
    write(m, 0x00030000, 0x80050100, 0x10003004, 0x7025)
    m["e500.gtlb0.mas1[7]"] = 0x80050500
    call(m, "kvmppc_mmu_map", 0x10083000, 0x87000, 7)


def quirk_huge_block(m: Machine) -> None:
    """8.1.6: a slot of huge pages that is not aligned like its memory."""
    vma(m, HUGETLB)
    m.set({"kvm.memslot.base_gfn[0]": 0x10})
    write(m, 0x10070000, 0x80000600, 0x40000004, 0x80003F)


def quirk_page_0(m: Machine) -> None:
    """8.1.6a: a 32-bit host maps page 0 where there is none."""
    m["kvm.backing.npages[0]"] = 0
    small(m)


def quirk_block(m: Machine) -> None:
    """16.2: an EPN inside of the block."""
    vma(m, HUGETLB)
    write(m, 0x10080000, 0x80000500, 0x20045004, 0x10001F)


def quirk_bitmap(m: Machine) -> None:
    """16.7, K47 to K48: BITMAP is lost when a part is mapped as 4 KiB."""
    large(m, HUGETLB)
    vma(m, 0)
    call(m, "kvmppc_mmu_map", 0x40123000, 0x923000, 0x10007)
    assert m["e500.gtlb_priv1.flags[7]"] == VALID | TLB0 | 4


def quirk_tlb0(m: Machine) -> None:
    """16.7: TLB0 is lost when a part is mapped in a slot."""
    large(m, 0)
    vma(m, PFNMAP)
    call(m, "kvmppc_mmu_map", 0x40123000, 0x923000, 0x10007)
    assert m["e500.gtlb_priv1.flags[7]"] == VALID | BITMAP | 4


#: Quirks, the models that have them, and a change after which the exception no longer holds.
QUIRKS = (
    (quirk_rpn, MODELS, {"e500.gtlb1.mas7_3[2]": 0x34401F}, "page"),
    (quirk_cached_ref, MODELS, {"e500.gtlb_priv0.pfn[7]": 0x80008}, "page"),
    (quirk_huge_block, MODELS, {"kvm.vma.flags[0]": 0}, "page"),
    (quirk_page_0, ("e500mc",), {"kvm.backing.npages[0]": 0x4000}, "page"),
    (quirk_block, MODELS, {"e500.gtlb1.mas2[8]": 0x20100004}, "entry"),
    (quirk_bitmap, MODELS, {"e500.gtlb_priv1.flags[7]": VALID | 4}, "ref"),
    (quirk_tlb0, MODELS, {"e500.gtlb_priv1.flags[7]": VALID | 4}, "ref"),
)
QUIRK_CASES = [(quirk, model, *rest) for quirk, models, *rest in QUIRKS for model in models]


@pytest.mark.parametrize(("quirk", "model", "beyond", "rule"), QUIRK_CASES)
def test_quirk_is_let_through_and_no_more(
    machine: MachineFactory,
    model: str,
    quirk: Callable[[Machine], None],
    beyond: dict[str, int],
    rule: str,
) -> None:
    m = kvm_machine(machine, model)
    quirk(m)
    assert [entry for entry in m.tlb() if entry.tgs]
    assert m.check_invariants() == []
    m.set(beyond)
    assert rule in rules(m)


@each_model
def test_the_page_that_a_lost_flag_leaves_behind_is_told(machine: MachineFactory, model: str) -> None:
    """16.7: after TLB0 is lost, removal clears the slots only, and the 4 KiB page stays: Linux's bug."""
    m = kvm_machine(machine, model)
    quirk_tlb0(m)
    write(m, 0x10070000, 0x00000600, 0x40000004, 0)
    assert rules(m) == ["entry"]


# The option


@each_model
def test_option_stops_at_the_verb(machine: MachineFactory, model: str) -> None:
    m = kvm_machine(machine, model, invariants=True)
    small(m)
    m["e500.gtlb0.mas1[7]"] = 0
    with pytest.raises(
        InvariantError, match=r"^after kvmppc_core_pending_dec: entry: core 0 TLB0\["
    ) as raised:
        m.call("kvmppc_core_pending_dec", 0)
    assert raised.value.violations == m.check_invariants()


def test_option_is_a_bool(machine: MachineFactory) -> None:
    with pytest.raises(TypeError, match="invariants is a bool, not int"):
        machine(invariants=1)


def test_rules_are_those_that_are_tested() -> None:
    tested = {rule for rule, *_ in (*BROKEN, *BROKEN_BOOKS)} | {"rmap"}
    assert set(RULES) == tested
