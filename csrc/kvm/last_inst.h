/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/last_inst: reading the guest's last instruction, the subject of patch
 * 5/5 v4 (exit 4, mmu-kvm 15; covers kvm_ppc.h's kvmppc_get_last_inst and
 * e500_mmu_host.c's kvmppc_load_last_inst).
 */
#ifndef KVM_LAST_INST_H
#define KVM_LAST_INST_H

#include "vcpu.h"

/*
 * Search the TLB for the guest's pc, compose the real address, check it,
 * read the word.  Returns EMULATE_DONE and *@instr, or the strategy's answer
 * to a failure and *@instr untouched.
 */
static int kvmppc_load_last_inst(struct pyexit_machine *machine, uint32_t vcpu, uint32_t *instr);

/* The instruction from the cache, loading it first if it is not there. */
static int kvmppc_get_last_inst(struct pyexit_machine *machine, uint32_t vcpu, uint32_t *instr);

/* A fetch at each of @n pcs; words that cannot be had are all ones.  Returns how many could. */
static size_t load_last_insts(struct pyexit_machine *machine, uint32_t vcpu, const uint64_t *pc, size_t n,
			      uint32_t *instr);

#endif
