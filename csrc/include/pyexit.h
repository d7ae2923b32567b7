/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pyexit: the exit path of Linux KVM's Book E hypervisor (e500mc, e5500,
 * e6500) and the processor under it, as a library.
 *
 * This is the only public header.  It is C99 and C++, includes nothing but
 * <stdint.h> and <stddef.h>, and is written in the subset that cffi parses:
 * Python's declarations are derived from it, there is no second copy.
 *
 * Errors are negative errno values, pyexit_strerror() explains them.
 * Nothing here allocates but pyexit_machine_new(), nothing reads a clock,
 * nothing does I/O, nothing is global.
 *
 * Threads: a machine belongs to one thread at a time; different machines
 * are independent.
 */
#ifndef PYEXIT_H
#define PYEXIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PYEXIT_API __attribute__((visibility("default")))
#else
#define PYEXIT_API
#endif

/* The ABI: the major number changes when old callers break. */
#define PYEXIT_ABI_MAJOR 0
#define PYEXIT_ABI_MINOR 1

/* Upper bounds of the arrays below; the machine's own geometry is smaller. */
#define PYEXIT_TLB0_ENTRIES 1024
#define PYEXIT_TLB0_SETS 128
#define PYEXIT_TLB1_ENTRIES 64
#define PYEXIT_LRAT_ENTRIES 8
#define PYEXIT_REAL_BITS 40
#define PYEXIT_PAGE_SIZE 4096
#define PYEXIT_MEMSLOTS 32
#define PYEXIT_VMAS 32
#define PYEXIT_BACKINGS 256
#define PYEXIT_SW_TLB_ENTRIES 4160	/* of userspace's array, both TLBs */
#define PYEXIT_SW_TLB1_ENTRIES 64

/* Processor models. */
enum pyexit_model {
	PYEXIT_E500MC = 0,
	PYEXIT_E5500 = 1,
	PYEXIT_E6500 = 2
};

/* Parameter sets of one model (mmu-hardware 0.4). */
enum pyexit_param_set {
	PYEXIT_PARAMS_CORE = 0,		/* the core as its manual has it */
	PYEXIT_PARAMS_RECORDED = 1	/* the host that the kernel vectors were recorded on */
};

/* How the guest's last instruction is fetched (design 6, mmu-kvm 15). */
enum pyexit_fetch {
	PYEXIT_FETCH_MERGED = 0,	/* Linux 6.1: every failure is AGAIN */
	PYEXIT_FETCH_SEED_V4 = 1,	/* patch 5/5 v4: permission, attributes, non-RAM are FAIL */
	PYEXIT_FETCH_REVIEW = 2,	/* the reviewer's wish: no execute permission evicts the entry */
	PYEXIT_FETCH_LWEPX = 3,		/* before the patch: external-PID load, its faults unhandled */
	PYEXIT_FETCH_LWEPX_DO_KVM = 4,	/* alternative 1: the host's vectors recognise its faults */
	PYEXIT_FETCH_LWEPX_HIJACK = 5	/* alternative 2: the host's vectors are taken over for the load */
};

/* Which exit handler (exit 3.2). */
enum pyexit_handler {
	PYEXIT_HANDLER_MERGED = 0,	/* Linux 6.1 */
	PYEXIT_HANDLER_SEED_V4 = 1	/* patch 5/5 v4: no early fetch for PROGRAM, traced with interrupts on */
};

/* How TLB1 is searched: the answers are the same, the speed is not.  SCALAR exists everywhere. */
enum pyexit_search {
	PYEXIT_SEARCH_AUTO = 0,		/* the fastest that this processor has */
	PYEXIT_SEARCH_SCALAR = 1,
	PYEXIT_SEARCH_SSE41 = 2,
	PYEXIT_SEARCH_AVX2 = 3,
	PYEXIT_SEARCH_AVX512 = 4,
	PYEXIT_SEARCH_NEON = 5
};

/* Points inside a fetch where another thread may act (design 6); with lwepx: MAS_SET = EPLC set, READ = loaded. */
enum pyexit_point {
	PYEXIT_POINT_MAS_SET = 0,
	PYEXIT_POINT_SEARCHED = 1,
	PYEXIT_POINT_MAS_READ = 2,
	PYEXIT_POINT_TRANSLATED = 3,
	PYEXIT_POINT_MAPPED = 4,
	PYEXIT_POINT_READ = 5
};

/* Asynchronous causes, latched per hardware thread (mmu-hardware 12, exit 7.4). */
enum pyexit_pin {
	PYEXIT_PIN_MACHINE_CHECK = 0,
	PYEXIT_PIN_CRITICAL = 1,
	PYEXIT_PIN_WATCHDOG = 2,
	PYEXIT_PIN_DBELL_CRIT = 3,
	PYEXIT_PIN_GDBELL_MC = 4,
	PYEXIT_PIN_GDBELL_CRIT = 5,
	PYEXIT_PIN_EXTERNAL = 6,		/* a level: stays until it is lowered */
	PYEXIT_PIN_FIT = 7,
	PYEXIT_PIN_DECREMENTER = 8,
	PYEXIT_PIN_DBELL = 9,
	PYEXIT_PIN_GDBELL = 10,
	PYEXIT_PIN_PERFORMANCE_MONITOR = 11
};
#define PYEXIT_PINS 12

/* What another thread may do there. */
enum pyexit_action_kind {
	PYEXIT_ACTION_CALL = 0,		/* function `call` of pyexit_call_name(), a ppc_* one, with n arguments */
	PYEXIT_ACTION_STORE = 1,	/* RAM word arg[0] := arg[1] */
	PYEXIT_ACTION_PREEMPT = 2	/* the vcpu's task is preempted and comes back */
};
#define PYEXIT_ACTIONS 16

struct pyexit_action {
	uint32_t point;			/* enum pyexit_point */
	uint32_t kind;			/* enum pyexit_action_kind */
	uint32_t call;
	uint32_t n;
	uint64_t arg[3];
};

/*
 * What a verb or a hardware instruction came to.  All but HIT, DONE and
 * DROPPED have taken an interrupt whole: save registers, syndrome, MAS, MSR
 * and pc are as the processor leaves them at the first handler instruction.
 */
enum pyexit_outcome {
	PYEXIT_DONE = 0,		/* executed; a translation: HIT */
	PYEXIT_TAKEN_BY_GUEST = 1,	/* the guest's own vector (GIVPR, GIVORn) */
	PYEXIT_EXIT = 2,		/* from guest state to the hypervisor */
	PYEXIT_TAKEN_BY_HOST = 3,	/* from hypervisor state: the host's own fault */
	PYEXIT_DROPPED = 4		/* a touch that ended without access (mmu-hardware 5.1) */
};

/* How a pyexit_call() ended, result.outcome.  In all but the first the state is that of the moment. */
enum pyexit_stop {
	PYEXIT_RETURNED = 0,
	PYEXIT_BUG = 1,			/* the kernel's BUG(); site = enum pyexit_site */
	PYEXIT_HANG = 2,		/* a kernel loop that cannot end; site = enum pyexit_site */
	PYEXIT_OOPS = 3			/* the kernel's own memory fault; site = enum pyexit_site */
};

/* Where the kernel stops (exit 3.3, 7.6). */
enum pyexit_site {
	PYEXIT_SITE_EXIT_NR = 1,	/* BUG booke.c:1384 kvmppc_handle_exit */
	PYEXIT_SITE_INST_LOAD = 2,	/* BUG booke.c:999 kvmppc_resume_inst_load */
	PYEXIT_SITE_EPR_KERNEL = 3,	/* BUG booke.c:537 kvmppc_booke_irqprio_deliver */
	PYEXIT_SITE_PROTECT_MSR = 4,	/* BUG booke.c:1951 kvm_guest_protect_msr */
	PYEXIT_SITE_NO_PROGRESS = 5,	/* HANG kvmppc_prepare_to_enter: a request that nothing clears */
	PYEXIT_SITE_HALT_LIMIT = 6,	/* HANG kvm_vcpu_halt: more than host.halt_limit halts in one call */
	PYEXIT_SITE_MMIO_CLASS = 7,	/* BUG powerpc.c:1259 kvmppc_complete_mmio_load: io_gpr of no class */
	PYEXIT_SITE_CREATE_NULL = 8,	/* OOPS signal 11 addr 0x8: vcpu creation's error path */
	PYEXIT_SITE_ENTRY_FETCH = 9,	/* OOPS bookehv_interrupts.S: the lwepx faulted, no vector knows it */
	PYEXIT_SITE_XLATE = 10,		/* BUG booke.c:2000 kvmppc_xlate: neither instruction nor data */
	PYEXIT_SITE_LOOKASIDE = 32,	/* pyexit's own: options.lookaside_checked has found a wrong line */
	PYEXIT_SITE_INVARIANT = 33	/* pyexit's own: options.invariants has found a violation */
};

