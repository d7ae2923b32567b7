# SPDX-License-Identifier: BSD-3-Clause
"""KVM's own userspace interface, under KVM's names (design.md 5; exit.md 12; mmu-kvm.md 8.1).

A VMM's memory and its structures are fields of the machine (``kvm.memslot``, ``kvm.vma``, ``kvm.backing``,
``user.*``, ``run.*``); what is here fills them and makes the ioctls on them. A negative errno of Linux
becomes an OSError with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from pyexit.backends._core import lib
from pyexit.backends.base import PAGE_SIZE, Result
from pyexit.errors import nearest
from pyexit.io.events import stop_text
from pyexit.layout import Leaf, element, object_word, record

_U32, _U64 = (1 << 32) - 1, (1 << 64) - 1
_ADDRESS_BITS = 64
_PFN_BITS = 40 - 12  # of real memory

#: exit.md 1.4: what KVM_ENABLE_CAP knows.
CAPS = {"ppc_osi": 52, "ppc_papr": 68, "sw_tlb": 69, "ppc_booke_watchdog": 83, "ppc_epr": 86, "irq_mpic": 90}

#: exit.md 1.4: the numbers of KVM_INTERRUPT that mean something else than an edge.
INTERRUPTS = {"set": 0xFFFFFFFF, "unset": 0xFFFFFFFE, "set_level": 0xFFFFFFFD}

#: exit.md 1.4: KVM_EXIT_*, with the arm of kvm_run's union that belongs to it.
EXIT_REASONS = {
    0: ("UNKNOWN", "hw"),
    4: ("DEBUG", "debug"),
    5: ("HLT", ""),
    6: ("MMIO", "mmio"),
    10: ("INTR", ""),
    17: ("INTERNAL_ERROR", "internal"),
    18: ("OSI", "osi"),
    19: ("PAPR_HCALL", "papr_hcall"),
    21: ("WATCHDOG", ""),
    23: ("EPR", "epr"),
}

#: vectors/SCHEMA.md, ioctl request numbers.
KVM_ENABLE_CAP = 0x8068AEA3

_ONE_REG = 0x1000000000000000
_U32_REG, _U64_REG, _U128_REG = 2, 3, 4  # log2 of the size in bytes: bits 52 to 55 of an id


def _one_regs(size: int, numbers: Mapping[str, int]) -> dict[str, int]:
    return {name: _ONE_REG | size << 52 | number for name, number in numbers.items()}


#: exit.md 12.6: ids of KVM_GET_ONE_REG and KVM_SET_ONE_REG.
ONE_REGS = {
    **_one_regs(_U64_REG, {"IAC1": 2, "IAC2": 3, "IAC3": 4, "IAC4": 5, "DAC1": 6, "DAC2": 7}),
    **_one_regs(_U64_REG, {"SPRG9": 0xBA, "MAS2": 0x8E, "MAS7_3": 0x8F}),
    **_one_regs(_U32_REG, {"EPCR": 0x85, "EPR": 0x86, "OR_TSR": 0x87, "CLEAR_TSR": 0x88, "TCR": 0x89}),
    **_one_regs(_U32_REG, {"TSR": 0x8A, "DEBUG_INST": 0x8B, "VRSAVE": 0xB4, "DBSR": 0xBB, "VSCR": 0x81}),
    **_one_regs(_U32_REG, {"MAS0": 0x8C, "MAS1": 0x8D, "MAS4": 0x90, "MAS6": 0x91}),
    **_one_regs(_U32_REG, {"MMUCFG": 0x92, "EPTCFG": 0x9B}),
    **_one_regs(_U32_REG, {f"TLB{n}CFG": 0x93 + n for n in range(4)}),
    **_one_regs(_U32_REG, {f"TLB{n}PS": 0x97 + n for n in range(4)}),
    **_one_regs(_U128_REG, {f"VR{n}": 0x40 + n for n in range(32)}),
}


class Run(NamedTuple):
    """struct kvm_run after KVM_RUN has returned (exit.md 2.4): the reason and its arm of the union."""

    exit_reason: int
    name: str
    arm: dict[str, Any]


class MemSlot(NamedTuple):
    """One memory slot of a VM: guest physical address, bytes, the VMM's address, flags."""

    slot: int
    gpa: int
    size: int
    hva: int
    flags: int


