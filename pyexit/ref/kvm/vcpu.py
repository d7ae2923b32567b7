# SPDX-License-Identifier: BSD-3-Clause
"""kvm/vcpu: the hypervisor's own state, virtual machines and vcpus (exit 2, 12; mmu-kvm 1, 12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from pyexit.ref.hw.core import End, Hardware, Params
from pyexit.ref.hw.regs import (
    EPCR_ICM,
    MMUCFG_LPIDSIZE,
    MMUCFG_LRAT,
    MMUCFG_MAVN,
    MMUCFG_MAVN_V2,
    MSR_GS,
    TLBCFG_ASSOC,
    TLBCFG_ASSOC_SHIFT,
    TLBCFG_IND,
    TLBCFG_N_ENTRY,
    TLBCFG_PT,
)
from pyexit.ref.kvm.host import DebugReg, Host
from pyexit.ref.kvm.user import Swtlb, User

# enum emulation_result (exit 1.3)
EMULATE_DONE = 0
EMULATE_DO_MMIO = 1
EMULATE_FAIL = 2
EMULATE_AGAIN = 3
EMULATE_EXIT_USER = 4

#: No instruction in the cache (exit 1.3).
KVM_INST_FETCH_FAILED = 0xFFFFFFFF

# Values of a new vcpu (exit 12.2)
KVM_INITIAL_GPR1 = 0x00FFFFF8
KVM_INITIAL_IVPR = 0x55550000
KVM_INITIAL_IVOR = 0x7700
BOOKE_IRQPRIO_MAX = 23
KVM_SHADOW_EPCR = 0x14800000  # DSIGS | DGTMI | DUVD
KVM_SHADOW_MSRP = 0x04000004  # UCLEP | PMMP
KVM_CPU_E500MC = 5
KVM_TIMING_UNSET = 0xDEAD
KVM_E500_TLB0_ENTRIES = 256
KVM_E500_TLB0_WAYS = 2
KVM_E500_TLB1_ENTRIES = 16

# How a VM's memory lies in its VMM and in the host (csrc/include/pyexit.h, struct pyexit_memslots)
MEMSLOTS = 32
VMAS = 32
BACKINGS = 256
MEMSLOT_INVALID = 1
VMA_PFNMAP = 1
VMA_HUGETLB = 2
PTE_PRESENT = 0
PTE_NOT_PRESENT = 1
PTE_NONE = 2

_OLDPIR_NONE = 0xFFFFFFFF
_TIMING_MIN_UNSET = 0xFFFFFFFF
_RUN_UNION_SIZE = 256


def _zeros(count: int) -> list[int]:
    return [0] * count


@dataclass(slots=True)
class KvmArch:
    """struct kvm_arch."""

    lpid: int = 0


@dataclass(slots=True)
class Memslots:
    """Memory slots: guest frames to host virtual addresses; npages 0 is a free row."""

    base_gfn: list[int] = field(default_factory=lambda: _zeros(MEMSLOTS))
    npages: list[int] = field(default_factory=lambda: _zeros(MEMSLOTS))
    userspace_addr: list[int] = field(default_factory=lambda: _zeros(MEMSLOTS))
    flags: list[int] = field(default_factory=lambda: _zeros(MEMSLOTS))


@dataclass(slots=True)
class Vmas:
    """The VMM's mappings; end 0 is a free row."""

    start: list[int] = field(default_factory=lambda: _zeros(VMAS))
    end: list[int] = field(default_factory=lambda: _zeros(VMAS))
    pgoff: list[int] = field(default_factory=lambda: _zeros(VMAS))
    flags: list[int] = field(default_factory=lambda: _zeros(VMAS))
    page_shift: list[int] = field(default_factory=lambda: _zeros(VMAS))