/* Kinds of access that translation tells apart (mmu-hardware 5.1). */
enum pyexit_access {
	PYEXIT_FETCH = 0,
	PYEXIT_LOAD = 1,
	PYEXIT_STORE = 2,		/* stores, dcbz, dcba, dcbi, stwcx. */
	PYEXIT_CACHE_LOAD = 3,		/* dcbst, dcbf, icbi: a load */
	PYEXIT_TOUCH_LOAD = 4,		/* dcbt, icbt: never interrupts */
	PYEXIT_TOUCH_STORE = 5		/* dcbtst: never interrupts */
};

/* Added to a data access: external PID, in the context of EPLC or EPSC (mmu-hardware 9). */
#define PYEXIT_EXTERNAL 8

/* Hardware operations that a thread counts (design 6): index of thread.ops. */
enum pyexit_op {
	PYEXIT_OP_MTSPR = 0,
	PYEXIT_OP_MFSPR = 1,
	PYEXIT_OP_ISYNC = 2,
	PYEXIT_OP_TLBSX = 3,
	PYEXIT_OP_TLBRE = 4,
	PYEXIT_OP_TLBWE = 5,
	PYEXIT_OP_TLBILX = 6,
	PYEXIT_OP_TLBIVAX = 7,
	PYEXIT_OP_MSGSND = 8,
	PYEXIT_OP_LWEPX = 9,
	PYEXIT_OP_PAGE_MAP = 10,
	PYEXIT_OP_PAGE_UNMAP = 11,
	PYEXIT_OP_LOAD = 12,
	PYEXIT_OP_LOCK = 13,		/* a lock on shared IVORs taken and given back */
	PYEXIT_OP_FORWARD = 14		/* a host interrupt sent on by a hijacked vector */
};
#define PYEXIT_OPS 16

/* Kinds of event.  arg[] holds, in this order: */
enum pyexit_event_kind {
	PYEXIT_EVENT_TLBSX = 1,		/* ea mas5 mas6 mas4 hit; hit = tlbsel<<16 | index, or all ones */
	PYEXIT_EVENT_TLBWE = 2,		/* mas0 mas1 mas2 mas3 mas7 mas8 */
	PYEXIT_EVENT_TLBILX = 3,	/* mas5 mas6 ea; detail = T */
	PYEXIT_EVENT_TLBIVAX = 4,	/* ea mas5 mas6 */
	PYEXIT_EVENT_MULTI_HIT = 5,	/* ea first second, each tlbsel<<16 | index */
	PYEXIT_EVENT_KMAP = 6,		/* pfn */
	PYEXIT_EVENT_PRINTK = 7,	/* detail = enum pyexit_message; its values */
	PYEXIT_EVENT_HOST_EXCEPTION = 8,	/* ivor, ea or pc: an interrupt taken from hypervisor state */
	PYEXIT_EVENT_MTSPR = 9,		/* spr value: a write-one-to-clear register (DBSR, MCSR) */
	PYEXIT_EVENT_RELOAD = 10,	/* ea entry pte: the page-table walk made TLB0 entry `entry` */
	PYEXIT_EVENT_PREEMPTED_MAPPING = 11,	/* pfn: preempted while a page was mapped and not guarded */
	PYEXIT_EVENT_MSGSND = 12,	/* message */
	PYEXIT_EVENT_HOST_HANDLER = 13,	/* detail = enum pyexit_host_handler: the host's own handler is called */
	PYEXIT_EVENT_SERVICE = 14,	/* detail = enum pyexit_service */
	PYEXIT_EVENT_HALT = 15,		/* irq_enabled */
	PYEXIT_EVENT_KICK = 16,		/* number of the vcpu that is kicked */
	PYEXIT_EVENT_MOD_TIMER = 17,	/* expiry in jiffies */
	PYEXIT_EVENT_HRTIMER_START = 18,	/* ns mode; mode 1 = relative */
	PYEXIT_EVENT_WARN = 19,		/* detail = enum pyexit_warn */
	PYEXIT_EVENT_PRINTK_WARN = 20,	/* detail = enum pyexit_warn; the values of its text, before its WARN event */
	PYEXIT_EVENT_TRACE_EXIT = 21,	/* exit pc msr dar last_inst (exit 14) */
	PYEXIT_EVENT_TRACE_QUEUE = 22,	/* vcpu_id prio pending */
	PYEXIT_EVENT_TRACE_REQUESTS = 23,	/* vcpu_id requests */
	PYEXIT_EVENT_TRACE_INSTR = 24,	/* instruction pc result (exit 14, kvm_ppc_instr) */
	PYEXIT_EVENT_TRACE_STLB_WRITE = 25,	/* mas0 mas8 mas1 mas2 mas7_3 */
	PYEXIT_EVENT_TRACE_GTLB_WRITE = 26,	/* mas0 mas1 mas2 mas7_3 */
	PYEXIT_EVENT_TRACE_REF_RELEASE = 27,	/* pfn flags */
	PYEXIT_EVENT_GFN_TO_PFN = 28,	/* gfn: gfn_to_pfn_memslot() */
	PYEXIT_EVENT_SET_PFN_ACCESSED = 29,	/* pfn */
	PYEXIT_EVENT_SET_PFN_DIRTY = 30,	/* pfn */
	PYEXIT_EVENT_RELEASE_PFN_CLEAN = 31,	/* pfn */
	PYEXIT_EVENT_FLUSH_ICACHE = 32,	/* pfn */
	PYEXIT_EVENT_IO_READ = 33,	/* addr len: asked of the in-kernel bus */
	PYEXIT_EVENT_IO_WRITE = 34,	/* addr len data; data left-justified in 64 bits */
	PYEXIT_EVENT_ALLOC = 35,	/* detail = enum pyexit_object; fails */
	PYEXIT_EVENT_FREE = 36,		/* detail = enum pyexit_object; new: it never came into use */
	PYEXIT_EVENT_GET_USER_PAGES = 37,	/* start pages */
	PYEXIT_EVENT_VMAP = 38,		/* pages */
	PYEXIT_EVENT_SET_PAGE_DIRTY = 39,	/* position in the page list */
	PYEXIT_EVENT_PUT_PAGE = 40,	/* position in the page list */
	PYEXIT_EVENT_READ_GUEST = 41,	/* gpa len fault */
	PYEXIT_EVENT_WRITE_GUEST = 42,	/* gpa len fault, then data: len bytes, big-endian in four words */
	PYEXIT_EVENT_IDA_ALLOC_RANGE = 43,	/* min max result */
	PYEXIT_EVENT_IDA_FREE = 44	/* id */
};

/* What the kernel allocates (vectors/SCHEMA.md). */
enum pyexit_object {
	PYEXIT_OBJECT_PAGES_ARRAY = 1,
	PYEXIT_OBJECT_GTLB_ARCH = 2,
	PYEXIT_OBJECT_GTLB_PRIV0 = 3,
	PYEXIT_OBJECT_GTLB_PRIV1 = 4,
	PYEXIT_OBJECT_G2H_TLB1_MAP = 5,
	PYEXIT_OBJECT_H2G_TLB1_RMAP = 6,
	PYEXIT_OBJECT_SHARED_PAGE = 7
};

/* Host interrupt handlers that KVM calls (exit 6). */
enum pyexit_host_handler {
	PYEXIT_HOST_DO_IRQ = 1,
	PYEXIT_HOST_TIMER_INTERRUPT = 2,
	PYEXIT_HOST_DOORBELL_EXCEPTION = 3,
	PYEXIT_HOST_PERFORMANCE_MONITOR_EXCEPTION = 4,
	PYEXIT_HOST_UNKNOWN_EXCEPTION = 5
};

/* Services of the host kernel without arguments (vectors/SCHEMA.md). */
enum pyexit_service {
	PYEXIT_SERVICE_LOAD_FP_STATE = 1,
	PYEXIT_SERVICE_LOAD_VR_STATE = 2,
	PYEXIT_SERVICE_GIVEUP_FPU = 3,
	PYEXIT_SERVICE_GIVEUP_ALTIVEC = 4,
	PYEXIT_SERVICE_SWITCH_BOOKE_DEBUG_REGS = 5,
	PYEXIT_SERVICE_ENTER_GUEST = 6,
	PYEXIT_SERVICE_COND_RESCHED = 7,
	PYEXIT_SERVICE_DEL_TIMER = 8,
	PYEXIT_SERVICE_HRTIMER_TRY_TO_CANCEL = 9,
	PYEXIT_SERVICE_VFREE = 10,
	PYEXIT_SERVICE_MODULE_PUT = 11,
	PYEXIT_SERVICE_KVM_DESTROY_VCPUS = 12,
	PYEXIT_SERVICE_DEL_TIMER_SYNC = 13,
	PYEXIT_SERVICE_HRTIMER_CANCEL = 14
};

