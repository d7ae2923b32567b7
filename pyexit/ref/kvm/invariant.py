# SPDX-License-Identifier: BSD-3-Clause
"""kvm/invariant: what holds of every shadow entry whatever the guest does (mmu-kvm 7 to 12).

A shadow entry is a valid entry of a host TLB with TGS. It must have the LPID of a vcpu of its core, and a
guest entry of such a vcpu must justify it. A vcpu with KVM_REQ_TLB_FLUSH pending flushes before it is entered
again, so that nothing but the tags is asked of its entries. Nothing is changed, nothing is logged. What Linux
itself does against a rule is an exception, which docs/choices.md lists with its section.
"""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.hw.core import Params, ulong
from pyexit.ref.hw.memory import PAGE_SIZE
from pyexit.ref.hw.regs import MAS1_IND, MAS1_IPROT, MAS1_TS, MAS1_V, MAS8_TGS, MAS8_VF
from pyexit.ref.hw.tlb import entries, htlb, page_size, tid_of
from pyexit.ref.kvm.gtlb_array import (
    E500_TLB_BITMAP,
    E500_TLB_MAS2_ATTR,
    E500_TLB_TLB0,
    E500_TLB_VALID,
    Gtlbe,
    g2h_slots,
    get_entry,
    get_tlb_bytes,
    get_tlb_eaddr,
    get_tlb_raddr,
    get_tlb_tid,
    gtlb_entries,
    ref_flags,
    ref_pfn,
)
from pyexit.ref.kvm.host_services import host_of
from pyexit.ref.kvm.irqprio import KVM_REQ_TLB_FLUSH
from pyexit.ref.kvm.memslot import (
    find_linux_pte,
    find_vma,
    frame_behind,
    gfn_to_hva_memslot,
    gfn_to_memslot,
    kvm_is_visible_gfn,
)
from pyexit.ref.kvm.stlb import MAS2_ATTRIB_MASK
from pyexit.ref.kvm.vcpu import PTE_NONE, VMA_HUGETLB, VMA_PFNMAP, World, kvmppc_get_lpid

# enum pyexit_rule: of those that the guest entries break, the one that the nearest of them breaks is told
RULE_LPID = 1
RULE_BITS = 2
RULE_ENTRY = 3
RULE_PERMISSIONS = 4
RULE_PAGE = 5
RULE_ATTRIBUTES = 6
RULE_REF = 7
RULE_RMAP = 8

#: No vcpu, no guest entry.
_NO_NUMBER = 0xFFFFFFFF

_PERMS = 0x3F
_WIMGE = 0x1F
_PFN_MASK = (1 << 63) - 1


class Violation(NamedTuple):
    """struct pyexit_violation: the rule, the host entry, the guest entry that comes nearest; values."""

    rule: int
    core: int
    entry: int  # tlbsel << 16 | index
    vcpu: int
    guest_entry: int  # the same of the guest TLB
    got: int
    want: int


class Shadow(NamedTuple):
    """A shadow entry, and the addresses that it maps: first, last, and the host page of the first."""

    core: int
    tlbsel: int
    number: int
    mas1: int
    mas2: int
    mas3: int
    mas8: int
    first: int
    last: int
    pfn: int


class Verdict(NamedTuple):
    """The first rule that one guest entry does not allow the shadow entry by; 0: it allows it."""

    rule: int
    got: int
    want: int


_GRANTED = Verdict(0, 0, 0)


def violations(world: World) -> list[Violation]:
    """All violations: host entries core by core, TLB0 first; then the slots of each vcpu."""
    found: list[Violation] = []
    for core in range(len(world.hw.htlb0)):
        for tlbsel in (0, 1):
            for number in range(entries(world.hw.params, tlbsel)):
                mas1 = htlb(world.hw, core, tlbsel).mas1[number]
                if mas1 & MAS1_V and htlb(world.hw, core, tlbsel).mas8[number] & MAS8_TGS:
                    found += _of_shadow(world, _shadow(world, core, tlbsel, number))
    for vcpu in range(len(world.vcpu)):
        found += _of_slots(world, vcpu)
    return found