class Userspace:
    """The part of Machine that is KVM's interface to its VMM."""

    if TYPE_CHECKING:

        def call(self, name: str, *args: int) -> Result: ...
        def set(self, values: Mapping[str, int]) -> None: ...
        def __getitem__(self, name: str) -> int: ...

    # Memory

    def add_memory(self, gpa: int, size: int, real: int | Sequence[int] | None = None, vm: int = 0) -> int:
        """Guest memory at `gpa`: mmap() at a free address of the VMM and a slot for it. Returns the slot.

        `real` is where it lies in real memory, by default at `gpa` itself.
        """
        hva = self._free_hva(vm, size)
        slot = next((n for n in range(lib.PYEXIT_MEMSLOTS) if not self._slot(vm, n).size), None)
        if slot is None:
            raise ValueError(f"all {lib.PYEXIT_MEMSLOTS} memory slots of VM {vm} are in use")
        self._check_region(vm, MemSlot(slot, gpa, size, hva, 0))
        self.mmap(hva, size, gpa if real is None else real, vm=vm)
        self.set_user_memory_region(slot, gpa, size, hva, vm=vm)
        return slot

    def set_user_memory_region(
        self, slot: int, gpa: int, size: int, hva: int, vm: int = 0, flags: int = 0
    ) -> None:
        """KVM_SET_USER_MEMORY_REGION: `size` bytes of guest memory at `gpa` are those of the VMM at `hva`.

        `size` 0 takes the slot away. `flags` is 0, or 1 for a slot that KVM is about to take away
        (KVM_MEMSLOT_INVALID). A slot that changes loses its shadow entries, as by an MMU notifier.
        """
        region = MemSlot(slot, gpa, size, hva, flags)
        self._check_region(vm, region)
        old = self._slot(vm, slot)
        word = object_word("kvm", vm)
        names = ("base_gfn", "npages", "userspace_addr", "flags")
        values = (gpa // PAGE_SIZE, size // PAGE_SIZE, hva, flags) if size else (0, 0, 0, 0)
        self.set({f"{word}.memslot.{name}[{slot}]": value for name, value in zip(names, values, strict=True)})
        if old.size and old != region:
            self._ioctl("mmu_notifier_invalidate", vm)

    def memory_regions(self, vm: int = 0) -> list[MemSlot]:
        """The memory slots of a VM that are in use."""
        slots = (self._slot(vm, number) for number in range(lib.PYEXIT_MEMSLOTS))
        return [slot for slot in slots if slot.size]

    def mmap(
        self,
        hva: int,
        size: int,
        real: int | Sequence[int],
        vm: int = 0,
        hugetlb: int | None = None,
        pfnmap: bool = False,
    ) -> None:
        """Map real memory into the VMM of `vm` at `hva`: a VMA, and the pages behind it.

        `real` is one address for a contiguous mapping, or a sequence with the address of each page. `hugetlb`
        is the size of huge pages in bytes, which then is the unit of `real`; `pfnmap` a device's mapping
        (VM_PFNMAP), which is contiguous.
        """
        unit = PAGE_SIZE if hugetlb is None else hugetlb
        _power_of_two("hugetlb", unit)
        _check_span("hva", hva, size, unit)
        if pfnmap and (hugetlb is not None or not isinstance(real, int)):
            raise ValueError("a pfnmap is contiguous and has no huge pages")
        runs = list(_runs(real, size, unit))
        self._check_vma(vm, hva, size)
        rows = self._free_rows(vm, "backing", "npages", len(runs))
        (vma,) = self._free_rows(vm, "vma", "end", 1)
        flags = lib.PYEXIT_VMA_PFNMAP if pfnmap else lib.PYEXIT_VMA_HUGETLB if hugetlb else 0
        word = object_word("kvm", vm)
        fields = {
            f"{word}.vma.start[{vma}]": hva,
            f"{word}.vma.end[{vma}]": hva + size,
            f"{word}.vma.pgoff[{vma}]": runs[0][1] // PAGE_SIZE if pfnmap else 0,
            f"{word}.vma.flags[{vma}]": flags,
            f"{word}.vma.page_shift[{vma}]": unit.bit_length() - 1,
        }
        for row, (offset, start, length) in zip(rows, runs, strict=True):
            fields |= {
                f"{word}.backing.hva[{row}]": hva + offset,
                f"{word}.backing.npages[{row}]": length // PAGE_SIZE,
                f"{word}.backing.pfn[{row}]": start // PAGE_SIZE,
                f"{word}.backing.pte[{row}]": lib.PYEXIT_PTE_PRESENT,
            }
        self.set(fields)

    def munmap(self, hva: int, size: int, vm: int = 0) -> None:
        """Take whole mappings away from the VMM of `vm`; shadow entries go with them (mmu-kvm 11)."""
        _check_span("hva", hva, size, PAGE_SIZE)
        word, end = object_word("kvm", vm), hva + size
        inside = {}
        for row, (start, stop) in self._vmas(vm).items():
            if start < end and hva < stop:
                if start < hva or stop > end:
                    raise ValueError(f"the mapping {start:#x}..{stop:#x} is not wholly in {hva:#x}..{end:#x}")
                inside[row] = start, stop
        if not inside:
            raise ValueError(f"nothing is mapped at {hva:#x}..{end:#x}")
        fields = {f"{word}.vma.{leaf}[{row}]": 0 for row in inside for leaf in _leaf_names("vma")}
        for row in range(lib.PYEXIT_BACKINGS):
            if self[f"{word}.backing.npages[{row}]"] and hva <= self[f"{word}.backing.hva[{row}]"] < end:
                fields |= {f"{word}.backing.{leaf}[{row}]": 0 for leaf in _leaf_names("backing")}
        self.set(fields)
        self._ioctl("mmu_notifier_invalidate", vm)

    def _slot(self, vm: int, slot: int) -> MemSlot:
        word = f"{object_word('kvm', vm)}.memslot"
        gfn, pages, hva, flags = (
            self[f"{word}.{name}[{slot}]"] for name in ("base_gfn", "npages", "userspace_addr", "flags")
        )
        return MemSlot(slot, gfn * PAGE_SIZE, pages * PAGE_SIZE, hva, flags)

    def _check_region(self, vm: int, region: MemSlot) -> None:
        _integer("slot", region.slot, lib.PYEXIT_MEMSLOTS - 1)
        _integer("flags", region.flags, lib.PYEXIT_MEMSLOT_INVALID)
        if _integer("size", region.size, _U64) == 0:
            return
        _check_span("gpa", region.gpa, region.size, PAGE_SIZE)
        _check_span("hva", region.hva, region.size, PAGE_SIZE)
        for other in self.memory_regions(vm):
            apart = other.gpa >= region.gpa + region.size or region.gpa >= other.gpa + other.size
            if other.slot != region.slot and not apart:
                raise ValueError(
                    f"slot {other.slot} has the guest memory {other.gpa:#x}..{other.gpa + other.size:#x}"
                )

    def _vmas(self, vm: int) -> dict[int, tuple[int, int]]:
        """Start and end of each VMA, by row."""
        word = object_word("kvm", vm)
        ends = {row: self[f"{word}.vma.end[{row}]"] for row in range(lib.PYEXIT_VMAS)}
        return {row: (self[f"{word}.vma.start[{row}]"], end) for row, end in ends.items() if end}

    def _check_vma(self, vm: int, hva: int, size: int) -> None:
        for start, end in self._vmas(vm).values():
            if start < hva + size and hva < end:
                raise ValueError(f"{start:#x}..{end:#x} is mapped already: munmap() it first")

    def _free_hva(self, vm: int, size: int) -> int:
        """The first gap of the VMM's address space, from 256 MiB on, that has room."""
        taken = sorted(self._vmas(vm).values())
        if not taken or taken[0][0] >= _FIRST_HVA + size:
            return _FIRST_HVA
        gaps = ((end, start) for (_, end), (start, _) in pairwise([*taken, (1 << 32, 1 << 32)]))
        for first, last in gaps:
            if first >= _FIRST_HVA and last - first >= size:
                return first
        raise ValueError(f"no {size:#x} bytes are free in the VMM of VM {vm}: use mmap()")

    def _free_rows(self, vm: int, table: str, leaf: str, count: int) -> list[int]:
        total = record("kvm").leaves[f"{table}.{leaf}"].count
        word = object_word("kvm", vm)
        free = [row for row in range(total) if not self[f"{word}.{table}.{leaf}[{row}]"]]
        if len(free) < count:
            raise ValueError(f"{count} rows of kvm.{table} are needed, {len(free)} of {total} are free")
        return free[:count]

    # Registers

    def get_regs(self, vcpu: int = 0) -> dict[str, Any]:
        """KVM_GET_REGS: struct kvm_regs by its names; gpr is a list."""
        self._ioctl("kvm_arch_vcpu_ioctl_get_regs", vcpu)
        return self._struct("regs", vcpu)

    def set_regs(self, values: Mapping[str, Any], vcpu: int = 0) -> None:
        """KVM_SET_REGS; registers that `values` does not name keep what KVM_GET_REGS says."""
        self._ioctl("kvm_arch_vcpu_ioctl_get_regs", vcpu)
        self._fill("regs", values, vcpu)
        self._ioctl("kvm_arch_vcpu_ioctl_set_regs", vcpu)

    def get_sregs(self, vcpu: int = 0) -> dict[str, Any]:
        """KVM_GET_SREGS: struct kvm_sregs, the members of u.e by their own names (``impl.fsl.svr``)."""
        self._ioctl("kvm_arch_vcpu_ioctl_get_sregs", vcpu)
        return self._struct("sregs", vcpu)

    def set_sregs(self, values: Mapping[str, Any], vcpu: int = 0) -> None:
        """KVM_SET_SREGS; members that `values` does not name are as KVM_GET_SREGS gives them."""
        self._ioctl("kvm_arch_vcpu_ioctl_get_sregs", vcpu)
        self._fill("sregs", values, vcpu)
        self._ioctl("kvm_arch_vcpu_ioctl_set_sregs", vcpu)

    def get_one_reg(self, reg: int | str, vcpu: int = 0) -> int:
        """KVM_GET_ONE_REG: `reg` is an id or a name of ONE_REGS."""
        number, size = _one_reg(reg)
        self._ioctl("kvm_vcpu_ioctl_get_one_reg", vcpu, number, lib.PYEXIT_USER_BUF)
        word = object_word("user", vcpu)
        return int.from_bytes(bytes(self[f"{word}.buf[{n}]"] for n in range(min(size, _BUFFER))), "big")

    def set_one_reg(self, reg: int | str, value: int, vcpu: int = 0) -> None:
        """KVM_SET_ONE_REG."""
        number, size = _one_reg(reg)
        size = min(size, _BUFFER)
        data = _integer("value", value, (1 << 8 * size) - 1).to_bytes(size, "big")
        word = object_word("user", vcpu)
        self.set({f"{word}.buf[{n}]": byte for n, byte in enumerate(data)})
        self._ioctl("kvm_vcpu_ioctl_set_one_reg", vcpu, number, lib.PYEXIT_USER_BUF)

    def _struct(self, name: str, vcpu: int) -> dict[str, Any]:
        word = object_word("user", vcpu)
        found: dict[str, Any] = {}
        for path, leaf in _user_leaves(name):
            values = [self[element(word, leaf, n)] for n in range(leaf.elements)]
            found[path] = values if leaf.count else values[0]
        return found

    def _fill(self, name: str, values: Mapping[str, Any], vcpu: int) -> None:
        word, leaves = object_word("user", vcpu), dict(_user_leaves(name))
        fields: dict[str, int] = {}
        for path, value in values.items():
            leaf = leaves.get(path)
            if leaf is None:
                raise ValueError(f"struct kvm_{name} has no {path!r}{nearest(path, leaves)}")
            items = list(value) if leaf.count else [value]
            if len(items) != leaf.elements:
                raise ValueError(f"{path} has {leaf.elements} elements, not {len(items)}")
            fields |= {element(word, leaf, n): item for n, item in enumerate(items)}
        self.set(fields)

    # The other ioctls of a vcpu

    def enable_cap(self, cap: int | str, *args: int, flags: int = 0, vcpu: int = 0) -> None:
        """KVM_ENABLE_CAP: `cap` is a number or a name of CAPS, with up to four arguments."""
        number = _named("capability", cap, CAPS)
        if len(args) > _CAP_ARGS:
            raise ValueError(f"a capability has at most {_CAP_ARGS} arguments, not {len(args)}")
        word = f"{object_word('user', vcpu)}.cap"
        padded = [*args, *(0,) * (_CAP_ARGS - len(args))]
        fields = {f"{word}.args[{n}]": arg for n, arg in enumerate(padded)}
        self.set({f"{word}.cap": number, f"{word}.flags": flags, **fields})
        self._ioctl("kvm_arch_vcpu_ioctl", vcpu, KVM_ENABLE_CAP, lib.PYEXIT_USER_CAP)

    def config_tlb(self, sizes: Sequence[int], ways: Sequence[int], array: int = 0, vcpu: int = 0) -> None:
        """KVM_CAP_SW_TLB: the guest's TLB becomes the array in user memory (mmu-kvm 2).

        `sizes` and `ways` are those of TLB0 and TLB1; the array's entries are user.tlb.*[k]. The machine is
        one with sw_tlb=True.
        """
        if not len(sizes) == len(ways) == _GUEST_TLBS:
            raise ValueError("sizes and ways have one number for TLB0 and one for TLB1")
        word = object_word("user", vcpu)
        pairs = list(zip(sizes, ways, strict=True))
        self.set(
            {
                f"{word}.config_tlb.params": lib.PYEXIT_USER_TLB_PARAMS,
                f"{word}.config_tlb.array": array,
                f"{word}.config_tlb.mmu_type": 0,
                f"{word}.config_tlb.array_len": _TLB_ENTRY_BYTES * sum(sizes),
                **{f"{word}.tlb_params.tlb_sizes[{n}]": size for n, (size, _) in enumerate(pairs)},
                **{f"{word}.tlb_params.tlb_ways[{n}]": way for n, (_, way) in enumerate(pairs)},
            }
        )
        self.enable_cap("sw_tlb", lib.PYEXIT_USER_CONFIG_TLB, vcpu=vcpu)

    def kvm_interrupt(self, irq: int | str = "set", vcpu: int = 0) -> None:
        """KVM_INTERRUPT: set (an edge), set_level or unset, or any other number, which is an edge too."""
        self._ioctl("kvm_vcpu_ioctl_interrupt", vcpu, _named("interrupt", irq, INTERRUPTS))

    def kvm_translate(self, linear_address: int, vcpu: int = 0) -> int | None:
        """KVM_TRANSLATE: the guest real address, None if the guest TLB has none.

        Bits 39 to 32 of `linear_address` are the PID, bit 40 the address space (exit.md 12.4).
        """
        answer = self._ioctl("kvm_arch_vcpu_ioctl_translate", vcpu, linear_address).value
        return answer[3] if answer[0] else None

    def set_guest_debug(
        self, control: int, breakpoints: Sequence[tuple[int, int]] = (), vcpu: int = 0
    ) -> None:
        """KVM_SET_GUEST_DEBUG: `control` and up to 16 pairs of address and type (exit.md 9.2)."""
        pairs = [number for pair in breakpoints for number in pair]
        self._ioctl("kvm_arch_vcpu_ioctl_set_guest_debug", vcpu, control, *pairs)

    def kvm_run(self, vcpu: int = 0) -> Run:
        """struct kvm_run as KVM_RUN left it: why it returned, and what belongs to that."""
        word = object_word("run", vcpu)
        reason = self[f"{word}.exit_reason"]
        name, arm = EXIT_REASONS.get(reason, (f"{reason}", ""))
        found: dict[str, Any] = {}
        for path, leaf in record("run").leaves.items():
            if arm and path.startswith(f"{arm}."):
                values = [self[element(word, leaf, n)] for n in range(leaf.elements)]
                found[path.removeprefix(f"{arm}.")] = values if leaf.count else values[0]
        return Run(reason, name, found)

    def _ioctl(self, name: str, *args: int) -> Result:
        """Call a function: a negative errno is an OSError, a kernel that stops a RuntimeError."""
        result = self.call(name, *args)
        if result.outcome:
            raise RuntimeError(f"{name}: {stop_text(result.outcome, result.site)}")
        if result.ret < 0:
            raise OSError(-result.ret, f"{name}: {os.strerror(-result.ret)}")
        return result


_FIRST_HVA = 0x10000000
_BUFFER: int = record("user").leaves["buf"].count
_CAP_ARGS: int = record("user").leaves["cap.args"].count
_GUEST_TLBS = 2
_TLB_ENTRY_BYTES = 24  # struct kvm_book3e_206_tlb_entry


def _leaf_names(table: str) -> list[str]:
    return [path.removeprefix(f"{table}.") for path in record("kvm").leaves if path.startswith(f"{table}.")]


def _user_leaves(name: str) -> Iterator[tuple[str, Leaf]]:
    """The members of user.<name> with the paths that KVM has for them."""
    for path, leaf in record("user").leaves.items():
        if path.startswith(f"{name}."):
            yield path.removeprefix(f"{name}."), leaf


def _one_reg(reg: int | str) -> tuple[int, int]:
    """The id of a register and its size in bytes."""
    number = _named("register", reg, ONE_REGS)
    return number, 1 << (number >> 52 & 15)


def _named(what: str, given: int | str, names: Mapping[str, int]) -> int:
    if not isinstance(given, str):
        return _integer(what, given, _U64)
    if given not in names:
        raise ValueError(f"no {what} {given!r}; there are {', '.join(names)}{nearest(given, names)}")
    return names[given]


def _integer(what: str, value: object, high: int) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{what} takes an int, not {type(value).__name__}")
    if not 0 <= value <= high:
        raise ValueError(f"{what} is 0 to {high:#x}, not {value:#x}")
    return int(value)


def _power_of_two(what: str, value: object) -> None:
    number = _integer(what, value, 1 << 40)
    if number < PAGE_SIZE or number & (number - 1):
        raise ValueError(f"{what} is a power of two from {PAGE_SIZE:#x} on, not {number:#x}")


def _check_span(what: str, start: int, size: int, unit: int) -> None:
    _integer("size", size, _U64)
    _integer(what, start, _U64)
    if size == 0 or start + size > 1 << _ADDRESS_BITS:
        raise ValueError(f"{size:#x} bytes at {what} {start:#x}: not a range of addresses")
    if (start | size) % unit:
        raise ValueError(f"{what} {start:#x} and size {size:#x} are multiples of {unit:#x}")


def _runs(real: int | Sequence[int], size: int, unit: int) -> Iterator[tuple[int, int, int]]:
    """Pages that follow each other in real memory: offset in the mapping, real address, bytes."""
    pages = range(real, real + size, unit) if isinstance(real, int) else real
    if len(pages) != size // unit:
        raise ValueError(f"{size // unit} pages of {unit:#x} bytes need as many addresses, not {len(pages)}")
    if isinstance(real, int):
        _check_real(real, size, unit)
        yield 0, real, size
        return
    first = 0
    for number, page in enumerate(pages):
        _check_real(page, unit, unit)
        if number + 1 == len(pages) or pages[number + 1] != page + unit:
            yield first * unit, pages[first], (number + 1 - first) * unit
            first = number + 1


def _check_real(real: int, size: int, unit: int) -> None:
    _integer("real address", real, (1 << _PFN_BITS + 12) - size)
    if real % unit:
        raise ValueError(f"real address {real:#x} is a multiple of {unit:#x}")
