# SPDX-License-Identifier: BSD-3-Clause
"""kvm/trace: what the exit handler tells its caller as events: trace points, log lines, warnings (exit 14).

Numbers only; their text is the business of who reads the events.
"""

from __future__ import annotations

from pyexit.ref.events import EVENT_PRINTK
from pyexit.ref.hw.core import log, ulong
from pyexit.ref.kvm.vcpu import World

# Kinds of event; behind each, its arguments (pyexit.h).
EVENT_HOST_HANDLER = 13  # detail = HOST_*
EVENT_SERVICE = 14  # detail = SERVICE_*
EVENT_HALT = 15  # irq_enabled
EVENT_KICK = 16  # vcpu
EVENT_MOD_TIMER = 17  # expiry in jiffies
EVENT_HRTIMER_START = 18  # ns mode
EVENT_WARN = 19  # detail = WARN_*
EVENT_PRINTK_WARN = 20  # detail = WARN_*; the values of its text
EVENT_TRACE_EXIT = 21  # exit pc msr dar last_inst
EVENT_TRACE_QUEUE = 22  # vcpu_id prio pending
EVENT_TRACE_REQUESTS = 23  # vcpu_id requests
EVENT_PREEMPTED_MAPPING = 11  # pfn: preempted while a page was mapped and not guarded
EVENT_TRACE_INSTR = 24  # instruction pc result (exit 14, kvm_ppc_instr)
EVENT_TRACE_STLB_WRITE = 25  # mas0 mas8 mas1 mas2 mas7_3
EVENT_TRACE_GTLB_WRITE = 26  # mas0 mas1 mas2 mas7_3
EVENT_TRACE_REF_RELEASE = 27  # pfn flags
EVENT_GFN_TO_PFN = 28  # gfn: gfn_to_pfn_memslot()
EVENT_SET_PFN_ACCESSED = 29  # pfn
EVENT_SET_PFN_DIRTY = 30  # pfn
EVENT_RELEASE_PFN_CLEAN = 31  # pfn
EVENT_FLUSH_ICACHE = 32  # pfn
EVENT_IO_READ = 33  # addr len: asked of the in-kernel bus
EVENT_IO_WRITE = 34  # addr len data; data left-justified in 64 bits
EVENT_ALLOC = 35  # detail = OBJECT_*; fails
EVENT_FREE = 36  # detail = OBJECT_*; new: it never came into use
EVENT_GET_USER_PAGES = 37  # start pages
EVENT_VMAP = 38  # pages
EVENT_SET_PAGE_DIRTY = 39  # position in the page list
EVENT_PUT_PAGE = 40  # position in the page list
EVENT_READ_GUEST = 41  # gpa len fault
EVENT_WRITE_GUEST = 42  # gpa len fault, then data: len bytes, big-endian in four words
EVENT_IDA_ALLOC_RANGE = 43  # min max result
EVENT_IDA_FREE = 44  # id

# The host's own interrupt handlers (exit 6)
HOST_DO_IRQ = 1
HOST_TIMER_INTERRUPT = 2
HOST_DOORBELL_EXCEPTION = 3
HOST_PERFORMANCE_MONITOR_EXCEPTION = 4
HOST_UNKNOWN_EXCEPTION = 5

# Services of the host kernel that take no argument (vectors/SCHEMA.md)
SERVICE_LOAD_FP_STATE = 1
SERVICE_LOAD_VR_STATE = 2
SERVICE_GIVEUP_FPU = 3
SERVICE_GIVEUP_ALTIVEC = 4
SERVICE_SWITCH_BOOKE_DEBUG_REGS = 5
SERVICE_ENTER_GUEST = 6
SERVICE_COND_RESCHED = 7
SERVICE_DEL_TIMER = 8
SERVICE_HRTIMER_TRY_TO_CANCEL = 9
SERVICE_VFREE = 10
SERVICE_MODULE_PUT = 11
SERVICE_KVM_DESTROY_VCPUS = 12
SERVICE_DEL_TIMER_SYNC = 13
SERVICE_HRTIMER_CANCEL = 14

# Warnings (exit 14.1)
WARN_CORE_PREPARE_TO_ENTER = 1  # booke.c:710
WARN_PREPARE_TO_ENTER = 2  # powerpc.c:84
WARN_EMULATE_MMIO = 3  # powerpc.c:339 kvmppc_emulate_mmio
WARN_INVAL_FLAGS = 4  # e500_mmu_host.c:193 inval_gtlbe_on_host; text: flags
WARN_INVAL_BITMAP = 5  # e500_mmu_host.c:195 inval_gtlbe_on_host
WARN_TLB1_MAP = 6  # e500_mmu_host.c:551, slot allocation (mmu-kvm 8.5)
WARN_INT_TYPE = 7  # e500mc.c:43 kvmppc_set_pending_interrupt; text: the type

