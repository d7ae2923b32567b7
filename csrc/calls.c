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

	return answer(ppc_lwepx(&machine->hw, thread_of(args), ea, 1, &result->value[0]), result);
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

/* Functions of one shape: what they take after the vcpu, and whether they return something. */
#define VCPU ((uint32_t)args[0])
#define CALL(name, expression)                                                                                \
	static int call_##name(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result) \
	{                                                                                                      \
		(void)result;                                                                                  \
		expression;                                                                                    \
		return 0;                                                                                      \
	}
#define CALL_VOID(name) CALL(name, name(machine, VCPU))
#define CALL_VOID_WORD(name) CALL(name, name(machine, VCPU, (uint32_t)args[1]))
#define CALL_VOID_ESR(name) CALL(name, name(machine, VCPU, args[1]))
#define CALL_VOID_DEAR_ESR(name) CALL(name, name(machine, VCPU, args[1], args[2]))
#define CALL_INT(name) CALL(name, result->ret = name(machine, VCPU))
#define CALL_INT_WORD(name) CALL(name, result->ret = name(machine, VCPU, (uint32_t)args[1]))
#define CALL_QUEUE(name, priority) CALL(name, kvmppc_booke_queue_irqprio(machine, VCPU, priority))
#define CALL_DEQUEUE(name, priority) CALL(name, kvmppc_booke_dequeue_irqprio(machine, VCPU, priority))

CALL_INT_WORD(kvmppc_handle_exit)
CALL_INT(kvmppc_vcpu_run)
CALL_INT(kvmppc_prepare_to_enter)
CALL_INT(kvmppc_core_prepare_to_enter)
CALL_INT(kvmppc_core_check_requests)
CALL_VOID(kvmppc_core_check_exceptions)
CALL_INT_WORD(kvmppc_booke_irqprio_deliver)
CALL_VOID_DEAR_ESR(kvmppc_core_queue_dtlb_miss)
CALL_VOID_DEAR_ESR(kvmppc_core_queue_data_storage)
CALL_VOID_DEAR_ESR(kvmppc_core_queue_alignment)
CALL_VOID_ESR(kvmppc_core_queue_inst_storage)
CALL_VOID_ESR(kvmppc_core_queue_program)
CALL_QUEUE(kvmppc_core_queue_itlb_miss, BOOKE_IRQPRIO_ITLB_MISS)
CALL_QUEUE(kvmppc_core_queue_fpunavail, BOOKE_IRQPRIO_FP_UNAVAIL)
CALL_QUEUE(kvmppc_core_queue_vec_unavail, BOOKE_IRQPRIO_ALTIVEC_UNAVAIL)
CALL_QUEUE(kvmppc_core_queue_dec, BOOKE_IRQPRIO_DECREMENTER)
CALL_QUEUE(kvmppc_core_queue_debug, BOOKE_IRQPRIO_DEBUG)
CALL_DEQUEUE(kvmppc_core_dequeue_dec, BOOKE_IRQPRIO_DECREMENTER)
CALL_DEQUEUE(kvmppc_core_dequeue_debug, BOOKE_IRQPRIO_DEBUG)
CALL_VOID(kvmppc_core_dequeue_external)
CALL_INT(kvmppc_core_pending_dec)
CALL_VOID_WORD(kvmppc_core_queue_external)
CALL_INT(kvm_arch_vcpu_runnable)
CALL_VOID_WORD(kvmppc_set_msr)
CALL_VOID_WORD(kvmppc_set_epcr)
CALL_VOID(kvmppc_core_vcpu_load)
CALL_VOID(kvmppc_core_vcpu_put)
CALL_VOID(kvm_arch_vcpu_load)
CALL_VOID(kvm_arch_vcpu_put)
CALL_VOID(kvmppc_core_flush_tlb)
CALL_VOID_WORD(kvmppc_set_tcr)
CALL_VOID_WORD(kvmppc_set_tsr)
CALL_VOID_WORD(kvmppc_set_tsr_bits)
CALL_VOID_WORD(kvmppc_clr_tsr_bits)
CALL_VOID(update_timer_ints)
CALL_VOID(arm_next_watchdog)
CALL(watchdog_next_timeout, result->ret = (int64_t)watchdog_next_timeout(machine, VCPU))
CALL_VOID(kvmppc_watchdog_func)
CALL_VOID(kvmppc_decrementer_func)
CALL_VOID(kvmppc_emulate_dec)
CALL(kvmppc_get_dec, result->ret = kvmppc_get_dec(machine, VCPU, args[1]))
CALL(kvmppc_kvm_pv, result->ret = (int64_t)kvmppc_kvm_pv(machine, VCPU))
CALL_INT(kvmppc_handle_debug)
CALL(kvm_guest_protect_msr, kvm_guest_protect_msr(machine, VCPU, (uint32_t)args[1], (uint32_t)args[2] != 0))
CALL_VOID(kvmppc_update_timing_stats)
CALL_VOID(kvmppc_init_timing_stats)