@dataclass(slots=True)
class Backings:
    """Runs of host pages behind the VMM's addresses; npages 0 is a free row."""

    hva: list[int] = field(default_factory=lambda: _zeros(BACKINGS))
    npages: list[int] = field(default_factory=lambda: _zeros(BACKINGS))
    pfn: list[int] = field(default_factory=lambda: _zeros(BACKINGS))
    pte: list[int] = field(default_factory=lambda: _zeros(BACKINGS))


@dataclass(slots=True)
class Kvm:
    """struct kvm: one virtual machine."""

    arch: KvmArch = field(default_factory=KvmArch)
    mmu_invalidate_seq: int = 0
    mmu_invalidate_in_progress: int = 0
    memslot: Memslots = field(default_factory=Memslots)
    vma: Vmas = field(default_factory=Vmas)
    backing: Backings = field(default_factory=Backings)


@dataclass(slots=True)
class Regs:
    """struct pt_regs of the guest, ulongs."""

    gpr: list[int] = field(default_factory=lambda: _zeros(32))
    nip: int = 0
    msr: int = 0
    ctr: int = 0
    link: int = 0
    xer: int = 0
    ccr: int = 0


@dataclass(slots=True)
class Fp:
    """The floating-point save area."""

    fpr: list[int] = field(default_factory=lambda: _zeros(32))
    fpscr: int = 0


@dataclass(slots=True)
class Vr:
    """The AltiVec save area: doublewords of VR0..VR31, words of VSCR."""

    vr_u64: list[int] = field(default_factory=lambda: _zeros(64))
    vscr: list[int] = field(default_factory=lambda: _zeros(4))


@dataclass(slots=True)
class Shared:
    """struct kvm_vcpu_arch_shared (exit 2.3)."""

    scratch1: int = 0
    scratch2: int = 0
    scratch3: int = 0
    critical: int = 0
    sprg0: int = 0
    sprg1: int = 0
    sprg2: int = 0
    sprg3: int = 0
    srr0: int = 0
    srr1: int = 0
    dar: int = 0
    msr: int = 0
    dsisr: int = 0
    int_pending: int = 0
    sr: list[int] = field(default_factory=lambda: _zeros(16))
    mas0: int = 0
    mas1: int = 0
    mas7_3: int = 0
    mas2: int = 0
    mas4: int = 0
    mas6: int = 0
    esr: int = 0
    pir: int = 0
    sprg4: int = 0
    sprg5: int = 0
    sprg6: int = 0
    sprg7: int = 0


