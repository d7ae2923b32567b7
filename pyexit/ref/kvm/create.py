# SPDX-License-Identifier: BSD-3-Clause
"""kvm/create: vcpus and virtual machines made and destroyed, LPIDs (exit 12.1, 12.2; mmu-kvm 1.4, 8.4, 12).

Covers booke.c, e500mc.c, powerpc.c and the first part of e500_mmu.c and e500_mmu_host.c. A vcpu was all zeros
before its creation; the functions of a VM take the number of one of its vcpus.
"""

from __future__ import annotations

from typing import NamedTuple

from pyexit.ref.hw.core import log, ppc_mfspr, ppc_mtspr
from pyexit.ref.hw.regs import (
    EPCR_ICM,
    MMUCFG_LPIDSIZE,
    MMUCFG_LRAT,
    MMUCFG_MAVN,
    MMUCFG_MAVN_V2,
    SPR_DBSR,
    SPR_MMUCFG,
    SPR_PVR,
    SPR_SVR,
    SPR_TLB0CFG,
    SPR_TLB0PS,
    SPR_TLB1CFG,
    SPR_TLB1PS,
    TLBCFG_ASSOC,
    TLBCFG_ASSOC_SHIFT,
    TLBCFG_IND,
    TLBCFG_N_ENTRY,
    TLBCFG_PT,
)
from pyexit.ref.kvm.config_tlb import free_gtlb
from pyexit.ref.kvm.gtlb import kvmppc_recalc_tlb1map_range
from pyexit.ref.kvm.host_services import (
    KVM_EINVAL,
    KVM_ENOENT,
    KVM_ENOMEM,
    KVM_ENOSPC,
    KVM_ENOTSUPP,
    SITE_CREATE_NULL,
    Oops,
    has_altivec,
    host_of,
    service,
)
from pyexit.ref.kvm.irqprio import kvmppc_set_msr
from pyexit.ref.kvm.stlb import kvmppc_e500_tlbil_all
from pyexit.ref.kvm.timing import kvmppc_init_timing_stats
from pyexit.ref.kvm.trace import (
    EVENT_ALLOC,
    EVENT_FREE,
    EVENT_IDA_ALLOC_RANGE,
    EVENT_IDA_FREE,
    MSG_HOST_TLB0_CONFIG,
    MSG_HOST_TLB_SIZE,
    MSG_LPID_NO_MEMORY,
    MSG_LPID_NONE_FREE,
    OBJECT_G2H_TLB1_MAP,
    OBJECT_GTLB_ARCH,
    OBJECT_GTLB_PRIV0,
    OBJECT_GTLB_PRIV1,
    OBJECT_H2G_TLB1_RMAP,
    OBJECT_SHARED_PAGE,
    SERVICE_DEL_TIMER_SYNC,
    SERVICE_HRTIMER_CANCEL,
    SERVICE_KVM_DESTROY_VCPUS,
    SERVICE_MODULE_PUT,
    printk,
)
from pyexit.ref.kvm.vcpu import (
    BOOKE_IRQPRIO_MAX,
    E500,
    KVM_CPU_E500MC,
    KVM_E500_TLB0_ENTRIES,
    KVM_E500_TLB0_WAYS,
    KVM_E500_TLB1_ENTRIES,
    KVM_INITIAL_GPR1,
    KVM_INITIAL_IVOR,
    KVM_INITIAL_IVPR,
    KVM_SHADOW_EPCR,
    KVM_SHADOW_MSRP,
    Gtlb0,
    Gtlb1,
    Kvm,
    Shared,
    World,
)

#: LPIDs of a core, the host's included (exit 1.4).
KVMPPC_NR_LPIDS = 64

_CPU_WITH_PAPR = 4  # the cpu_type, one of Book3S, for which PAPR is sane (vectors: create)
_DBSR_MRR = 0x30000000
_OLDPIR_NONE = 0xFFFFFFFF
_NO_TLB = -1  # what a failing kvmppc_e500_tlb_init gives: not an error number
_WORD = (1 << 32) - 1
_DOUBLEWORD = (1 << 64) - 1


def _mfspr(world: World, vcpu: int, spr: int) -> int:
    return ppc_mfspr(world.hw, world.vcpu_thread[vcpu], spr)[1] & _WORD


def _alloc(world: World, vcpu: int, what: int, number: int) -> bool:
    """The `number`-th allocation of the call; host.alloc_fail names one that fails."""
    fails = host_of(world, vcpu).alloc_fail == number
    log(world.hw, EVENT_ALLOC, what, int(fails))
    return not fails


def _free(world: World, what: int) -> None:
    log(world.hw, EVENT_FREE, what, 0)


# A vcpu (exit 12.2)