/* WARN sites (exit 14.1). */
enum pyexit_warn {
	PYEXIT_WARN_CORE_PREPARE_TO_ENTER = 1,	/* booke.c:710 kvmppc_core_prepare_to_enter */
	PYEXIT_WARN_PREPARE_TO_ENTER = 2,	/* powerpc.c:84 kvmppc_prepare_to_enter */
	PYEXIT_WARN_EMULATE_MMIO = 3,		/* powerpc.c:339 kvmppc_emulate_mmio */
	PYEXIT_WARN_INVAL_FLAGS = 4,		/* e500_mmu_host.c:193 inval_gtlbe_on_host; text: flags */
	PYEXIT_WARN_INVAL_BITMAP = 5,		/* e500_mmu_host.c:195 inval_gtlbe_on_host */
	PYEXIT_WARN_TLB1_MAP = 6,		/* e500_mmu_host.c:551, slot allocation (mmu-kvm 8.5) */
	PYEXIT_WARN_INT_TYPE = 7		/* e500mc.c:43 kvmppc_set_pending_interrupt; text: the type */
};

/* Kernel log lines (exit 14.1); PRINTK's detail.  arg[] holds: */
enum pyexit_message {
	PYEXIT_MSG_FETCH_NO_EXECUTE = 1,	/* pc */
	PYEXIT_MSG_FETCH_ATTRIBUTES = 2,	/* pc */
	PYEXIT_MSG_FETCH_NOT_RAM = 3,		/* real address */
	PYEXIT_MSG_EXIT_NR = 4,			/* exit number */
	PYEXIT_MSG_MACHINE_CHECK = 5,		/* MCSR; then the dump of exit 3.4: */
	PYEXIT_MSG_DUMP_PC = 6,			/* pc msr */
	PYEXIT_MSG_DUMP_LR = 7,			/* lr ctr */
	PYEXIT_MSG_DUMP_SRR = 8,		/* srr0 srr1 */
	PYEXIT_MSG_DUMP_EXCEPTIONS = 9,		/* pending_exceptions */
	PYEXIT_MSG_DUMP_GPR = 10,		/* n, gpr n to n + 3 */
	PYEXIT_MSG_TIMING_SUM_WRAP = 11,	/* old new account count (exit 13) */
	PYEXIT_MSG_TIMING_QUAD_WRAP = 12,	/* old new account count */
	PYEXIT_MSG_EMULATION_FAILED = 13,	/* pc last_inst */
	PYEXIT_MSG_NO_REAL_PAGE = 14,		/* gfn */
	PYEXIT_MSG_PTE_NOT_PRESENT = 15,	/* gfn pfn */
	PYEXIT_MSG_CANNOT_EMULATE = 16,		/* instruction op xop */
	PYEXIT_MSG_MTSPR_UNKNOWN = 17,		/* spr */
	PYEXIT_MSG_MFSPR_UNKNOWN = 18,		/* spr */
	PYEXIT_MSG_VMX_REPEAT = 19,		/* nothing */
	PYEXIT_MSG_HOST_TLB_SIZE = 20,		/* nothing: vcpu creation, "need to know host tlb size" (mmu-kvm 8.4) */
	PYEXIT_MSG_LPID_NO_MEMORY = 21,		/* nothing: kvmppc_alloc_lpid, "Out of memory" */
	PYEXIT_MSG_LPID_NONE_FREE = 22,		/* nothing: kvmppc_alloc_lpid, "No LPIDs free" */
	PYEXIT_MSG_HOST_TLB0_CONFIG = 23	/* entries ways: vcpu creation, "bad tlb0 host config" (mmu-kvm 8.4) */
};

struct pyexit_event {
	uint32_t kind;
	uint32_t detail;
	uint64_t arg[8];
};

/*
 * State.  Plain data: fixed widths, no pointers, padding explicit.  Field
 * names are those of the kernel vectors.  Registers that the kernel declares
 * ulong are 64 bits wide here; code of a 32-bit model keeps the high half 0.
 */

/* TLB0 of a core: entry (set * ways + way).  An entry is five MAS words. */
struct pyexit_htlb0 {
	uint64_t mas2[PYEXIT_TLB0_ENTRIES];
	uint32_t mas1[PYEXIT_TLB0_ENTRIES];
	uint32_t mas3[PYEXIT_TLB0_ENTRIES];
	uint32_t mas7[PYEXIT_TLB0_ENTRIES];
	uint32_t mas8[PYEXIT_TLB0_ENTRIES];
};

/* TLB1 of a core, fully associative. */
struct pyexit_htlb1 {
	uint64_t mas2[PYEXIT_TLB1_ENTRIES];
	uint32_t mas1[PYEXIT_TLB1_ENTRIES];
	uint32_t mas3[PYEXIT_TLB1_ENTRIES];
	uint32_t mas7[PYEXIT_TLB1_ENTRIES];
	uint32_t mas8[PYEXIT_TLB1_ENTRIES];
};

/* The LRAT of a core (e6500): logical to real addresses of guests. */
struct pyexit_lrat {
	uint64_t mas2[PYEXIT_LRAT_ENTRIES];
	uint32_t mas1[PYEXIT_LRAT_ENTRIES];
	uint32_t mas3[PYEXIT_LRAT_ENTRIES];
	uint32_t mas7[PYEXIT_LRAT_ENTRIES];
	uint32_t mas8[PYEXIT_LRAT_ENTRIES];
};

/* What the threads of a core share besides the TLBs. */
struct pyexit_core {
	uint64_t tb;				/* timebase; vectors call it host.tb */
	uint32_t tlb0_nv;			/* TLB0[NV]; vectors call it host.tlb0_nv */
	uint32_t pad;
	uint8_t hes_victim[PYEXIT_TLB0_SETS];	/* per-set counter of HES=1 writes (U11) */
};

/* The SPR file of a hardware thread. */
struct pyexit_spr {
	uint64_t MAS0, MAS1, MAS2, MAS3, MAS4, MAS5, MAS6, MAS7, MAS8;
	uint64_t PID, LPID, PIR, PVR, SVR, HID0;
	uint64_t SRR0, SRR1, CSRR0, CSRR1, DSRR0, DSRR1, MCSRR0, MCSRR1;
	uint64_t ESR, DEAR, MCSR, MCAR, DBSR;
	uint64_t GSRR0, GSRR1, GESR, GDEAR, GEPR, GPIR;
	uint64_t GSPRG0, GSPRG1, GSPRG2, GSPRG3;
	uint64_t SPRG0, SPRG1, SPRG2, SPRG3, SPRG4, SPRG5, SPRG6, SPRG7, SPRG8, SPRG9;
	uint64_t VRSAVE;
	uint64_t IVPR, IVOR[64];
	uint64_t GIVPR, GIVOR2, GIVOR3, GIVOR4, GIVOR8, GIVOR13, GIVOR14;
	uint64_t EPCR, MSRP, EPLC, EPSC;
	uint64_t MMUCFG, TLB0CFG, TLB1CFG, TLB0PS, TLB1PS, EPTCFG, LRATCFG, LRATPS, LPER;
};

/* The rest of a hardware thread. */
struct pyexit_thread {
	uint64_t pc;
	uint64_t msr;
	uint64_t gpr[32];
	uint64_t lr, ctr, xer, cr;
	uint64_t ops[PYEXIT_OPS];		/* counts by enum pyexit_op */
	uint32_t pins;				/* asynchronous causes that are due: bit = enum pyexit_pin */
	uint32_t pad;
};

struct pyexit_debug_reg {
	uint64_t iac1, iac2, dac1, dac2;
	uint32_t dbcr0, dbcr1, dbcr2, dbsr;
};

/*
 * The host kernel around KVM, one per hardware thread: inputs of a run
 * (vectors/SCHEMA.md host.*).  last_vcpu_self is the number of the vcpu that
 * was last loaded here + 1, 0 = none.  halt_limit counts up to 1000.
 */
struct pyexit_host {
	uint64_t jiffies, tb_ticks_per_jiffy, tb_freq;
	uint64_t wake_pending_exceptions, wake_requests;
	uint64_t io_base, io_len, io_data;
	uint64_t pfn_mode;
	struct pyexit_debug_reg thread_debug;
	struct pyexit_debug_reg saved_debug;	/* thread_debug before the guest was entered (exit 7.7 R4) */
	uint32_t irq_enabled, signal_pending, need_resched;
	uint32_t wake_signal, halt_limit, thread_regs_msr;
	uint32_t cpu, threads_per_core;
	uint32_t pte_wimge, pte_mode;
	uint32_t last_vcpu_self, guest_enter_ret;
	uint32_t real_vcpu_load;	/* 1: ioctls load and put the vcpu; 0: they do not, as the older vectors */
	uint32_t gup_mode, vmap_fail, alloc_fail;
	uint32_t ida_err, module_gone, no_ops, online_cpus;
	uint32_t tlbcam_index;		/* host TLB1 entries that the host kernel has bolted: 3 (mmu-kvm 8.4) */
	uint32_t pad;
	uint64_t lpid_inuse;		/* bitmap of allocated LPIDs; thread 0's counts */
};

struct pyexit_kvm_arch {
	uint32_t lpid;
	uint32_t pad;
};

/* pyexit_memslots.flags */
#define PYEXIT_MEMSLOT_INVALID 1

/* pyexit_vmas.flags */
#define PYEXIT_VMA_PFNMAP 1
#define PYEXIT_VMA_HUGETLB 2

