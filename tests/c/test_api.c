/* SPDX-License-Identifier: BSD-3-Clause */
/* The C API from an embedder's seat: options, sizes, state, RAM, calls, and every documented error. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "pyexit.h"

#define RAM_SIZE 0x10000u

static uint8_t ram_bytes[RAM_SIZE];
static uint8_t dirty_bits[RAM_SIZE / PYEXIT_PAGE_SIZE / 8 + 1];

static struct pyexit_ram one_range = { 0x80000000u, RAM_SIZE, ram_bytes, dirty_bits };

static struct pyexit_options options_for(uint32_t model)
{
	return (struct pyexit_options){
		.size = sizeof(struct pyexit_options), .model = model, .cores = 1, .vms = 1, .vcpus = 2,
		.events = 8, .ram = &one_range, .ram_count = 1,
	};
}

static int new_error(struct pyexit_options options)
{
	struct pyexit_machine *machine;
	int error = pyexit_machine_new(&options, &machine);

	pyexit_machine_free(machine);
	return error;
}

/* Good options with this change are refused. */
#define REFUSED(...)                                \
	do {                                        \
		bad = good;                         \
		__VA_ARGS__;                        \
		CHECK(new_error(bad) == -EINVAL);   \
	} while (0)

static void test_options(void)
{
	struct pyexit_options good = options_for(PYEXIT_E500MC), bad;
	struct pyexit_ram ranges[2] = { one_range, one_range };
	struct pyexit_params params;

	CHECK(new_error(good) == 0);
	for (size_t size = 0; size < sizeof(good); size++) {
		bad = good;
		bad.size = size;
		CHECK(new_error(bad) == -EINVAL);
		CHECK(pyexit_machine_size(&bad) == 0);
	}
	REFUSED(bad.model = 3);
	REFUSED(bad.vcpus = 0);
	REFUSED(bad.cores = 65);
	REFUSED(bad.fetch = 99);
	REFUSED(bad.vms = 0);
	REFUSED(bad.vms = 65);
	REFUSED(bad.cores = 0);
	REFUSED(bad.vcpus = 4097);
	REFUSED(bad.events = (1u << 20) + 1);
	REFUSED(bad.handler = 2);
	REFUSED(bad.sw_tlb = 2);
	REFUSED(bad.search = 6);
	REFUSED(bad.lookaside = 3);
	REFUSED(bad.lookaside = 2 * PYEXIT_LOOKASIDE_MOST);
	REFUSED(bad.lookaside_checked = 2);
	REFUSED(bad.invariants = 2);
	REFUSED(bad.ram_count = 4097);
	REFUSED(bad.ram = NULL);
	bad = good, bad.ram = NULL, bad.ram_count = 0;
	CHECK(new_error(bad) == 0);
	REFUSED(bad.vcpu_thread = (const uint32_t[]){ 0, 1 });
	bad = good, bad.ram = ranges, bad.ram_count = 2;
	CHECK(new_error(bad) == -EEXIST);
	ranges[1].base = (uint64_t)1 << 40;
	CHECK(new_error(bad) == -EINVAL);
	ranges[1].base = 0x1001;
	CHECK(new_error(bad) == -EINVAL);
	ranges[1].base = 0, ranges[1].host = NULL;
	CHECK(new_error(bad) == -EINVAL);
	ranges[1] = one_range, ranges[1].base = 0, ranges[1].size = 0;
	CHECK(new_error(bad) == -EINVAL);
	ranges[1].size = 0x1001;
	CHECK(new_error(bad) == -EINVAL);
	CHECK(pyexit_machine_size(NULL) == 0);
	CHECK(pyexit_machine_new(&good, NULL) == -EFAULT);
	CHECK(pyexit_params(7, 0, &params) == -EINVAL);
	CHECK(pyexit_params(0, 0, NULL) == -EINVAL);
	CHECK(pyexit_params(0, 2, &params) == -EINVAL);
}