# What the kernel allocates (vectors/SCHEMA.md)
OBJECT_PAGES_ARRAY = 1
OBJECT_GTLB_ARCH = 2
OBJECT_GTLB_PRIV0 = 3
OBJECT_GTLB_PRIV1 = 4
OBJECT_G2H_TLB1_MAP = 5
OBJECT_H2G_TLB1_RMAP = 6
OBJECT_SHARED_PAGE = 7

# Log lines (exit 14.1); behind each, its values.
MSG_EXIT_NR = 4  # exit number
MSG_MACHINE_CHECK = 5  # MCSR
MSG_DUMP_PC = 6  # pc msr
MSG_DUMP_LR = 7  # lr ctr
MSG_DUMP_SRR = 8  # srr0 srr1
MSG_DUMP_EXCEPTIONS = 9  # pending_exceptions
MSG_DUMP_GPR = 10  # n, gpr n to n + 3
MSG_TIMING_SUM_WRAP = 11  # old new account count
MSG_TIMING_QUAD_WRAP = 12  # old new account count
MSG_EMULATION_FAILED = 13  # pc last_inst
MSG_NO_REAL_PAGE = 14  # gfn
MSG_PTE_NOT_PRESENT = 15  # gfn pfn
MSG_CANNOT_EMULATE = 16  # instruction op xop
MSG_MTSPR_UNKNOWN = 17  # spr
MSG_MFSPR_UNKNOWN = 18  # spr
MSG_VMX_REPEAT = 19  # nothing
MSG_HOST_TLB_SIZE = 20  # nothing: vcpu creation (mmu-kvm 8.4)
MSG_LPID_NO_MEMORY = 21  # nothing: kvmppc_alloc_lpid
MSG_LPID_NONE_FREE = 22  # nothing: kvmppc_alloc_lpid
MSG_HOST_TLB0_CONFIG = 23  # entries ways: vcpu creation (mmu-kvm 8.4)

_WORD = (1 << 32) - 1


def printk(world: World, message: int, *values: int) -> None:
    """A line of the kernel's log."""
    log(world.hw, EVENT_PRINTK, message, *values)


def warn(world: World, warning: int) -> None:
    """WARN_ON or WARN_ON_ONCE: every time, as no machine outlives its first."""
    log(world.hw, EVENT_WARN, warning)


def warn_text(world: World, warning: int, *values: int) -> None:
    """A warning that has a text, which comes first."""
    log(world.hw, EVENT_PRINTK_WARN, warning, *values)
    warn(world, warning)


def trace_kvm_exit(world: World, vcpu: int, exit_nr: int) -> None:
    """kvm_exit, in unsigned longs. Q29: dar and last_inst are old where the exit saves none."""
    arch = world.vcpu[vcpu].arch
    values = (arch.regs.nip, arch.shared.msr, arch.fault_dear, arch.last_inst)
    log(world.hw, EVENT_TRACE_EXIT, 0, exit_nr, *(ulong(world.hw.params, value) for value in values))


def trace_kvm_booke_queue_irqprio(world: World, vcpu: int, priority: int) -> None:
    """kvm_booke_queue_irqprio: what was pending before."""
    state = world.vcpu[vcpu]
    log(world.hw, EVENT_TRACE_QUEUE, 0, state.vcpu_id, priority, state.arch.pending_exceptions)


def trace_kvm_check_requests(world: World, vcpu: int) -> None:
    """kvm_check_requests: the low word of the bitmap."""
    state = world.vcpu[vcpu]
    log(world.hw, EVENT_TRACE_REQUESTS, 0, state.vcpu_id, state.requests & _WORD)


def trace_kvm_booke206_stlb_write(world: World, mas0: int, mas1: int, mas2: int, mas7_3: int) -> None:
    """kvm_booke206_stlb_write: its mas8 is a record's that nobody writes (mmu-kvm 8.3)."""
    log(world.hw, EVENT_TRACE_STLB_WRITE, 0, mas0, 0, mas1, mas2, mas7_3)


def trace_kvm_booke206_gtlb_write(world: World, mas0: int, mas1: int, mas2: int, mas7_3: int) -> None:
    """kvm_booke206_gtlb_write: an entry that the guest wrote, as it is stored."""
    log(world.hw, EVENT_TRACE_GTLB_WRITE, 0, mas0, mas1, mas2, mas7_3)


def trace_kvm_booke206_ref_release(world: World, pfn: int, flags: int) -> None:
    """kvm_booke206_ref_release: a flush drops a reference."""
    log(world.hw, EVENT_TRACE_REF_RELEASE, 0, pfn, flags)
