# SPDX-License-Identifier: BSD-3-Clause
"""kvm/stlb: shadow entries in the host TLB (mmu-kvm 10; covers e500_mmu_host.c, e500mc.c)."""

from __future__ import annotations

from pyexit.ref.hw.core import ppc_mtspr
from pyexit.ref.hw.regs import MAS5_SGS, SPR_MAS5
from pyexit.ref.hw.tlbops import ppc_tlbilx
from pyexit.ref.kvm.gtlb import E500_TLB_VALID
from pyexit.ref.kvm.vcpu import World, kvmppc_get_lpid

_TLBILX_LPID = 0


def kvmppc_e500_tlbil_all(world: World, vcpu: int) -> None:
    """Invalidate what this thread's core holds of the vcpu's LPID."""
    thread = world.vcpu_thread[vcpu]
    ppc_mtspr(world.hw, thread, SPR_MAS5, MAS5_SGS | kvmppc_get_lpid(world, vcpu))
    ppc_tlbilx(world.hw, thread, _TLBILX_LPID, 0)
    ppc_mtspr(world.hw, thread, SPR_MAS5, 0)


def kvmppc_core_flush_tlb(world: World, vcpu: int) -> None:
    """mmu-kvm 10: and forget which guest entries were shadowed; those without VALID keep their flags."""
    e500 = world.e500[vcpu]
    kvmppc_e500_tlbil_all(world, vcpu)
    for priv in (e500.gtlb_priv0, e500.gtlb_priv1):
        priv.flags[:] = [0 if flags & E500_TLB_VALID else flags for flags in priv.flags]
    e500.g2h_tlb1_map[:] = [0] * len(e500.g2h_tlb1_map)
    e500.h2g_tlb1_rmap[:] = [0] * len(e500.h2g_tlb1_rmap)