/* A priority that is no bit of the word would be another word's in the kernel. */
static int call_kvmppc_booke_queue_irqprio(struct pyexit_machine *machine, const uint64_t *args,
					   struct pyexit_result *result)
{
	(void)result;
	if (args[1] >= PYEXIT_WIDTH)
		return -EINVAL;
	kvmppc_booke_queue_irqprio(machine, VCPU, (uint32_t)args[1]);
	return 0;
}

/* The pairs that the caller leaves out are 0: no break point. */
static int call_kvm_arch_vcpu_ioctl_set_guest_debug(struct pyexit_machine *machine, const uint64_t *args,
						    struct pyexit_result *result)
{
	struct kvmppc_breakpoint bp[KVMPPC_BOOKE_IAC_NUM + KVMPPC_BOOKE_DAC_NUM];

	for (uint32_t i = 0; i < KVMPPC_BOOKE_IAC_NUM + KVMPPC_BOOKE_DAC_NUM; i++)
		bp[i] = (struct kvmppc_breakpoint){ args[2 + 2 * i], (uint32_t)args[3 + 2 * i] };
	result->ret = kvm_arch_vcpu_ioctl_set_guest_debug(machine, VCPU, (uint32_t)args[1], bp);
	return 0;
}

CALL_INT(emulation_exit)
CALL_INT(kvmppc_emulate_instruction)
CALL_INT(kvmppc_emulate_mmio)
CALL_INT(kvmppc_emulate_loadstore)
CALL_VOID(kvmppc_complete_mmio_load)
CALL_INT(kvm_arch_vcpu_ioctl_run)

#define CALL_LOAD(name) \
	CALL(name, result->ret = name(machine, VCPU, (uint32_t)args[1], (uint32_t)args[2], (uint32_t)args[3]))

CALL_LOAD(kvmppc_handle_load)
CALL_LOAD(kvmppc_handle_loads)
CALL(kvmppc_handle_store,
     result->ret = kvmppc_handle_store(machine, VCPU, args[1], (uint32_t)args[2], (uint32_t)args[3]))

static int call_kvmppc_xlate(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	struct kvmppc_pte pte;

	result->ret = kvmppc_xlate(machine, VCPU, args[1], (uint32_t)args[2], &pte);
	result->value[0] = pte.eaddr;
	result->value[1] = pte.raddr;
	result->value[2] = pte.vpage;
	result->value[3] = pte.may_execute;
	return 0;
}

/* The caller's buffer is four doublewords; ld's is zero before. */
static int call_kvmppc_ld(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	uint8_t data[GUEST_BYTES] = { 0 };
	uint64_t ea = (ulong_t)args[1];

	if (args[2] > GUEST_BYTES)
		return -EINVAL;
	result->ret = kvmppc_ld(machine, VCPU, &ea, (uint32_t)args[2], data, (uint32_t)args[3]);
	result->value[0] = ea;
	for (uint32_t i = 0; i < GUEST_BYTES; i++)
		result->value[1 + i / 8] |= (uint64_t)data[i] << (56 - i % 8 * 8);
	return 0;
}

