# SPDX-License-Identifier: BSD-3-Clause
"""kvm/stlb: shadow entries in the host TLB: made, removed, flushed (mmu-kvm 7 to 11).

Covers e500_mmu_host.c and the invalidations of e500mc.c. Host TLB1 slots count from the end of TLB1.
"""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.hw.core import OP_ISYNC, count, ppc_mfspr, ppc_mtspr, ulong
from pyexit.ref.hw.memory import PAGE_SIZE
from pyexit.ref.hw.regs import (
    MAS0_ESEL_MASK,
    MAS0_ESEL_SHIFT,
    MAS0_TLBSEL_SHIFT,
    MAS1_TID_SHIFT,
    MAS1_TS,
    MAS1_TSIZE_SHIFT,
    MAS1_V,
    MAS3_SW,
    MAS3_UW,
    MAS5_SGS,
    MAS6_SPID_SHIFT,
    MAS8_TGS,
    SPR_MAS0,
    SPR_MAS1,
    SPR_MAS2,
    SPR_MAS3,
    SPR_MAS4,
    SPR_MAS5,
    SPR_MAS6,
    SPR_MAS7,
    SPR_MAS8,
)
from pyexit.ref.hw.tlb import PAGE_OFFSET
from pyexit.ref.hw.tlbops import ppc_tlbilx, ppc_tlbsx, ppc_tlbwe
from pyexit.ref.kvm.gtlb_array import (
    E500_TLB_BITMAP,
    E500_TLB_MAS2_ATTR,
    E500_TLB_TLB0,
    E500_TLB_VALID,
    Gtlbe,
    entry_at,
    esel_of_index,
    g2h_slots,
    get_entry,
    get_tlb_eaddr,
    get_tlb_raddr,
    get_tlb_size,
    get_tlb_tid,
    get_tlb_ts,
    gtlb_entries,
    gtlb_of,
    ref_flags,
    ref_pfn,
    set_g2h_slots,
    set_ref,
    set_ref_flags,
    tlbsel_of_index,
)
from pyexit.ref.kvm.host_services import host_of, set_irqs
from pyexit.ref.kvm.irqprio import KVM_REQ_TLB_FLUSH
from pyexit.ref.kvm.memslot import (
    Memslot,
    Vma,
    find_linux_pte,
    find_vma,
    gfn_to_hva_memslot,
    gfn_to_memslot,
    gfn_to_pfn_memslot,
    is_error_noslot_pfn,
    kvm_release_pfn_clean,
    kvm_set_pfn_accessed,
    kvm_set_pfn_dirty,
    kvmppc_mmu_flush_icache,
)
from pyexit.ref.kvm.trace import (
    MSG_NO_REAL_PAGE,
    MSG_PTE_NOT_PRESENT,
    WARN_INVAL_BITMAP,
    WARN_INVAL_FLAGS,
    printk,
    trace_kvm_booke206_ref_release,
    trace_kvm_booke206_stlb_write,
    warn,
    warn_text,
)
from pyexit.ref.kvm.vcpu import (
    PTE_NOT_PRESENT,
    PTE_PRESENT,
    VMA_HUGETLB,
    VMA_PFNMAP,
    World,
    kvmppc_get_lpid,
)

#: MAS2 bits that a shadow entry takes from the guest's: X0, X1, G, E (mmu-kvm 1.3).
MAS2_ATTRIB_MASK = 0x63
#: MAS3 bits that it takes as they are: permissions, U0 to U3 (mmu-kvm 1.3).
MAS3_ATTRIB_MASK = 0x3FF

_TLBILX_LPID = 0
_TSIZE_4K = 2
_TLBSELD = 0x30000000
_WIMGE = 0x1F
_WORD = (1 << 32) - 1
_DOUBLEWORD = (1 << 64) - 1
_PAGE_OFFSETS = {32: 0xC0000000, 64: 0xC0000000_00000000}


class Shadow(NamedTuple):
    """An entry for the host TLB (mmu-kvm 8.2), its TID included."""

    tsize: int
    mas1: int
    mas2: int
    mas7_3: int


class Block(NamedTuple):
    """The page that a shadow entry is to map: size code, host page, guest address."""

    tsize: int
    pfn: int
    gvaddr: int


# Host registers


def _mtspr(world: World, vcpu: int, spr: int, value: int) -> None:
    ppc_mtspr(world.hw, world.vcpu_thread[vcpu], spr, value)


def _mfspr(world: World, vcpu: int, spr: int) -> int:
    return ppc_mfspr(world.hw, world.vcpu_thread[vcpu], spr)[1]