/* pyexit_backings.pte: what the host's page table says of the pages */
#define PYEXIT_PTE_PRESENT 0
#define PYEXIT_PTE_NOT_PRESENT 1
#define PYEXIT_PTE_NONE 2

/*
 * How a VM's memory lies in its VMM and in the host (mmu-kvm 8.1): guest
 * frame -> memory slot -> host virtual address -> backing -> host frame.
 * A row with npages or size 0 is free.  The first row that has the address
 * counts; rows are not sorted.
 */
struct pyexit_memslots {
	uint64_t base_gfn[PYEXIT_MEMSLOTS], npages[PYEXIT_MEMSLOTS];
	uint64_t userspace_addr[PYEXIT_MEMSLOTS];
	uint32_t flags[PYEXIT_MEMSLOTS];
};

struct pyexit_vmas {
	uint64_t start[PYEXIT_VMAS], end[PYEXIT_VMAS];
	uint64_t pgoff[PYEXIT_VMAS];		/* PFNMAP: host frame of the first page */
	uint32_t flags[PYEXIT_VMAS];
	uint32_t page_shift[PYEXIT_VMAS];	/* HUGETLB: log2 of the page size in bytes */
};

/* Runs of pages; an address without one has no page: gfn_to_pfn fails. */
struct pyexit_backings {
	uint64_t hva[PYEXIT_BACKINGS], npages[PYEXIT_BACKINGS], pfn[PYEXIT_BACKINGS];
	uint32_t pte[PYEXIT_BACKINGS];
};

/* struct kvm: one virtual machine. */
struct pyexit_kvm {
	struct pyexit_kvm_arch arch;
	uint64_t mmu_invalidate_seq;
	uint64_t mmu_invalidate_in_progress;
	struct pyexit_memslots memslot;
	struct pyexit_vmas vma;
	struct pyexit_backings backing;
};

struct pyexit_regs {
	uint64_t gpr[32];
	uint64_t nip, msr, ctr, link, xer, ccr;
};

struct pyexit_fp {
	uint64_t fpr[32];
	uint64_t fpscr;
};

struct pyexit_vr {
	uint64_t vr_u64[64];
	uint32_t vscr[4];
};

/* struct kvm_vcpu_arch_shared, at the kernel's offsets (exit 2.3). */
struct pyexit_shared {
	uint64_t scratch1, scratch2, scratch3, critical;
	uint64_t sprg0, sprg1, sprg2, sprg3;
	uint64_t srr0, srr1, dar, msr;
	uint32_t dsisr, int_pending;
	uint32_t sr[16];
	uint32_t mas0, mas1;
	uint64_t mas7_3, mas2;
	uint32_t mas4, mas6, esr, pir;
	uint64_t sprg4, sprg5, sprg6, sprg7;
};

/* struct kvm_vcpu_arch, what HV Book E uses (exit 2.2). */
struct pyexit_arch {
	struct pyexit_regs regs;
	struct pyexit_fp fp;
	struct pyexit_vr vr;
	struct pyexit_shared shared;
	struct pyexit_debug_reg dbg_reg;
	uint64_t host_stack;
	uint64_t csrr0, csrr1, dsrr0, dsrr1, mcsrr0, mcsrr1, mcsr;
	uint64_t ivpr, dec, dec_jiffies, tsr;
	uint64_t pending_exceptions;
	uint64_t fault_dear, fault_esr, queued_dear, queued_esr;
	uint64_t sprg9, shadow_msr;
	uint64_t paddr_accessed, vaddr_accessed;
	uint64_t magic_page_pa, magic_page_ea;
	uint64_t timing_exit, timing_last_enter, timing_last_exit;
	uint64_t dec_timer_expires;	/* timebase; if dec_timer_armed */
	uint64_t wdt_timer_expires;	/* jiffies; if wdt_timer_armed */
	uint64_t timing_sum_duration[30], timing_sum_quad_duration[30];
	uint64_t timing_min_duration[30], timing_max_duration[30];
	uint32_t timing_count_type[30];
	uint32_t last_exit_type;
	uint32_t ivor[64];
	uint32_t tlbcfg[4], tlbps[4], mmucfg, eptcfg;
	uint32_t host_pid, host_mas4, host_mas6;
	uint32_t pid, pvr, last_inst;
	uint32_t shadow_epcr, shadow_msrp, epcr, eplc, epsc, epr, oldpir;
	uint32_t tcr, decar, dbsr, vrsave, pwrmgtcr0, crit_save;
	uint32_t irq_type, irq_cpu_id;
	uint16_t io_gpr;
	uint8_t mmio_host_swabbed, mmio_sign_extend, mmio_sp64_extend;
	uint8_t mmio_vsx_copy_nums, mmio_vsx_offset, mmio_vmx_copy_nums, mmio_vmx_offset;
	uint8_t mmio_copy_type;
	uint8_t watchdog_enabled, sane, cpu_type, epr_flags, epr_needed;
	uint8_t external_oneshot, osi_needed, osi_enabled, papr_enabled, hcall_needed;
	uint8_t disable_kernel_nx;
	uint8_t dec_timer_armed, wdt_timer_armed;
	uint8_t pad[9];
};

/* struct kvm_vcpu_stat, the counters of exit 1.11. */
struct pyexit_stat {
	uint64_t sum_exits, mmio_exits, signal_exits, light_exits;
	uint64_t itlb_real_miss_exits, itlb_virt_miss_exits;
	uint64_t dtlb_real_miss_exits, dtlb_virt_miss_exits;
	uint64_t syscall_exits, isi_exits, dsi_exits, emulated_inst_exits;
	uint64_t dec_exits, ext_intr_exits, halt_successful_wait;
	uint64_t dbell_exits, gdbell_exits, ld, st;
};

/* struct kvm_vcpu (exit 2.1). */
struct pyexit_vcpu {
	struct pyexit_arch arch;
	struct pyexit_stat stat;
	uint64_t requests;		/* word 0 of the request bitmap */
	uint64_t guest_debug;
	uint32_t cpu, vcpu_id, mode;
	uint32_t mmio_needed, mmio_is_write;
	uint8_t wants_to_run;
	uint8_t pad[3];
};

struct pyexit_run_hw {
	uint64_t hardware_exit_reason;
};

struct pyexit_run_debug_arch {
	uint64_t address;
	uint32_t status;
	uint32_t pad;
};

struct pyexit_run_debug {
	struct pyexit_run_debug_arch arch;
};

struct pyexit_run_mmio {
	uint64_t phys_addr;
	uint8_t data[8];
	uint32_t len;
	uint8_t is_write;
	uint8_t pad[3];
};

struct pyexit_run_epr {
	uint32_t epr;
	uint32_t pad;
};

struct pyexit_run_osi {
	uint64_t gprs[32];
};

struct pyexit_run_papr_hcall {
	uint64_t nr, ret;
	uint64_t args[9];
};

struct pyexit_run_internal {
	uint32_t suberror;
	uint32_t pad;
};

/* struct kvm_run at KVM's offsets (exit 2.4); the arms of the union overlap as KVM's do. */
struct pyexit_run {
	uint8_t request_interrupt_window;
	uint8_t immediate_exit;
	uint8_t pad1[6];
	uint32_t exit_reason;
	uint8_t ready_for_interrupt_injection;
	uint8_t pad2[19];
	union {
		struct pyexit_run_hw hw;
		struct pyexit_run_debug debug;
		struct pyexit_run_mmio mmio;
		struct pyexit_run_epr epr;
		struct pyexit_run_osi osi;
		struct pyexit_run_papr_hcall papr_hcall;
		struct pyexit_run_internal internal;
		uint8_t padding[256];
	};
};

/* Guest TLB0 and TLB1 as KVM keeps them by default: 256 entries in 2 ways, and 16. */
struct pyexit_gtlb0 {
	uint64_t mas2[256], mas7_3[256];
	uint32_t mas1[256], mas8[256];
};

struct pyexit_gtlb1 {
	uint64_t mas2[16], mas7_3[16];
	uint32_t mas1[16], mas8[16];
};

struct pyexit_gtlb_priv0 {
	uint64_t pfn[256];
	uint32_t flags[256];
};

struct pyexit_gtlb_priv1 {
	uint64_t pfn[16];
	uint32_t flags[16];
};

/* Geometry of one guest TLB (mmu-kvm 1.1). */
struct pyexit_gtlb_params {
	uint32_t entries, ways, sets;
};

/* struct kvmppc_vcpu_e500 (mmu-kvm 1.1). */
struct pyexit_e500 {
	struct pyexit_gtlb0 gtlb0;
	struct pyexit_gtlb1 gtlb1;
	struct pyexit_gtlb_priv0 gtlb_priv0;
	struct pyexit_gtlb_priv1 gtlb_priv1;
	uint64_t g2h_tlb1_map[16];
	uint64_t tlb1_min_eaddr, tlb1_max_eaddr, mcar;
	uint32_t h2g_tlb1_rmap[64];
	uint32_t gtlb_nv[2];
	uint32_t host_tlb1_nv;
	uint32_t svr, l1csr0, l1csr1, hid0, hid1;
	struct pyexit_gtlb_params gtlb_params0, gtlb_params1;
	uint32_t gtlb_offset[2];
	uint32_t num_shared_tlb_pages;	/* not 0: userspace's array is the guest TLB */
	uint32_t pad;
};

