/* SPDX-License-Identifier: BSD-3-Clause */
/* api/call: the verbs, and single functions by name. */
#include <errno.h>
#include <string.h>

#include "../hw/pin.h"
#include "../hw/regs.h"
#include "invariant.h"

int pyexit_translate(struct pyexit_machine *machine, uint32_t vcpu, uint64_t ea, uint32_t size, uint32_t access,
		     uint32_t probe, struct pyexit_translation *translation)
{
	if (!machine || !translation)
		return -EFAULT;
	if (vcpu >= machine->vcpus || !size || size > PYEXIT_PAGE_SIZE ||
	    (access & ~(uint32_t)PYEXIT_EXTERNAL) > PYEXIT_TOUCH_STORE || access == (PYEXIT_FETCH | PYEXIT_EXTERNAL))
		return -EINVAL;
	*translation = machine->width->translate(&machine->hw, machine->vcpu_thread[vcpu], ea, size, access,
						 probe != 0);
	if (translation->outcome == PYEXIT_TAKEN_BY_HOST && !probe)
		(void)machine->width->do_kvm(machine, machine->vcpu_thread[vcpu], translation->ivor);
	return 0;
}

static int end_of(struct ppc_end from, struct pyexit_end *end)
{
	if (from.outcome < 0)
		return from.outcome;
	*end = (struct pyexit_end){ (uint32_t)from.outcome, from.ivor };
	return 0;
}

int pyexit_guest_op(struct pyexit_machine *machine, uint32_t vcpu, uint32_t instruction, struct pyexit_end *end)
{
	if (!machine || !end)
		return -EFAULT;
	if (vcpu >= machine->vcpus)
		return -EINVAL;
	return end_of(machine->width->guest_op(&machine->hw, machine->vcpu_thread[vcpu], instruction), end);
}

/* The engine's own causes: bits of 5-9, 15; 32, 33, 40 */
static int engine_cause(uint32_t ivor)
{
	return (ivor >= IVOR_ALIGNMENT && ivor <= IVOR_AP_UNAVAIL) || ivor == IVOR_DEBUG ||
	       ivor == IVOR_ALTIVEC_UNAVAIL || ivor == IVOR_ALTIVEC_ASSIST || ivor == IVOR_HV_SYSCALL;
}

int pyexit_interrupt(struct pyexit_machine *machine, uint32_t vcpu, uint32_t ivor, uint32_t esr, uint64_t dear,
		     struct pyexit_end *end)
{
	struct ppc_cause cause = { .ivor = ivor, .esr = esr };

	if (!machine || !end)
		return -EFAULT;
	if (vcpu >= machine->vcpus || !engine_cause(ivor))
		return -EINVAL;
	if (ivor != IVOR_ALIGNMENT)	/* no DEAR: reports name the pc */
		cause.ea = machine->hw.thread[machine->vcpu_thread[vcpu]].pc;
	else
		cause.ea = machine->hw.params.width == 64 ? dear : (uint32_t)dear;
	return end_of(machine->width->interrupt(&machine->hw, machine->vcpu_thread[vcpu], &cause), end);
}

int pyexit_pin(struct pyexit_machine *machine, uint32_t thread, uint32_t pin, uint32_t level)
{
	uint32_t *pins;

	if (!machine)
		return -EFAULT;
	if (thread >= machine->hw.threads || pin >= PYEXIT_PINS)
		return -EINVAL;
	pins = &machine->hw.thread[thread].pins;
	ppc_pin_set(pins, pin, level != 0);
	return 0;
}

int pyexit_pending(struct pyexit_machine *machine, uint32_t vcpu, struct pyexit_end *end)
{
	if (!machine || !end)
		return -EFAULT;
	if (vcpu >= machine->vcpus)
		return -EINVAL;
	return end_of(machine->width->pending(&machine->hw, machine->vcpu_thread[vcpu]), end);
}