static int call_kvmppc_st(struct pyexit_machine *machine, const uint64_t *args, struct pyexit_result *result)
{
	uint8_t data[GUEST_BYTES];
	uint64_t ea = (ulong_t)args[1];

	if (args[2] > GUEST_BYTES)
		return -EINVAL;
	for (uint32_t i = 0; i < GUEST_BYTES; i++)
		data[i] = (uint8_t)(args[4 + i / 8] >> (56 - i % 8 * 8));
	result->ret = kvmppc_st(machine, VCPU, &ea, (uint32_t)args[2], data, (uint32_t)args[3]);
	result->value[0] = ea;
	return 0;
}

/* KVM's interface to userspace (exit 12). */
#define CALL_IOCTL(name) CALL(name, result->ret = name(machine, VCPU, args[1], args[2]))
#define CALL_CONSTANT(name, value) CALL(name, (void)machine; (void)args; result->ret = value)

CALL_INT(kvm_arch_vcpu_ioctl_get_regs)
CALL_INT(kvm_arch_vcpu_ioctl_set_regs)
CALL_INT(kvm_arch_vcpu_ioctl_get_sregs)
CALL_INT(kvm_arch_vcpu_ioctl_set_sregs)
CALL_CONSTANT(kvm_arch_vcpu_ioctl_get_fpu, -KVM_EOPNOTSUPP)
CALL_CONSTANT(kvm_arch_vcpu_ioctl_set_fpu, -KVM_EOPNOTSUPP)
CALL_CONSTANT(kvm_arch_vcpu_ioctl_get_mpstate, -KVM_EINVAL)
CALL_CONSTANT(kvm_arch_vcpu_ioctl_set_mpstate, -KVM_EINVAL)
CALL_IOCTL(kvm_vcpu_ioctl_get_one_reg)
CALL_IOCTL(kvm_vcpu_ioctl_set_one_reg)
CALL_IOCTL(kvm_arch_vcpu_ioctl)
CALL(kvm_arch_vcpu_async_ioctl,
     result->ret = kvm_arch_vcpu_async_ioctl(machine, VCPU, args[1], args[2], (uint32_t)args[3]))
CALL_INT_WORD(kvm_vcpu_ioctl_interrupt)
CALL_INT(kvm_arch_vcpu_create)
CALL_INT(kvmppc_core_vcpu_create)
CALL_INT(kvmppc_core_vcpu_setup)
CALL_INT(kvmppc_subarch_vcpu_init)
CALL_VOID(kvmppc_subarch_vcpu_uninit)
CALL_VOID(kvmppc_core_vcpu_free)
CALL_VOID(kvm_arch_vcpu_destroy)
CALL_INT(kvmppc_sanity_check)
CALL(kvmppc_core_check_processor_compat, result->ret = kvmppc_core_check_processor_compat(machine, args[1]))
CALL(kvm_arch_init_vm, result->ret = kvm_arch_init_vm(machine, VCPU, args[1], &result->value[0]))
CALL_VOID(kvm_arch_destroy_vm)
CALL_VOID(kvmppc_core_destroy_vm)
CALL_INT(kvmppc_alloc_lpid)
CALL(kvmppc_free_lpid, kvmppc_free_lpid(machine, (uint32_t)args[1]))
CALL(kvm_vm_ioctl_check_extension, result->ret = kvm_vm_ioctl_check_extension(machine, VCPU, args[1]))
CALL_CONSTANT(kvm_vm_ioctl_enable_cap, -KVM_EINVAL)	/* a Book E VM has none */
CALL_IOCTL(kvm_arch_vm_ioctl)
CALL(kvm_cpu_has_pending_timer, result->ret = kvmppc_core_pending_dec(machine, VCPU))

/* Writeable and usermode, value[1] and [2], are not answered (exit 12.4). */
static int call_kvm_arch_vcpu_ioctl_translate(struct pyexit_machine *machine, const uint64_t *args,
					      struct pyexit_result *result)
{
	result->ret = kvm_arch_vcpu_ioctl_translate(machine, VCPU, args[1], &result->value[0], &result->value[3]);
	return 0;
}

#define CALL_INT_EA(name) CALL(name, result->ret = name(machine, VCPU, (ulong_t)args[1]))

