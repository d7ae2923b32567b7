/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/interleave: what other threads do while a fetch is under way.  A
 * scenario sets the actions; each happens once, when its point is passed.
 */
#ifndef KVM_INTERLEAVE_H
#define KVM_INTERLEAVE_H

#include "machine.h"

/* What a preemption at a point would do to the fetch. */
enum kvm_mapping {
	KVM_NOTHING_MAPPED,
	KVM_MAPPED_GUARDED,	/* preemption is off */
	KVM_MAPPED_UNGUARDED
};

static void kvmppc_point(struct pyexit_machine *machine, enum pyexit_point point, enum kvm_mapping mapping,
			 uint64_t pfn);

#endif