static int params_error(size_t field, uint32_t value)
{
	struct pyexit_options options = options_for(PYEXIT_E500MC);
	struct pyexit_params params;

	CHECK(pyexit_params(PYEXIT_E500MC, PYEXIT_PARAMS_CORE, &params) == 0);
	memcpy((uint8_t *)&params + field, &value, sizeof(value));
	options.params = &params;
	return new_error(options);
}

static void test_params(void)
{
	CHECK(params_error(offsetof(struct pyexit_params, size), 1) == -EINVAL);
	CHECK(params_error(offsetof(struct pyexit_params, width), 16) == -EINVAL);
	CHECK(params_error(offsetof(struct pyexit_params, mav), 3) == -EINVAL);
	CHECK(params_error(offsetof(struct pyexit_params, mav), 2) == 0);
	CHECK(params_error(offsetof(struct pyexit_params, threads), 3) == -EINVAL);
	CHECK(params_error(offsetof(struct pyexit_params, tlb0_ways), 3) == -EINVAL);
	CHECK(params_error(offsetof(struct pyexit_params, tlb0_ways), 16) == -EINVAL);
	CHECK(params_error(offsetof(struct pyexit_params, tlb0_sets), 0) == -EINVAL);
	CHECK(params_error(offsetof(struct pyexit_params, tlb0_sets), 96) == -EINVAL);
	CHECK(params_error(offsetof(struct pyexit_params, tlb1_entries), 128) == -EINVAL);
}

static void test_init_in_given_memory(void)
{
	struct pyexit_options options = options_for(PYEXIT_E6500);
	size_t size = pyexit_machine_size(&options);
	uint8_t *memory = aligned_alloc(64, size + 64);
	struct pyexit_machine *machine;

	CHECK(memory != NULL);
	CHECK(pyexit_machine_init(memory, size - 1, &options, &machine) == -ENOMEM);
	CHECK(pyexit_machine_init(memory + 8, size, &options, &machine) == -EFAULT);
	CHECK(pyexit_machine_init(NULL, size, &options, &machine) == -EFAULT);
	CHECK(pyexit_machine_init(memory, size, &options, NULL) == -EFAULT);
	CHECK(pyexit_machine_init(memory, size, &options, &machine) == 0);
	free(memory);
}

static void test_ram(struct pyexit_machine *machine)
{
	const uint8_t word[4] = { 0x7c, 0x00, 0x07, 0xa4 };
	uint8_t back[4];

	CHECK(pyexit_ram_write(machine, 0x80001ffe, word, 4) == 0);
	CHECK(!memcmp(ram_bytes + 0x1ffe, word, 4));	/* lent, not copied */
	CHECK(dirty_bits[0] == 0x6);
	CHECK(pyexit_ram_read(machine, 0x80001ffe, back, 4) == 0 && !memcmp(back, word, 4));
	CHECK(pyexit_ram_read(machine, 0x8000fffe, back, 4) == -EFAULT);
	CHECK(pyexit_ram_write(machine, 0x7fffffff, word, 4) == -EFAULT);
	CHECK(pyexit_ram_read(machine, UINT64_MAX, back, 4) == -EFAULT);
}

static void set_vcpu(struct pyexit_machine *machine, size_t field, const void *value, size_t size)
{
	int64_t offset = pyexit_state_offset(machine, PYEXIT_RECORD_VCPU, 0);

	CHECK(offset >= 0);
	CHECK(pyexit_state_write(machine, (size_t)offset + field, value, size) == 0);
}

static void mtspr(struct pyexit_machine *machine, uint64_t spr, uint64_t value)
{
	uint64_t args[3] = { 0, spr, value };
	struct pyexit_result result;

	CHECK(pyexit_call(machine, "ppc_mtspr", args, 3, &result) == 0);
	CHECK(result.ret == PYEXIT_DONE);
}