/* Multiples of @period that lie in (@from, @from + @ticks]. */
static uint64_t periods_passed(uint64_t from, uint64_t ticks, uint64_t period)
{
	return period ? ticks / period + (from % period + ticks % period >= period) : 0;
}

int pyexit_advance(struct pyexit_machine *machine, uint64_t ticks)
{
	if (!machine)
		return -EFAULT;
	for (uint32_t t = 0; t < machine->hw.threads; t++) {
		struct pyexit_host *host = &machine->host[t];
		uint64_t tb = machine->hw.core[t / machine->hw.params.threads].tb;

		host->jiffies += periods_passed(tb, ticks, host->tb_ticks_per_jiffy);
	}
	for (uint32_t core = 0; core < machine->hw.cores; core++)
		machine->hw.core[core].tb += ticks;
	machine->width->run_timers(machine);
	return 0;
}

static const struct pyexit_call_row *find_row(const struct pyexit_width *width, const char *name)
{
	for (uint32_t i = 0; i < width->n_calls; i++)
		if (!strcmp(width->calls[i].name, name))
			return &width->calls[i];
	return NULL;
}

static uint32_t object_count(const struct pyexit_machine *machine, enum call_object object)
{
	switch (object) {
	case CALL_THREAD:
		return machine->hw.threads;
	case CALL_VM:
		return machine->vms;
	default:
		return machine->vcpus;
	}
}

static int call_row(struct pyexit_machine *machine, const struct pyexit_call_row *row, const uint64_t *args,
		    struct pyexit_result *result)
{
	int error;

	*result = (struct pyexit_result){ 0 };
	kvmppc_begin(machine);
	error = row->function(machine, args, result);
	result->outcome = machine->outcome;
	result->site = machine->site;
	return error;
}

int pyexit_repeat(struct pyexit_machine *machine, const char *name, const uint64_t *args, size_t n, uint64_t times,
		  struct pyexit_result *result)
{
	const struct pyexit_call_row *row;
	uint64_t all[CALL_ARGUMENTS] = { 0 };
	int error = 0;

	if (!machine || !name || !result || (n && !args))
		return -EFAULT;
	row = find_row(machine->width, name);
	if (!row)
		return -ENOENT;
	if (n < row->n || n > row->most)
		return -E2BIG;
	if (!times || args[0] >= object_count(machine, row->object))
		return -EINVAL;
	memcpy(all, args, n * sizeof(*all));
	for (uint64_t i = 0; i < times && !error; i++)
		error = call_row(machine, row, all, result);
	if (!error)
		pyexit_check_after(machine, &result->outcome, &result->site);
	return error;
}

int pyexit_call(struct pyexit_machine *machine, const char *name, const uint64_t *args, size_t n,
		struct pyexit_result *result)
{
	return pyexit_repeat(machine, name, args, n, 1, result);
}

static int action_valid(const struct pyexit_machine *machine, const struct pyexit_action *action)
{
	const struct pyexit_call_row *row;

	if (action->point > PYEXIT_POINT_READ || action->kind > PYEXIT_ACTION_PREEMPT)
		return 0;
	if (action->kind != PYEXIT_ACTION_CALL)
		return 1;
	if (action->call >= machine->width->n_calls)
		return 0;
	row = &machine->width->calls[action->call];
	return row->object == CALL_THREAD && action->n == row->n && action->arg[0] < machine->hw.threads;
}

int pyexit_interleave(struct pyexit_machine *machine, const struct pyexit_action *actions, size_t n)
{
	if (!machine || (n && !actions))
		return -EFAULT;
	if (n > PYEXIT_ACTIONS)
		return -E2BIG;
	for (size_t i = 0; i < n; i++)
		if (!action_valid(machine, &actions[i]))
			return -EINVAL;
	machine->actions = (uint32_t)n;
	if (n)
		memcpy(machine->action, actions, n * sizeof(*actions));
	return 0;
}

const char *pyexit_call_name(const struct pyexit_machine *machine, uint32_t index)
{
	return machine && index < machine->width->n_calls ? machine->width->calls[index].name : NULL;
}
