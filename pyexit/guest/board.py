# SPDX-License-Identifier: BSD-3-Clause
"""The board: QEMU's ppce500 as a guest of KVM, with an e500mc (unicorn.md, Machine set-up used).

This is a VMM: it lends RAM to the machine, gives the VM a memory slot, loads an image and the device tree,
sets the vcpu's registers as ePAPR says, and answers what KVM_RUN returns with.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyexit.guest import tree
from pyexit.guest.console import Console, Sink
from pyexit.guest.devices import Bus, Guts, Mpic, Ones, Scratch, Uart, Verdict
from pyexit.guest.engine import Engine, Mmu
from pyexit.guest.loader import Image
from pyexit.guest.unicorn_engine import UnicornEngine
from pyexit.guest.vcpu import Exit, Vcpu
from pyexit.io.events import Event
from pyexit.machine import Machine

MIB = 1 << 20
PVR, SVR = 0x80230020, 0
#: Where the guest's RAM lies in the host: not at its own address, so that no translation can be left out.
HOST_RAM = 0x10000000
HVA = 0x40000000
CCSR = 0xFE0000000
UART, PCI_CONFIG, MPIC, GUTS = CCSR + 0x4500, CCSR + 0x8000, CCSR + 0x40000, CCSR + 0xE0000
VERDICT, SCRATCH = CCSR + 0xF0000, CCSR + 0xF1000
TREE = 0x2700000
EPAPR_MAGIC = 0x45504150
INITIAL_MAP = 64 * MIB
STACK = 0xFFFFF8
#: TLB1[0] as ePAPR wants it: 64 MiB, effective = real, everything permitted.
TLB1_64M = (0x80000000 | 16 << 7, 0, 0x3F)

EXIT_MMIO, EXIT_INTR = 6, 10
REASONS = {0: "UNKNOWN", 4: "DEBUG", 6: "MMIO", 10: "INTR", 17: "INTERNAL_ERROR", 21: "WATCHDOG", 23: "EPR"}
#: KVM_INTERRUPT (exit.md 1.4).
INTERRUPT_UNSET, INTERRUPT_SET_LEVEL = 0xFFFFFFFE, 0xFFFFFFFD
UART_IRQ = 42
JIFFIES_PER_SECOND = 250
#: Polls of an empty UART in a row after which the guest is taken to be waiting for a key.
_PATIENCE = 1000


class GuestError(Exception):
    """The guest cannot go on."""


@dataclass
class Settings:
    """What can be chosen about a board."""

    memory: int = 128 * MIB
    backend: str | None = None
    fetch: str = "merged"
    params: Any = None
    ticks_per_mftb: int = 40_000
    slice_size: int = 1_000_000
    bootargs: str = ""
    on_exit: Callable[[Exit], None] | None = None
    on_events: Callable[[list[Event]], None] | None = None
    sinks: list[Sink] = field(default_factory=list)


class Board:
    """A ppce500 with one vcpu."""

    def __init__(self, image: Image, console: Console, settings: Settings) -> None:
        self.settings, self._console = settings, console
        self.status: int | None = None
        self._ram = mmap.mmap(-1, settings.memory)
        self.machine = Machine(
            "e500mc",
            params=settings.params,
            fetch=settings.fetch,
            backend=settings.backend,
            ram=((HOST_RAM, self._ram),),
            pvr=PVR,
            svr=SVR,
            events=1 << 16,
        )
        self._level = False
        self._polls = 0
        self._mpic = Mpic(self._external)
        self.uart = Uart(self._sent, lambda level: self._mpic.line(UART_IRQ, level))
        self._bus = Bus()
        self._bus.add(UART, 8, self.uart)
        self._bus.add(PCI_CONFIG, 8, Ones())
        self._bus.add(GUTS, 0x1000, Guts(PVR, self._reset))
        self._bus.add(MPIC, 0x40000, self._mpic)
        self._bus.add(VERDICT, 4, Verdict(self._end))
        self._bus.add(SCRATCH, 64, Scratch(64))
        self._memory_slot()
        self._load(image)
        self._registers(image)
        self.vcpu = Vcpu(
            self.machine,
            self._engine,
            slice_size=settings.slice_size,
            ticks_per_mftb=settings.ticks_per_mftb,
            on_idle=self._idle,
            on_exit=settings.on_exit,
            on_events=settings.on_events,
        )

    def _engine(self, mmu: Mmu) -> Engine:
        return UnicornEngine(mmu, [(HOST_RAM, self._ram)])

    # Before the first KVM_RUN

    def _memory_slot(self) -> None:
        """KVM_SET_USER_MEMORY_REGION over an mmap() of the VMM."""
        pages = self.settings.memory // 4096
        self.machine.set(
            {
                "kvm.memslot.base_gfn[0]": 0,
                "kvm.memslot.npages[0]": pages,
                "kvm.memslot.userspace_addr[0]": HVA,
                "kvm.vma.start[0]": HVA,
                "kvm.vma.end[0]": HVA + self.settings.memory,
                "kvm.backing.hva[0]": HVA,
                "kvm.backing.npages[0]": pages,
                "kvm.backing.pfn[0]": HOST_RAM // 4096,
                "host.tb_freq": tree.FREQUENCY,
                "host.tb_ticks_per_jiffy": tree.FREQUENCY // JIFFIES_PER_SECOND,
            }
        )

    def _load(self, image: Image) -> None:
        for base, data in (*image.segments, (self._tree_at(image), self._tree())):
            if base + len(data) > self.settings.memory:
                size, memory = f"{base:#x} to {base + len(data):#x}", self.settings.memory // MIB
                raise ValueError(f"the image needs {size}, the board has {memory} MiB of RAM")
            self.machine.write_ram(HOST_RAM + base, data)

    def _tree(self) -> bytes:
        return tree.build(self.settings.memory, self.settings.bootargs)

    def _tree_at(self, image: Image) -> int:
        """QEMU's place where the image leaves it free, else behind the image."""
        return max(TREE, (image.end + MIB - 1) & ~(MIB - 1))

    def _registers(self, image: Image) -> None:
        """ePAPR: one CPU, supervisor state, the first 64 MiB mapped."""
        gpr = {1: STACK, 3: self._tree_at(image), 6: EPAPR_MAGIC, 7: INITIAL_MAP}
        mas1, mas2, mas7_3 = TLB1_64M
        self.machine.set(
            {
                **{f"vcpu.arch.regs.gpr[{n}]": value for n, value in gpr.items()},
                "vcpu.arch.regs.nip": image.entry,
                "e500.gtlb1.mas1[0]": mas1,
                "e500.gtlb1.mas2[0]": mas2,
                "e500.gtlb1.mas7_3[0]": mas7_3,
                "e500.tlb1_min_eaddr": 0,
                "e500.tlb1_max_eaddr": INITIAL_MAP - 1,
            }
        )

    # The VMM's loop

    def run(self) -> int:
        """Run until the guest, the script or the person ends it; the exit status."""
        while self.status is None:
            self.vcpu.run()
            reason = self.machine["run.exit_reason"]
            if reason == EXIT_MMIO:
                self._mmio()
            elif reason != EXIT_INTR:
                raise GuestError(self._why(reason))
        return self.status

    def _why(self, reason: int) -> str:
        pc = self.machine["vcpu.arch.regs.nip"]
        detail = self.machine["run.hw.hardware_exit_reason"]
        return f"KVM_RUN returned with KVM_EXIT_{REASONS.get(reason, str(reason))} ({detail:#x}) at pc {pc:#x}"

    def _mmio(self) -> None:
        """KVM_EXIT_MMIO."""
        machine = self.machine
        address, size = machine["run.mmio.phys_addr"], machine["run.mmio.len"]
        if machine["run.mmio.is_write"]:
            self._polls = 0
            self._bus.write(address, bytes(machine[f"run.mmio.data[{n}]"] for n in range(size)))
        else:
            if address == UART + Uart.LSR:
                self._polled()
            data = self._bus.read(address, size)
            machine.set({f"run.mmio.data[{n}]": value for n, value in enumerate(data)})

    def _sent(self, byte: int) -> None:
        """The UART has sent a byte."""
        for sink in self.settings.sinks:
            sink(byte)
        self._typed(self._console.sent(byte))

    def _typed(self, keys: bytes | None) -> None:
        if keys is None:
            self._end(0)
        elif keys:
            self.uart.receive(keys)

    def _polled(self) -> None:
        """The guest looks for input: now is the moment to look too, and to rest if it does nothing else."""
        if self.uart.drained:
            self._polls += 1
            self._typed(self._console.typed(self._polls > _PATIENCE))

    def _idle(self) -> bool:
        """The guest waits and has no timer; False if nobody can type."""
        if not self._console.open:
            return False
        self._typed(self._console.typed(True))
        return True

    def _external(self, level: bool) -> None:
        """The interrupt controller's output: KVM_INTERRUPT, and the kick that it brings."""
        if level != self._level:
            self._level = level
            irq = INTERRUPT_SET_LEVEL if level else INTERRUPT_UNSET
            self.machine.call("kvm_vcpu_ioctl_interrupt", 0, irq)

    def _reset(self) -> None:
        self._end(0)

    def _end(self, status: int) -> None:
        if self.status is None:
            self.status = status & 0xFF

    def close(self) -> None:
        """Give everything back."""
        self.vcpu.engine.close()
        self.machine.close()