@dataclass(slots=True)
class Arch:
    """struct kvm_vcpu_arch, what HV Book E uses (exit 2.2)."""

    regs: Regs = field(default_factory=Regs)
    fp: Fp = field(default_factory=Fp)
    vr: Vr = field(default_factory=Vr)
    shared: Shared = field(default_factory=Shared)
    dbg_reg: DebugReg = field(default_factory=DebugReg)
    host_stack: int = 0
    csrr0: int = 0
    csrr1: int = 0
    dsrr0: int = 0
    dsrr1: int = 0
    mcsrr0: int = 0
    mcsrr1: int = 0
    mcsr: int = 0
    ivpr: int = 0
    dec: int = 0
    dec_jiffies: int = 0
    tsr: int = 0
    pending_exceptions: int = 0
    fault_dear: int = 0
    fault_esr: int = 0
    queued_dear: int = 0
    queued_esr: int = 0
    sprg9: int = 0
    shadow_msr: int = 0
    paddr_accessed: int = 0
    vaddr_accessed: int = 0
    magic_page_pa: int = 0
    magic_page_ea: int = 0
    timing_exit: int = 0
    timing_last_enter: int = 0
    timing_last_exit: int = 0
    dec_timer_expires: int = 0  # timebase; if dec_timer_armed
    wdt_timer_expires: int = 0  # jiffies; if wdt_timer_armed
    timing_sum_duration: list[int] = field(default_factory=lambda: _zeros(30))
    timing_sum_quad_duration: list[int] = field(default_factory=lambda: _zeros(30))
    timing_min_duration: list[int] = field(default_factory=lambda: _zeros(30))
    timing_max_duration: list[int] = field(default_factory=lambda: _zeros(30))
    timing_count_type: list[int] = field(default_factory=lambda: _zeros(30))
    last_exit_type: int = 0
    ivor: list[int] = field(default_factory=lambda: _zeros(64))
    tlbcfg: list[int] = field(default_factory=lambda: _zeros(4))
    tlbps: list[int] = field(default_factory=lambda: _zeros(4))
    mmucfg: int = 0
    eptcfg: int = 0
    host_pid: int = 0
    host_mas4: int = 0
    host_mas6: int = 0
    pid: int = 0
    pvr: int = 0
    last_inst: int = 0
    shadow_epcr: int = 0
    shadow_msrp: int = 0
    epcr: int = 0
    eplc: int = 0
    epsc: int = 0
    epr: int = 0
    oldpir: int = 0
    tcr: int = 0
    decar: int = 0
    dbsr: int = 0
    vrsave: int = 0
    pwrmgtcr0: int = 0
    crit_save: int = 0
    irq_type: int = 0
    irq_cpu_id: int = 0
    io_gpr: int = 0
    mmio_host_swabbed: int = 0
    mmio_sign_extend: int = 0
    mmio_sp64_extend: int = 0
    mmio_vsx_copy_nums: int = 0
    mmio_vsx_offset: int = 0
    mmio_vmx_copy_nums: int = 0
    mmio_vmx_offset: int = 0
    mmio_copy_type: int = 0
    watchdog_enabled: int = 0
    sane: int = 0
    cpu_type: int = 0
    epr_flags: int = 0
    epr_needed: int = 0
    external_oneshot: int = 0
    osi_needed: int = 0
    osi_enabled: int = 0
    papr_enabled: int = 0
    hcall_needed: int = 0
    disable_kernel_nx: int = 0
    dec_timer_armed: int = 0
    wdt_timer_armed: int = 0


@dataclass(slots=True)
class Stat:
    """struct kvm_vcpu_stat: the counters of exit 1.11."""

    sum_exits: int = 0
    mmio_exits: int = 0
    signal_exits: int = 0
    light_exits: int = 0
    itlb_real_miss_exits: int = 0
    itlb_virt_miss_exits: int = 0
    dtlb_real_miss_exits: int = 0
    dtlb_virt_miss_exits: int = 0
    syscall_exits: int = 0
    isi_exits: int = 0
    dsi_exits: int = 0
    emulated_inst_exits: int = 0
    dec_exits: int = 0
    ext_intr_exits: int = 0
    halt_successful_wait: int = 0
    dbell_exits: int = 0
    gdbell_exits: int = 0
    ld: int = 0
    st: int = 0


@dataclass(slots=True)
class Vcpu:
    """struct kvm_vcpu (exit 2.1)."""

    arch: Arch = field(default_factory=Arch)
    stat: Stat = field(default_factory=Stat)
    requests: int = 0
    guest_debug: int = 0
    cpu: int = 0
    vcpu_id: int = 0
    mode: int = 0
    mmio_needed: int = 0
    mmio_is_write: int = 0
    wants_to_run: int = 0


@dataclass(slots=True)
class Run:
    """struct kvm_run (exit 2.4); the arms of the union overlap, so it is kept as its bytes."""

    request_interrupt_window: int = 0
    immediate_exit: int = 0
    exit_reason: int = 0
    ready_for_interrupt_injection: int = 0
    union: bytearray = field(default_factory=lambda: bytearray(_RUN_UNION_SIZE))


@dataclass(slots=True)
class Gtlb0:
    """Guest TLB0 as KVM keeps it by default: 256 entries in 2 ways (mmu-kvm 1.4)."""

    mas2: list[int] = field(default_factory=lambda: _zeros(256))
    mas7_3: list[int] = field(default_factory=lambda: _zeros(256))
    mas1: list[int] = field(default_factory=lambda: _zeros(256))
    mas8: list[int] = field(default_factory=lambda: _zeros(256))


