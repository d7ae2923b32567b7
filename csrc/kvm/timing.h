/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm/timing: what each kind of exit costs, as CONFIG_KVM_EXIT_TIMING counts it (exit 1.11, 13; covers timing.c). */
#ifndef KVM_TIMING_H
#define KVM_TIMING_H

#include "vcpu.h"

/* enum kvm_exit_types (exit 1.11) */
enum {
	MMIO_EXITS = 0,
	SIGNAL_EXITS = 1,
	ITLB_REAL_MISS_EXITS = 2,
	ITLB_VIRT_MISS_EXITS = 3,
	DTLB_REAL_MISS_EXITS = 4,
	DTLB_VIRT_MISS_EXITS = 5,
	SYSCALL_EXITS = 6,
	ISI_EXITS = 7,
	DSI_EXITS = 8,
	EMULATED_INST_EXITS = 9,
	EMULATED_MTMSRWE_EXITS = 10,
	EMULATED_WRTEE_EXITS = 11,
	EMULATED_MTSPR_EXITS = 12,
	EMULATED_MFSPR_EXITS = 13,
	EMULATED_MTMSR_EXITS = 14,
	EMULATED_MFMSR_EXITS = 15,
	EMULATED_TLBSX_EXITS = 16,
	EMULATED_TLBWE_EXITS = 17,
	EMULATED_RFI_EXITS = 18,
	EMULATED_RFCI_EXITS = 19,
	EMULATED_RFDI_EXITS = 20,
	DEC_EXITS = 21,
	EXT_INTR_EXITS = 22,
	HALT_WAKEUP = 23,
	USR_PR_INST = 24,
	FP_UNAVAIL = 25,
	DEBUG_EXITS = 26,
	TIMEINGUEST = 27,
	DBELL_EXITS = 28,
	GDBELL_EXITS = 29,
	NUMBER_OF_KVM_EXIT_TYPES = 30
};

/* The type that the time until the next exit is booked on. */
static void kvmppc_set_exit_type(struct pyexit_machine *machine, uint32_t vcpu, uint32_t type);

/* Type and event counter. */
static void kvmppc_account_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t type);

static void kvmppc_init_timing_stats(struct pyexit_machine *machine, uint32_t vcpu);
static void kvmppc_update_timing_stats(struct pyexit_machine *machine, uint32_t vcpu);

#endif
