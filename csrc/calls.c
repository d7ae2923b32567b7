/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions that pyexit_call() reaches, one row each; part of both width units. */
#include "width.h"

/* An instruction's end as the answer of a call. */
static int answer(struct ppc_end end, struct pyexit_result *result)
{
	if (end.outcome < 0)
		return end.outcome;
	result->ret = end.outcome;
	if (end.outcome != PYEXIT_DONE)
		result->value[0] = end.ivor;
	return 0;
}

static uint32_t thread_of(const uint64_t *args)
{
	return (uint32_t)args[0];
}

static int call_mtspr(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	return answer(ppc_mtspr(&machine->hw, thread_of(args), args[1], args[2]), result);
}

static int call_mfspr(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	return answer(ppc_mfspr(&machine->hw, thread_of(args), args[1], &result->value[0]), result);
}

static int call_tlbsx(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	return answer(ppc_tlbsx(&machine->hw, thread_of(args), ppc_ea(&machine->hw, thread_of(args), args[1])), result);
}

static int call_tlbre(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	return answer(ppc_tlbre(&machine->hw, thread_of(args)), result);
}

static int call_tlbwe(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	return answer(ppc_tlbwe(&machine->hw, thread_of(args)), result);
}

static int call_tlbilx(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	uint64_t ea = ppc_ea(&machine->hw, thread_of(args), args[2]);

	return answer(ppc_tlbilx(&machine->hw, thread_of(args), args[1], ea), result);
}

static int call_tlbivax(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	uint64_t ea = ppc_ea(&machine->hw, thread_of(args), args[1]);

	return answer(ppc_tlbivax(&machine->hw, thread_of(args), ea), result);
}

static int call_lwepx(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	uint64_t ea = ppc_ea(&machine->hw, thread_of(args), args[1]);

	return answer(ppc_lwepx(&machine->hw, thread_of(args), ea, &result->value[0]), result);
}

static int call_msgsnd(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	return answer(ppc_msgsnd(&machine->hw, thread_of(args), args[1]), result);
}

static int call_msgclr(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	return answer(ppc_msgclr(&machine->hw, thread_of(args), args[1]), result);
}

/* The fetch type is an argument that HV Book E ignores (exit 4.1). */
#define INSTRUCTION_NOT_WRITTEN 0xdeadbeefu

static int call_entry_fetch(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	return answer(kvmppc_entry_fetch(machine, (uint32_t)args[0]), result);
}

static int call_load_last_inst(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	uint32_t instr = INSTRUCTION_NOT_WRITTEN;

	result->ret = kvmppc_load_last_inst(machine, (uint32_t)args[0], &instr);
	result->value[0] = instr;
	return 0;
}

static int call_get_last_inst(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	uint32_t instr = INSTRUCTION_NOT_WRITTEN;

	result->ret = kvmppc_get_last_inst(machine, (uint32_t)args[0], &instr);
	result->value[0] = instr;
	return 0;
}

static const struct pyexit_call_row call_rows[] = {
	{ "ppc_mtspr", CALL_THREAD, 3, call_mtspr },
	{ "ppc_mfspr", CALL_THREAD, 2, call_mfspr },
	{ "ppc_tlbsx", CALL_THREAD, 2, call_tlbsx },
	{ "ppc_tlbre", CALL_THREAD, 1, call_tlbre },
	{ "ppc_tlbwe", CALL_THREAD, 1, call_tlbwe },
	{ "ppc_tlbilx", CALL_THREAD, 3, call_tlbilx },
	{ "ppc_tlbivax", CALL_THREAD, 2, call_tlbivax },
	{ "ppc_lwepx", CALL_THREAD, 2, call_lwepx },
	{ "ppc_msgsnd", CALL_THREAD, 2, call_msgsnd },
	{ "ppc_msgclr", CALL_THREAD, 2, call_msgclr },
	{ "kvmppc_entry_fetch", CALL_VCPU, 1, call_entry_fetch },
	{ "kvmppc_load_last_inst", CALL_VCPU, 2, call_load_last_inst },
	{ "kvmppc_get_last_inst", CALL_VCPU, 2, call_get_last_inst },
};

static void reset_machine(struct pyexit_machine *machine)
{
	ppc_reset(&machine->hw);
	kvmppc_reset(machine);
}
