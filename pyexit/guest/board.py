# SPDX-License-Identifier: BSD-3-Clause
"""The board: QEMU's ppce500 as a guest of KVM, with an e500mc (unicorn.md, Machine set-up used).

This is a VMM: it lends RAM to the machine, gives the VM a memory slot, loads an image and the device tree,
sets the vcpu's registers as ePAPR says, and answers what KVM_RUN returns with.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyexit.backends.base import lockstep_pair
from pyexit.guest import tree
from pyexit.guest.console import Console, Sink
from pyexit.guest.devices import Bus, Guts, Mpic, Ones, Scratch, Uart, Verdict
from pyexit.guest.engine import Engine, Mmu
from pyexit.guest.loader import Image
from pyexit.guest.unicorn_engine import UnicornEngine
from pyexit.guest.vcpu import Exit, Vcpu
from pyexit.io.events import Event
from pyexit.machine import Machine
from pyexit.recording import Recording

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
#: TLB0CFG 04110200, TLB1CFG 401cc040: what QEMU gives KVM_CAP_SW_TLB.
TLB_SIZES, TLB_WAYS = (512, 64), (4, 64)

EXIT_MMIO, EXIT_INTR = 6, 10
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
    on_events: Callable[[list[Event], int], None] | None = None
    sinks: list[Sink] = field(default_factory=list)
    record: Path | None = None


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
            sw_tlb=True,
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
        self.recording = Recording(self.machine, settings.record) if settings.record else None
        try:
            self.vcpu = self._vcpu()
        except BaseException:
            if self.recording is not None:
                self.recording.discard()
            raise

    def _vcpu(self) -> Vcpu:
        settings = self.settings
        return Vcpu(
            self.machine,
            self._engine,
            slice_size=settings.slice_size,
            ticks_per_mftb=settings.ticks_per_mftb,
            on_idle=self._idle,
            on_exit=settings.on_exit,
            on_events=settings.on_events,
            mirror=self._mirror if lockstep_pair(self.machine.backend) else None,
        )

    def _mirror(self, real: int) -> None:
        """In lockstep a guest's own stores reach the first backend's RAM only: pass a page on."""
        start = (real - HOST_RAM) & ~0xFFF
        self.machine.write_ram(HOST_RAM + start, self._ram[start : start + 0x1000])

    def _engine(self, mmu: Mmu) -> Engine:
        return UnicornEngine(mmu, [(HOST_RAM, self._ram)])

    # Before the first KVM_RUN

    def _memory_slot(self) -> None:
        """The VMM's memory, and what KVM knows of it; the host's clocks."""
        self.machine.mmap(HVA, self.settings.memory, HOST_RAM)
        self.machine.set_user_memory_region(0, 0, self.settings.memory, HVA)
        jiffy = tree.FREQUENCY // JIFFIES_PER_SECOND
        self.machine.set({"host.tb_freq": tree.FREQUENCY, "host.tb_ticks_per_jiffy": jiffy})

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
        """ePAPR: one CPU, supervisor state, 64 MiB mapped; the TLB as QEMU has it (SW_TLB)."""
        gpr = [0] * 32
        gpr[1], gpr[3], gpr[6], gpr[7] = STACK, self._tree_at(image), EPAPR_MAGIC, INITIAL_MAP
        self.machine.set_regs({"pc": image.entry, "msr": 0, "gpr": gpr})
        first = TLB_SIZES[0]  # TLB1[0] stands behind TLB0 in the array
        for name, value in zip(("mas1", "mas2", "mas7_3"), TLB1_64M, strict=True):
            self.machine[f"user.tlb.{name}[{first}]"] = value
        self.machine.config_tlb(TLB_SIZES, TLB_WAYS)

    # The VMM's loop

    def run(self) -> int:
        """Run until the guest, the script or the person ends it; the exit status."""
        while self.status is None:
            self.vcpu.run()
            reason = self.machine["run.exit_reason"]
            if reason == EXIT_MMIO:
                self._mmio()
            elif reason != EXIT_INTR:
                raise GuestError(self._why())
        return self.status

    def _why(self) -> str:
        pc = self.machine.get_regs()["pc"]
        detail = self.machine["run.hw.hardware_exit_reason"]
        return f"KVM_RUN returned with {self.machine.kvm_run().name} ({detail:#x}) at pc {pc:#x}"

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
            self.machine.kvm_interrupt("set_level" if level else "unset")

    def _reset(self) -> None:
        self._end(0)

    def _end(self, status: int) -> None:
        if self.status is None:
            self.status = status & 0xFF

    def close(self) -> None:
        """Give everything back."""
        if self.recording is not None:
            self.recording.close()
        self.vcpu.engine.close()
        self.machine.close()