def kvm_arch_vcpu_create(world: World, vcpu: int) -> int:
    """C1 to C8."""
    kvmppc_subarch_vcpu_init(world, vcpu)
    ret = kvmppc_core_vcpu_create(world, vcpu)
    if ret:
        kvmppc_subarch_vcpu_uninit(world, vcpu)
    return ret


def kvmppc_subarch_vcpu_init(world: World, vcpu: int) -> int:
    """C2: the most recent reset is no debug event."""
    ppc_mtspr(world.hw, world.vcpu_thread[vcpu], SPR_DBSR, _DBSR_MRR)
    return 0


def kvmppc_core_vcpu_create(world: World, vcpu: int) -> int:
    """C3 to C8."""
    world.vcpu[vcpu].arch.oldpir = _OLDPIR_NONE
    ret = kvmppc_e500_tlb_init(world, vcpu)
    if ret:
        return ret
    if not _alloc(world, vcpu, OBJECT_SHARED_PAGE, 6):
        kvmppc_e500_tlb_uninit(world, vcpu)
        return -KVM_ENOMEM
    world.vcpu[vcpu].arch.shared = Shared()
    _set_initial_registers(world, vcpu)
    _init_timing(world, vcpu)
    kvmppc_core_vcpu_setup(world, vcpu)
    kvmppc_sanity_check(world, vcpu)
    return 0


def _set_initial_registers(world: World, vcpu: int) -> None:
    """C4, C5."""
    state = world.vcpu[vcpu]
    state.arch.regs.nip = 0
    state.arch.shared.pir = state.vcpu_id
    state.arch.regs.gpr[1] = KVM_INITIAL_GPR1
    kvmppc_set_msr(world, vcpu, 0)
    state.arch.ivpr = KVM_INITIAL_IVPR
    state.arch.ivor[:BOOKE_IRQPRIO_MAX] = [KVM_INITIAL_IVOR | 4 * n for n in range(BOOKE_IRQPRIO_MAX)]


def _init_timing(world: World, vcpu: int) -> None:
    """C6. The last exit's type stays: the recorded kernel does not set it (docs/choices.md)."""
    arch = world.vcpu[vcpu].arch
    last_exit_type = arch.last_exit_type
    kvmppc_init_timing_stats(world, vcpu)
    arch.last_exit_type = last_exit_type


def kvmppc_core_vcpu_setup(world: World, vcpu: int) -> int:
    """C7: what a loaded vcpu puts into EPCR and MSRP; the guest's processor is the host's."""
    arch = world.vcpu[vcpu].arch
    arch.shadow_epcr = KVM_SHADOW_EPCR | (EPCR_ICM if world.hw.params.width == 64 else 0)
    arch.shadow_msrp = KVM_SHADOW_MSRP
    arch.pvr = _mfspr(world, vcpu, SPR_PVR)
    world.e500[vcpu].svr = _mfspr(world, vcpu, SPR_SVR)
    arch.cpu_type = KVM_CPU_E500MC
    return 0


def kvmppc_sanity_check(world: World, vcpu: int) -> int:
    """C8: a vcpu without a processor, or with PAPR on Book E, is insane: KVM_RUN fails."""
    arch = world.vcpu[vcpu].arch
    papr_fits = not arch.papr_enabled or arch.cpu_type == _CPU_WITH_PAPR
    arch.sane = int(arch.pvr != 0 and papr_fits)
    return 0 if arch.sane else -KVM_EINVAL


def kvm_arch_vcpu_destroy(world: World, vcpu: int) -> None:
    """All that creation made goes."""
    service(world, SERVICE_HRTIMER_CANCEL)
    world.vcpu[vcpu].arch.dec_timer_armed = 0
    kvmppc_core_vcpu_free(world, vcpu)
    kvmppc_subarch_vcpu_uninit(world, vcpu)


def kvmppc_core_vcpu_free(world: World, vcpu: int) -> None:
    """The shared page and the guest TLB; what is freed reads as 0."""
    _free(world, OBJECT_SHARED_PAGE)
    world.vcpu[vcpu].arch.shared = Shared()
    kvmppc_e500_tlb_uninit(world, vcpu)


def kvmppc_subarch_vcpu_uninit(world: World, vcpu: int) -> None:
    """The watchdog's timer stops, and its function has ended."""
    service(world, SERVICE_DEL_TIMER_SYNC)
    world.vcpu[vcpu].arch.wdt_timer_armed = 0


# Its MMU (mmu-kvm 1.4)


class Geometry(NamedTuple):
    """One host TLB as its TLBnCFG tells it."""

    entries: int
    ways: int


