# SPDX-License-Identifier: BSD-3-Clause
"""kvm/kvm_run: what user space reads after KVM_RUN: exit reason, and the arms of a union (exit 1.4, 2.4).

The arms overlap as KVM's do: writing one clobbers the others.
"""

from __future__ import annotations

from pyexit.ref.kvm.vcpu import Run

# exit_reason (exit 1.4)
KVM_EXIT_UNKNOWN = 0
KVM_EXIT_DEBUG = 4
KVM_EXIT_INTR = 10
KVM_EXIT_INTERNAL_ERROR = 17
KVM_EXIT_WATCHDOG = 21
KVM_EXIT_EPR = 23

# Offsets in the union, and sizes (exit 2.4)
_HARDWARE_EXIT_REASON = (0, 8)
_DEBUG_ADDRESS = (0, 8)
_DEBUG_STATUS = (8, 4)
_EPR = (0, 4)


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


def _put(run: Run, place: tuple[int, int], value: int) -> None:
    """Store a field of an arm; the snapshot is little-endian (design.md 3)."""
    offset, size = place
    run.union[offset : offset + size] = value.to_bytes(size, "little")
