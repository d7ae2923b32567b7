# SPDX-License-Identifier: BSD-3-Clause
"""kvm/hcall: ePAPR and KVM hypercalls (exit 10; covers powerpc.c's kvmppc_kvm_pv)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyexit.ref.kvm.host_services import kvm_vcpu_halt
from pyexit.ref.kvm.irqprio import KVM_REQ_TLB_FLUSH, MSR_SF, kvm_make_request
from pyexit.ref.kvm.vcpu import World

# Tokens: vendor << 16 | number
EV_IDLE_TOKEN = 0x00010010
KVM_HC_FEATURES_TOKEN = 0x002A0003
KVM_HC_PPC_MAP_MAGIC_PAGE_TOKEN = 0x002A0004

# Answers
EV_SUCCESS = 0
EV_UNIMPLEMENTED = 12

# MAP_MAGIC_PAGE: what it offers, and the flag in its second parameter
KVM_MAGIC_FEAT_SR = 1
KVM_MAGIC_FEAT_MAS0_TO_SPRG7 = 2
MAGIC_PAGE_FLAG_NOT_MAPPED_NX = 1

_WORD = (1 << 32) - 1
_PAGE_MASK = 0xFFF


class Answer(NamedTuple):
    """What the guest finds in gpr 3 and gpr 4."""

    ret: int
    value: int


def _map_magic_page(world: World, vcpu: int) -> Answer:
    """Q27: accepted, though nothing is mapped on these cores."""
    arch = world.vcpu[vcpu].arch
    pa, ea = _parameter(world, vcpu, 1), _parameter(world, vcpu, 2)
    if not ea & MAGIC_PAGE_FLAG_NOT_MAPPED_NX:
        arch.disable_kernel_nx = 1
        kvm_make_request(world, vcpu, KVM_REQ_TLB_FLUSH)
    arch.magic_page_pa = pa & ~_PAGE_MASK
    arch.magic_page_ea = ea & ~_PAGE_MASK
    return Answer(EV_SUCCESS, KVM_MAGIC_FEAT_SR | KVM_MAGIC_FEAT_MAS0_TO_SPRG7)


def _features(world: World, vcpu: int) -> Answer:
    """None: the magic page is not advertised."""
    return Answer(EV_SUCCESS, 0)


def _idle(world: World, vcpu: int) -> Answer:
    """Sleep."""
    kvm_vcpu_halt(world, vcpu)
    return Answer(EV_SUCCESS, 0)


def _unimplemented(world: World, vcpu: int) -> Answer:
    """Q27: gpr 4 is cleared all the same."""
    return Answer(EV_UNIMPLEMENTED, 0)


HYPERCALLS: dict[int, Callable[[World, int], Answer]] = {
    KVM_HC_PPC_MAP_MAGIC_PAGE_TOKEN: _map_magic_page,
    KVM_HC_FEATURES_TOKEN: _features,
    EV_IDLE_TOKEN: _idle,
}


def _parameter(world: World, vcpu: int, number: int) -> int:
    """Parameter 1 to 4. Q2: 32 bits also of a 64-bit guest, since MSR[SF] is looked at and not MSR[CM]."""
    arch = world.vcpu[vcpu].arch
    value = arch.regs.gpr[2 + number]
    return value if arch.shared.msr & MSR_SF else value & _WORD


def kvmppc_kvm_pv(world: World, vcpu: int) -> int:
    """The hypercall in gpr 11: writes gpr 4, returns what belongs into gpr 3. The pc is already past it."""
    gpr = world.vcpu[vcpu].arch.regs.gpr
    answer = HYPERCALLS.get(gpr[11] & _WORD, _unimplemented)(world, vcpu)
    gpr[4] = answer.value
    return answer.ret