def kvmppc_e500_tlb_init(world: World, vcpu: int) -> int:
    """1.4: the default geometry, an empty guest TLB, configuration registers after the host's."""
    e500 = world.e500[vcpu]
    e500.num_shared_tlb_pages = 0
    if not e500_mmu_host_init(world, vcpu):
        kvmppc_e500_tlbil_all(world, vcpu)
        return _NO_TLB
    _set_default_geometry(e500)
    if not _alloc(world, vcpu, OBJECT_GTLB_ARCH, 2):
        return -KVM_ENOMEM
    # The kernel does not clear these two; user space usually replaces what is in them (1.4.2).
    e500.gtlb0, e500.gtlb1 = Gtlb0(), Gtlb1()
    e500.gtlb_offset[:] = [0, KVM_E500_TLB0_ENTRIES]
    _alloc_private(world, vcpu)
    e500.g2h_tlb1_map[:] = [0] * len(e500.g2h_tlb1_map)
    if not _alloc(world, vcpu, OBJECT_G2H_TLB1_MAP, 5):
        _free_half_made(world, vcpu)
        return _NO_TLB
    _configure_mmu(world, vcpu)
    kvmppc_recalc_tlb1map_range(world, vcpu)
    return 0


def _alloc_private(world: World, vcpu: int) -> None:
    """The references; without them the error path's flush clears what is not there."""
    e500 = world.e500[vcpu]
    for number, what, priv in (
        (3, OBJECT_GTLB_PRIV0, e500.gtlb_priv0),
        (4, OBJECT_GTLB_PRIV1, e500.gtlb_priv1),
    ):
        if not _alloc(world, vcpu, what, number):
            kvmppc_e500_tlbil_all(world, vcpu)
            raise Oops(SITE_CREATE_NULL)
        priv.pfn[:] = priv.flags[:] = [0] * len(priv.pfn)


def _free_half_made(world: World, vcpu: int) -> None:
    """1.4.5: all but the map that could not be allocated, and the host's slots, which stay behind."""
    kvmppc_e500_tlbil_all(world, vcpu)
    for what in (OBJECT_GTLB_PRIV0, OBJECT_GTLB_PRIV1, OBJECT_GTLB_ARCH):
        _free(world, what)


def kvmppc_e500_tlb_uninit(world: World, vcpu: int) -> None:
    """The guest TLB, then the host slots' owners."""
    free_gtlb(world, vcpu)
    _free(world, OBJECT_H2G_TLB1_RMAP)


def e500_mmu_host_init(world: World, vcpu: int) -> bool:
    """8.4: the host's TLBs; KVM can do without a host TLB1 that is a power of two, but not without sizes."""
    tlb0, tlb1 = (_geometry(_mfspr(world, vcpu, spr)) for spr in (SPR_TLB0CFG, SPR_TLB1CFG))
    if not tlb0.entries or not tlb1.entries:
        printk(world, MSG_HOST_TLB_SIZE)
        return False
    sane = tlb0.entries.bit_count() == 1 and tlb0.ways.bit_count() == 1 and tlb0.ways <= tlb0.entries
    if not sane:
        printk(world, MSG_HOST_TLB0_CONFIG, tlb0.entries, tlb0.ways)
        return False
    if not _alloc(world, vcpu, OBJECT_H2G_TLB1_RMAP, 1):
        return False
    rmap = world.e500[vcpu].h2g_tlb1_rmap
    rmap[:] = [0] * len(rmap)
    return True


def _geometry(tlbcfg: int) -> Geometry:
    return Geometry(tlbcfg & TLBCFG_N_ENTRY, (tlbcfg & TLBCFG_ASSOC) >> TLBCFG_ASSOC_SHIFT)


def _set_default_geometry(e500: E500) -> None:
    """1.4.1."""
    params0, params1 = e500.gtlb_params0, e500.gtlb_params1
    params0.entries, params0.ways = KVM_E500_TLB0_ENTRIES, KVM_E500_TLB0_WAYS
    params0.sets = KVM_E500_TLB0_ENTRIES // KVM_E500_TLB0_WAYS
    params1.entries = params1.ways = KVM_E500_TLB1_ENTRIES
    params1.sets = 1


