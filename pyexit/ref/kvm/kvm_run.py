# SPDX-License-Identifier: BSD-3-Clause
"""kvm/kvm_run: what user space reads after KVM_RUN: exit reason, and the arms of a union (exit 1.4, 2.4).

The arms overlap as KVM's do: writing one clobbers the others.
"""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.kvm.vcpu import Run

# exit_reason (exit 1.4)
KVM_EXIT_UNKNOWN = 0
KVM_EXIT_DEBUG = 4
KVM_EXIT_MMIO = 6
KVM_EXIT_INTR = 10
KVM_EXIT_INTERNAL_ERROR = 17
KVM_EXIT_WATCHDOG = 21
KVM_EXIT_EPR = 23

#: run.internal.suberror (emulate 6.1)
KVM_INTERNAL_ERROR_EMULATION = 1

# Offsets in the union, and sizes (exit 2.4)
_HARDWARE_EXIT_REASON = (0, 8)
_DEBUG_ADDRESS = (0, 8)
_DEBUG_STATUS = (8, 4)
_EPR = (0, 4)
_MMIO_PHYS_ADDR = (0, 8)
_MMIO_DATA = 8
_MMIO_LEN = (16, 4)
_MMIO_IS_WRITE = (20, 1)
_INTERNAL_SUBERROR = (0, 4)
_OSI_GPRS = 0
_PAPR_HCALL_RET = 8
_PAPR_HCALL_ARGS = 16

#: Bytes of run.mmio.data.
_MMIO_DATA_SIZE = 8


def set_hardware_exit_reason(run: Run, value: int) -> None:
    """run.hw.hardware_exit_reason."""
    _put(run, _HARDWARE_EXIT_REASON, value)


def set_debug(run: Run, address: int, status: int) -> None:
    """run.debug.arch: where the guest stopped, and what stopped it."""
    _put(run, _DEBUG_ADDRESS, address)
    _put(run, _DEBUG_STATUS, status)


def set_epr(run: Run, value: int) -> None:
    """run.epr.epr."""
    _put(run, _EPR, value)


class Mmio(NamedTuple):
    """run.mmio without its data."""

    phys_addr: int
    len: int
    is_write: int


def set_mmio(run: Run, mmio: Mmio) -> None:
    """run.mmio; its data stay what they were."""
    _put(run, _MMIO_PHYS_ADDR, mmio.phys_addr)
    _put(run, _MMIO_LEN, mmio.len)
    _put(run, _MMIO_IS_WRITE, mmio.is_write)


def mmio_len(run: Run) -> int:
    """run.mmio.len."""
    return _get(run, _MMIO_LEN)


def mmio_data(run: Run, length: int) -> bytes:
    """The first bytes of run.mmio.data."""
    return bytes(run.union[_MMIO_DATA : _MMIO_DATA + min(length, _MMIO_DATA_SIZE)])


def set_mmio_data(run: Run, data: bytes) -> None:
    """The first bytes of run.mmio.data; the others stay (emulate, Q22)."""
    run.union[_MMIO_DATA : _MMIO_DATA + len(data)] = data


def set_suberror(run: Run, value: int) -> None:
    """run.internal.suberror."""
    _put(run, _INTERNAL_SUBERROR, value)


def epr(run: Run) -> int:
    """run.epr.epr."""
    return _get(run, _EPR)


def osi_gpr(run: Run, number: int) -> int:
    """run.osi.gprs[number]."""
    return _get(run, (_OSI_GPRS + 8 * number, 8))


def papr_hcall_ret(run: Run) -> int:
    """run.papr_hcall.ret."""
    return _get(run, (_PAPR_HCALL_RET, 8))


def papr_hcall_arg(run: Run, number: int) -> int:
    """run.papr_hcall.args[number]."""
    return _get(run, (_PAPR_HCALL_ARGS + 8 * number, 8))


def _get(run: Run, place: tuple[int, int]) -> int:
    """Load a field of an arm."""
    offset, size = place
    return int.from_bytes(run.union[offset : offset + size], "little")


def _put(run: Run, place: tuple[int, int], value: int) -> None:
    """Store a field of an arm; the snapshot is little-endian (design.md 3)."""
    offset, size = place
    run.union[offset : offset + size] = value.to_bytes(size, "little")
