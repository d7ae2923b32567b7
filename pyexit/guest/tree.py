# SPDX-License-Identifier: BSD-3-Clause
"""The device tree of the board, built with the library fdt (facts: guest/ppce500.dts, linux-guest.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyexit.guest import library

#: QEMU pads its blob to this; U-Boot prints the number.
SIZE = 1 << 20
FREQUENCY = 400_000_000
#: Phandles, as QEMU gives them.
PIC, MSI, GPIO = 0x8003, 0x8004, 0x8005

Value = int | str | Sequence[int] | Sequence[str] | None


def build(memory: int, bootargs: str = "") -> bytes:
    """The flattened tree of a board with `memory` bytes of RAM."""
    fdt: Any = library("fdt")
    tree = fdt.FDT()
    for path, properties in _nodes(memory, bootargs).items():
        node = tree.get_node(path, create=True) if path != "/" else tree.root
        for name, value in properties.items():
            _set(node, name, value)
    blob: bytes = tree.to_dtb(version=17)
    # The header's total size is the second word: the padding belongs to the tree.
    return blob[:4] + SIZE.to_bytes(4, "big") + blob[8:].ljust(SIZE - 8, b"\0")


def _set(node: Any, name: str, value: Value) -> None:
    fdt: Any = library("fdt")
    if value is None:
        node.append(fdt.Property(name))
    elif isinstance(value, int):
        node.append(fdt.PropWords(name, value))
    elif isinstance(value, str):
        node.append(fdt.PropStrings(name, value))
    elif value and isinstance(value[0], str):
        node.append(fdt.PropStrings(name, *value))
    else:
        node.append(fdt.PropWords(name, *value))


def _nodes(memory: int, bootargs: str) -> Mapping[str, Mapping[str, Value]]:
    serial = "/soc@fe0000000/serial@4500"
    return {
        "/": {
            "compatible": "fsl,qemu-e500",
            "model": "QEMU ppce500",
            "#size-cells": 2,
            "#address-cells": 2,
        },
        "/platform@f00000000": {
            "interrupt-parent": PIC,
            "ranges": (0, 0xF, 0, 0x8000000),
            "#address-cells": 1,
            "#size-cells": 1,
            "compatible": ("qemu,platform", "simple-bus"),
        },
        "/pci@fe0008000": {
            "#address-cells": 3,
            "#size-cells": 2,
            "#interrupt-cells": 1,
            "clock-frequency": 0x3F940AA,
            "reg": (0xF, 0xE0008000, 0, 0x1000),
            "ranges": (
                *(0x02000000, 0, 0xE0000000, 0xC, 0, 0, 0x20000000),
                *(0x01000000, 0, 0, 0xF, 0xE1000000, 0, 0x10000),
            ),
            "fsl,msi": MSI,
            "bus-range": (0, 0xFF),
            "interrupts": (0x18, 2),
            "interrupt-parent": PIC,
            "device_type": "pci",
            "compatible": "fsl,mpc8540-pci",
            "cell-index": 0,
        },
        "/soc@fe0000000": {
            "bus-frequency": 0,
            "ranges": (0, 0xF, 0xE0000000, 0x100000),
            "#size-cells": 1,
            "#address-cells": 1,
            "compatible": ("fsl,mpc8544-immr", "simple-bus"),
            "device_type": "soc",
        },
        "/soc@fe0000000/power-off": {"gpios": (GPIO, 0, 0), "compatible": "gpio-poweroff"},
        "/soc@fe0000000/gpio@ff000": {
            "linux,phandle": GPIO,
            "phandle": GPIO,
            "gpio-controller": None,
            "#gpio-cells": 2,
            "interrupt-parent": PIC,
            "interrupts": (0x2F, 2),
            "reg": (0xFF000, 0x1000),
            "compatible": "fsl,qoriq-gpio",
        },
        "/soc@fe0000000/msi@41600": {
            "linux,phandle": MSI,
            "phandle": MSI,
            "interrupts": tuple(word for n in range(0xE0, 0xE8) for word in (n, 0)),
            "interrupt-parent": PIC,
            "msi-available-ranges": (0, 0x100),
            "reg": (0x41600, 0x200),
            "compatible": "fsl,mpic-msi",
        },
        "/soc@fe0000000/global-utilities@e0000": {
            "fsl,has-rstcr": None,
            "reg": (0xE0000, 0x1000),
            "compatible": "fsl,mpc8544-guts",
        },
        "/soc@fe0000000/i2c@3000": {
            "interrupt-parent": PIC,
            "interrupts": (0x2B, 2),
            "cell-index": 0,
            "reg": (0x3000, 0x14),
            "compatible": "fsl-i2c",
            "device_type": "i2c",
        },
        "/soc@fe0000000/i2c@3000/rtc@68": {"reg": 0x68, "compatible": "pericom,pt7c4338"},
        serial: {
            "interrupt-parent": PIC,
            "interrupts": (0x2A, 2),
            "clock-frequency": FREQUENCY,
            "cell-index": 0,
            "reg": (0x4500, 0x100),
            "compatible": "ns16550",
            "device_type": "serial",
        },
        "/soc@fe0000000/pic@40000": {
            "interrupt-controller": None,
            "linux,phandle": PIC,
            "phandle": PIC,
            "#interrupt-cells": 2,
            "#address-cells": 0,
            "reg": (0x40000, 0x40000),
            "compatible": "fsl,mpic",
            "device_type": "open-pic",
        },
        "/aliases": {
            "pci0": "/pci@fe0008000",
            "rtc": "i2c/rtc@68",
            "i2c": "/soc@fe0000000/i2c@3000",
            "serial0": serial,
        },
        "/cpus": {"#size-cells": 0, "#address-cells": 1},
        "/cpus/PowerPC,8544@0": {
            "status": "okay",
            "bus-frequency": 0,
            "i-cache-size": 0x8000,
            "d-cache-size": 0x8000,
            "i-cache-line-size": 64,
            "d-cache-line-size": 64,
            "reg": 0,
            "device_type": "cpu",
            "timebase-frequency": FREQUENCY,
            "clock-frequency": FREQUENCY,
        },
        "/chosen": {
            "stdout-path": serial,
            "linux,stdout-path": serial,
            **({"bootargs": bootargs} if bootargs else {}),
        },
        "/memory": {"reg": (0, 0, 0, memory), "device_type": "memory"},
    }