@dataclass(slots=True)
class Gtlb1:
    """Guest TLB1 as KVM keeps it by default: 16 entries."""

    mas2: list[int] = field(default_factory=lambda: _zeros(16))
    mas7_3: list[int] = field(default_factory=lambda: _zeros(16))
    mas1: list[int] = field(default_factory=lambda: _zeros(16))
    mas8: list[int] = field(default_factory=lambda: _zeros(16))


@dataclass(slots=True)
class GtlbPriv0:
    """struct tlbe_ref of every guest TLB0 entry (mmu-kvm 1.2)."""

    pfn: list[int] = field(default_factory=lambda: _zeros(256))
    flags: list[int] = field(default_factory=lambda: _zeros(256))


@dataclass(slots=True)
class GtlbPriv1:
    """struct tlbe_ref of every guest TLB1 entry."""

    pfn: list[int] = field(default_factory=lambda: _zeros(16))
    flags: list[int] = field(default_factory=lambda: _zeros(16))


@dataclass(slots=True)
class GtlbParams:
    """Geometry of one guest TLB (mmu-kvm 1.1)."""

    entries: int = 0
    ways: int = 0
    sets: int = 0


@dataclass(slots=True)
class E500:
    """struct kvmppc_vcpu_e500 (mmu-kvm 1.1)."""

    gtlb0: Gtlb0 = field(default_factory=Gtlb0)
    gtlb1: Gtlb1 = field(default_factory=Gtlb1)
    gtlb_priv0: GtlbPriv0 = field(default_factory=GtlbPriv0)
    gtlb_priv1: GtlbPriv1 = field(default_factory=GtlbPriv1)
    g2h_tlb1_map: list[int] = field(default_factory=lambda: _zeros(16))
    tlb1_min_eaddr: int = 0
    tlb1_max_eaddr: int = 0
    mcar: int = 0
    h2g_tlb1_rmap: list[int] = field(default_factory=lambda: _zeros(64))
    gtlb_nv: list[int] = field(default_factory=lambda: _zeros(2))
    host_tlb1_nv: int = 0
    svr: int = 0
    l1csr0: int = 0
    l1csr1: int = 0
    hid0: int = 0
    hid1: int = 0
    gtlb_params0: GtlbParams = field(default_factory=GtlbParams)
    gtlb_params1: GtlbParams = field(default_factory=GtlbParams)
    gtlb_offset: list[int] = field(default_factory=lambda: _zeros(2))
    num_shared_tlb_pages: int = 0


class Action(NamedTuple):
    """What another thread does when the next fetch passes a point (kvm/interleave)."""

    point: int
    kind: int
    arg: tuple[int, ...]  # of a call, the number of its thread first
    perform: Callable[[World], End]  # the instruction of a call


@dataclass(slots=True)
class World:
    """A machine: the processor, the hosts on its threads, virtual machines and vcpus."""

    hw: Hardware
    host: list[Host]
    kvm: list[Kvm]
    vcpu: list[Vcpu]
    run: list[Run]
    e500: list[E500]
    user: list[User]
    swtlb: list[Swtlb]  # one per vcpu, or none: the machine has no room for KVM_CAP_SW_TLB
    fetch: int  # FETCH_*
    vcpu_thread: list[int]
    vcpu_vm: list[int]
    handler: int = 0  # HANDLER_*
    halts: int = 0  # in the call under way
    actions: list[Action] = field(default_factory=list)  # those that have not happened yet
    hijacker: int | None = None  # the thread that has taken over its core's vectors (exit 11.8)
    hijacked: dict[int, int] = field(default_factory=dict)  # their own IVORs meanwhile


def kvmppc_vm_lpid(world: World, vcpu: int) -> int:
    """The LPID of the virtual machine of `vcpu`."""
    return world.kvm[world.vcpu_vm[vcpu]].arch.lpid