/* A guest page at 00100000, entered as KVM does, and the word at the guest's pc. */
static void test_fetch(struct pyexit_machine *machine)
{
	const uint8_t word[4] = { 0x7c, 0x00, 0x07, 0xa4 };
	uint64_t args[3] = { 0, 0, 0 }, nip = 0x100234;
	struct pyexit_event events[8];
	struct pyexit_result result;

	CHECK(pyexit_ram_write(machine, 0x80003234, word, 4) == 0);
	mtspr(machine, 624, 0x10000000);
	mtspr(machine, 625, 0x80000100);
	mtspr(machine, 626, 0x100004);
	mtspr(machine, 627, 0x8000303f);
	mtspr(machine, 944, 0);
	mtspr(machine, 341, 0x80000001);
	CHECK(pyexit_call(machine, "ppc_tlbwe", args, 1, &result) == 0 && result.ret == PYEXIT_DONE);
	set_vcpu(machine, offsetof(struct pyexit_vcpu, arch) + offsetof(struct pyexit_arch, regs) +
		 offsetof(struct pyexit_regs, nip), &nip, sizeof(nip));
	CHECK(pyexit_call(machine, "kvmppc_load_last_inst", args, 2, &result) == 0);
	CHECK(result.ret == 0 && result.value[0] == 0x7c0007a4);
	CHECK(pyexit_events(machine, events, 8) == 3);
	CHECK(events[0].kind == PYEXIT_EVENT_TLBWE && events[1].kind == PYEXIT_EVENT_TLBSX);
	CHECK(events[1].arg[4] == 0x10000);
	CHECK(events[2].kind == PYEXIT_EVENT_KMAP && events[2].arg[0] == 0x80003);
}

/* The same word by the calls without a name, at each of three pcs. */
static void test_load_last_inst(struct pyexit_machine *machine)
{
	const uint64_t pcs[3] = { 0x100234, 0x5000, 0x100238 };
	uint32_t word = 0xdeadbeef, words[3];

	CHECK(pyexit_load_last_inst(machine, 0, &word) == 0 && word == 0x7c0007a4);
	CHECK(pyexit_load_last_inst(machine, 9, &word) == -EINVAL);
	CHECK(pyexit_load_last_inst(NULL, 0, &word) == -EFAULT);
	CHECK(pyexit_load_last_inst(machine, 0, NULL) == -EFAULT);
	CHECK(pyexit_load_last_insts(machine, 0, pcs, 3, words) == 2);
	CHECK(words[0] == 0x7c0007a4 && words[1] == UINT32_MAX && words[2] == 0);
	CHECK(pyexit_load_last_inst(machine, 0, &word) == 0 && word == 0);	/* the last pc stays */
	CHECK(pyexit_load_last_insts(machine, 0, NULL, 0, NULL) == 0);
	CHECK(pyexit_load_last_insts(machine, 9, pcs, 3, words) == -EINVAL);
	CHECK(pyexit_load_last_insts(NULL, 0, pcs, 3, words) == -EFAULT);
	CHECK(pyexit_load_last_insts(machine, 0, NULL, 3, words) == -EFAULT);
	CHECK(pyexit_load_last_insts(machine, 0, pcs, 3, NULL) == -EFAULT);
	while (pyexit_events(machine, &(struct pyexit_event){ 0 }, 1))
		;
	CHECK(pyexit_events_lost(machine) > 0);
}

