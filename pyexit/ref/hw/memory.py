# SPDX-License-Identifier: BSD-3-Clause
"""hw/memory: real memory, RAM ranges lent by the caller, big-endian loads (mmu-kvm 15.2)."""

from __future__ import annotations

import errno
from dataclasses import dataclass

#: A real address has at most so many bits (mmu-hardware 3.1, e6500's RASIZE).
REAL_BITS = 40
PAGE_SIZE = 4096


@dataclass(slots=True)
class Ram:
    """One range of RAM: bytes `base` to `base + size`; `dirty` collects the page numbers written to."""

    base: int
    size: int
    data: memoryview
    dirty: set[int]


@dataclass(slots=True)
class Memory:
    """All RAM of a machine; its ranges are whole pages and do not overlap."""

    ranges: list[Ram]


def find_ram(memory: Memory, addr: int) -> Ram | None:
    """The range that holds the byte at `addr`."""
    for ram in memory.ranges:
        if ram.base <= addr < ram.base + ram.size:
            return ram
    return None


def is_ram_page(memory: Memory, pfn: int) -> bool:
    """Whether page number `pfn` is RAM."""
    return find_ram(memory, pfn * PAGE_SIZE) is not None


def load32(memory: Memory, addr: int) -> int:
    """The big-endian word at `addr`, on any alignment; bytes that are not RAM read 0."""
    word = 0
    for byte_addr in range(addr, addr + 4):
        ram = find_ram(memory, byte_addr)
        word = word << 8 | (ram.data[byte_addr - ram.base] if ram else 0)
    return word


def read(memory: Memory, addr: int, size: int) -> bytes:
    """`size` bytes at `addr`; OSError(EFAULT) if one is not RAM."""
    return b"".join(
        bytes(ram.data[start : start + length]) for ram, start, length in _pieces(memory, addr, size)
    )


def write(memory: Memory, addr: int, data: bytes) -> None:
    """Store `data` at `addr`; OSError(EFAULT), and nothing is stored, if a byte is not RAM."""
    done = 0
    for ram, start, length in _pieces(memory, addr, len(data)):
        ram.data[start : start + length] = data[done : done + length]
        first, last = ram.base + start, ram.base + start + length - 1
        ram.dirty.update(range(first // PAGE_SIZE, last // PAGE_SIZE + 1))
        done += length


def _pieces(memory: Memory, addr: int, size: int) -> list[tuple[Ram, int, int]]:
    """The bytes as (range, offset in it, length): they may lie in ranges that touch."""
    pieces = []
    end = addr + size
    while addr < end:
        ram = find_ram(memory, addr)
        if ram is None:
            raise OSError(errno.EFAULT, f"real address {addr:#x} is not RAM")
        length = min(end, ram.base + ram.size) - addr
        pieces.append((ram, addr - ram.base, length))
        addr += length
    return pieces
