/* SPDX-License-Identifier: BSD-3-Clause */
#include "timing.h"

#include "host.h"

static void kvmppc_set_exit_type(struct pyexit_machine *machine, uint32_t vcpu, uint32_t type)
{
	machine->vcpu[vcpu].arch.last_exit_type = type;
}

/* exit 1.11: only these accounts have a counter. */
#define COUNTER(account, field) [account] = (uint16_t)(offsetof(struct pyexit_stat, field) / sizeof(uint64_t) + 1)
static const uint16_t stat_of_account[NUMBER_OF_KVM_EXIT_TYPES] = {
	COUNTER(EXT_INTR_EXITS, ext_intr_exits),
	COUNTER(DEC_EXITS, dec_exits),
	COUNTER(EMULATED_INST_EXITS, emulated_inst_exits),
	COUNTER(DSI_EXITS, dsi_exits),
	COUNTER(ISI_EXITS, isi_exits),
	COUNTER(SYSCALL_EXITS, syscall_exits),
	COUNTER(DTLB_REAL_MISS_EXITS, dtlb_real_miss_exits),
	COUNTER(DTLB_VIRT_MISS_EXITS, dtlb_virt_miss_exits),
	COUNTER(MMIO_EXITS, mmio_exits),
	COUNTER(ITLB_REAL_MISS_EXITS, itlb_real_miss_exits),
	COUNTER(ITLB_VIRT_MISS_EXITS, itlb_virt_miss_exits),
	COUNTER(SIGNAL_EXITS, signal_exits),
	COUNTER(DBELL_EXITS, dbell_exits),
	COUNTER(GDBELL_EXITS, gdbell_exits),
};
#undef COUNTER

static void kvmppc_account_exit(struct pyexit_machine *machine, uint32_t vcpu, uint32_t type)
{
	uint16_t counter = stat_of_account[type];

	kvmppc_set_exit_type(machine, vcpu, type);
	if (counter)
		((uint64_t *)&machine->vcpu[vcpu].stat)[counter - 1]++;
}

/* T1; Q30: the smallest duration starts at 2^32 - 1, though durations have 64 bits. */
static void kvmppc_init_timing_stats(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;

	arch->last_exit_type = KVM_TIMING_UNSET;
	for (uint32_t i = 0; i < NUMBER_OF_KVM_EXIT_TYPES; i++) {
		arch->timing_count_type[i] = 0;
		arch->timing_max_duration[i] = 0;
		arch->timing_min_duration[i] = UINT32_MAX;
		arch->timing_sum_duration[i] = 0;
		arch->timing_sum_quad_duration[i] = 0;
	}
	arch->timing_last_exit = 0;
	arch->timing_exit = 0;
	arch->timing_last_enter = 0;
}

static void printk_wrap(struct pyexit_machine *machine, enum pyexit_message message, uint64_t old, uint64_t new,
			uint32_t type, uint32_t count)
{
	struct pyexit_event *event = ppc_event_new(&machine->hw.events, PYEXIT_EVENT_PRINTK, (uint32_t)message);

	if (!event)
		return;
	event->arg[0] = old;
	event->arg[1] = new;
	event->arg[2] = type;
	event->arg[3] = count;
}

/* T4 */
static void add_exit_timing(struct pyexit_machine *machine, uint32_t vcpu, uint64_t duration, uint32_t type)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint32_t count = ++arch->timing_count_type[type];
	uint64_t old = arch->timing_sum_duration[type];
	uint64_t old_quad = arch->timing_sum_quad_duration[type];

	arch->timing_sum_duration[type] += duration;
	if (arch->timing_sum_duration[type] < old)
		printk_wrap(machine, PYEXIT_MSG_TIMING_SUM_WRAP, old, arch->timing_sum_duration[type], type, count);
	arch->timing_sum_quad_duration[type] += duration * duration;
	if (arch->timing_sum_quad_duration[type] < old_quad)
		printk_wrap(machine, PYEXIT_MSG_TIMING_QUAD_WRAP, old_quad, arch->timing_sum_quad_duration[type],
			    type, count);
	if (duration < arch->timing_min_duration[type])
		arch->timing_min_duration[type] = duration;
	if (duration > arch->timing_max_duration[type])
		arch->timing_max_duration[type] = duration;
}

/* T3: the host's time belongs to the previous exit, with what userspace took meanwhile. */
static void kvmppc_update_timing_stats(struct pyexit_machine *machine, uint32_t vcpu)
{
	struct pyexit_arch *arch = &machine->vcpu[vcpu].arch;
	uint64_t previous = arch->timing_last_exit, enter = arch->timing_last_enter;

	arch->timing_last_exit = arch->timing_exit;
	/* An account that does not exist can only come from outside: no row to book it on. */
	if (arch->last_exit_type >= NUMBER_OF_KVM_EXIT_TYPES || previous == 0)
		return;
	add_exit_timing(machine, vcpu, enter - previous, arch->last_exit_type);
	add_exit_timing(machine, vcpu, arch->timing_last_exit - enter, TIMEINGUEST);
}
