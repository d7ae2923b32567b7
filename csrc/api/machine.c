/* SPDX-License-Identifier: BSD-3-Clause */
/* api/machine: making a machine in memory that the caller gives. */
#include <errno.h>
#include <string.h>

#include "../hw/regs.h"
#include "search.h"

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "snapshots are the little-endian bytes of the state: this core needs a little-endian host"
#endif

_Static_assert(sizeof(struct pyexit_htlb0) == 24 * PYEXIT_TLB0_ENTRIES, "htlb0 layout");
_Static_assert(sizeof(struct pyexit_htlb1) == 24 * PYEXIT_TLB1_ENTRIES, "htlb1 layout");
_Static_assert(sizeof(struct pyexit_core) == 16 + PYEXIT_TLB0_SETS, "core layout");
_Static_assert(sizeof(struct pyexit_shared) == 240, "shared page: exit 2.3");
_Static_assert(sizeof(struct pyexit_run) == 32 + 256, "kvm_run: exit 2.4");
_Static_assert(offsetof(struct pyexit_run, mmio) == 32, "kvm_run union: exit 2.4");
_Static_assert(sizeof(struct pyexit_event) == 72, "event layout");
_Static_assert(offsetof(struct pyexit_arch, pad) + 9 == sizeof(struct pyexit_arch), "no implicit padding");

#define ALIGN 64u

static const size_t record_size[PYEXIT_RECORDS] = {
	[PYEXIT_RECORD_HTLB0] = sizeof(struct pyexit_htlb0),
	[PYEXIT_RECORD_HTLB1] = sizeof(struct pyexit_htlb1),
	[PYEXIT_RECORD_CORE] = sizeof(struct pyexit_core),
	[PYEXIT_RECORD_SPR] = sizeof(struct pyexit_spr),
	[PYEXIT_RECORD_THREAD] = sizeof(struct pyexit_thread),
	[PYEXIT_RECORD_HOST] = sizeof(struct pyexit_host),
	[PYEXIT_RECORD_KVM] = sizeof(struct pyexit_kvm),
	[PYEXIT_RECORD_VCPU] = sizeof(struct pyexit_vcpu),
	[PYEXIT_RECORD_RUN] = sizeof(struct pyexit_run),
	[PYEXIT_RECORD_E500] = sizeof(struct pyexit_e500),
	[PYEXIT_RECORD_LRAT] = sizeof(struct pyexit_lrat),
	[PYEXIT_RECORD_USER] = sizeof(struct pyexit_user),
	[PYEXIT_RECORD_SWTLB] = sizeof(struct pyexit_swtlb),
};

/* Where the parts of a machine lie in its memory, as offsets. */
struct plan {
	struct pyexit_params params;
	uint32_t threads;
	uint32_t count[PYEXIT_RECORDS];
	size_t record[PYEXIT_RECORDS];	/* from the start of the state */
	size_t state, state_size;
	size_t ram, vcpu_thread, vcpu_vm, events, lookaside;
	size_t size;
};