def kvmppc_get_lpid(world: World, vcpu: int) -> int:
    """The LPID that `vcpu` runs under: of two threads on a core each has its own (mmu-kvm 12.2)."""
    host = world.host[world.vcpu_thread[vcpu]]
    lpid = kvmppc_vm_lpid(world, vcpu)
    return lpid | (host.cpu & 1) if host.threads_per_core == 2 else lpid


def new_kvm(number: int, threads_per_core: int) -> Kvm:
    """Virtual machine `number`: the next LPID, or the next pair of them (exit 12.1)."""
    return Kvm(arch=KvmArch(lpid=(number + 1) << (threads_per_core == 2)))


def new_vcpu(number: int, thread: int, params: Params) -> Vcpu:
    """Vcpu `number`, loaded on hardware thread `thread`, after its creation (exit 12.2)."""
    vcpu = Vcpu(arch=_new_arch(params), cpu=thread, vcpu_id=number, wants_to_run=1)
    vcpu.arch.shared.pir = number
    _configure_mmu(vcpu.arch, params)
    return vcpu


def _new_arch(params: Params) -> Arch:
    """Exit 12.2: C3 to C8."""
    arch = Arch(
        ivpr=KVM_INITIAL_IVPR,
        shadow_epcr=KVM_SHADOW_EPCR | (EPCR_ICM if params.width == 64 else 0),
        shadow_msrp=KVM_SHADOW_MSRP,
        pvr=params.pvr,
        cpu_type=KVM_CPU_E500MC,
        sane=1,
        oldpir=_OLDPIR_NONE,
        last_exit_type=KVM_TIMING_UNSET,
    )
    arch.regs.gpr[1] = KVM_INITIAL_GPR1
    arch.shared.msr = MSR_GS
    arch.ivor[:BOOKE_IRQPRIO_MAX] = [KVM_INITIAL_IVOR | 4 * i for i in range(BOOKE_IRQPRIO_MAX)]
    arch.timing_min_duration[:] = [_TIMING_MIN_UNSET] * len(arch.timing_min_duration)
    return arch


def _configure_mmu(arch: Arch, params: Params) -> None:
    """The guest's MMU configuration, from the host's (mmu-kvm 1.4.3)."""
    arch.mmucfg = params.mmucfg & ~MMUCFG_LPIDSIZE
    arch.tlbcfg[0] = _tlbcfg(params.tlb0cfg, KVM_E500_TLB0_WAYS, KVM_E500_TLB0_ENTRIES)
    arch.tlbcfg[1] = _tlbcfg(params.tlb1cfg, KVM_E500_TLB1_ENTRIES, KVM_E500_TLB1_ENTRIES)
    if params.mmucfg & MMUCFG_MAVN == MMUCFG_MAVN_V2:
        arch.mmucfg &= ~MMUCFG_LRAT
        arch.tlbps[:2] = [params.tlb0ps, params.tlb1ps]
        arch.tlbcfg[0] &= ~TLBCFG_PT
        arch.tlbcfg[1] &= ~TLBCFG_IND


def _tlbcfg(host: int, ways: int, entries: int) -> int:
    """The host's TLBnCFG with the guest's geometry."""
    return host & ~(TLBCFG_ASSOC | TLBCFG_N_ENTRY) | ways << TLBCFG_ASSOC_SHIFT | entries


def new_e500(params: Params) -> E500:
    """The e500 part of a vcpu: an empty guest TLB (mmu-kvm 1.4)."""
    return E500(
        svr=params.svr,
        tlb1_min_eaddr=(1 << params.width) - 1,
        gtlb_params0=GtlbParams(KVM_E500_TLB0_ENTRIES, KVM_E500_TLB0_WAYS, 128),
        gtlb_params1=GtlbParams(KVM_E500_TLB1_ENTRIES, KVM_E500_TLB1_ENTRIES, 1),
        gtlb_offset=[0, KVM_E500_TLB0_ENTRIES],
    )