CALL_INT(kvmppc_e500_emul_tlbre)
CALL_INT(kvmppc_e500_emul_tlbwe)
CALL_INT_EA(kvmppc_e500_emul_tlbsx)
CALL_INT_EA(kvmppc_e500_emul_tlbivax)
CALL(kvmppc_e500_emul_tlbilx,
     result->ret = kvmppc_e500_emul_tlbilx(machine, VCPU, (uint32_t)args[1], (ulong_t)args[2]))
CALL_INT_EA(kvmppc_e500_emul_mt_mmucsr0)
CALL_INT_EA(kvmppc_mmu_itlb_index)
CALL_INT_EA(kvmppc_mmu_dtlb_index)
CALL(kvmppc_mmu_xlate,
     result->ret = (int64_t)kvmppc_mmu_xlate(machine, VCPU, (uint32_t)args[1], (ulong_t)args[2]))
CALL_VOID(kvmppc_mmu_itlb_miss)
CALL_VOID(kvmppc_mmu_dtlb_miss)
CALL(kvmppc_core_vcpu_translate,
     result->value[0] = (uint64_t)kvmppc_core_vcpu_translate(machine, VCPU, args[1], &result->value[1]))
CALL(kvmppc_mmu_map, kvmppc_mmu_map(machine, VCPU, (ulong_t)args[1], args[2], (uint32_t)args[3]))
CALL(inval_gtlbe_on_host, inval_gtlbe_on_host(machine, VCPU, args[1] != 0, (uint32_t)args[2]))
CALL_INT(kvm_vcpu_ioctl_config_tlb)
CALL_INT(kvm_vcpu_ioctl_dirty_tlb)
CALL(mmu_notifier_invalidate, mmu_notifier_invalidate(machine, (uint32_t)args[0]))

/* The kernel's argument is an entry of the array that holds both TLBs. */
static int call_kvmppc_e500_tlbil_one(struct pyexit_machine *machine, const uint64_t *args,
				      struct pyexit_result *result)
{
	uint32_t entry = (uint32_t)args[1], tlb1 = machine->e500[VCPU].gtlb_offset[1];
	struct kvm_gtlb tlb = kvmppc_gtlb(machine, VCPU, entry >= tlb1);
	struct kvm_gtlbe gtlbe = kvmppc_gtlbe(&tlb, entry >= tlb1 ? entry - tlb1 : entry);

	(void)result;
	kvmppc_e500_tlbil_one(machine, VCPU, &gtlbe);
	return 0;
}

#define CALL_ROW(name, n) { #name, CALL_VCPU, n, n, call_##name }
#define CALL_ROW_UP_TO(name, n, most) { #name, CALL_VCPU, n, most, call_##name }