/* struct kvm_regs (exit 12.4). */
struct pyexit_user_regs {
	uint64_t pc, cr, ctr, lr, xer, msr, srr0, srr1, pid;
	uint64_t sprg0, sprg1, sprg2, sprg3, sprg4, sprg5, sprg6, sprg7;
	uint64_t gpr[32];
};

struct pyexit_sregs_fsl {
	uint32_t features, svr;
	uint64_t mcar;
	uint32_t hid0, pid1, pid2, pad;
};

struct pyexit_sregs_impl {
	struct pyexit_sregs_fsl fsl;
};

/* struct kvm_sregs, the members of u.e without that prefix (exit 12.5). */
struct pyexit_user_sregs {
	struct pyexit_sregs_impl impl;
	uint64_t sprg8, sprg9, csrr0, dsrr0, mcsrr0;
	uint64_t dear, ivpr, mcivpr, mcsr, tb;
	uint64_t mas2, mas7_3;
	uint32_t pvr, features, impl_id, update_special, pir;
	uint32_t csrr1, dsrr1, mcsrr1, esr;
	uint32_t tsr, tcr, decar, dec;
	uint32_t dbsr, dbcr[3], iac[4], dac[2], dvc[2];
	uint32_t epr, vrsave, epcr;
	uint32_t mas0, mas1, mas4, mas6;
	uint32_t ivor_low[16], ivor_high[18];
	uint32_t mmucfg, eptcfg, tlbcfg[4], tlbps[4];
	uint32_t eplc, epsc;
	uint8_t num_iac, num_dac, num_dvc;
	uint8_t pad;
};

struct pyexit_user_cap {
	uint32_t cap, flags;
	uint64_t args[4];
};

struct pyexit_user_config_tlb {
	uint64_t params, array;
	uint32_t mmu_type, array_len;
};

struct pyexit_user_tlb_params {
	uint32_t tlb_sizes[4], tlb_ways[4], reserved[8];
};

struct pyexit_user_one_reg {
	uint64_t id, addr;
};

struct pyexit_user_dirty {
	uint64_t bitmap;
	uint32_t num_dirty, pad;
};

struct pyexit_user_pvinfo {
	uint32_t hcall[4], flags, pad;
};

/* What the VMM's memory holds for the ioctls of a vcpu, and where (vectors/SCHEMA.md, User memory). */
#define PYEXIT_USER_CAP 0x1000
#define PYEXIT_USER_CONFIG_TLB 0x2000
#define PYEXIT_USER_TLB_PARAMS 0x3000
#define PYEXIT_USER_ONE_REG 0x4000
#define PYEXIT_USER_BUF 0x5000
#define PYEXIT_USER_DIRTY 0x6000
#define PYEXIT_USER_IRQ 0x7000
#define PYEXIT_USER_PVINFO 0x8000

struct pyexit_user {
	struct pyexit_user_regs regs;
	struct pyexit_user_sregs sregs;
	struct pyexit_user_cap cap;
	struct pyexit_user_config_tlb config_tlb;
	struct pyexit_user_tlb_params tlb_params;
	struct pyexit_user_one_reg one_reg;
	struct pyexit_user_dirty dirty;
	struct pyexit_user_pvinfo pvinfo;
	uint8_t buf[16];
};

/* The array of KVM_CAP_SW_TLB in the VMM's memory: TLB0's entries, then TLB1's. */
struct pyexit_swtlb_array {
	uint64_t mas2[PYEXIT_SW_TLB_ENTRIES], mas7_3[PYEXIT_SW_TLB_ENTRIES];
	uint32_t mas8[PYEXIT_SW_TLB_ENTRIES], mas1[PYEXIT_SW_TLB_ENTRIES];
};

struct pyexit_swtlb_priv0 {
	uint64_t pfn[PYEXIT_SW_TLB_ENTRIES];
	uint32_t flags[PYEXIT_SW_TLB_ENTRIES];
};

struct pyexit_swtlb_priv1 {
	uint64_t pfn[PYEXIT_SW_TLB1_ENTRIES];
	uint32_t flags[PYEXIT_SW_TLB1_ENTRIES];
};

/* That array and KVM's private data for it; vectors call them user.tlb and e500.sw_*.  With options.sw_tlb only. */
struct pyexit_swtlb {
	struct pyexit_swtlb_array tlb;
	struct pyexit_swtlb_priv0 priv0;
	struct pyexit_swtlb_priv1 priv1;
	uint64_t g2h_tlb1_map[PYEXIT_SW_TLB1_ENTRIES];
};

/*
 * Kinds of state record.  The state of a machine is one block of memory:
 * all records of kind 0, then all of kind 1, ...  There is one htlb0, htlb1,
 * core and lrat per core; one spr, thread and host per hardware thread; one kvm
 * per virtual machine; one vcpu, run, e500 and user per vcpu, and one swtlb
 * with options.sw_tlb, else none.
 */
enum pyexit_record {
	PYEXIT_RECORD_HTLB0 = 0,
	PYEXIT_RECORD_HTLB1 = 1,
	PYEXIT_RECORD_CORE = 2,
	PYEXIT_RECORD_SPR = 3,
	PYEXIT_RECORD_THREAD = 4,
	PYEXIT_RECORD_HOST = 5,
	PYEXIT_RECORD_KVM = 6,
	PYEXIT_RECORD_VCPU = 7,
	PYEXIT_RECORD_RUN = 8,
	PYEXIT_RECORD_E500 = 9,
	PYEXIT_RECORD_LRAT = 10,
	PYEXIT_RECORD_USER = 11,
	PYEXIT_RECORD_SWTLB = 12
};
#define PYEXIT_RECORDS 13

/*
 * What distinguishes one core from another, as data (mmu-hardware 0.4, 2.8,
 * 3, 15).  Fill it with pyexit_params(), change what you like, hand it in.
 */
struct pyexit_params {
	uint32_t size;			/* sizeof(struct pyexit_params) */
	uint32_t width;			/* bits of an effective address: 32 or 64 */
	uint32_t threads;		/* hardware threads per core: 1 or 2 */
	uint32_t mav;			/* MMU architecture version: 1 or 2 */
	uint32_t tlb0_ways;		/* 1, 2, 4 or 8 */
	uint32_t tlb0_sets;		/* power of two, 1 to 128 */
	uint32_t tlb1_entries;		/* power of two, 1 to 64 */
	uint32_t raw;			/* 1: the recorded host of 0.4, every bit kept, nothing refused */
	uint64_t mas_mask[9];		/* bits kept of MAS0..MAS8 and of entries (2.8) */
	uint32_t pid_mask;		/* bits kept of PID; also of TID and SPID */
	uint32_t lpid_mask;		/* bits kept of LPIDR; also of TLPID and SLPID */
	uint32_t ep_mask;		/* bits kept of EPLC and EPSC */
	uint32_t pvr, svr;
	uint32_t mmucfg, tlb0cfg, tlb1cfg, tlb0ps, tlb1ps;
	uint32_t eptcfg, lratcfg, lratps;
	uint32_t hid0;			/* reset value; 80 = EN_MAS7_UPDATE (U16) */
	/* Points that the manuals leave open; docs/choices.md has one row each. */
	uint32_t miss_u;		/* U3: 1 a miss keeps MAS3[U0-U3], 0 clears them */
	uint32_t miss_epn;		/* U4, tlbsx miss: 0 MAS2[EPN] kept, 1 zeroed, 2 EPN of the EA */
	uint32_t tlbilx_as;		/* U6: 1 tlbilx T=3 compares TS with SAS */
	uint32_t tlbilx_tid0;		/* U7: 1 TID=0 matches any SPID in tlbilx T=3 */
	uint32_t tlbivax_tags;		/* U8: 1 tlbivax compares the tags of MAS5 and MAS6 */
	uint32_t dmiuh_access;		/* U10: 1 DMIUH looks at the state of the access, 0 of the handler */
	uint32_t miss_wq;		/* U12: MAS0[WQ] after a miss on MAV2 */
	uint32_t hit_hes;		/* 1: a tlbsx hit on MAV2 sets MAS0[HES] and WQ=01, as A2 does */
	uint32_t tsize_low;		/* U14, MAV1: 0 the low TSIZE bit is absent, 1 kept: odd sizes are refused */
	uint32_t tsize_check;		/* U22: 1 an unsupported TSIZE in TLB1 with V=1 is program/PIL */
	uint32_t altivec;		/* 1: the core has AltiVec and its kernel CONFIG_ALTIVEC */
};

/* Real memory: one range of RAM, lent by the caller for the life of the machine. */
struct pyexit_ram {
	uint64_t base;			/* multiple of 4096, base + size <= 2^40 */
	uint64_t size;			/* multiple of 4096, not 0 */
	uint8_t *host;			/* size bytes, big-endian guest data; never copied */
	uint8_t *dirty;			/* NULL, or one bit a page (LSB first), set by stores of the core */
};

