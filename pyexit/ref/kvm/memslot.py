# SPDX-License-Identifier: BSD-3-Clause
"""kvm/memslot: guest frame to memory slot, host address, host page; guest memory (mmu-kvm 8.1).

What the host's memory management answers is state: kvm.memslot, kvm.vma and kvm.backing, whose first row with
the address counts, and host.pfn_mode, pte_mode and pte_wimge (vectors/SCHEMA.md). Covers kvm_main.c.
"""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.hw.core import log, ulong
from pyexit.ref.hw.memory import PAGE_SIZE, find_ram, write
from pyexit.ref.kvm.host_services import KVM_EFAULT, host_of
from pyexit.ref.kvm.trace import (
    EVENT_FLUSH_ICACHE,
    EVENT_GFN_TO_PFN,
    EVENT_READ_GUEST,
    EVENT_RELEASE_PFN_CLEAN,
    EVENT_SET_PFN_ACCESSED,
    EVENT_SET_PFN_DIRTY,
    EVENT_WRITE_GUEST,
)
from pyexit.ref.kvm.vcpu import MEMSLOT_INVALID, PTE_PRESENT, Kvm, World

# No page: what gfn_to_pfn_memslot() says (mmu-kvm 8.1, rule 6a)
KVM_PFN_ERR_FAULT = 0x7FF0000000000000
KVM_PFN_NOSLOT = 0x8000000000000000

_DOUBLEWORD = (1 << 64) - 1
_PFN_MASK = (1 << 52) - 1  # of a page in 64 bits of address
_WORDS = 4  # of data behind EVENT_WRITE_GUEST


class Memslot(NamedTuple):
    """struct kvm_memory_slot."""

    base_gfn: int
    npages: int
    userspace_addr: int
    flags: int


class Vma(NamedTuple):
    """struct vm_area_struct: one mapping of the VMM."""

    start: int
    end: int
    pgoff: int
    flags: int
    page_shift: int


class Backing(NamedTuple):
    """A run of host pages behind addresses of the VMM."""

    hva: int
    pfn: int
    pte: int


def _kvm_of(world: World, vcpu: int) -> Kvm:
    return world.kvm[world.vcpu_vm[vcpu]]


def gfn_to_memslot(world: World, vcpu: int, gfn: int) -> Memslot | None:
    """The slot of a guest frame, invalid or not."""
    slots = _kvm_of(world, vcpu).memslot
    for row, (base, npages) in enumerate(zip(slots.base_gfn, slots.npages, strict=True)):
        if base <= gfn < base + npages:
            return Memslot(base, npages, slots.userspace_addr[row], slots.flags[row])
    return None


def kvm_is_visible_gfn(world: World, vcpu: int, gfn: int) -> bool:
    """Is the frame memory to the guest? All else is MMIO."""
    slot = gfn_to_memslot(world, vcpu, gfn)
    return slot is not None and not slot.flags & MEMSLOT_INVALID


def gfn_to_hva_memslot(world: World, slot: Memslot | None, gfn: int) -> int | None:
    """The VMM's address of a frame of a slot; None for KVM_HVA_ERR_BAD, without a slot."""
    if slot is None:
        return None
    return ulong(world.hw.params, slot.userspace_addr + (gfn - slot.base_gfn) * PAGE_SIZE)


def find_vma(world: World, vcpu: int, hva: int | None) -> Vma | None:
    """The mapping that holds an address of the VMM."""
    if hva is None:
        return None
    vmas = _kvm_of(world, vcpu).vma
    for row, (start, end) in enumerate(zip(vmas.start, vmas.end, strict=True)):
        if start <= hva < end:
            return Vma(start, end, vmas.pgoff[row], vmas.flags[row], vmas.page_shift[row])
    return None


def _find_backing(world: World, vcpu: int, hva: int | None) -> Backing | None:
    """The pages behind an address of the VMM."""
    if hva is None:
        return None
    backing = _kvm_of(world, vcpu).backing
    for row, (first, npages) in enumerate(zip(backing.hva, backing.npages, strict=True)):
        if first <= hva < first + npages * PAGE_SIZE:
            return Backing(first, backing.pfn[row], backing.pte[row])
    return None


def gfn_to_pfn_memslot(world: World, vcpu: int, slot: Memslot | None, gfn: int) -> int:
    """The host page of a frame, or an error pfn; with a reference that the caller gives back."""
    log(world.hw, EVENT_GFN_TO_PFN, 0, gfn)
    if host_of(world, vcpu).pfn_mode == 1:
        return KVM_PFN_ERR_FAULT
    return _gfn_to_pfn(world, vcpu, slot, gfn)