def _configure_mmu(world: World, vcpu: int) -> None:
    """1.4.3; what the guest's MMU does not have, its configuration does not show."""
    arch = world.vcpu[vcpu].arch
    arch.mmucfg = _mfspr(world, vcpu, SPR_MMUCFG) & ~MMUCFG_LPIDSIZE
    tlb0cfg, tlb1cfg = _mfspr(world, vcpu, SPR_TLB0CFG), _mfspr(world, vcpu, SPR_TLB1CFG)
    arch.tlbcfg[0] = _tlbcfg(tlb0cfg, Geometry(KVM_E500_TLB0_ENTRIES, KVM_E500_TLB0_WAYS))
    arch.tlbcfg[1] = _tlbcfg(tlb1cfg, Geometry(KVM_E500_TLB1_ENTRIES, KVM_E500_TLB1_ENTRIES))
    if arch.mmucfg & MMUCFG_MAVN == MMUCFG_MAVN_V2:
        arch.tlbps[:2] = [_mfspr(world, vcpu, SPR_TLB0PS), _mfspr(world, vcpu, SPR_TLB1PS)]
        arch.mmucfg &= ~MMUCFG_LRAT
        arch.eptcfg = 0
        arch.tlbcfg[0] &= ~TLBCFG_PT
        arch.tlbcfg[1] &= ~TLBCFG_IND


def _tlbcfg(host: int, guest: Geometry) -> int:
    """The host's TLBnCFG with the guest's geometry."""
    return host & ~(TLBCFG_ASSOC | TLBCFG_N_ENTRY) | guest.ways << TLBCFG_ASSOC_SHIFT | guest.entries


# LPIDs and virtual machines (exit 12.1)


def _kvm_of(world: World, vcpu: int) -> Kvm:
    return world.kvm[world.vcpu_vm[vcpu]]


def kvmppc_alloc_lpid(world: World, vcpu: int) -> int:
    """The lowest free id; 0 is the host's, and two threads of a core share one."""
    host, allocator = host_of(world, vcpu), world.host[0]
    # A host that claims more threads than LPIDs has none to give.
    last = KVMPPC_NR_LPIDS // (host.threads_per_core or 1) - 1
    free = [lpid for lpid in range(1, last + 1) if not allocator.lpid_inuse >> lpid & 1]
    lpid = -KVM_ENOMEM if host.ida_err else free[0] if free else -KVM_ENOSPC
    log(world.hw, EVENT_IDA_ALLOC_RANGE, 0, 1, last & _WORD, lpid & _DOUBLEWORD)
    if lpid < 0:
        printk(world, MSG_LPID_NO_MEMORY if host.ida_err else MSG_LPID_NONE_FREE)
        return -KVM_ENOMEM
    allocator.lpid_inuse |= 1 << lpid
    return lpid


def kvmppc_free_lpid(world: World, vcpu: int, lpid: int) -> None:
    """Give an id back, an unsigned int."""
    lpid &= _WORD
    log(world.hw, EVENT_IDA_FREE, 0, lpid)
    if lpid < KVMPPC_NR_LPIDS:
        world.host[0].lpid_inuse &= ~(1 << lpid)


def _lpid_shift(world: World, vcpu: int) -> int:
    """The LPIDs of the two threads of a core lie side by side."""
    return int(host_of(world, vcpu).threads_per_core == 2)


# Types of a VM (exit 1.4); 0 is the default
KVM_VM_PPC_HV = 1  # Book3S's: there are no operations for it
KVM_VM_PPC_PR = 2


def kvm_arch_init_vm(world: World, vcpu: int, type: int) -> tuple[int, int]:
    """A new VM: the result, and whether it got KVM's operations, which it keeps when no LPID is left."""
    host = host_of(world, vcpu)
    if type not in (0, KVM_VM_PPC_PR) or host.no_ops:
        return -KVM_EINVAL, 0
    if host.module_gone:
        return -KVM_ENOENT, 0
    lpid = kvmppc_alloc_lpid(world, vcpu)
    if lpid < 0:
        service(world, SERVICE_MODULE_PUT)
        return lpid, 1
    _kvm_of(world, vcpu).arch.lpid = lpid << _lpid_shift(world, vcpu)
    return 0, 1


def kvm_arch_destroy_vm(world: World, vcpu: int) -> None:
    """The VM's end."""
    service(world, SERVICE_KVM_DESTROY_VCPUS)
    kvmppc_core_destroy_vm(world, vcpu)
    service(world, SERVICE_MODULE_PUT)


def kvmppc_core_destroy_vm(world: World, vcpu: int) -> None:
    """Its LPID goes back."""
    kvmppc_free_lpid(world, vcpu, _kvm_of(world, vcpu).arch.lpid >> _lpid_shift(world, vcpu))


# Processors (exit 12.1)

#: Numbers of cpu names (vectors/SCHEMA.md): e500mc, e5500, and e6500 for a kernel with AltiVec.
_COMPATIBLE = (0, 1)
_COMPATIBLE_ALTIVEC = (2,)


def kvmppc_core_check_processor_compat(world: World, vcpu: int, cpu: int) -> int:
    """Can the module run on this processor?"""
    compatible = _COMPATIBLE + (_COMPATIBLE_ALTIVEC if has_altivec(world) else ())
    return 0 if cpu in compatible else -KVM_ENOTSUPP