static const struct pyexit_call_row call_rows[] = {
	{ "ppc_mtspr", CALL_THREAD, 3, 3, call_mtspr },
	{ "ppc_mfspr", CALL_THREAD, 2, 2, call_mfspr },
	{ "ppc_tlbsx", CALL_THREAD, 2, 2, call_tlbsx },
	{ "ppc_tlbre", CALL_THREAD, 1, 1, call_tlbre },
	{ "ppc_tlbwe", CALL_THREAD, 1, 1, call_tlbwe },
	{ "ppc_tlbilx", CALL_THREAD, 3, 3, call_tlbilx },
	{ "ppc_tlbivax", CALL_THREAD, 2, 2, call_tlbivax },
	{ "ppc_lwepx", CALL_THREAD, 2, 2, call_lwepx },
	{ "ppc_msgsnd", CALL_THREAD, 2, 2, call_msgsnd },
	{ "ppc_msgclr", CALL_THREAD, 2, 2, call_msgclr },
	{ "kvmppc_entry_fetch", CALL_VCPU, 1, 1, call_entry_fetch },
	{ "kvmppc_load_last_inst", CALL_VCPU, 2, 2, call_load_last_inst },
	{ "kvmppc_get_last_inst", CALL_VCPU, 2, 2, call_get_last_inst },
	CALL_ROW(kvmppc_handle_exit, 2),
	CALL_ROW(kvmppc_vcpu_run, 1),
	CALL_ROW(kvmppc_prepare_to_enter, 1),
	CALL_ROW(kvmppc_core_prepare_to_enter, 1),
	CALL_ROW(kvmppc_core_check_requests, 1),
	CALL_ROW(kvmppc_core_check_exceptions, 1),
	CALL_ROW(kvmppc_booke_irqprio_deliver, 2),
	CALL_ROW_UP_TO(kvmppc_booke_queue_irqprio, 2, 3),
	CALL_ROW(kvmppc_core_queue_dtlb_miss, 3),
	CALL_ROW(kvmppc_core_queue_data_storage, 3),
	CALL_ROW(kvmppc_core_queue_alignment, 3),
	CALL_ROW_UP_TO(kvmppc_core_queue_inst_storage, 2, 3),
	CALL_ROW_UP_TO(kvmppc_core_queue_program, 2, 3),
	CALL_ROW_UP_TO(kvmppc_core_queue_itlb_miss, 1, 3),
	CALL_ROW_UP_TO(kvmppc_core_queue_fpunavail, 1, 3),
	CALL_ROW_UP_TO(kvmppc_core_queue_vec_unavail, 1, 3),
	CALL_ROW_UP_TO(kvmppc_core_queue_dec, 1, 3),
	CALL_ROW_UP_TO(kvmppc_core_queue_debug, 1, 3),
	CALL_ROW_UP_TO(kvmppc_core_dequeue_dec, 1, 3),
	CALL_ROW_UP_TO(kvmppc_core_dequeue_debug, 1, 3),
	CALL_ROW(kvmppc_core_dequeue_external, 1),
	CALL_ROW_UP_TO(kvmppc_core_pending_dec, 1, 3),
	CALL_ROW(kvmppc_core_queue_external, 2),
	CALL_ROW(kvm_arch_vcpu_runnable, 1),
	CALL_ROW(kvmppc_set_msr, 2),
	CALL_ROW(kvmppc_set_epcr, 2),
	CALL_ROW(kvmppc_core_vcpu_load, 1),
	CALL_ROW(kvmppc_core_vcpu_put, 1),
	CALL_ROW_UP_TO(kvm_arch_vcpu_load, 1, 2),
	CALL_ROW(kvm_arch_vcpu_put, 1),
	CALL_ROW(kvmppc_core_flush_tlb, 1),
	CALL_ROW(kvmppc_set_tcr, 2),
	CALL_ROW(kvmppc_set_tsr, 2),
	CALL_ROW(kvmppc_set_tsr_bits, 2),
	CALL_ROW(kvmppc_clr_tsr_bits, 2),
	CALL_ROW(update_timer_ints, 1),
	CALL_ROW(arm_next_watchdog, 1),
	CALL_ROW(watchdog_next_timeout, 1),
	CALL_ROW(kvmppc_watchdog_func, 1),
	CALL_ROW(kvmppc_decrementer_func, 1),
	CALL_ROW(kvmppc_emulate_dec, 1),
	CALL_ROW(kvmppc_get_dec, 2),
	CALL_ROW(kvmppc_kvm_pv, 1),
	CALL_ROW(kvmppc_handle_debug, 1),
	CALL_ROW(kvm_guest_protect_msr, 3),
	CALL_ROW_UP_TO(kvm_arch_vcpu_ioctl_set_guest_debug, 2, CALL_ARGUMENTS),
	CALL_ROW(kvmppc_update_timing_stats, 1),
	CALL_ROW(kvmppc_init_timing_stats, 1),
	CALL_ROW(emulation_exit, 1),
	CALL_ROW(kvmppc_emulate_instruction, 1),
	CALL_ROW(kvmppc_emulate_mmio, 1),
	CALL_ROW(kvmppc_emulate_loadstore, 1),
	CALL_ROW(kvmppc_complete_mmio_load, 1),
	CALL_ROW(kvmppc_handle_load, 4),
	CALL_ROW(kvmppc_handle_loads, 4),
	CALL_ROW(kvmppc_handle_store, 4),
	CALL_ROW(kvm_arch_vcpu_ioctl_run, 1),
	CALL_ROW(kvmppc_ld, 4),
	CALL_ROW(kvmppc_st, 8),
	CALL_ROW(kvmppc_xlate, 4),
	CALL_ROW(kvmppc_e500_emul_tlbwe, 1),
	CALL_ROW(kvmppc_e500_emul_tlbre, 1),
	CALL_ROW(kvmppc_e500_emul_tlbsx, 2),
	CALL_ROW(kvmppc_e500_emul_tlbivax, 2),
	CALL_ROW(kvmppc_e500_emul_tlbilx, 3),
	CALL_ROW(kvmppc_e500_emul_mt_mmucsr0, 2),
	CALL_ROW(kvmppc_mmu_itlb_index, 2),
	CALL_ROW(kvmppc_mmu_dtlb_index, 2),
	CALL_ROW(kvmppc_mmu_xlate, 3),
	CALL_ROW(kvmppc_mmu_itlb_miss, 1),
	CALL_ROW(kvmppc_mmu_dtlb_miss, 1),
	CALL_ROW(kvmppc_core_vcpu_translate, 2),
	CALL_ROW(kvmppc_mmu_map, 4),
	CALL_ROW(inval_gtlbe_on_host, 3),
	CALL_ROW(kvmppc_e500_tlbil_one, 2),
	CALL_ROW(kvm_vcpu_ioctl_dirty_tlb, 1),
	CALL_ROW(kvm_vcpu_ioctl_config_tlb, 1),
	{ "mmu_notifier_invalidate", CALL_VM, 1, 1, call_mmu_notifier_invalidate },
	CALL_ROW(kvm_arch_vcpu_ioctl_get_regs, 1),
	CALL_ROW(kvm_arch_vcpu_ioctl_set_regs, 1),
	CALL_ROW(kvm_arch_vcpu_ioctl_get_sregs, 1),
	CALL_ROW(kvm_arch_vcpu_ioctl_set_sregs, 1),
	CALL_ROW(kvm_arch_vcpu_ioctl_get_fpu, 1),
	CALL_ROW(kvm_arch_vcpu_ioctl_set_fpu, 1),
	CALL_ROW(kvm_arch_vcpu_ioctl_get_mpstate, 1),
	CALL_ROW(kvm_arch_vcpu_ioctl_set_mpstate, 2),
	CALL_ROW(kvm_vcpu_ioctl_get_one_reg, 3),
	CALL_ROW(kvm_vcpu_ioctl_set_one_reg, 3),
	CALL_ROW(kvm_arch_vcpu_ioctl, 3),
	CALL_ROW(kvm_arch_vcpu_async_ioctl, 4),
	CALL_ROW(kvm_vcpu_ioctl_interrupt, 2),
	CALL_ROW(kvm_arch_vcpu_ioctl_translate, 2),
	CALL_ROW(kvm_arch_vcpu_create, 1),
	CALL_ROW(kvmppc_core_vcpu_create, 1),
	CALL_ROW(kvmppc_core_vcpu_setup, 1),
	CALL_ROW(kvmppc_subarch_vcpu_init, 1),
	CALL_ROW(kvmppc_subarch_vcpu_uninit, 1),
	CALL_ROW(kvmppc_core_vcpu_free, 1),
	CALL_ROW(kvm_arch_vcpu_destroy, 1),
	CALL_ROW(kvmppc_sanity_check, 1),
	CALL_ROW(kvmppc_core_check_processor_compat, 2),
	CALL_ROW(kvm_arch_init_vm, 2),
	CALL_ROW(kvm_arch_destroy_vm, 1),
	CALL_ROW(kvmppc_core_destroy_vm, 1),
	CALL_ROW(kvmppc_alloc_lpid, 1),
	CALL_ROW(kvmppc_free_lpid, 2),
	CALL_ROW(kvm_vm_ioctl_check_extension, 3),
	CALL_ROW(kvm_vm_ioctl_enable_cap, 3),
	CALL_ROW(kvm_arch_vm_ioctl, 3),
	CALL_ROW(kvm_cpu_has_pending_timer, 1),
};

static void reset_machine(struct pyexit_machine *machine)
{
	ppc_reset(&machine->hw);
	kvmppc_reset(machine);
}