/* What woke a vcpu that has halted: OR-ed into vcpu.arch.pending_exceptions and vcpu.requests. */
struct pyexit_wake {
	uint64_t pending_exceptions, requests;
	uint32_t signal;		/* not 0: host.signal_pending is set */
	uint32_t pad;
};

/*
 * The host kernel around KVM, served by the embedder.  A function that is
 * NULL answers from struct pyexit_host, as all do without this; the event is
 * logged either way.  They are called inside the verb that needs them, on
 * its thread, with @context first; of this library they may use
 * pyexit_state(), pyexit_state_write(), the RAM functions and pyexit_pin().
 */
struct pyexit_host_ops {
	size_t size;			/* sizeof(struct pyexit_host_ops) */
	void *context;
	/* Waits until @vcpu can go on; *@wake is zero before.  host.halt_limit bounds the halts of one verb. */
	void (*halt)(void *context, uint32_t vcpu, struct pyexit_wake *wake);
	/* Makes @vcpu, which may be running elsewhere, look for interrupts and requests. */
	void (*kick)(void *context, uint32_t vcpu);
	/* Other tasks run; host.need_resched is cleared after it. */
	void (*cond_resched)(void *context, uint32_t vcpu);
	/* The host's own handler (enum pyexit_host_handler) of the interrupt that @vcpu has left the guest with. */
	void (*host_handler)(void *context, uint32_t vcpu, uint32_t handler);
	/* The in-kernel bus: @len, 1 to 8, bytes of @data, big-endian.  0, or not 0: no device, userspace is asked. */
	int (*io_read)(void *context, uint32_t vcpu, uint64_t addr, uint32_t len, uint8_t *data);
	int (*io_write)(void *context, uint32_t vcpu, uint64_t addr, uint32_t len, const uint8_t *data);
};

struct pyexit_options {
	size_t size;			/* sizeof(struct pyexit_options) */
	uint32_t model;			/* enum pyexit_model */
	uint32_t fetch;			/* enum pyexit_fetch */
	const struct pyexit_params *params;	/* NULL: PYEXIT_PARAMS_CORE of the model */
	uint32_t cores;			/* 1 to 64 */
	uint32_t vms;			/* 1 to 64 */
	uint32_t vcpus;			/* 1 to 4096, of all VMs together */
	uint32_t events;		/* capacity of the event ring, 0 to 2^20 */
	const uint32_t *vcpu_thread;	/* vcpus numbers of hardware threads; NULL: vcpu modulo threads */
	const uint32_t *vcpu_vm;	/* vcpus numbers of VMs; NULL: vcpu modulo vms */
	const struct pyexit_ram *ram;	/* ranges that do not overlap */
	size_t ram_count;		/* 0 to 4096 */
	uint32_t handler;		/* enum pyexit_handler */
	uint32_t sw_tlb;		/* 1: each vcpu has room for KVM_CAP_SW_TLB; 0: config_tlb finds no memory */
	uint32_t search;		/* enum pyexit_search; one that the processor lacks is refused */
	uint32_t lookaside;		/* pages of code that a vcpu's fetch remembers: power of two to 65536, or 0 */
	uint32_t lookaside_checked;	/* 1: each hit is compared with a full search; a difference is a BUG */
	uint32_t invariants;		/* 1: enter, exit, exits, call end with a check; a violation is a BUG */
	const struct pyexit_host_ops *host_ops;	/* copied; NULL: host.* answers everything */
};

/* options.lookaside: a good size, in which the 512 and 64 entries of the TLBs fit; and the most. */
#define PYEXIT_LOOKASIDE 1024
#define PYEXIT_LOOKASIDE_MOST 65536

/* The answer to pyexit_call(). */
struct pyexit_result {
	int64_t ret;			/* what the function returned */
	uint64_t value[5];		/* further results, see pyexit_call() */
	uint32_t outcome;		/* enum pyexit_stop; ret counts only if it is PYEXIT_RETURNED */
	uint32_t site;			/* what the outcome names */
};

/* The answer to pyexit_guest_op(), pyexit_interrupt() and pyexit_pending(). */
struct pyexit_end {
	uint32_t outcome;		/* enum pyexit_outcome */
	uint32_t ivor;			/* interrupt number if not DONE; with EXIT the exit number */
};

/*
 * What holds of every shadow entry, that is of every valid entry of a host
 * TLB with TGS, and of KVM's books about them (mmu-kvm 7 to 12).
 */
enum pyexit_rule {
	PYEXIT_RULE_LPID = 1,		/* its LPID is that of a vcpu of its core; got = MAS8 */
	PYEXIT_RULE_BITS = 2,		/* no IPROT, IND, VF; got = those of them that are set */
	PYEXIT_RULE_ENTRY = 3,		/* a guest entry has its space, PID and all its addresses; got = MAS2 */
	PYEXIT_RULE_PERMISSIONS = 4,	/* no more than the guest entry: got, want = UX SX UW SW UR SR */
	PYEXIT_RULE_PAGE = 5,		/* the host pages of the slot: got, want = first page; want ffffffff: none */
	PYEXIT_RULE_ATTRIBUTES = 6,	/* W I M of the host, G E of either, X0 X1 of the guest: got, want = MAS2 */
	PYEXIT_RULE_REF = 7,		/* the reference knows where it is: got, want = flags */
	PYEXIT_RULE_RMAP = 8		/* h2g_tlb1_rmap and g2h_tlb1_map agree: got = the former, want = the other */
};

/* One that does not hold; of a shadow entry the first that the nearest guest entry breaks. */
struct pyexit_violation {
	uint32_t rule;			/* enum pyexit_rule */
	uint32_t core;
	uint32_t entry;			/* of the host TLB: tlbsel << 16 | index */
	uint32_t vcpu;			/* whose guest entry comes nearest, ffffffff: nobody's */
	uint32_t guest_entry;		/* tlbsel << 16 | index, ffffffff: none */
	uint32_t pad;
	uint64_t got, want;
};

/* Where a vcpu goes on, pyexit_resume.where. */
enum pyexit_where {
	PYEXIT_WHERE_GUEST = 0,		/* the hardware thread holds the guest: run it */
	PYEXIT_WHERE_HOST = 1		/* KVM_RUN has returned: look at kvm_run */
};

/* The answer to pyexit_enter() and pyexit_exit(). */
struct pyexit_resume {
	uint32_t outcome;		/* enum pyexit_stop; the rest counts only if it is PYEXIT_RETURNED */
	uint32_t site;			/* what the outcome names */
	uint32_t where;			/* enum pyexit_where */
	int32_t ret;			/* with HOST: what KVM_RUN returns, 0 or a negative errno of Linux */
};

/* One exit of a batch: what the processor would have left in the save and syndrome registers. */
struct pyexit_exit_record {
	uint32_t vcpu, exit_nr;
	uint64_t pc, msr;		/* into the save registers that the exit's handler reads (exit 11.2) */
	uint64_t dear;			/* into DEAR */
	uint32_t esr;			/* into ESR */
	uint32_t pad;
};

/* The answer to pyexit_translate(). */
struct pyexit_translation {
	uint32_t outcome;		/* enum pyexit_outcome; DONE = hit */
	uint32_t ivor;			/* interrupt number if not DONE or DROPPED; with EXIT the exit number */
	uint64_t real;			/* real address of the first byte */
	uint64_t real2;			/* of the first byte in the second page if the access crosses 4 KiB, else 0 */
	uint64_t page_size;		/* bytes mapped by the first byte's entry */
	uint32_t perms;			/* MAS3 permission bits of that entry: UX 20 SX 10 UW 8 SW 4 UR 2 SR 1 */
	uint32_t attributes;		/* MAS2 low 7 bits: X0 40 X1 20 W 10 I 8 M 4 G 2 E 1 */
};

struct pyexit_machine;

/*
 * pyexit_abi_check() says whether a caller compiled against ABI
 * @major.@minor can use this library.  Returns 0, or -ENOTSUP.
 */
PYEXIT_API int pyexit_abi_check(unsigned int major, unsigned int minor);

/*
 * pyexit_strerror() explains a negative return value of this library.
 * Returns a constant string, never NULL; a number it does not know gives
 * "unknown error".
 */
PYEXIT_API const char *pyexit_strerror(int error);

/*
 * pyexit_params() fills @params with the set @set (enum pyexit_param_set)
 * of @model (enum pyexit_model).  @params->size need not be set.
 * Returns 0, or -EINVAL for an unknown model or set.
 */
PYEXIT_API int pyexit_params(uint32_t model, uint32_t set, struct pyexit_params *params);

/*
 * pyexit_machine_size() says how many bytes pyexit_machine_init() needs for
 * @options.  Returns the size, or 0 if the options are not valid (init says
 * why).
 */
PYEXIT_API size_t pyexit_machine_size(const struct pyexit_options *options);