def _shadow(world: World, core: int, tlbsel: int, number: int) -> Shadow:
    tlb = htlb(world.hw, core, tlbsel)
    mas1, mas2 = tlb.mas1[number], tlb.mas2[number]
    size = page_size(mas1)
    first = mas2 - mas2 % size
    real = tlb.mas7[number] << 32 | tlb.mas3[number]
    pfn = (real - real % size) // PAGE_SIZE
    place = (core, tlbsel, number)
    words = (mas1, mas2, tlb.mas3[number], tlb.mas8[number])
    return Shadow(*place, *words, first, first + size - 1, pfn)


def _violation(shadow: Shadow, vcpu: int, guest_entry: int, verdict: Verdict) -> Violation:
    place = shadow.tlbsel << 16 | shadow.number
    return Violation(verdict.rule, shadow.core, place, vcpu, guest_entry, verdict.got, verdict.want)


def _of_shadow(world: World, shadow: Shadow) -> list[Violation]:
    """The violation of one shadow entry, if any."""
    vcpus = _owners(world, shadow)
    if not vcpus:
        return [_violation(shadow, _NO_NUMBER, _NO_NUMBER, Verdict(RULE_LPID, shadow.mas8, 0))]
    bits = shadow.mas1 & (MAS1_IPROT | MAS1_IND)
    if bits or shadow.mas8 & MAS8_VF:
        return [_violation(shadow, vcpus[0], _NO_NUMBER, Verdict(RULE_BITS, bits | shadow.mas8 & MAS8_VF, 0))]
    if any(world.vcpu[vcpu].requests & 1 << KVM_REQ_TLB_FLUSH for vcpu in vcpus):
        return []
    return _unjustified(world, shadow, vcpus)


def _owners(world: World, shadow: Shadow) -> list[int]:
    """12.1, 12.2: the vcpus of the core that run under the entry's LPID; 0 is the host's."""
    params = world.hw.params
    lpid = shadow.mas8 & params.lpid_mask
    return [
        vcpu
        for vcpu, thread in enumerate(world.vcpu_thread)
        if thread // params.threads == shadow.core
        and lpid
        and kvmppc_get_lpid(world, vcpu) & params.lpid_mask == lpid
    ]


def _unjustified(world: World, shadow: Shadow, vcpus: list[int]) -> list[Violation]:
    """The guest entry that comes nearest to allowing the shadow entry; none if one allows it."""
    worst = _violation(shadow, vcpus[0], _NO_NUMBER, Verdict(RULE_ENTRY, shadow.mas2, 0))
    for vcpu in vcpus:
        for tlbsel in (0, 1):
            for esel in gtlb_entries(world, vcpu, tlbsel):
                verdict = _judge(world, shadow, vcpu, tlbsel, esel)
                if not verdict.rule:
                    return []
                if verdict.rule > worst.rule:
                    worst = _violation(shadow, vcpu, tlbsel << 16 | esel, verdict)
    return [worst]


def _judge(world: World, shadow: Shadow, vcpu: int, tlbsel: int, esel: int) -> Verdict:
    """Does this guest entry allow the shadow entry?"""
    entry = get_entry(world, vcpu, tlbsel, esel)
    if not _same_address(world, shadow, entry):
        return Verdict(RULE_ENTRY, shadow.mas2, 0)
    more = shadow.mas3 & ~entry.mas7_3 & _PERMS
    if more:
        return Verdict(RULE_PERMISSIONS, shadow.mas3 & _PERMS, entry.mas7_3 & _PERMS)
    page = _page_wanted(world, shadow, vcpu, tlbsel, esel)
    if page != shadow.pfn:
        return Verdict(RULE_PAGE, shadow.pfn, page)
    attributes = _attributes_wanted(world, shadow, vcpu, entry)
    if shadow.mas2 & E500_TLB_MAS2_ATTR != attributes:
        return Verdict(RULE_ATTRIBUTES, shadow.mas2 & E500_TLB_MAS2_ATTR, attributes)
    return _of_ref(world, shadow, vcpu, tlbsel, esel)


# Address (mmu-kvm 1.3, 3, 8.2)


def _end(world: World, entry: Gtlbe) -> int:
    """The last address that a guest entry maps, at most the last that there is; 4 KiB at least."""
    end = get_tlb_eaddr(world, entry) + max(get_tlb_bytes(entry), PAGE_SIZE) - 1
    return min(end, (1 << world.hw.params.width) - 1)