def _gfn_to_pfn(world: World, vcpu: int, slot: Memslot | None, gfn: int) -> int:
    hva = gfn_to_hva_memslot(world, slot, gfn)
    if slot is None or hva is None or slot.flags & MEMSLOT_INVALID:
        return KVM_PFN_NOSLOT
    pfn = frame_behind(world, vcpu, hva)
    return KVM_PFN_ERR_FAULT if pfn is None else pfn


def frame_behind(world: World, vcpu: int, hva: int) -> int | None:
    """The host page behind an address of the VMM; None if there is none."""
    backing = _find_backing(world, vcpu, hva)
    if backing is None:
        return None
    return backing.pfn + (hva - backing.hva) // PAGE_SIZE & _PFN_MASK


def is_error_noslot_pfn(pfn: int) -> bool:
    """Not the number of a page."""
    return bool(pfn & (KVM_PFN_ERR_FAULT | KVM_PFN_NOSLOT))


def find_linux_pte(world: World, vcpu: int, hva: int | None) -> int:
    """What the host's page table says of an address (PTE_*): what its backing does, where that is special."""
    backing = _find_backing(world, vcpu, hva)
    if backing is not None and backing.pte != PTE_PRESENT:
        return backing.pte
    return host_of(world, vcpu).pte_mode


# What KVM tells the host of a page


def kvm_set_pfn_accessed(world: World, pfn: int) -> None:
    """The guest may use it."""
    log(world.hw, EVENT_SET_PFN_ACCESSED, 0, pfn)


def kvm_set_pfn_dirty(world: World, pfn: int) -> None:
    """The guest may write to it."""
    log(world.hw, EVENT_SET_PFN_DIRTY, 0, pfn)


def kvmppc_mmu_flush_icache(world: World, pfn: int) -> None:
    """The guest may execute it."""
    log(world.hw, EVENT_FLUSH_ICACHE, 0, pfn)


def kvm_release_pfn_clean(world: World, pfn: int) -> None:
    """KVM's own reference ends."""
    log(world.hw, EVENT_RELEASE_PFN_CLEAN, 0, pfn)


# Guest memory (exit 12.8)


def kvm_read_guest(world: World, vcpu: int, gpa: int, size: int) -> tuple[int, bytes]:
    """Copy from guest memory, page by page: 0 or -KVM_EFAULT, and the bytes up to the first fault."""
    data = b""
    for addr, length in _pieces(gpa, size):
        real = _real_address(world, vcpu, addr)
        log(world.hw, EVENT_READ_GUEST, 0, addr, length, int(real is None))
        if real is None:
            return -KVM_EFAULT, data
        data += bytes(_load_byte(world, real + n) for n in range(length))
    return 0, data


def kvm_write_guest(world: World, vcpu: int, gpa: int, data: bytes) -> int:
    """Copy to guest memory, page by page, up to the first fault."""
    done = 0
    for addr, length in _pieces(gpa, len(data)):
        piece = data[done : done + length]
        real = _real_address(world, vcpu, addr)
        log(world.hw, EVENT_WRITE_GUEST, 0, addr, length, int(real is None), *_words(piece))
        if real is None:
            return -KVM_EFAULT
        for n, byte in enumerate(piece):
            _store_byte(world, real + n, byte)
        done += length
    return 0


def _pieces(gpa: int, size: int) -> list[tuple[int, int]]:
    """The parts of a range that lie in one page each."""
    pieces = []
    while size:
        length = min(size, PAGE_SIZE - gpa % PAGE_SIZE)
        pieces.append((gpa, length))
        gpa, size = (gpa + length) & _DOUBLEWORD, size - length
    return pieces


def _real_address(world: World, vcpu: int, gpa: int) -> int | None:
    """Where a byte of guest memory is; None if it is none, or has no page."""
    gfn = gpa // PAGE_SIZE
    pfn = _gfn_to_pfn(world, vcpu, gfn_to_memslot(world, vcpu, gfn), gfn)
    return None if is_error_noslot_pfn(pfn) else pfn * PAGE_SIZE + gpa % PAGE_SIZE


def _load_byte(world: World, addr: int) -> int:
    """A byte; what is not RAM reads 0."""
    ram = find_ram(world.hw.memory, addr)
    return ram.data[addr - ram.base] if ram else 0


def _store_byte(world: World, addr: int, byte: int) -> None:
    """A byte; what is not RAM does not keep it."""
    if find_ram(world.hw.memory, addr):
        write(world.hw.memory, addr, bytes([byte]))


def _words(data: bytes) -> list[int]:
    """Data as the event has it: left-justified, big-endian, in words of 64 bits."""
    padded = data[: _WORDS * 8].ljust(_WORDS * 8, b"\0")
    return [int.from_bytes(padded[n : n + 8], "big") for n in range(0, _WORDS * 8, 8)]