static size_t align(size_t n)
{
	return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static int power_of_two(uint32_t n, uint32_t most)
{
	return n && n <= most && !(n & (n - 1));
}

static int params_valid(const struct pyexit_params *p)
{
	if (p->size != sizeof(*p) || (p->width != 32 && p->width != 64) || (p->mav != 1 && p->mav != 2))
		return 0;
	if (p->threads != 1 && p->threads != 2)
		return 0;
	if (!power_of_two(p->tlb0_ways, 8) || !power_of_two(p->tlb0_sets, PYEXIT_TLB0_SETS))
		return 0;
	return power_of_two(p->tlb1_entries, PYEXIT_TLB1_ENTRIES);
}

/* U14: whether an MAV 1 core keeps the low bit of TSIZE. */
static void settle_tsize(struct pyexit_params *params)
{
	const uint64_t low = (uint64_t)1 << MAS1_TSIZE_SHIFT;

	if (params->mav == 2 || params->raw)
		return;
	if (params->tsize_low)
		params->mas_mask[1] |= low;
	else
		params->mas_mask[1] &= ~low;
}

static int take_params(const struct pyexit_options *options, struct pyexit_params *params)
{
	if (!options->params)
		return pyexit_params(options->model, PYEXIT_PARAMS_CORE, params);
	if (options->model > PYEXIT_E6500 || !params_valid(options->params))
		return -EINVAL;
	*params = *options->params;
	settle_tsize(params);
	return 0;
}

static int lookaside_valid(const struct pyexit_options *options)
{
	return options->lookaside_checked <= 1 &&
	       (!options->lookaside || power_of_two(options->lookaside, PYEXIT_LOOKASIDE_MOST));
}

static int search_valid(uint32_t search)
{
	return search <= PYEXIT_SEARCH_SCALAR || pyexit_page_hits(search) != NULL;
}

static int counts_valid(const struct pyexit_options *options)
{
	return options->cores >= 1 && options->cores <= 64 && options->vms >= 1 && options->vms <= 64 &&
	       options->vcpus >= 1 && options->vcpus <= 4096 && options->events <= 1u << 20 &&
	       options->fetch <= PYEXIT_FETCH_LWEPX_HIJACK && options->handler <= PYEXIT_HANDLER_SEED_V4 &&
	       options->sw_tlb <= 1 && search_valid(options->search) && lookaside_valid(options) &&
	       options->invariants <= 1;
}

static int wiring_valid(const uint32_t *wire, uint32_t n, uint32_t limit)
{
	for (uint32_t i = 0; wire && i < n; i++)
		if (wire[i] >= limit)
			return 0;
	return 1;
}

static int ram_range_valid(const struct pyexit_ram *range)
{
	const uint64_t end = (uint64_t)1 << PYEXIT_REAL_BITS;

	return range->host && range->size && range->size <= end && range->base <= end - range->size &&
	       (range->base | range->size) % PYEXIT_PAGE_SIZE == 0;
}

static int ram_valid(const struct pyexit_options *options)
{
	if (options->ram_count > 4096 || (options->ram_count && !options->ram))
		return -EINVAL;
	for (size_t i = 0; i < options->ram_count; i++) {
		const struct pyexit_ram *a = &options->ram[i];

		if (!ram_range_valid(a))
			return -EINVAL;
		for (size_t j = 0; j < i; j++) {
			const struct pyexit_ram *b = &options->ram[j];

			if (a->base < b->base + b->size && b->base < a->base + a->size)
				return -EEXIST;
		}
	}
	return 0;
}

static int options_valid(const struct pyexit_options *options, struct plan *plan)
{
	int error;

	if (!options || options->size != sizeof(*options))
		return -EINVAL;
	error = take_params(options, &plan->params);
	if (error)
		return error;
	plan->threads = options->cores * plan->params.threads;
	if (options->host_ops && options->host_ops->size != sizeof(*options->host_ops))
		return -EINVAL;
	if (!counts_valid(options) || !wiring_valid(options->vcpu_thread, options->vcpus, plan->threads) ||
	    !wiring_valid(options->vcpu_vm, options->vcpus, options->vms))
		return -EINVAL;
	return ram_valid(options);
}

static size_t record_count(const struct pyexit_options *options, const struct plan *plan, int record)
{
	switch (record) {
	case PYEXIT_RECORD_HTLB0:
	case PYEXIT_RECORD_HTLB1:
	case PYEXIT_RECORD_CORE:
	case PYEXIT_RECORD_LRAT:
		return options->cores;
	case PYEXIT_RECORD_SPR:
	case PYEXIT_RECORD_THREAD:
	case PYEXIT_RECORD_HOST:
		return plan->threads;
	case PYEXIT_RECORD_KVM:
		return options->vms;
	case PYEXIT_RECORD_SWTLB:
		return options->sw_tlb ? options->vcpus : 0;
	default:
		return options->vcpus;
	}
}

static void plan_state(const struct pyexit_options *options, struct plan *plan)
{
	for (int i = 0; i < PYEXIT_RECORDS; i++) {
		plan->count[i] = (uint32_t)record_count(options, plan, i);
		plan->record[i] = plan->state_size;
		plan->state_size += record_size[i] * plan->count[i];
	}
}

/* Of one vcpu. */
static size_t lines_size(const struct pyexit_options *options)
{
	return options->lookaside * sizeof(struct kvmppc_lookaside);
}

static int make_plan(const struct pyexit_options *options, struct plan *plan)
{
	int error;

	memset(plan, 0, sizeof(*plan));
	error = options_valid(options, plan);
	if (error)
		return error;
	plan_state(options, plan);
	plan->state = align(sizeof(struct pyexit_machine));
	plan->ram = align(plan->state + plan->state_size);
	plan->vcpu_thread = align(plan->ram + options->ram_count * sizeof(struct pyexit_ram));
	plan->vcpu_vm = align(plan->vcpu_thread + options->vcpus * sizeof(uint32_t));
	plan->events = align(plan->vcpu_vm + options->vcpus * sizeof(uint32_t));
	plan->lookaside = align(plan->events + options->events * sizeof(struct pyexit_event));
	plan->size = align(plan->lookaside + options->vcpus * lines_size(options));
	return 0;
}

size_t pyexit_machine_size(const struct pyexit_options *options)
{
	struct plan plan;

	return make_plan(options, &plan) ? 0 : plan.size;
}

/* Insert the ranges in ascending order. */
static void lay_ram(struct ppc_memory *memory, const struct pyexit_options *options)
{
	for (size_t i = 0; i < options->ram_count; i++) {
		size_t at = i;

		for (; at && memory->range[at - 1].base > options->ram[i].base; at--)
			memory->range[at] = memory->range[at - 1];
		memory->range[at] = options->ram[i];
	}
	memory->count = options->ram_count;
}

static void lay_wiring(struct pyexit_machine *m, const struct pyexit_options *options)
{
	for (uint32_t i = 0; i < options->vcpus; i++) {
		m->vcpu_thread[i] = options->vcpu_thread ? options->vcpu_thread[i] : i % m->hw.threads;
		m->vcpu_vm[i] = options->vcpu_vm ? options->vcpu_vm[i] : i % options->vms;
	}
}

static void lay_records(struct pyexit_machine *m, const struct plan *plan, uint8_t *state)
{
	m->state = state;
	m->state_size = plan->state_size;
	memcpy(m->record_offset, plan->record, sizeof(m->record_offset));
	memcpy(m->record_count, plan->count, sizeof(m->record_count));
	m->hw.htlb0 = (void *)(state + plan->record[PYEXIT_RECORD_HTLB0]);
	m->hw.htlb1 = (void *)(state + plan->record[PYEXIT_RECORD_HTLB1]);
	m->hw.core = (void *)(state + plan->record[PYEXIT_RECORD_CORE]);
	m->hw.lrat = (void *)(state + plan->record[PYEXIT_RECORD_LRAT]);
	m->hw.spr = (void *)(state + plan->record[PYEXIT_RECORD_SPR]);
	m->hw.thread = (void *)(state + plan->record[PYEXIT_RECORD_THREAD]);
	m->host = (void *)(state + plan->record[PYEXIT_RECORD_HOST]);
	m->kvm = (void *)(state + plan->record[PYEXIT_RECORD_KVM]);
	m->vcpu = (void *)(state + plan->record[PYEXIT_RECORD_VCPU]);
	m->run = (void *)(state + plan->record[PYEXIT_RECORD_RUN]);
	m->e500 = (void *)(state + plan->record[PYEXIT_RECORD_E500]);
	m->user = (void *)(state + plan->record[PYEXIT_RECORD_USER]);
	if (plan->count[PYEXIT_RECORD_SWTLB])
		m->swtlb = (void *)(state + plan->record[PYEXIT_RECORD_SWTLB]);
}

static void lay_machine(uint8_t *memory, const struct plan *plan, const struct pyexit_options *options)
{
	struct pyexit_machine *m = (void *)memory;

	m->hw.params = plan->params;
	m->hw.cores = options->cores;
	m->hw.threads = plan->threads;
	m->hw.memory.range = (void *)(memory + plan->ram);
	m->hw.events.ring = (void *)(memory + plan->events);
	m->hw.events.capacity = options->events;
	m->width = plan->params.width == 64 ? &pyexit_width64 : &pyexit_width32;
	m->vcpu_thread = (void *)(memory + plan->vcpu_thread);
	m->vcpu_vm = (void *)(memory + plan->vcpu_vm);
	m->vms = options->vms;
	m->vcpus = options->vcpus;
	m->fetch = options->fetch;
	m->hw.generation = 1;	/* an empty line has 0 */
	m->lookaside_lines = options->lookaside;
	m->lookaside_checked = options->lookaside_checked;
	m->invariants = options->invariants;
	m->lookaside = (void *)(memory + plan->lookaside);
	m->search = options->search == PYEXIT_SEARCH_AUTO ? pyexit_best_search() : options->search;
	m->hw.page_hits = pyexit_page_hits(m->search);
	m->handler = options->handler;
	if (options->host_ops)
		m->ops = *options->host_ops;
	lay_records(m, plan, memory + plan->state);
	lay_ram(&m->hw.memory, options);
	lay_wiring(m, options);
}

int pyexit_machine_init(void *memory, size_t size, const struct pyexit_options *options,
			struct pyexit_machine **machine)
{
	struct plan plan;
	int error = make_plan(options, &plan);

	if (error)
		return error;
	if (!memory || !machine || (uintptr_t)memory % ALIGN)
		return -EFAULT;
	if (size < plan.size)
		return -ENOMEM;
	memset(memory, 0, plan.size);
	lay_machine(memory, &plan, options);
	*machine = memory;
	(*machine)->width->reset(*machine);
	return 0;
}

uint32_t pyexit_search(const struct pyexit_machine *machine)
{
	return machine ? machine->search : 0;
}
