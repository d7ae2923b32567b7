/* SPDX-License-Identifier: BSD-3-Clause */
#include "entry_fetch.h"

#include "../hw/epid.h"
#include "host.h"
#include "interleave.h"

/* Vectors that an external-PID load can reach: exit 11.7; LRAT errors only where there is an LRAT. */
static const uint32_t lwepx_vectors[] = { IVOR_DTLB_MISS, IVOR_DATA_STORAGE, IVOR_LRAT_ERROR };

static uint32_t lwepx_vector_count(const struct ppc_hw *hw)
{
	return hw->params.mmucfg & MMUCFG_LRAT ? 3 : 2;
}

static int is_lwepx_vector(const struct ppc_hw *hw, uint32_t ivor)
{
	for (uint32_t i = 0; i < lwepx_vector_count(hw); i++)
		if (lwepx_vectors[i] == ivor)
			return 1;
	return 0;
}

static void fetch_isync(struct pyexit_machine *machine, uint32_t thread)
{
	ppc_count(&machine->hw, thread, PYEXIT_OP_ISYNC);
}

/* The guest's context put into EPLC: EAS, EPR, EPID; EGS and ELPID stay (exit 11.6 O2). */
static uint64_t guest_eplc(const struct pyexit_arch *arch, uint64_t eplc)
{
	eplc &= ~(uint64_t)(EPC_EAS | EPC_EPR | EPC_EPID_MASK);
	eplc |= arch->shared.msr & MSR_IS ? EPC_EAS : 0;
	eplc |= arch->shared.msr & MSR_PR ? EPC_EPR : 0;
	return eplc | (arch->pid & EPC_EPID_MASK);
}

static int kvmppc_do_kvm(struct pyexit_machine *machine, uint32_t thread, uint32_t ivor)
{
	uint64_t esr, eplc;

	if (machine->fetch != PYEXIT_FETCH_LWEPX_DO_KVM || !is_lwepx_vector(&machine->hw, ivor))
		return 0;
	(void)ppc_mfspr(&machine->hw, thread, SPR_ESR, &esr);	/* the vector's, whichever vcpu is there */
	if (!(esr & ESR_EPID))
		return 0;
	(void)ppc_mfspr(&machine->hw, thread, SPR_EPLC, &eplc);
	return (eplc & EPC_EGS) != 0;
}

/* The fault has been recognised: back to the instruction after the load, in the state of the load. */
static void resume_after_load(struct pyexit_machine *machine, uint32_t thread)
{
	struct pyexit_thread *t = &machine->hw.thread[thread];

	t->msr = machine->hw.spr[thread].SRR1;
	t->pc = (ulong_t)(machine->hw.spr[thread].SRR0 + 4);
}

/* O1-O4 of exit 11.6; @recovers: is a fault of the load recognised? */
static struct ppc_end load(struct pyexit_machine *machine, uint32_t vcpu,
			   int (*recovers)(struct pyexit_machine *machine, uint32_t thread, uint32_t ivor))
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint32_t thread = kvmppc_thread(machine, vcpu);
	ulong_t eplc = kvmppc_mfspr(machine, vcpu, SPR_EPLC);
	uint64_t word = KVM_INST_FETCH_FAILED;
	struct ppc_end end;

	kvmppc_mtspr(machine, vcpu, SPR_EPLC, guest_eplc(arch, eplc));
	fetch_isync(machine, thread);
	kvmppc_point(machine, PYEXIT_POINT_MAS_SET, KVM_NOTHING_MAPPED, 0);
	end = ppc_lwepx(&machine->hw, thread, (ulong_t)arch->regs.nip, 1, &word);
	if (end.outcome != PYEXIT_DONE) {
		if (!recovers(machine, thread, end.ivor))
			return end;
		resume_after_load(machine, thread);
	}
	kvmppc_point(machine, PYEXIT_POINT_READ, KVM_NOTHING_MAPPED, 0);
	kvmppc_mtspr(machine, vcpu, SPR_EPLC, eplc);
	arch->last_inst = (uint32_t)word;
	return PPC_DONE;
}

static int recovers_nothing(struct pyexit_machine *machine, uint32_t thread, uint32_t ivor)
{
	(void)machine;
	(void)thread;
	(void)ivor;
	return 0;
}

static int recovers_hijacked(struct pyexit_machine *machine, uint32_t thread, uint32_t ivor)
{
	(void)thread;
	return is_lwepx_vector(&machine->hw, ivor);
}

/* The threads of a core share the IVORs (mmu-hardware 9.8). */
static void write_shared_ivor(struct pyexit_machine *machine, uint32_t thread, uint32_t ivor, uint64_t value)
{
	uint32_t threads = machine->hw.params.threads;
	uint32_t first = thread / threads * threads;

	ppc_count(&machine->hw, thread, PYEXIT_OP_MTSPR);
	for (uint32_t t = first; t < first + threads; t++)
		machine->hw.spr[t].IVOR[ivor] = value;
}

static struct ppc_end load_hijacked(struct pyexit_machine *machine, uint32_t vcpu)
{
	uint32_t thread = kvmppc_thread(machine, vcpu);
	uint32_t n = lwepx_vector_count(&machine->hw);
	uint64_t saved[3];
	struct ppc_end end;

	if (machine->hw.params.threads > 1)
		ppc_count(&machine->hw, thread, PYEXIT_OP_LOCK);
	for (uint32_t i = 0; i < n; i++) {
		ppc_count(&machine->hw, thread, PYEXIT_OP_MFSPR);
		saved[i] = machine->hw.spr[thread].IVOR[lwepx_vectors[i]];
		machine->hijacked[i] = saved[i];
		write_shared_ivor(machine, thread, lwepx_vectors[i], KVM_HIJACK_STUB | lwepx_vectors[i] << 4);
	}
	machine->hijacker = thread + 1;
	fetch_isync(machine, thread);
	end = load(machine, vcpu, recovers_hijacked);
	machine->hijacker = 0;
	for (uint32_t i = 0; i < n; i++)
		write_shared_ivor(machine, thread, lwepx_vectors[i], saved[i]);
	fetch_isync(machine, thread);
	return end;
}

static void kvmppc_forward(struct pyexit_machine *machine, uint32_t thread, uint32_t ivor)
{
	uint32_t threads = machine->hw.params.threads;

	if (!machine->hijacker || thread / threads != (machine->hijacker - 1) / threads)
		return;
	for (uint32_t i = 0; i < lwepx_vector_count(&machine->hw); i++) {
		if (lwepx_vectors[i] != ivor)
			continue;
		ppc_count(&machine->hw, thread, PYEXIT_OP_FORWARD);
		machine->hw.thread[thread].pc = (ulong_t)(machine->hw.spr[thread].IVPR | machine->hijacked[i]);
	}
}

static struct ppc_end kvmppc_entry_fetch(struct pyexit_machine *machine, uint32_t vcpu)
{
	switch (machine->fetch) {
	case PYEXIT_FETCH_LWEPX:
		return load(machine, vcpu, recovers_nothing);
	case PYEXIT_FETCH_LWEPX_DO_KVM:
		return load(machine, vcpu, kvmppc_do_kvm);
	case PYEXIT_FETCH_LWEPX_HIJACK:
		return load_hijacked(machine, vcpu);
	default:
		machine->vcpu[vcpu].arch.last_inst = KVM_INST_FETCH_FAILED;
		return PPC_DONE;
	}
}