/*
 * pyexit_machine_init() makes a machine in @memory, which is @size bytes
 * long and aligned to 64.  The machine keeps no pointer to @options, only to
 * the RAM ranges' host memory and what host_ops names.  State is that of
 * reset (mmu-hardware 2.9).
 * Returns 0 and *@machine; -EINVAL if an option is out of its range,
 * -EEXIST if RAM ranges overlap, -ENOMEM if @size is too small,
 * -EFAULT if @memory is NULL or not aligned.
 */
PYEXIT_API int pyexit_machine_init(void *memory, size_t size, const struct pyexit_options *options,
				   struct pyexit_machine **machine);

/* pyexit_machine_new() is size and init over malloc.  Returns 0 or the error of init. */
PYEXIT_API int pyexit_machine_new(const struct pyexit_options *options, struct pyexit_machine **machine);

/* pyexit_search() tells which enum pyexit_search the machine uses, never AUTO; 0 for NULL. */
PYEXIT_API uint32_t pyexit_search(const struct pyexit_machine *machine);

/* pyexit_machine_free() frees what pyexit_machine_new() made.  NULL is allowed. */
PYEXIT_API void pyexit_machine_free(struct pyexit_machine *machine);

/*
 * pyexit_state() gives the state block for reading; *@size is its length in
 * bytes.  The pointer holds for the life of the machine.  A copy of the
 * block is a snapshot; equal machines have equal bytes.  NULL if an
 * argument is NULL.
 */
PYEXIT_API const uint8_t *pyexit_state(const struct pyexit_machine *machine, size_t *size);

/*
 * pyexit_state_offset() locates record @index of kind @record (enum
 * pyexit_record) in the state block.  Returns the offset in bytes, or -EINVAL.
 */
PYEXIT_API int64_t pyexit_state_offset(const struct pyexit_machine *machine, uint32_t record, uint32_t index);

/*
 * pyexit_state_write() stores @size bytes at @offset of the state block: the
 * one door for changing state from outside.  Returns 0, -EINVAL outside the
 * block, -EFAULT for a NULL argument.  Values are taken as they are; whatever
 * they are, no later call fails otherwise than by its documented errors.
 */
PYEXIT_API int pyexit_state_write(struct pyexit_machine *machine, size_t offset, const void *data, size_t size);

/*
 * pyexit_ram_read(), pyexit_ram_write() copy @size bytes at real address
 * @addr.  Returns 0; -EFAULT, and nothing is copied, if a byte is not RAM
 * or an argument is NULL.
 */
PYEXIT_API int pyexit_ram_read(const struct pyexit_machine *machine, uint64_t addr, void *data, size_t size);
PYEXIT_API int pyexit_ram_write(struct pyexit_machine *machine, uint64_t addr, const void *data, size_t size);

/*
 * pyexit_translate(): effective to real address for the code that runs on
 * the hardware thread of @vcpu, in the state that thread.msr, PID and LPID
 * of that thread say; or the interrupt that the access causes, taken whole.
 * @size is 1 to 4096 bytes, @access an enum pyexit_access,
 * plus PYEXIT_EXTERNAL for a data access through EPLC or EPSC.  With @probe not
 * 0 nothing changes and the answer is the one that the access would get.
 * Returns 0, -EINVAL for an argument out of range, -EFAULT for a NULL one.
 */
PYEXIT_API int pyexit_translate(struct pyexit_machine *machine, uint32_t vcpu, uint64_t ea, uint32_t size,
				uint32_t access, uint32_t probe, struct pyexit_translation *translation);

/*
 * pyexit_guest_op() executes the privileged instruction @instruction of the
 * code on @vcpu's thread, at thread.pc with the registers of thread.gpr: natively
 * (DONE, pc advanced) where guest state may, else the interrupt that it
 * causes, taken whole (mmu-hardware 6.5).  In hypervisor state it executes
 * the TLB, SPR, MSR, return and message instructions of that table.
 * Returns 0; -ENOSYS for an instruction that is not privileged, and for
 * lfdepx and stfdepx, whose registers are the engine's: its own business;
 * -EINVAL, -EFAULT.
 */
PYEXIT_API int pyexit_guest_op(struct pyexit_machine *machine, uint32_t vcpu, uint32_t instruction,
			       struct pyexit_end *end);

/*
 * pyexit_interrupt() takes an interrupt that the engine found: @ivor is 5
 * alignment, 6 program, 7 FP unavailable, 8 system call, 9 AP unavailable,
 * 15 debug, 32 vector unavailable, 33 vector assist, 40 hypervisor system
 * call; @esr and @dear are its syndrome where it has one.  thread.pc is the
 * instruction.  Returns 0, -EINVAL, -EFAULT.
 */
PYEXIT_API int pyexit_interrupt(struct pyexit_machine *machine, uint32_t vcpu, uint32_t ivor, uint32_t esr,
				uint64_t dear, struct pyexit_end *end);

/*
 * pyexit_enter() is KVM_RUN up to the guest (exit 7.8, 7.7, 11.5): what an
 * earlier exit left to complete, the checks before entry, vcpu_load, and the
 * guest's registers into the hardware thread.  Returns 0, -EINVAL, -EFAULT;
 * -EBUSY when a vcpu of that hardware thread is in the guest already
 * (vcpu.mode).
 */
PYEXIT_API int pyexit_enter(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_resume *resume);

/*
 * pyexit_exit() is the exit @exit_nr that pyexit_translate(), _guest_op(),
 * _interrupt() or _pending() reported: the entry path (exit 11.3),
 * kvmppc_handle_exit, and the way back into the guest (11.5) or out of
 * KVM_RUN (11.4, 7.7, 7.8).  Returns 0, -EINVAL, -EFAULT; -ENOENT for an
 * exit number that no vector is hooked for (11.2).
 */
PYEXIT_API int pyexit_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr,
			   struct pyexit_resume *resume);

/*
 * pyexit_exits() is pyexit_exit() for each of @n records, with the hardware
 * thread put first into the state that the interrupt leaves: save and
 * syndrome registers, MSR of the hypervisor, pc at the vector.  It stops
 * behind the first that ends otherwise than PYEXIT_RETURNED in the guest or
 * the host.  Returns how many answers @resume has, or -EINVAL, -EFAULT,
 * -ENOENT for the first record that is wrong (those before it have happened).
 */
PYEXIT_API int64_t pyexit_exits(struct pyexit_machine *machine, const struct pyexit_exit_record *records, size_t n,
				struct pyexit_resume *resume);

/*
 * pyexit_pin() raises (@level not 0) or lowers asynchronous cause @pin (enum
 * pyexit_pin) of hardware thread @thread.  May be called from any thread.
 * Returns 0, -EINVAL, -EFAULT.
 */
PYEXIT_API int pyexit_pin(struct pyexit_machine *machine, uint32_t thread, uint32_t pin, uint32_t level);

/*
 * pyexit_pending() takes the asynchronous interrupt that is due and enabled
 * for the guest on @vcpu's thread, if any; DONE if none is.  In hypervisor
 * state none is: the host is the caller.  Returns 0, -EINVAL, -EFAULT.
 */
PYEXIT_API int pyexit_pending(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_end *end);

/*
 * pyexit_advance() moves the timebase of every core by @ticks, and host.jiffies
 * of every thread by the multiples of host.tb_ticks_per_jiffy that the
 * timebase passes (none if that is 0): time moves only here.  Then the
 * timers that are due fire, once each, vcpus in ascending order, a vcpu's
 * decrementer before its watchdog: arch.dec_timer_expires <= timebase;
 * host.jiffies - arch.wdt_timer_expires, cut to an unsigned long, has its
 * top bit clear.  Returns 0, -EFAULT.
 */
PYEXIT_API int pyexit_advance(struct pyexit_machine *machine, uint64_t ticks);