def _same_address(world: World, shadow: Shadow, entry: Gtlbe) -> bool:
    """Valid, of the same space and PID, over all that the shadow entry maps."""
    if not entry.mas1 & MAS1_V or bool(entry.mas1 & MAS1_TS) != bool(shadow.mas1 & MAS1_TS):
        return False
    if get_tlb_tid(entry) != tid_of(world.hw.params, shadow.mas1):
        return False
    if page_size(shadow.mas1) > max(get_tlb_bytes(entry), PAGE_SIZE):
        return False
    first, end = get_tlb_eaddr(world, entry), _end(world, entry)
    # 16.2: of an EPN that is not a multiple of the block, KVM maps the whole block all the same.
    unaligned = first % page_size(shadow.mas1) != 0
    if unaligned:
        return shadow.first <= end and first <= shadow.last
    return first <= shadow.first and shadow.last <= end


# Page (mmu-kvm 7, 8.1)


def _pages(shadow: Shadow) -> int:
    return page_size(shadow.mas1) // PAGE_SIZE


def _page_wanted(world: World, shadow: Shadow, vcpu: int, tlbsel: int, esel: int) -> int:
    """The host page that the entry's first page must be; that of the first and of the last are looked at."""
    entry = get_entry(world, vcpu, tlbsel, esel)
    first = max(shadow.first, get_tlb_eaddr(world, entry))
    if not tlbsel and first != get_tlb_eaddr(world, entry):
        # 7.1: with a valid reference the page is that of the reference, whatever the address.
        return _stored(world.hw.params, ref_pfn(world, vcpu, tlbsel, esel))
    last = min(shadow.last, _end(world, entry)) // PAGE_SIZE * PAGE_SIZE
    for gpa in _gpas(world, entry, first):
        wanted = _start(world, shadow, vcpu, tlbsel, first, gpa)
        if wanted == shadow.pfn and not _is_end_wrong(world, shadow, vcpu, tlbsel, entry, last):
            return wanted
    for gpa in _gpas(world, entry, first):
        if _is_quirk(world, shadow, vcpu, tlbsel, first, gpa) or _is_quirk(
            world, shadow, vcpu, tlbsel, last, _xlate(entry, last)
        ):
            return shadow.pfn
    return _start(world, shadow, vcpu, tlbsel, first, _xlate(entry, first))


def _xlate(entry: Gtlbe, ea: int) -> int:
    """3: the guest real address of `ea`; an RPN that is not aligned is OR-ed in."""
    return get_tlb_raddr(entry) | ea & (get_tlb_bytes(entry) - 1) & -PAGE_SIZE


def _gpas(world: World, entry: Gtlbe, ea: int) -> list[int]:
    """The guest real addresses that KVM has for `ea`: 5.3.7 maps the entry's own address to its own RPN."""
    if ea == get_tlb_eaddr(world, entry):
        return [get_tlb_raddr(entry), _xlate(entry, ea)]
    return [_xlate(entry, ea)]