static void test_interleave(struct pyexit_machine *machine)
{
	struct pyexit_action actions[PYEXIT_ACTIONS + 1] = { { .kind = PYEXIT_ACTION_PREEMPT } }, bad;
	uint32_t tlbivax = 0;

	while (strcmp(pyexit_call_name(machine, tlbivax), "ppc_tlbivax"))
		tlbivax++;
	for (size_t i = 0; i < PYEXIT_ACTIONS; i++)
		actions[i] = (struct pyexit_action){ .kind = PYEXIT_ACTION_CALL, .call = tlbivax, .n = 2 };
	CHECK(pyexit_interleave(machine, actions, PYEXIT_ACTIONS) == 0);
	CHECK(pyexit_interleave(machine, actions, PYEXIT_ACTIONS + 1) == -E2BIG);
	CHECK(pyexit_interleave(machine, NULL, 1) == -EFAULT);
	CHECK(pyexit_interleave(NULL, actions, 1) == -EFAULT);
	bad = actions[0], bad.point = PYEXIT_POINT_READ + 1;
	CHECK(pyexit_interleave(machine, &bad, 1) == -EINVAL);
	bad = actions[0], bad.kind = PYEXIT_ACTION_PREEMPT + 1;
	CHECK(pyexit_interleave(machine, &bad, 1) == -EINVAL);
	bad = actions[0], bad.call = UINT32_MAX;
	CHECK(pyexit_interleave(machine, &bad, 1) == -EINVAL);
	bad = actions[0], bad.call = 0;	/* whatever is first takes another number of arguments, or no thread */
	bad.n = 3 * (strcmp(pyexit_call_name(machine, 0), "ppc_mtspr") != 0);
	CHECK(pyexit_interleave(machine, &bad, 1) == -EINVAL);
	bad = actions[0], bad.arg[0] = 99;
	CHECK(pyexit_interleave(machine, &bad, 1) == -EINVAL);
	CHECK(pyexit_interleave(machine, NULL, 0) == 0);
}

static void test_nulls(struct pyexit_machine *machine)
{
	struct pyexit_translation t;
	struct pyexit_exit_record record = { 0 };
	struct pyexit_resume resume;
	struct pyexit_event event;
	struct pyexit_end end;
	uint8_t byte = 0;
	size_t size;

	CHECK(pyexit_translate(NULL, 0, 0, 4, 0, 0, &t) == -EFAULT);
	CHECK(pyexit_translate(machine, 0, 0, 4, 0, 0, NULL) == -EFAULT);
	CHECK(pyexit_guest_op(NULL, 0, 0, &end) == -EFAULT && pyexit_guest_op(machine, 0, 0, NULL) == -EFAULT);
	CHECK(pyexit_interrupt(NULL, 0, 8, 0, 0, &end) == -EFAULT);
	CHECK(pyexit_interrupt(machine, 0, 8, 0, 0, NULL) == -EFAULT);
	CHECK(pyexit_interrupt(machine, 9, 8, 0, 0, &end) == -EINVAL);
	CHECK(pyexit_interrupt(machine, 0, 4, 0, 0, &end) == -EINVAL);
	CHECK(pyexit_pending(NULL, 0, &end) == -EFAULT && pyexit_pending(machine, 0, NULL) == -EFAULT);
	CHECK(pyexit_pin(NULL, 0, 0, 0) == -EFAULT && pyexit_advance(NULL, 1) == -EFAULT);
	CHECK(pyexit_enter(NULL, 0, &resume) == -EFAULT && pyexit_enter(machine, 0, NULL) == -EFAULT);
	CHECK(pyexit_exit(NULL, 0, 4, &resume) == -EFAULT && pyexit_exit(machine, 0, 4, NULL) == -EFAULT);
	CHECK(pyexit_exits(NULL, &record, 1, &resume) == -EFAULT);
	CHECK(pyexit_exits(machine, NULL, 1, &resume) == -EFAULT);
	CHECK(pyexit_exits(machine, &record, 1, NULL) == -EFAULT);
	CHECK(pyexit_exits(machine, NULL, 0, NULL) == 0);
	CHECK(pyexit_ram_read(NULL, 0, &byte, 1) == -EFAULT && pyexit_ram_read(machine, 0, NULL, 1) == -EFAULT);
	CHECK(pyexit_ram_write(NULL, 0, &byte, 1) == -EFAULT && pyexit_ram_write(machine, 0, NULL, 1) == -EFAULT);
	CHECK(pyexit_ram_read(machine, 1, NULL, 0) == 0 && pyexit_ram_write(machine, 1, NULL, 0) == 0);
	CHECK(pyexit_state(machine, NULL) == NULL && pyexit_state_offset(NULL, 0, 0) == -EINVAL);
	CHECK(pyexit_state_write(NULL, 0, &byte, 1) == -EFAULT && pyexit_state_write(machine, 0, NULL, 1) == -EFAULT);
	CHECK(pyexit_state_write(machine, 0, NULL, 0) == 0);
	CHECK(pyexit_events(NULL, &event, 1) == 0 && pyexit_events(machine, NULL, 1) == 0);
	CHECK(pyexit_events_lost(NULL) == 0 && pyexit_search(NULL) == 0);
	CHECK(pyexit_call_name(NULL, 0) == NULL && pyexit_call_name(machine, UINT32_MAX) == NULL);
	CHECK(pyexit_machine_init(&size, 8, NULL, NULL) < 0);
	pyexit_machine_free(NULL);
}

