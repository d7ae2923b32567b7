/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/machine: a machine, as data: hardware, the hypervisor's state, and how the two are wired. */
#ifndef KVM_MACHINE_H
#define KVM_MACHINE_H

#include "../hw/hw.h"

/* The point of an action that has happened. */
#define PYEXIT_POINT_DONE UINT32_MAX

struct pyexit_width;

struct pyexit_machine {
	struct ppc_hw hw;
	const struct pyexit_width *width;
	uint8_t *state;
	size_t state_size;
	size_t record_offset[PYEXIT_RECORDS];
	uint32_t record_count[PYEXIT_RECORDS];
	struct pyexit_host *host;	/* one per hardware thread */
	struct pyexit_kvm *kvm;
	struct pyexit_vcpu *vcpu;
	struct pyexit_run *run;		/* one per vcpu, as e500 */
	struct pyexit_e500 *e500;
	uint32_t *vcpu_thread;		/* where each vcpu is pinned */
	uint32_t *vcpu_vm;
	uint32_t vms, vcpus;
	uint32_t fetch;
	uint32_t handler;
	uint32_t outcome, site;		/* of the call under way: enum pyexit_stop and what it names */
	uint32_t halts;			/* in the call under way */
	struct pyexit_action action[PYEXIT_ACTIONS];	/* done ones have point PYEXIT_POINT_DONE */
	uint32_t actions;
	uint32_t hijacker;		/* thread + 1 that has taken over its core's vectors, 0 = none */
	uint64_t hijacked[3];		/* the vectors' own IVORs meanwhile */
};

#endif