def _frame(world: World, vcpu: int, tlbsel: int, gpa: int) -> int | None:
    """The host page behind a guest real address (8.1.2 to 8.1.6); None if there is none."""
    gfn = gpa // PAGE_SIZE
    if not kvm_is_visible_gfn(world, vcpu, gfn):
        return None
    hva = gfn_to_hva_memslot(world, gfn_to_memslot(world, vcpu, gfn), gfn)
    vma = find_vma(world, vcpu, hva) if tlbsel else None
    if vma is not None and hva is not None and vma.flags & VMA_PFNMAP:
        return ulong(world.hw.params, vma.pgoff + (hva - vma.start) // PAGE_SIZE) & _PFN_MASK
    pfn = None if hva is None else frame_behind(world, vcpu, hva)
    return None if pfn is None else ulong(world.hw.params, pfn)


def _stored(params: Params, pfn: int) -> int:
    """As an entry of this core keeps a page number."""
    return (pfn * PAGE_SIZE & (params.mas_mask[7] << 32 | params.mas_mask[3])) // PAGE_SIZE


def _start(world: World, shadow: Shadow, vcpu: int, tlbsel: int, ea: int, gpa: int) -> int:
    """The page of the block's start by that of `ea`; a number that no page has if there is none."""
    pfn = _frame(world, vcpu, tlbsel, gpa)
    distance = (ea - shadow.first) // PAGE_SIZE
    if pfn is None or pfn < distance:
        return _NO_NUMBER
    return _stored(world.hw.params, pfn - distance)


def _is_end_wrong(world: World, shadow: Shadow, vcpu: int, tlbsel: int, entry: Gtlbe, last: int) -> bool:
    """Whether a large page ends elsewhere than the guest's entry and the slot say."""
    if _pages(shadow) == 1 or last == get_tlb_eaddr(world, entry):
        return False
    return _start(world, shadow, vcpu, tlbsel, last, _xlate(entry, last)) != shadow.pfn


def _is_quirk(world: World, shadow: Shadow, vcpu: int, tlbsel: int, ea: int, gpa: int) -> bool:
    """8.1.6a: host page 0 for an error; 8.1.6: the block of a huge page, which nobody aligned."""
    pfn, pages = _frame(world, vcpu, tlbsel, gpa), _pages(shadow)
    if pfn is None or host_of(world, vcpu).pfn_mode == 1:
        return world.hw.params.width == 32 and shadow.pfn == 0
    if pages == 1 or (pfn ^ ea // PAGE_SIZE) % pages == 0:
        return False
    slot = gfn_to_memslot(world, vcpu, gpa // PAGE_SIZE)
    vma = find_vma(world, vcpu, gfn_to_hva_memslot(world, slot, gpa // PAGE_SIZE))
    huge = vma is not None and vma.flags & VMA_HUGETLB != 0 and vma.flags & VMA_PFNMAP == 0
    return huge and _stored(world.hw.params, pfn - pfn % pages) == shadow.pfn


# Attributes, references, slots (mmu-kvm 1.2, 8.1.9, 8.5)


def _attributes_wanted(world: World, shadow: Shadow, vcpu: int, entry: Gtlbe) -> int:
    """8.1.8, 8.1.9: W, I and M of the host, G and E of either, X0 and X1 of the guest."""
    ea = max(shadow.first, get_tlb_eaddr(world, entry))
    gpa = _gpas(world, entry, ea)[0]
    gfn = gpa // PAGE_SIZE
    hva = gfn_to_hva_memslot(world, gfn_to_memslot(world, vcpu, gfn), gfn)
    wimge = 0 if find_linux_pte(world, vcpu, hva) == PTE_NONE else host_of(world, vcpu).pte_wimge & _WIMGE
    return (entry.mas2 & MAS2_ATTRIB_MASK | wimge) & world.hw.params.mas_mask[2]


def _of_ref(world: World, shadow: Shadow, vcpu: int, tlbsel: int, esel: int) -> Verdict:
    """9: the reference says where the entry is, or its removal would not find it."""
    flags, wanted = ref_flags(world, vcpu, tlbsel, esel), E500_TLB_VALID
    if tlbsel and _pages(shadow) == 1:
        # 16.7: the flags are those of the last mapping: TLB0 is lost when a slot is taken.
        wanted |= 0 if flags & E500_TLB_BITMAP else E500_TLB_TLB0
    if _pages(shadow) > 1:
        # 16.7: BITMAP is lost when a 4 KiB page is mapped, but that entry goes by LPID.
        wanted |= 0 if flags & E500_TLB_TLB0 else E500_TLB_BITMAP
        owner = _slot_owner(world, shadow, vcpu)
        if owner != esel + 1:
            return Verdict(RULE_RMAP, owner, esel + 1)
    return Verdict(RULE_REF, flags, wanted) if flags & wanted != wanted else _GRANTED


def _slot_owner(world: World, shadow: Shadow, vcpu: int) -> int:
    """What the reverse map says of the slot that the entry is in; host TLB0 has none."""
    last = world.hw.params.tlb1_entries - 1
    return world.e500[vcpu].h2g_tlb1_rmap[last - shadow.number] if shadow.tlbsel else 0


def _of_slots(world: World, vcpu: int) -> list[Violation]:
    """8.5: bitmap and reverse map say the same."""
    e500, thread = world.e500[vcpu], world.vcpu_thread[vcpu]
    core, last = thread // world.hw.params.threads, world.hw.params.tlb1_entries - 1
    found: list[Violation] = []
    for slot in range(last + 1):
        owner = e500.h2g_tlb1_rmap[slot]
        for esel in gtlb_entries(world, vcpu, 1):
            if g2h_slots(world, vcpu, esel) >> slot & 1 != int(owner == esel + 1):
                place = (1 << 16 | last - slot, vcpu, 1 << 16 | esel)
                found.append(Violation(RULE_RMAP, core, *place, owner, g2h_slots(world, vcpu, esel)))
    return found