static void test_translate(struct pyexit_machine *machine)
{
	struct pyexit_translation t;

	CHECK(pyexit_translate(machine, 9, 0, 4, PYEXIT_LOAD, 0, &t) == -EINVAL);
	CHECK(pyexit_translate(machine, 0, 0, 0, PYEXIT_LOAD, 0, &t) == -EINVAL);
	CHECK(pyexit_translate(machine, 0, 0, 4, 6, 0, &t) == -EINVAL);
	CHECK(pyexit_translate(machine, 0, 0x1234, 4, PYEXIT_LOAD, 1, &t) == 0);
	CHECK(t.outcome == PYEXIT_TAKEN_BY_HOST && t.ivor == 13);
}

static void test_errors(struct pyexit_machine *machine)
{
	uint64_t args[2] = { 0, 0 };
	struct pyexit_result result;
	size_t size;

	CHECK(pyexit_call(machine, "kvmppc_no_such", args, 1, &result) == -ENOENT);
	CHECK(pyexit_call(machine, "ppc_tlbre", args, 2, &result) == -E2BIG);
	args[0] = 99;
	CHECK(pyexit_call(machine, "ppc_tlbre", args, 1, &result) == -EINVAL);
	CHECK(pyexit_call(NULL, "ppc_tlbre", args, 1, &result) == -EFAULT);
	CHECK(pyexit_call(machine, NULL, args, 1, &result) == -EFAULT);
	CHECK(pyexit_call(machine, "ppc_tlbre", NULL, 1, &result) == -EFAULT);
	CHECK(pyexit_call(machine, "ppc_tlbre", args, 1, NULL) == -EFAULT);
	CHECK(pyexit_repeat(machine, "ppc_tlbre", args, 1, 0, &result) == -EINVAL);
	CHECK(pyexit_repeat(machine, "ppc_tlbre", args, 1, 2, &result) == -EINVAL);
	CHECK(pyexit_repeat(machine, "ppc_tlbre", (const uint64_t[]){ 0 }, 1, 2, &result) == 0);
	CHECK(pyexit_state(NULL, &size) == NULL);
	CHECK(pyexit_state_offset(machine, PYEXIT_RECORDS, 0) == -EINVAL);
	CHECK(pyexit_state_offset(machine, PYEXIT_RECORD_VCPU, 2) == -EINVAL);
	CHECK(pyexit_state(machine, &size) != NULL);
	CHECK(pyexit_state_write(machine, size, args, 1) == -EINVAL);
	CHECK(pyexit_state_write(machine, SIZE_MAX, args, 2) == -EINVAL);
	CHECK(pyexit_abi_check(PYEXIT_ABI_MAJOR, PYEXIT_ABI_MINOR) == 0);
	CHECK(pyexit_abi_check(PYEXIT_ABI_MAJOR, PYEXIT_ABI_MINOR + 1) == -ENOTSUP);
	CHECK(pyexit_abi_check(PYEXIT_ABI_MAJOR + 1, PYEXIT_ABI_MINOR) == -ENOTSUP);
	CHECK(!strcmp(pyexit_strerror(-ENOENT), "no such function or exit number"));
	for (const int *e = (const int[]){ EINVAL, EFAULT, ENOMEM, EEXIST, E2BIG, ENOSYS, EBUSY, ENOTSUP, 0 }; *e; e++)
		CHECK(strcmp(pyexit_strerror(-*e), "unknown error"));
	CHECK(!strcmp(pyexit_strerror(12345), "unknown error"));
}

