/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm/mmio: accesses of the guest to what is not its memory: started here,
 * completed by userspace or by a device in the kernel; and KVM's own
 * accesses to guest memory (emulate 6; covers powerpc.c).
 */
#ifndef KVM_MMIO_H
#define KVM_MMIO_H

#include "vcpu.h"

/* io_gpr: register number and class (emulate 6.2) */
#define MMIO_REG_MASK 0x003fu
#define MMIO_CLASS_MASK 0xffc0u
#define MMIO_CLASS_GPR 0x0000u
#define MMIO_CLASS_FPR 0x0040u
#define MMIO_CLASS_VMX 0x0180u

/* mmio_copy_type: the elements that a vector access moves (emulate 5.4) */
enum {
	MMIO_COPY_BYTE = 8,
	MMIO_COPY_HWORD = 9,
	MMIO_COPY_WORD = 10,
	MMIO_COPY_DWORD = 11
};

/* run.internal.suberror (emulate 6.1) */
#define KVM_INTERNAL_ERROR_EMULATION 1u

/* kvmppc_xlate: which translation (emulate 6.12) */
enum {
	XLATE_INST = 0,
	XLATE_DATA = 1
};

/* As much as one write_guest event has room for */
#define GUEST_BYTES 32u

/* What a translation of the guest's found (emulate 6.12). */
struct kvmppc_pte {
	uint64_t eaddr, raddr, vpage;
	uint32_t may_execute;
};

/* A load or store to paddr_accessed by the instruction at hand: RESUME_* for the exit handler. */
static int kvmppc_emulate_mmio(struct pyexit_machine *machine, uint32_t vcpu);

/* One access of @bytes; @rt is the register with its class.  EMULATE_DONE, _DO_MMIO, or _FAIL and nothing done. */
static int kvmppc_handle_load(struct pyexit_machine *machine, uint32_t vcpu, uint32_t rt, uint32_t bytes,
			      uint32_t default_endian);
static int kvmppc_handle_loads(struct pyexit_machine *machine, uint32_t vcpu, uint32_t rt, uint32_t bytes,
			       uint32_t default_endian);
static int kvmppc_handle_store(struct pyexit_machine *machine, uint32_t vcpu, uint64_t value, uint32_t bytes,
			       uint32_t default_endian);

/* mmio_vmx_copy_nums accesses of @bytes each, for elements of vector register @rt or @rs. */
static int kvmppc_handle_vmx_load(struct pyexit_machine *machine, uint32_t vcpu, uint32_t rt, uint32_t bytes);
static int kvmppc_handle_vmx_store(struct pyexit_machine *machine, uint32_t vcpu, uint32_t rs, uint32_t bytes);

/* run.mmio.data into the register that io_gpr names. */
static void kvmppc_complete_mmio_load(struct pyexit_machine *machine, uint32_t vcpu);

/* What userspace was asked for, at most one thing, is taken: 1 to enter the guest, 0 to leave KVM_RUN with 0. */
static int kvmppc_complete_exit(struct pyexit_machine *machine, uint32_t vcpu);

/* KVM_RUN: what userspace was asked for is taken, then the guest is entered.  0 or -errno. */
static int kvm_arch_vcpu_ioctl_run(struct pyexit_machine *machine, uint32_t vcpu);

/*
 * Guest translation of @ea, permissions not looked at (Q26): 0 and *@pte, or
 * -ENOENT and *@pte all 0.  An @xlid that is neither is a BUG.
 */
static int kvmppc_xlate(struct pyexit_machine *machine, uint32_t vcpu, uint64_t ea, uint32_t xlid,
			struct kvmppc_pte *pte);

/*
 * KVM's own load or store of @size bytes at guest address *@ea, which
 * becomes the guest real address.  @size <= GUEST_BYTES.  -ENOENT, EMULATE_DONE, or EMULATE_DO_MMIO
 * where the guest has no memory; pages before that one are done.
 */
static int kvmppc_ld(struct pyexit_machine *machine, uint32_t vcpu, uint64_t *ea, uint32_t size, uint8_t *data,
		     uint32_t is_data);
static int kvmppc_st(struct pyexit_machine *machine, uint32_t vcpu, uint64_t *ea, uint32_t size, const uint8_t *data,
		     uint32_t is_data);

#endif
