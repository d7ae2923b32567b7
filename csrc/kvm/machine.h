/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/machine: a machine, as data: hardware, the hypervisor's state, and how the two are wired. */
#ifndef KVM_MACHINE_H
#define KVM_MACHINE_H

#include "../hw/hw.h"

/* The point of an action that has happened. */
#define PYEXIT_POINT_DONE UINT32_MAX

struct pyexit_machine;

/* args[0] of a call is a hardware thread, a vcpu or a virtual machine. */
enum call_object {
	CALL_THREAD,
	CALL_VCPU,
	CALL_VM
};

/* No function takes more: vcpu, control, and 16 break points of two. */
#define CALL_ARGUMENTS 34

/* One function of pyexit_call(). */
struct pyexit_call_row {
	const char *name;
	enum call_object object;
	uint32_t n, most;	/* arguments, the object included: at least, at most */
	/* @args: @most of them, 0 those that were left out */
	int (*function)(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result);
};

/* What the width unit that a machine runs on offers. */
struct pyexit_width {
	void (*reset)(struct pyexit_machine *machine);
	struct pyexit_translation (*translate)(struct ppc_hw *hw, uint32_t thread, uint64_t ea, uint32_t size,
					       uint32_t access, int probe);
	struct ppc_end (*guest_op)(struct ppc_hw *hw, uint32_t thread, uint32_t instruction);
	struct ppc_end (*interrupt)(struct ppc_hw *hw, uint32_t thread, const struct ppc_cause *cause);
	struct ppc_end (*pending)(struct ppc_hw *hw, uint32_t thread);
	void (*run_timers)(struct pyexit_machine *machine);
	int (*do_kvm)(struct pyexit_machine *machine, uint32_t thread, uint32_t ivor);
	int (*exit_hooked)(uint32_t exit_nr);
	int (*enter)(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_resume *resume);
	void (*exit)(struct pyexit_machine *machine, uint32_t vcpu, uint32_t exit_nr, struct pyexit_resume *resume);
	int64_t (*exits)(struct pyexit_machine *machine, const struct pyexit_exit_record *records, size_t n,
			 struct pyexit_resume *resume);
	int (*load_last_inst)(struct pyexit_machine *machine, uint32_t vcpu, uint32_t *instr);
	size_t (*load_last_insts)(struct pyexit_machine *machine, uint32_t vcpu, const uint64_t *pc, size_t n,
				  uint32_t *instr);
	size_t (*invariants)(const struct pyexit_machine *machine, struct pyexit_violation *violations, size_t n);
	const struct pyexit_call_row *calls;
	uint32_t n_calls;
};

/* One line of kvm/lookaside: a page of the guest's code, and what its fetch came to. */
struct kvmppc_lookaside {
	uint64_t page;			/* of the pc; bits 11:0 name the TLB entry */
	uint64_t context;		/* bits 27:0 hold the real page number */
	uint64_t generation;
	const uint8_t *host;		/* the page in the memory of whoever lends RAM */
};

_Static_assert(sizeof(struct kvmppc_lookaside) <= 32, "1,024 lines and a vcpu's records fit in 48 KiB");

static inline uint32_t kvmppc_lookaside_entry(const struct kvmppc_lookaside *line)
{
	return (uint32_t)(line->page >> 11 & 1) << 16 | (line->page & 0x7ff);
}

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
	struct pyexit_user *user;	/* one per vcpu */
	struct pyexit_swtlb *swtlb;	/* one per vcpu, or NULL without options.sw_tlb */
	struct pyexit_host_ops ops;	/* all NULL without options.host_ops */
	uint32_t *vcpu_thread;		/* where each vcpu is pinned */
	uint32_t *vcpu_vm;
	uint32_t vms, vcpus;
	uint32_t fetch;
	uint32_t search;		/* enum pyexit_search, not AUTO */
	uint32_t handler;
	uint32_t lookaside_lines;	/* per vcpu, a power of two, or 0 */
	uint32_t lookaside_checked;
	uint32_t invariants;		/* 1: checked behind every verb of KVM's */
	struct kvmppc_lookaside *lookaside;
	uint32_t outcome, site;		/* of the call under way: enum pyexit_stop and what it names */
	uint32_t halts;			/* in the call under way */
	struct pyexit_action action[PYEXIT_ACTIONS];	/* done ones have point PYEXIT_POINT_DONE */
	uint32_t actions;
	uint32_t hijacker;		/* thread + 1 that has taken over its core's vectors, 0 = none */
	uint64_t hijacked[3];		/* the vectors' own IVORs meanwhile */
};

/* A call begins: nothing has stopped it. */
static inline void kvmppc_begin(struct pyexit_machine *machine)
{
	machine->outcome = PYEXIT_RETURNED;
	machine->site = 0;
	machine->halts = 0;
}

#endif
