/* SPDX-License-Identifier: BSD-3-Clause */
#include "lookaside.h"

#include "../hw/tlb.h"
#include "../hw/tlbops.h"

/* No context has the bits of the page number set. */
#define NO_CONTEXT UINT64_MAX

/*
 * PID, LPID, and the bits of MSR and MMUCFG that the search and the tests
 * look at.  No processor has a wider PID or LPID, but the state block may.
 */
static uint64_t kvmppc_lookaside_context(const struct pyexit_arch *arch, uint32_t lpid)
{
	uint64_t bits = (arch->shared.msr & MSR_IS ? 1u : 0) | (arch->shared.msr & MSR_PR ? 2u : 0) |
			(arch->mmucfg & MMUCFG_MAVN) << 2;

	if ((arch->pid | lpid) >> 16)
		return NO_CONTEXT;
	return (uint64_t)arch->pid << 48 | (uint64_t)lpid << 32 | bits << 28;
}

static struct kvmppc_lookaside *line_of(const struct pyexit_machine *machine, uint32_t vcpu)
{
	uint64_t page = (ulong_t)machine->vcpu[vcpu].arch.regs.nip >> PPC_PAGE_SHIFT;
	uint32_t lines = machine->lookaside_lines;

	return &machine->lookaside[(size_t)vcpu * lines + (page & (lines - 1))];
}

static const struct kvmppc_lookaside *kvmppc_lookaside_find(const struct pyexit_machine *machine, uint32_t vcpu,
							    uint64_t context)
{
	const struct kvmppc_lookaside *line;
	uint64_t pc = (ulong_t)machine->vcpu[vcpu].arch.regs.nip;

	if (!machine->lookaside_lines || machine->actions)
		return NULL;
	line = line_of(machine, vcpu);
	if (line->generation != machine->hw.generation || (line->context & ~KVMPPC_LOOKASIDE_PFN) != context)
		return NULL;
	return (line->page ^ pc) >> PPC_PAGE_SHIFT ? NULL : line;
}

/* A word that goes on in the next page of RAM, if there is one, is not for the cache. */
static void kvmppc_lookaside_keep(struct pyexit_machine *machine, uint32_t vcpu, uint64_t context, uint32_t entry,
				  uint64_t addr)
{
	const struct pyexit_ram *ram = ppc_ram(&machine->hw.memory, addr);
	uint64_t pc = (ulong_t)machine->vcpu[vcpu].arch.regs.nip, offset = addr & (PYEXIT_PAGE_SIZE - 1);

	if (!machine->lookaside_lines || machine->actions || !ram || (addr ^ pc) & (PYEXIT_PAGE_SIZE - 1) ||
	    context == NO_CONTEXT)
		return;
	*line_of(machine, vcpu) = (struct kvmppc_lookaside){
		.page = (pc & ~(uint64_t)(PYEXIT_PAGE_SIZE - 1)) | (entry >> 16) << 11 | (entry & 0x7ff),
		.context = context | addr >> PPC_PAGE_SHIFT,
		.generation = machine->hw.generation,
		.host = ram->host + (addr - offset - ram->base),
	};
}

static void kvmppc_lookaside_check(struct pyexit_machine *machine, uint32_t vcpu,
				   const struct kvmppc_lookaside *line)
{
	uint64_t pc = (ulong_t)machine->vcpu[vcpu].arch.regs.nip;
	struct ppc_hits hits;

	if (!machine->lookaside_checked)
		return;
	hits = ppc_tlbsx_hits(&machine->hw, kvmppc_thread(machine, vcpu), pc);
	if (hits.first != kvmppc_lookaside_entry(line) || hits.second != PPC_NO_ENTRY)
		kvmppc_stop(machine, PYEXIT_BUG, PYEXIT_SITE_LOOKASIDE);
}
