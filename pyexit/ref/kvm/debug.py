# SPDX-License-Identifier: BSD-3-Clause
"""kvm/debug: debug events, and who owns the registers: guest or user space (exit 9; covers booke.c)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyexit.ref.hw.core import ulong
from pyexit.ref.hw.regs import MSR_DE, MSR_PMM, MSR_UCLE, MSRP_DEP, MSRP_PMMP, MSRP_UCLEP
from pyexit.ref.kvm.entry import RESUME_GUEST, RESUME_HOST, ioctl_vcpu_load, ioctl_vcpu_put
from pyexit.ref.kvm.host_services import KVM_EINVAL, SITE_PROTECT_MSR, Bug
from pyexit.ref.kvm.irqprio import kvmppc_core_queue_debug, kvmppc_core_queue_program
from pyexit.ref.kvm.kvm_run import set_debug
from pyexit.ref.kvm.vcpu import Arch, World

# vcpu.guest_debug, the control word of KVM_SET_GUEST_DEBUG (exit 1.4)
KVM_GUESTDBG_ENABLE = 0x00000001
KVM_GUESTDBG_SINGLESTEP = 0x00000002
KVM_GUESTDBG_USE_SW_BP = 0x00010000
KVM_GUESTDBG_USE_HW_BP = 0x00020000

# The type of a breakpoint, and run.debug.arch.status (exit 1.4)
KVMPPC_DEBUG_NONE = 0
KVMPPC_DEBUG_BREAKPOINT = 2
KVMPPC_DEBUG_WATCH_WRITE = 4
KVMPPC_DEBUG_WATCH_READ = 8
KVMPPC_BOOKE_IAC_NUM = 2
KVMPPC_BOOKE_DAC_NUM = 2

#: The instruction of a software breakpoint (exit 1.3).
KVMPPC_INST_SW_BREAKPOINT = 0x00DDDD00

# DBSR (exit 1.7)
DBSR_IDE = 0x80000000
DBSR_TIE = 0x01000000
DBSR_IAC_MASK = 0x00F00000
DBSR_DAC1R = 0x00080000
DBSR_DAC1W = 0x00040000
DBSR_DAC2R = 0x00020000
DBSR_DAC2W = 0x00010000

# DBCR0 (exit 1.7)
DBCR0_IDM = 0x40000000
DBCR0_IC = 0x08000000
DBCR0_IAC1 = 0x00800000
DBCR0_IAC2 = 0x00400000
DBCR0_DAC1R = 0x00080000
DBCR0_DAC1W = 0x00040000
DBCR0_DAC2R = 0x00020000
DBCR0_DAC2W = 0x00010000

#: What a trap that debug interrupts do not take is to the guest (exit 1.6).
ESR_PTR = 0x02000000

_WORD = (1 << 32) - 1


def kvmppc_handle_debug(world: World, vcpu: int) -> int:
    """9.1: what arch.dbsr says goes to the owner of the debug registers."""
    if world.vcpu[vcpu].guest_debug:
        return _report_to_user_space(world, vcpu)
    return _reflect_to_guest(world, vcpu)


def _reflect_to_guest(world: World, vcpu: int) -> int:
    """A debug interrupt if the guest has them on, a program interrupt for a trap if not; arch.dbsr stays."""
    arch = world.vcpu[vcpu].arch
    dbsr, enabled = arch.dbsr & ~DBSR_IDE, bool(arch.shared.msr & MSR_DE)
    if dbsr and enabled and arch.dbg_reg.dbcr0 & DBCR0_IDM:
        kvmppc_core_queue_debug(world, vcpu)
    if dbsr & DBSR_TIE and not enabled:
        kvmppc_core_queue_program(world, vcpu, ESR_PTR)
    return RESUME_GUEST


def _report_to_user_space(world: World, vcpu: int) -> int:
    """Status and address; single steps and software breakpoints have status 0 and the pc."""
    arch = world.vcpu[vcpu].arch
    dbsr, arch.dbsr = arch.dbsr, 0
    if dbsr & DBSR_IAC_MASK:
        set_debug(world.run[vcpu], arch.regs.nip, KVMPPC_DEBUG_BREAKPOINT)
    else:
        set_debug(world.run[vcpu], _watched_address(arch, dbsr), _watch_status(dbsr))
    return RESUME_HOST


def _watch_status(dbsr: int) -> int:
    """A write hides a read."""
    if dbsr & (DBSR_DAC1W | DBSR_DAC2W):
        return KVMPPC_DEBUG_WATCH_WRITE
    return KVMPPC_DEBUG_WATCH_READ if dbsr & (DBSR_DAC1R | DBSR_DAC2R) else KVMPPC_DEBUG_NONE


def _watched_address(arch: Arch, dbsr: int) -> int:
    """The first hit hides the second."""
    if dbsr & (DBSR_DAC1R | DBSR_DAC1W):
        return arch.dbg_reg.dac1
    return arch.dbg_reg.dac2 if dbsr & (DBSR_DAC2R | DBSR_DAC2W) else arch.regs.nip


class Comparator(NamedTuple):
    """One address comparator: its register, and its enables in DBCR0 by breakpoint type."""

    register: str
    enables: dict[int, int]


#: 9.2 G6.
IACS = (
    Comparator("iac1", {KVMPPC_DEBUG_BREAKPOINT: DBCR0_IAC1}),
    Comparator("iac2", {KVMPPC_DEBUG_BREAKPOINT: DBCR0_IAC2}),
)
DACS = (
    Comparator("dac1", {KVMPPC_DEBUG_WATCH_READ: DBCR0_DAC1R, KVMPPC_DEBUG_WATCH_WRITE: DBCR0_DAC1W}),
    Comparator("dac2", {KVMPPC_DEBUG_WATCH_READ: DBCR0_DAC2R, KVMPPC_DEBUG_WATCH_WRITE: DBCR0_DAC2W}),
)

_TYPES = KVMPPC_DEBUG_BREAKPOINT | KVMPPC_DEBUG_WATCH_READ | KVMPPC_DEBUG_WATCH_WRITE


def kvm_arch_vcpu_ioctl_set_guest_debug(world: World, vcpu: int, control: int, *breakpoints: int) -> int:
    """9.2: `breakpoints` are pairs of address and type. Q11: MSR[DE] is not forced here."""
    ioctl_vcpu_load(world, vcpu)
    ret = _set_guest_debug(world, vcpu, control & _WORD, breakpoints)
    ioctl_vcpu_put(world, vcpu)
    return ret


def _set_guest_debug(world: World, vcpu: int, control: int, breakpoints: Sequence[int]) -> int:
    """G2 to G5. Q11: a DE that was forced earlier stays."""
    state = world.vcpu[vcpu]
    arch, debug = state.arch, state.arch.dbg_reg
    debug.dbcr0 = 0
    if not control & KVM_GUESTDBG_ENABLE:
        state.guest_debug = 0
        arch.shadow_msrp &= ~MSRP_DEP
        return 0
    arch.shadow_msrp |= MSRP_DEP
    state.guest_debug = control
    if control & KVM_GUESTDBG_SINGLESTEP:
        debug.dbcr0 |= DBCR0_IDM | DBCR0_IC
    debug.dbcr1 = debug.dbcr2 = 0
    return _set_breakpoints(world, vcpu, breakpoints) if control & KVM_GUESTDBG_USE_HW_BP else 0


def _set_breakpoints(world: World, vcpu: int, breakpoints: Sequence[int]) -> int:
    """G6, G7: only as many entries as there are comparators; an error leaves what was written before."""
    arch, iacs, dacs = world.vcpu[vcpu].arch, list(IACS), list(DACS)
    looked_at = 2 * (KVMPPC_BOOKE_IAC_NUM + KVMPPC_BOOKE_DAC_NUM)
    for address, type in zip(breakpoints[0:looked_at:2], breakpoints[1:looked_at:2], strict=True):
        kind = type & _WORD
        if kind == KVMPPC_DEBUG_NONE:
            continue
        free = iacs if kind & KVMPPC_DEBUG_BREAKPOINT else dacs
        if kind & ~_TYPES or not free:
            return -KVM_EINVAL
        _set_comparator(arch, free.pop(0), ulong(world.hw.params, address), kind)
    return 0


def _set_comparator(arch: Arch, comparator: Comparator, address: int, kind: int) -> None:
    """One comparator; of a breakpoint that also watches, the breakpoint wins."""
    setattr(arch.dbg_reg, comparator.register, address)
    arch.dbg_reg.dbcr0 |= DBCR0_IDM
    for bit, enable in comparator.enables.items():
        if kind & bit:
            arch.dbg_reg.dbcr0 |= enable


#: 9.2: MSR bits that can be withheld from the guest, and MSRP's.
PROTECTED = {MSR_UCLE: MSRP_UCLEP, MSR_DE: MSRP_DEP, MSR_PMM: MSRP_PMMP}


def kvm_guest_protect_msr(world: World, vcpu: int, prot_bitmap: int, set: int) -> None:
    """9.2: withhold MSR bits from the guest, or give them back; effective at the next load."""
    arch, prot_bitmap, set = world.vcpu[vcpu].arch, prot_bitmap & _WORD, set & _WORD
    if prot_bitmap & ~sum(PROTECTED):
        raise Bug(SITE_PROTECT_MSR)
    for msr, msrp in PROTECTED.items():
        if prot_bitmap & msr:
            arch.shadow_msrp = arch.shadow_msrp | msrp if set else arch.shadow_msrp & ~msrp
