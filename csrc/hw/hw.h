/* SPDX-License-Identifier: BSD-3-Clause */
/* hw/hw: the hardware of a machine, as data that its rooms share. */
#ifndef HW_HW_H
#define HW_HW_H

#include "pyexit.h"

/* The event ring: a full one keeps what it has and counts what it loses. */
struct ppc_events {
	struct pyexit_event *ring;
	uint32_t capacity;
	uint32_t first;
	uint32_t used;
	uint64_t lost;
};

/* Real memory: ranges that ascend, do not overlap and are page aligned. */
struct ppc_memory {
	struct pyexit_ram *range;
	size_t count;
};

struct ppc_hw {
	struct pyexit_params params;
	/* The entries of a TLB1 whose page holds an address, bit n = entry n; NULL: one by one. */
	uint64_t (*page_hits)(const struct pyexit_htlb1 *tlb, uint32_t entries, uint64_t ea);
	uint32_t cores;
	uint32_t threads;		/* of all cores together */
	struct pyexit_htlb0 *htlb0;	/* one per core */
	struct pyexit_htlb1 *htlb1;
	struct pyexit_core *core;
	struct pyexit_lrat *lrat;
	struct pyexit_spr *spr;		/* one per thread */
	struct pyexit_thread *thread;
	uint64_t generation;		/* counts the writes to TLB entries and to the state block; never 0 */
	struct ppc_memory memory;
	struct ppc_events events;
};

/* How an instruction or an access ended: an enum pyexit_outcome or -errno, and the interrupt taken. */
struct ppc_end {
	int32_t outcome;
	uint32_t ivor;
};

/* Why an interrupt is taken. */
struct ppc_cause {
	uint32_t ivor;
	uint32_t esr;		/* or MCSR of a machine check */
	uint64_t ea;		/* DEAR, MCAR; the pc where the row has no address */
	int hypervisor;		/* 1: virtualization fault, TLB ineligible: never the guest's */
	int host;		/* 1: an instruction of the hypervisor's, whatever thread.msr says */
};

#endif