/*
 * pyexit_call() calls one function of the core by its name.  args[0] is the
 * number of a hardware thread for ppc_*, of a vcpu for the others:
 *
 *   ppc_mtspr thread spr value
 *   ppc_mfspr thread spr		value[0] = the register
 *   ppc_tlbsx thread ea
 *   ppc_tlbre thread
 *   ppc_tlbwe thread
 *   ppc_tlbilx thread t ea
 *   ppc_tlbivax thread ea
 *   ppc_lwepx thread ea		value[0] = the word
 *   ppc_msgsnd thread message
 *   ppc_msgclr thread message
 *   kvmppc_entry_fetch vcpu		the fetch's part in the entry path (exit 11.3 E6); ret as ppc_*
 *   kvmppc_load_last_inst vcpu type	value[0] = instruction, deadbeef if not written
 *   kvmppc_get_last_inst vcpu type	value[0] = instruction
 *   kvmppc_handle_exit vcpu exit_nr
 *   kvmppc_vcpu_run vcpu
 *   kvmppc_prepare_to_enter vcpu
 *   kvmppc_core_prepare_to_enter vcpu
 *   kvmppc_core_check_requests vcpu
 *   kvmppc_core_check_exceptions vcpu
 *   kvmppc_booke_irqprio_deliver vcpu priority
 *   kvmppc_booke_queue_irqprio vcpu priority
 *   kvmppc_core_queue_dtlb_miss, _data_storage, _alignment vcpu dear esr
 *   kvmppc_core_queue_inst_storage, _program vcpu esr
 *   kvmppc_core_queue_itlb_miss, _fpunavail, _vec_unavail, _dec, _debug vcpu
 *   kvmppc_core_dequeue_dec, _debug, _external vcpu
 *   kvmppc_core_pending_dec vcpu
 *   kvmppc_core_queue_external vcpu irq
 *   kvm_arch_vcpu_runnable vcpu
 *   kvmppc_set_msr vcpu msr
 *   kvmppc_set_epcr vcpu epcr
 *   kvmppc_core_vcpu_load, kvmppc_core_vcpu_put vcpu
 *   kvm_arch_vcpu_load, kvm_arch_vcpu_put vcpu	the same and VRSAVE
 *   kvmppc_core_flush_tlb vcpu
 *   kvmppc_set_tcr, _set_tsr, _set_tsr_bits, _clr_tsr_bits vcpu value
 *   update_timer_ints, arm_next_watchdog vcpu
 *   watchdog_next_timeout vcpu		ret = jiffies
 *   kvmppc_watchdog_func, kvmppc_decrementer_func vcpu
 *   kvmppc_emulate_dec vcpu
 *   kvmppc_get_dec vcpu tb		ret = the register
 *   kvmppc_kvm_pv vcpu
 *   kvmppc_handle_debug vcpu
 *   kvm_guest_protect_msr vcpu bitmap set
 *   kvm_arch_vcpu_ioctl_set_guest_debug vcpu control [addr type]...	up to 16 pairs
 *   kvmppc_update_timing_stats vcpu
 *   kvmppc_init_timing_stats vcpu
 *   emulation_exit, kvmppc_emulate_instruction vcpu
 *   kvmppc_emulate_mmio, kvmppc_emulate_loadstore, kvmppc_complete_mmio_load vcpu
 *   kvmppc_handle_load, kvmppc_handle_loads vcpu rt bytes default_endian
 *   kvmppc_handle_store vcpu value bytes default_endian
 *   kvm_arch_vcpu_ioctl_run vcpu
 *   kvmppc_ld vcpu ea size data	value[] = ea, four words of the buffer
 *   kvmppc_st vcpu ea size data b0 b1 b2 b3	value[0] = ea
 *   kvmppc_xlate vcpu ea xlid xlrw	value[] = pte.eaddr, raddr, vpage, may_execute
 *   kvmppc_e500_emul_tlbwe, _tlbre vcpu
 *   kvmppc_e500_emul_tlbsx, _tlbivax vcpu ea
 *   kvmppc_e500_emul_tlbilx vcpu type ea
 *   kvmppc_e500_emul_mt_mmucsr0 vcpu value
 *   kvmppc_mmu_itlb_index, kvmppc_mmu_dtlb_index vcpu ea
 *   kvmppc_mmu_xlate vcpu index ea	ret = the guest real address
 *   kvmppc_mmu_itlb_miss, kvmppc_mmu_dtlb_miss vcpu
 *   kvmppc_core_vcpu_translate vcpu linear_address	value[] = valid, physical_address
 *   kvmppc_mmu_map vcpu ea gpa index
 *   inval_gtlbe_on_host vcpu tlbsel esel
 *   kvmppc_e500_tlbil_one vcpu entry	index in the array of both TLBs
 *   kvm_vcpu_ioctl_dirty_tlb, kvm_vcpu_ioctl_config_tlb vcpu
 *   mmu_notifier_invalidate vm		the host changes a mapping of the VM's memory (mmu-kvm 11)
 *   kvm_arch_vcpu_ioctl_get_regs, _set_regs, _get_sregs, _set_sregs vcpu	user.regs, user.sregs
 *   kvm_arch_vcpu_ioctl_get_fpu, _set_fpu, _get_mpstate vcpu; _set_mpstate vcpu state
 *   kvm_vcpu_ioctl_get_one_reg, kvm_vcpu_ioctl_set_one_reg vcpu id addr
 *   kvm_arch_vcpu_ioctl vcpu request pointer
 *   kvm_arch_vcpu_async_ioctl vcpu request pointer irq
 *   kvm_vcpu_ioctl_interrupt vcpu irq
 *   kvm_arch_vcpu_ioctl_translate vcpu linear_address	value[] = valid, writeable, usermode, physical_address
 *   kvm_arch_vcpu_create, kvmppc_core_vcpu_create, kvmppc_core_vcpu_setup vcpu
 *   kvmppc_subarch_vcpu_init, kvmppc_subarch_vcpu_uninit vcpu
 *   kvmppc_core_vcpu_free, kvm_arch_vcpu_destroy, kvmppc_sanity_check vcpu
 *   kvmppc_core_check_processor_compat vcpu cpu
 *   kvm_arch_init_vm vcpu type		value[0] = kvm_ops_set
 *   kvm_arch_destroy_vm, kvmppc_core_destroy_vm, kvmppc_alloc_lpid vcpu
 *   kvmppc_free_lpid vcpu lpid
 *   kvm_vm_ioctl_check_extension vcpu cap vm
 *   kvm_vm_ioctl_enable_cap vcpu cap flags
 *   kvm_arch_vm_ioctl vcpu request pointer
 *   kvm_cpu_has_pending_timer vcpu
 *
 * The queue functions also take a dear and an esr that they do not use, as
 * the vectors have them, and kvm_arch_vcpu_load a cpu.
 * ppc_* execute in hypervisor state, whatever the thread's MSR says; ret is
 * an enum pyexit_outcome and value[0] the interrupt number if not DONE.
 * The others' ret is the kernel's, and result->outcome says whether they
 * returned.
 * Returns 0; -ENOENT for an unknown name, -E2BIG for a wrong number of
 * arguments, -EINVAL for a vcpu or thread that does not exist, -EFAULT for a
 * NULL.
 */
PYEXIT_API int pyexit_call(struct pyexit_machine *machine, const char *name, const uint64_t *args, size_t n,
			   struct pyexit_result *result);

/*
 * pyexit_load_last_inst() is kvmppc_load_last_inst of pyexit_call() without
 * the look-up of its name.  Returns enum emulation_result: 0 and *@instr, or
 * 2 FAIL, 3 AGAIN, and *@instr is left; -EINVAL, -EFAULT.
 */
PYEXIT_API int pyexit_load_last_inst(struct pyexit_machine *machine, uint32_t vcpu, uint32_t *instr);

/*
 * pyexit_load_last_insts() is that at each of @n pcs, which arch.regs.nip
 * takes one after the other; @instr[i] is ffffffff where there is no word.
 * Returns how many words there are; -EINVAL, -EFAULT.
 */
PYEXIT_API int64_t pyexit_load_last_insts(struct pyexit_machine *machine, uint32_t vcpu, const uint64_t *pc, size_t n,
					  uint32_t *instr);

/*
 * pyexit_repeat() is pyexit_call() @times times: a loop for who measures.
 * Returns what the last call returned, at the first error; -EINVAL for no
 * times.
 */
PYEXIT_API int pyexit_repeat(struct pyexit_machine *machine, const char *name, const uint64_t *args, size_t n,
			     uint64_t times, struct pyexit_result *result);

/*
 * pyexit_interleave() sets what other threads do at points of the next
 * fetches: each of @n actions happens once, when its point is first passed,
 * in the order given; n = 0 clears.  Returns 0; -E2BIG for more than
 * PYEXIT_ACTIONS, -EINVAL for an unknown point, kind or call, -EFAULT for a
 * NULL.
 */
PYEXIT_API int pyexit_interleave(struct pyexit_machine *machine, const struct pyexit_action *actions, size_t n);

/*
 * pyexit_invariants() looks for violations of enum pyexit_rule and changes
 * nothing.  A vcpu with KVM_REQ_TLB_FLUSH pending flushes before its guest
 * runs: of its entries only the first two rules are asked.  They hold of what
 * guests do, not of any state that is written from outside; the host's part
 * (kvm.memslot, kvm.vma, kvm.backing, host.pte_*) changes with an
 * mmu_notifier_invalidate.  Stores the first @n.  Returns how many there are,
 * also beyond @n; -EFAULT.
 */
PYEXIT_API int64_t pyexit_invariants(const struct pyexit_machine *machine, struct pyexit_violation *violations,
				     size_t n);

/* pyexit_call_name() names function @index of the table above; NULL past its end. */
PYEXIT_API const char *pyexit_call_name(const struct pyexit_machine *machine, uint32_t index);

/*
 * pyexit_events() moves up to @max events, oldest first, out of the ring.
 * Returns their number.  When the ring is full new events are lost and
 * counted; pyexit_events_lost() tells how many since the last call.
 */
PYEXIT_API size_t pyexit_events(struct pyexit_machine *machine, struct pyexit_event *events, size_t max);
PYEXIT_API uint64_t pyexit_events_lost(struct pyexit_machine *machine);

#ifdef __cplusplus
}
#endif

#endif /* PYEXIT_H */