def _tlbwe(world: World, vcpu: int) -> None:
    ppc_tlbwe(world.hw, world.vcpu_thread[vcpu])


def _isync(world: World, vcpu: int) -> None:
    count(world.hw, world.vcpu_thread[vcpu], OP_ISYNC)


# Mapping (mmu-kvm 7)


def kvmppc_mmu_map(world: World, vcpu: int, eaddr: int, gpaddr: int, index: int) -> None:
    """7: a shadow entry for the page of `eaddr` in a guest entry; failing is silent, the guest retries."""
    tlbsel, esel = tlbsel_of_index(index), esel_of_index(index)
    gvaddr = ulong(world.hw.params, eaddr)
    if tlbsel:
        _tlb1_map(world, vcpu, gvaddr, gpaddr // PAGE_SIZE, esel)
    else:
        _tlb0_map(world, vcpu, gvaddr, esel)


def _tlb0_map(world: World, vcpu: int, gvaddr: int, esel: int) -> None:
    """Rule 1: from the entry; from its reference, if that is valid: the page is not looked up again."""
    entry = get_entry(world, vcpu, 0, esel)
    if ref_flags(world, vcpu, 0, esel) & E500_TLB_VALID:
        block = Block(_TSIZE_4K, ref_pfn(world, vcpu, 0, esel), gvaddr)
        shadow: Shadow | None = _setup_stlbe(entry, ref_flags(world, vcpu, 0, esel), block)
    else:
        gfn = get_tlb_raddr(entry) // PAGE_SIZE
        shadow = kvmppc_e500_shadow_map(world, vcpu, get_tlb_eaddr(world, entry), gfn, 0, esel)
    if shadow is not None:
        _write_tlb0(world, vcpu, shadow)


def _tlb1_map(world: World, vcpu: int, gvaddr: int, gfn: int, esel: int) -> None:
    """Rule 2: as a 4 KiB page of host TLB0, or in a slot of host TLB1."""
    shadow = kvmppc_e500_shadow_map(world, vcpu, gvaddr, gfn, 1, esel)
    if shadow is None:
        return
    if shadow.tsize == _TSIZE_4K:
        # 16.7: BITMAP is lost here if the entry had slots before, and their bits remain.
        set_ref_flags(world, vcpu, 1, esel, ref_flags(world, vcpu, 1, esel) | E500_TLB_TLB0)
        _write_tlb0(world, vcpu, shadow)
    else:
        _write_tlb1(world, vcpu, shadow, _take_slot(world, vcpu, esel))


# The page (mmu-kvm 8.1)


def kvmppc_e500_shadow_map(
    world: World, vcpu: int, gvaddr: int, gfn: int, tlbsel: int, esel: int
) -> Shadow | None:
    """8.1: look the page up, set the entry's reference; None for an error, with the reference as it was."""
    seq = _mmu_invalidate_seq(world, vcpu)
    slot = gfn_to_memslot(world, vcpu, gfn)
    hva = gfn_to_hva_memslot(world, slot, gfn)
    block = _find_block(world, vcpu, slot, hva, gvaddr, gfn, get_entry(world, vcpu, tlbsel, esel), tlbsel)
    if block is None:
        return None
    shadow = None
    if not _mmu_invalidate_retry(world, vcpu, seq):
        shadow = _shadow_page(world, vcpu, hva, gfn, tlbsel, esel, block)
    # The notifiers protect the page from here on (rule 10).
    kvm_release_pfn_clean(world, block.pfn)
    return shadow


def _mmu_invalidate_seq(world: World, vcpu: int) -> int:
    return world.kvm[world.vcpu_vm[vcpu]].mmu_invalidate_seq


def _mmu_invalidate_retry(world: World, vcpu: int, seq: int) -> bool:
    """Rule 7: does an invalidation run, or did one since `seq` was read?"""
    in_progress = world.kvm[world.vcpu_vm[vcpu]].mmu_invalidate_in_progress
    return bool(in_progress) or seq != _mmu_invalidate_seq(world, vcpu)


def _find_block(
    world: World,
    vcpu: int,
    slot: Memslot | None,
    hva: int | None,
    gvaddr: int,
    gfn: int,
    entry: Gtlbe,
    tlbsel: int,
) -> Block | None:
    """Rules 2 to 6: the page and its size; the VMM's mapping counts for TLB1 entries only."""
    tsize = _TSIZE_4K
    vma = find_vma(world, vcpu, hva) if tlbsel else None
    if vma and slot and hva is not None and vma.flags & VMA_PFNMAP:
        return _pfnmap_block(world, slot, vma, hva, gvaddr, gfn, get_tlb_size(entry))
    if vma and vma.flags & VMA_HUGETLB:
        tsize = _even(min(vma.page_shift - 10, get_tlb_size(entry)))
    # 6a: an unsigned long: on a 32-bit host the error pfns are cut to 0, and host page 0 is mapped.
    pfn = ulong(world.hw.params, gfn_to_pfn_memslot(world, vcpu, slot, gfn))
    if is_error_noslot_pfn(pfn):
        printk(world, MSG_NO_REAL_PAGE, gfn)
        return None
    return _cut(world, Block(tsize, pfn, gvaddr))


def _even(tsize: int) -> int:
    """A size that the host has: 4^n KiB, 4 KiB at least."""
    return max(tsize & ~1, _TSIZE_4K)


def _pages(tsize: int) -> int:
    """The 4 KiB pages of a block."""
    return 1 << (tsize - _TSIZE_4K)


def _cut(world: World, block: Block) -> Block:
    """Page and address of the start of the block."""
    pages = _pages(block.tsize)
    gvaddr = block.gvaddr & -(pages * PAGE_SIZE)
    return Block(block.tsize, block.pfn & -pages, ulong(world.hw.params, gvaddr))


def _pfnmap_block(
    world: World, slot: Memslot, vma: Vma, hva: int, gvaddr: int, gfn: int, guest_tsize: int
) -> Block:
    """Rule 3: the largest block of the guest's page that is inside mapping and slot, and aligned in both."""
    params = world.hw.params
    pfn = ulong(params, vma.pgoff + (hva - vma.start) // PAGE_SIZE)
    slot_start = ulong(params, pfn - (gfn - slot.base_gfn))
    start = max(vma.pgoff, slot_start)
    vma_end = ulong(params, vma.pgoff + (vma.end - vma.start) // PAGE_SIZE)
    end = min(vma_end, ulong(params, slot_start + slot.npages))
    for tsize in range(_even(guest_tsize), _TSIZE_4K, -2):
        pages = _pages(tsize)
        first = (gfn & -pages) + pfn - gfn
        if start <= first and first + pages <= end and gfn % pages == pfn % pages:
            return _cut(world, Block(tsize, pfn, gvaddr))
    return Block(_TSIZE_4K, pfn, gvaddr)


def _shadow_page(
    world: World, vcpu: int, hva: int | None, gfn: int, tlbsel: int, esel: int, block: Block
) -> Shadow | None:
    """Rules 8 to 10: what the host's page table says of the page, then the reference."""
    pte, wimge = find_linux_pte(world, vcpu, hva), 0
    if pte == PTE_NOT_PRESENT:
        printk(world, MSG_PTE_NOT_PRESENT, gfn, block.pfn)
        return None
    if pte == PTE_PRESENT:
        wimge = host_of(world, vcpu).pte_wimge & _WIMGE
    else:
        set_irqs(world, vcpu, False)  # rule 8: and they stay off
    entry = get_entry(world, vcpu, tlbsel, esel)
    # Rule 9: W, I and M are the host's, G and E the guest's or the host's.
    flags = E500_TLB_VALID | entry.mas2 & MAS2_ATTRIB_MASK | wimge
    set_ref(world, vcpu, tlbsel, esel, block.pfn, flags)
    kvm_set_pfn_accessed(world, block.pfn)
    if entry.mas7_3 & (MAS3_SW | MAS3_UW):
        kvm_set_pfn_dirty(world, block.pfn)
    kvmppc_mmu_flush_icache(world, block.pfn)
    return _setup_stlbe(entry, flags, block)


# The entry (mmu-kvm 8.2, 8.3)


def _setup_stlbe(entry: Gtlbe, flags: int, block: Block) -> Shadow:
    """8.2: no IPROT, no IND; the guest's permissions unchanged."""
    return Shadow(
        tsize=block.tsize,
        mas1=MAS1_V
        | get_tlb_tid(entry) << MAS1_TID_SHIFT
        | entry.mas1 & MAS1_TS
        | block.tsize << MAS1_TSIZE_SHIFT,
        mas2=block.gvaddr & ~PAGE_OFFSET | flags & E500_TLB_MAS2_ATTR,
        mas7_3=block.pfn * PAGE_SIZE & _DOUBLEWORD | entry.mas7_3 & MAS3_ATTRIB_MASK,
    )


def _write_tlb0(world: World, vcpu: int, shadow: Shadow) -> None:
    """8.3.2: into the entry of host TLB0 that a search proposes."""
    mas0 = _get_host_mas0(world, vcpu, shadow.mas2)
    _write_host_tlbe(world, vcpu, shadow, mas0)


def _get_host_mas0(world: World, vcpu: int, mas2: int) -> int:
    """A search for an address that the host does not map; should it hit, what it hit is overwritten."""
    ea = mas2 & ~_PAGE_OFFSETS[world.hw.params.width]
    _mtspr(world, vcpu, SPR_MAS6, 0)
    mas4 = _mfspr(world, vcpu, SPR_MAS4)
    _mtspr(world, vcpu, SPR_MAS4, mas4 & ~_TLBSELD)
    ppc_tlbsx(world.hw, world.vcpu_thread[vcpu], ea)
    mas0 = _mfspr(world, vcpu, SPR_MAS0)
    _mtspr(world, vcpu, SPR_MAS4, mas4)
    return mas0


def _write_tlb1(world: World, vcpu: int, shadow: Shadow, slot: int) -> None:
    """8.3.3: into a slot of host TLB1."""
    _write_host_tlbe(world, vcpu, shadow, _slot_mas0(world, slot))


def _slot_mas0(world: World, slot: int) -> int:
    """MAS0 of a slot: TLB1 is filled from its end."""
    esel = world.hw.params.tlb1_entries - slot - 1
    return 1 << MAS0_TLBSEL_SHIFT | esel << MAS0_ESEL_SHIFT & MAS0_ESEL_MASK


def _write_host_tlbe(world: World, vcpu: int, shadow: Shadow, mas0: int) -> None:
    """8.3.4: for this thread's LPID, in guest state."""
    for spr, value in (
        (SPR_MAS0, mas0),
        (SPR_MAS1, shadow.mas1),
        (SPR_MAS2, shadow.mas2),
        (SPR_MAS3, shadow.mas7_3 & _WORD),
        (SPR_MAS7, shadow.mas7_3 >> 32),
        (SPR_MAS8, MAS8_TGS | kvmppc_get_lpid(world, vcpu)),
    ):
        _mtspr(world, vcpu, spr, value)
    _isync(world, vcpu)
    _tlbwe(world, vcpu)
    _mtspr(world, vcpu, SPR_MAS8, 0)
    _isync(world, vcpu)
    trace_kvm_booke206_stlb_write(world, mas0, shadow.mas1, shadow.mas2, shadow.mas7_3)


# Slots of host TLB1 (mmu-kvm 8.4, 8.5)


def tlb1_max_shadow_size(world: World, vcpu: int) -> int:
    """8.4: slots that there are; one is kept for a magic page that HV never has."""
    return world.hw.params.tlb1_entries - host_of(world, vcpu).tlbcam_index - 1


def _take_slot(world: World, vcpu: int, esel: int) -> int:
    """8.5: the next slot in turn, taken from the guest entry that has it."""
    e500 = world.e500[vcpu]
    slot = e500.host_tlb1_nv % len(e500.h2g_tlb1_rmap)
    e500.host_tlb1_nv = slot + 1 if slot + 1 < tlb1_max_shadow_size(world, vcpu) else 0
    owner = e500.h2g_tlb1_rmap[slot]
    if owner:
        # The former owner's flags stay, even if this was its last slot.
        set_g2h_slots(world, vcpu, owner - 1, g2h_slots(world, vcpu, owner - 1) & ~(1 << slot))
    set_ref_flags(world, vcpu, 1, esel, ref_flags(world, vcpu, 1, esel) | E500_TLB_BITMAP)
    set_g2h_slots(world, vcpu, esel, g2h_slots(world, vcpu, esel) | 1 << slot)
    e500.h2g_tlb1_rmap[slot] = esel + 1
    return slot


# Removing (mmu-kvm 9)


def inval_gtlbe_on_host(world: World, vcpu: int, tlbsel: int, esel: int) -> None:
    """9: the shadow of one guest entry goes, from wherever its reference says that it is."""
    flags = ref_flags(world, vcpu, tlbsel, esel)
    if not flags & E500_TLB_VALID:
        _warn_of_leftovers(world, vcpu, tlbsel, esel, flags)
    if tlbsel and flags & E500_TLB_BITMAP:
        _drop_slots(world, vcpu, esel)
        flags &= ~(E500_TLB_BITMAP | E500_TLB_VALID)
    if tlbsel and flags & E500_TLB_TLB0:
        kvmppc_e500_tlbil_all(world, vcpu)
        flags &= ~(E500_TLB_TLB0 | E500_TLB_VALID)
    if flags & E500_TLB_VALID:
        _tlbil_entry(world, vcpu, get_entry(world, vcpu, tlbsel, esel))
    set_ref_flags(world, vcpu, tlbsel, esel, 0)


def _warn_of_leftovers(world: World, vcpu: int, tlbsel: int, esel: int, flags: int) -> None:
    """Rule 1: an invalid reference should claim nothing; 16.7 is how it comes to."""
    if flags & (E500_TLB_BITMAP | E500_TLB_TLB0):
        warn_text(world, WARN_INVAL_FLAGS, flags)
    if tlbsel and g2h_slots(world, vcpu, esel):
        warn(world, WARN_INVAL_BITMAP)


def _drop_slots(world: World, vcpu: int, esel: int) -> None:
    """Rule 2: each slot is cleared; only MAS0 and MAS1 are set for that."""
    rmap, slots = world.e500[vcpu].h2g_tlb1_rmap, g2h_slots(world, vcpu, esel)
    for slot in range(len(rmap)):
        if slots >> slot & 1:
            _mtspr(world, vcpu, SPR_MAS0, _slot_mas0(world, slot))
            _mtspr(world, vcpu, SPR_MAS1, 0)
            _tlbwe(world, vcpu)
            rmap[slot] = 0
    set_g2h_slots(world, vcpu, esel, 0)


def kvmppc_e500_tlbil_one(world: World, vcpu: int, position: int) -> None:
    """Rule 4, for the entry at a position in the array of both TLBs."""
    _tlbil_entry(world, vcpu, entry_at(world, vcpu, position))


def _tlbil_entry(world: World, vcpu: int, entry: Gtlbe) -> None:
    """Rule 4: search the host TLB for the guest entry's address, and clear V of what is found."""
    _mtspr(world, vcpu, SPR_MAS6, get_tlb_tid(entry) << MAS6_SPID_SHIFT | get_tlb_ts(entry))
    _mtspr(world, vcpu, SPR_MAS5, MAS5_SGS | kvmppc_get_lpid(world, vcpu))
    ppc_tlbsx(world.hw, world.vcpu_thread[vcpu], get_tlb_eaddr(world, entry))
    mas1 = _mfspr(world, vcpu, SPR_MAS1)
    if mas1 & MAS1_V:
        _mtspr(world, vcpu, SPR_MAS1, mas1 & ~MAS1_V)
        _tlbwe(world, vcpu)
    _mtspr(world, vcpu, SPR_MAS5, 0)
    _mtspr(world, vcpu, SPR_MAS8, 0)
    _isync(world, vcpu)


# Flushing (mmu-kvm 10, 11)


def kvmppc_e500_tlbil_all(world: World, vcpu: int) -> None:
    """Invalidate what this thread's core holds of the vcpu's LPID."""
    _mtspr(world, vcpu, SPR_MAS5, MAS5_SGS | kvmppc_get_lpid(world, vcpu))
    ppc_tlbilx(world.hw, world.vcpu_thread[vcpu], _TLBILX_LPID, 0)
    _mtspr(world, vcpu, SPR_MAS5, 0)


def kvmppc_core_flush_tlb(world: World, vcpu: int) -> None:
    """10: and forget which guest entries were shadowed; those without VALID keep their flags."""
    kvmppc_e500_tlbil_all(world, vcpu)
    for tlbsel in (0, 1):
        _release_refs(world, vcpu, tlbsel)
    for esel in gtlb_entries(world, vcpu, 1):
        set_g2h_slots(world, vcpu, esel, 0)
    rmap = world.e500[vcpu].h2g_tlb1_rmap
    rmap[:] = [0] * len(rmap)


def _release_refs(world: World, vcpu: int, tlbsel: int) -> None:
    """The valid references of one guest TLB."""
    priv = gtlb_of(world, vcpu, tlbsel).priv
    for esel in gtlb_entries(world, vcpu, tlbsel):
        if priv.flags[esel] & E500_TLB_VALID:
            trace_kvm_booke206_ref_release(world, priv.pfn[esel], priv.flags[esel])
            priv.flags[esel] = 0


def mmu_notifier_invalidate(world: World, vm: int) -> None:
    """11: the host changed a mapping: whatever it was, every vcpu of the VM is asked to flush."""
    kvm = world.kvm[vm]
    kvm.mmu_invalidate_seq = kvm.mmu_invalidate_seq + 1 & _DOUBLEWORD
    for number, state in enumerate(world.vcpu):
        if world.vcpu_vm[number] == vm:
            state.requests |= 1 << KVM_REQ_TLB_FLUSH