static void test_event_ring(struct pyexit_machine *machine)
{
	uint64_t args[2] = { 0, 0 };
	struct pyexit_event event;
	struct pyexit_result result;

	for (uint64_t i = 0; i < 10; i++) {
		args[1] = i;
		CHECK(pyexit_call(machine, "ppc_tlbsx", args, 2, &result) == 0);
	}
	CHECK(pyexit_events_lost(machine) == 2 && pyexit_events_lost(machine) == 0);
	CHECK(pyexit_events(machine, &event, 1) == 1 && event.arg[0] == 0);	/* the oldest stay */
}

/* An entry of the guest's that no LPID and no guest entry allows. */
static void test_invariants(void)
{
	struct pyexit_options options = options_for(PYEXIT_E5500);
	uint32_t valid = 0x80000000u;
	uint64_t vcpu = 0;
	struct pyexit_machine *machine;
	struct pyexit_violation found;
	struct pyexit_result result;
	struct pyexit_resume resume;
	size_t at;

	options.invariants = 1;
	CHECK(pyexit_machine_new(&options, &machine) == 0);
	CHECK(pyexit_call(machine, "kvmppc_core_pending_dec", &vcpu, 1, &result) == 0);
	CHECK(result.outcome == PYEXIT_RETURNED && pyexit_invariants(machine, NULL, 0) == 0);
	at = (size_t)pyexit_state_offset(machine, PYEXIT_RECORD_HTLB1, 0);
	pyexit_state_write(machine, at + offsetof(struct pyexit_htlb1, mas1) + 5 * 4, &valid, 4);
	pyexit_state_write(machine, at + offsetof(struct pyexit_htlb1, mas8) + 5 * 4, &valid, 4);
	CHECK(pyexit_invariants(machine, NULL, 0) == 1 && pyexit_invariants(machine, &found, 1) == 1);
	CHECK(found.rule == PYEXIT_RULE_LPID && found.core == 0 && found.entry == (1u << 16 | 5));
	CHECK(found.vcpu == UINT32_MAX && found.guest_entry == UINT32_MAX && found.got == valid);
	CHECK(pyexit_call(machine, "kvmppc_core_pending_dec", &vcpu, 1, &result) == 0);
	CHECK(result.outcome == PYEXIT_BUG && result.site == PYEXIT_SITE_INVARIANT);
	CHECK(pyexit_enter(machine, 0, &resume) == 0);
	CHECK(resume.outcome == PYEXIT_BUG && resume.site == PYEXIT_SITE_INVARIANT);
	CHECK(pyexit_invariants(NULL, &found, 1) == -EFAULT && pyexit_invariants(machine, NULL, 1) == -EFAULT);
	pyexit_machine_free(machine);
}

int main(void)
{
	struct pyexit_options options = options_for(PYEXIT_E500MC);
	struct pyexit_machine *machine;

	test_options();
	test_params();
	test_init_in_given_memory();
	CHECK(pyexit_machine_new(&options, &machine) == 0);
	test_ram(machine);
	test_fetch(machine);
	test_load_last_inst(machine);
	test_interleave(machine);
	test_nulls(machine);
	test_translate(machine);
	test_errors(machine);
	test_event_ring(machine);
	pyexit_machine_free(machine);
	test_invariants();
	return verdict();
}
