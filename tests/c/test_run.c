/* SPDX-License-Identifier: BSD-3-Clause */
/* KVM_RUN in pieces: enter, exit, exits, and a host kernel that the embedder serves. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "check.h"
#include "pyexit.h"

#define MSR_GS 0x10000000u
#define MSR_WE 0x40000u
#define MSR_EE 0x8000u
#define GUEST_MSR 0x10029002u
#define EPCR_DMIUH 0x400000u

#define EXTERNAL 4u
#define DECREMENTER 10u
#define DTLB_MISS 13u
#define HV_SYSCALL 40u

#define EXIT_INTR 10u
#define LINUX_EINTR 4
#define LINUX_EINVAL 22

static uint8_t ram_bytes[0x4000];
static struct pyexit_ram ram = { 0, sizeof(ram_bytes), ram_bytes, NULL };

static struct pyexit_machine *new_machine(uint32_t model, uint32_t fetch, const struct pyexit_host_ops *ops)
{
	struct pyexit_options options = {
		.size = sizeof(options), .model = model, .fetch = fetch, .cores = 1, .vms = 1, .vcpus = 3,
		.vcpu_thread = (const uint32_t[]){ 0, 0, 0 }, .events = 64, .ram = &ram, .ram_count = 1,
		.host_ops = ops,
	};
	struct pyexit_machine *machine = NULL;

	CHECK(pyexit_machine_new(&options, &machine) == 0);
	return machine;
}

/* A record of the state, to read and, with put(), to write back. */
static const void *record(const struct pyexit_machine *machine, uint32_t kind, uint32_t index)
{
	int64_t offset = pyexit_state_offset(machine, kind, index);

	CHECK(offset >= 0);
	return pyexit_state(machine, &(size_t){ 0 }) + offset;
}

static void put(struct pyexit_machine *machine, uint32_t kind, uint32_t index, const void *value, size_t size)
{
	int64_t offset = pyexit_state_offset(machine, kind, index);

	CHECK(pyexit_state_write(machine, (size_t)offset, value, size) == 0);
}

static const struct pyexit_thread *thread(const struct pyexit_machine *machine)
{
	return record(machine, PYEXIT_RECORD_THREAD, 0);
}

static const struct pyexit_vcpu *vcpu(const struct pyexit_machine *machine)
{
	return record(machine, PYEXIT_RECORD_VCPU, 0);
}

static void start_at(struct pyexit_machine *machine, uint64_t pc, uint64_t msr)
{
	struct pyexit_vcpu v = *vcpu(machine);

	v.arch.regs.nip = pc;
	v.arch.shared.msr = msr;
	for (uint32_t i = 0; i < 32; i++)
		v.arch.regs.gpr[i] = 0x100 + i;
	v.arch.regs.link = 0x201;
	v.arch.regs.ctr = 0x202;
	v.arch.regs.xer = 0x203;
	v.arch.regs.ccr = 0x204;
	v.arch.shared.mas2 = 0x3000;
	v.arch.shared.mas7_3 = 0x0000000100002003u;
	v.arch.shared.sprg4 = 0x44;
	put(machine, PYEXIT_RECORD_VCPU, 0, &v, sizeof(v));
}

static void set_host(struct pyexit_machine *machine, size_t field, uint32_t value)
{
	int64_t offset = pyexit_state_offset(machine, PYEXIT_RECORD_HOST, 0);

	CHECK(pyexit_state_write(machine, (size_t)offset + field, &value, sizeof(value)) == 0);
}

static void test_errors(void)
{
	struct pyexit_machine *machine = new_machine(PYEXIT_E5500, PYEXIT_FETCH_MERGED, NULL);
	struct pyexit_exit_record records[2] = { { .exit_nr = DECREMENTER, .msr = MSR_GS }, { .exit_nr = 8 } };
	struct pyexit_resume resume[2];

	CHECK(pyexit_enter(NULL, 0, resume) == -EFAULT);
	CHECK(pyexit_enter(machine, 0, NULL) == -EFAULT);
	CHECK(pyexit_enter(machine, 3, resume) == -EINVAL);
	CHECK(pyexit_exit(NULL, 0, DECREMENTER, resume) == -EFAULT);
	CHECK(pyexit_exit(machine, 0, DECREMENTER, NULL) == -EFAULT);
	CHECK(pyexit_exit(machine, 3, DECREMENTER, resume) == -EINVAL);
	CHECK(pyexit_exit(machine, 0, 8, resume) == -ENOENT);	/* a system call: hooked in a 32-bit kernel only */
	CHECK(pyexit_exit(machine, 0, UINT32_MAX, resume) == -ENOENT);
	CHECK(pyexit_exits(machine, NULL, 1, resume) == -EFAULT);
	CHECK(pyexit_exits(machine, records, 2, NULL) == -EFAULT);
	CHECK(pyexit_exits(machine, NULL, 0, NULL) == 0);
	CHECK(pyexit_exits(machine, records, 2, resume) == -ENOENT);
	CHECK(vcpu(machine)->stat.dec_exits == 1);	/* the record before the wrong one has happened */
	records[1].vcpu = 3;
	CHECK(pyexit_exits(machine, records, 2, resume) == -EINVAL);
	pyexit_machine_free(machine);
}

static void test_enter(uint32_t model)
{
	struct pyexit_machine *machine = new_machine(model, PYEXIT_FETCH_MERGED, NULL);
	const struct pyexit_spr *spr = record(machine, PYEXIT_RECORD_SPR, 0);
	struct pyexit_resume resume;

	start_at(machine, 0x1234, GUEST_MSR);
	CHECK(pyexit_enter(machine, 0, &resume) == 0);
	CHECK(resume.outcome == PYEXIT_RETURNED && resume.where == PYEXIT_WHERE_GUEST);
	CHECK(thread(machine)->pc == 0x1234 && thread(machine)->msr == GUEST_MSR);
	for (uint32_t i = 0; i < 32; i++)
		CHECK(thread(machine)->gpr[i] == 0x100 + i);
	CHECK(thread(machine)->lr == 0x201 && thread(machine)->ctr == 0x202);
	CHECK(thread(machine)->xer == 0x203 && thread(machine)->cr == 0x204);
	CHECK(spr->MAS2 == 0x3000 && spr->MAS3 == 0x2003 && spr->MAS7 == 1 && spr->SPRG4 == 0x44);
	CHECK(spr->EPCR & EPCR_DMIUH);
	CHECK(pyexit_enter(machine, 0, &resume) == -EBUSY);
	CHECK(pyexit_enter(machine, 2, &resume) == -EBUSY);	/* on the same thread */
	pyexit_machine_free(machine);
}

/* What keeps the guest out: an insane vcpu, immediate_exit. */
static void test_enter_that_returns(void)
{
	struct pyexit_machine *machine = new_machine(PYEXIT_E500MC, PYEXIT_FETCH_MERGED, NULL);
	struct pyexit_run run = { .immediate_exit = 1 };
	struct pyexit_vcpu v = *vcpu(machine);
	struct pyexit_resume resume;

	put(machine, PYEXIT_RECORD_RUN, 0, &run, sizeof(run));
	CHECK(pyexit_enter(machine, 0, &resume) == 0);
	CHECK(resume.where == PYEXIT_WHERE_HOST && resume.ret == -LINUX_EINTR);
	run.immediate_exit = 0;
	put(machine, PYEXIT_RECORD_RUN, 0, &run, sizeof(run));
	v.arch.sane = 0;
	put(machine, PYEXIT_RECORD_VCPU, 0, &v, sizeof(v));
	CHECK(pyexit_enter(machine, 0, &resume) == 0);
	CHECK(resume.where == PYEXIT_WHERE_HOST && resume.ret == -LINUX_EINVAL);
	pyexit_machine_free(machine);
}

/* The guest's registers survive a light exit; a heavy one leaves them in the vcpu. */
static void test_exit(uint32_t model)
{
	struct pyexit_machine *machine = new_machine(model, PYEXIT_FETCH_MERGED, NULL);
	struct pyexit_exit_record dec = { .exit_nr = DECREMENTER, .pc = 0x2000, .msr = GUEST_MSR };
	const struct pyexit_run *run = record(machine, PYEXIT_RECORD_RUN, 0);
	struct pyexit_resume resume;
	struct pyexit_thread t;

	start_at(machine, 0x1234, GUEST_MSR);
	CHECK(pyexit_enter(machine, 0, &resume) == 0);
	t = *thread(machine);
	t.gpr[14] = 0xe;
	t.gpr[31] = 0x1f;
	t.lr = 0x99;
	put(machine, PYEXIT_RECORD_THREAD, 0, &t, sizeof(t));
	CHECK(pyexit_exits(machine, &dec, 1, &resume) == 1);
	CHECK(resume.outcome == PYEXIT_RETURNED && resume.where == PYEXIT_WHERE_GUEST);
	CHECK(thread(machine)->pc == 0x2000 && thread(machine)->msr == GUEST_MSR);
	CHECK(thread(machine)->gpr[14] == 0xe && thread(machine)->gpr[31] == 0x1f && thread(machine)->lr == 0x99);
	CHECK(vcpu(machine)->arch.regs.gpr[31] == 0x11f);	/* this handler does not save r15-r31 (exit 11.3) */
	set_host(machine, offsetof(struct pyexit_host, signal_pending), 1);
	CHECK(pyexit_exits(machine, &dec, 1, &resume) == 1);
	CHECK(resume.where == PYEXIT_WHERE_HOST && resume.ret == -LINUX_EINTR && run->exit_reason == EXIT_INTR);
	CHECK(!(thread(machine)->msr & MSR_GS) && vcpu(machine)->mode == 0 && vcpu(machine)->cpu == UINT32_MAX);
	CHECK(vcpu(machine)->arch.regs.gpr[31] == 0x1f && vcpu(machine)->arch.regs.nip == 0x2000);
	CHECK(pyexit_enter(machine, 0, &resume) == 0);
	CHECK(resume.where == PYEXIT_WHERE_HOST && resume.ret == -LINUX_EINTR);	/* the signal is still there */
	pyexit_machine_free(machine);
}

/* A hypercall's answer is in r3 behind the sc. */
static void test_hypercall(void)
{
	struct pyexit_machine *machine = new_machine(PYEXIT_E6500, PYEXIT_FETCH_MERGED, NULL);
	struct pyexit_resume resume;
	struct pyexit_thread t;
	struct pyexit_end end;

	start_at(machine, 0x1000, GUEST_MSR);
	CHECK(pyexit_enter(machine, 0, &resume) == 0);
	t = *thread(machine);
	t.gpr[11] = 7;	/* unknown: EV_UNIMPLEMENTED */
	put(machine, PYEXIT_RECORD_THREAD, 0, &t, sizeof(t));
	CHECK(pyexit_interrupt(machine, 0, HV_SYSCALL, 0, 0, &end) == 0);
	CHECK(end.outcome == PYEXIT_EXIT && end.ivor == HV_SYSCALL);
	CHECK(pyexit_exit(machine, 0, end.ivor, &resume) == 0);
	CHECK(resume.where == PYEXIT_WHERE_GUEST && thread(machine)->pc == 0x1004);
	CHECK(thread(machine)->gpr[3] == 12 && thread(machine)->gpr[4] == 0);
	pyexit_machine_free(machine);
}

/* A batch stops behind the first kernel BUG. */
static void test_exits_stop(void)
{
	struct pyexit_machine *machine = new_machine(PYEXIT_E6500, PYEXIT_FETCH_MERGED, NULL);
	struct pyexit_exit_record records[3] = {
		{ .exit_nr = DECREMENTER, .msr = GUEST_MSR },
		{ .exit_nr = 9, .msr = GUEST_MSR },	/* hooked, and no case (Q23) */
		{ .exit_nr = DECREMENTER, .msr = GUEST_MSR },
	};
	struct pyexit_resume resume[3];

	CHECK(pyexit_exits(machine, records, 3, resume) == 2);
	CHECK(resume[0].outcome == PYEXIT_RETURNED);
	CHECK(resume[1].outcome == PYEXIT_BUG && resume[1].site == PYEXIT_SITE_EXIT_NR);
	CHECK(vcpu(machine)->stat.dec_exits == 1);
	pyexit_machine_free(machine);
}

/* exit 11.6: the external-PID load of an unmapped pc faults, and the host knows nothing of it. */
static void test_lwepx_fault(void)
{
	const uint32_t recovering[] = { PYEXIT_FETCH_LWEPX_DO_KVM, PYEXIT_FETCH_LWEPX_HIJACK };
	struct pyexit_exit_record miss = {
		.exit_nr = DTLB_MISS, .pc = 0x1000, .msr = GUEST_MSR, .dear = 0x7000, .esr = 0x800000,
	};
	struct pyexit_resume resume;
	struct pyexit_machine *machine = new_machine(PYEXIT_E5500, PYEXIT_FETCH_LWEPX, NULL);

	CHECK(pyexit_exits(machine, &miss, 1, &resume) == 1);
	CHECK(resume.outcome == PYEXIT_OOPS && resume.site == PYEXIT_SITE_ENTRY_FETCH);
	pyexit_machine_free(machine);
	for (uint32_t i = 0; i < 2; i++) {
		machine = new_machine(PYEXIT_E5500, recovering[i], NULL);
		start_at(machine, 0, GUEST_MSR);
		CHECK(pyexit_enter(machine, 0, &resume) == 0);
		CHECK(pyexit_exits(machine, &miss, 1, &resume) == 1);
		CHECK(resume.outcome == PYEXIT_RETURNED && resume.where == PYEXIT_WHERE_GUEST);
		CHECK(vcpu(machine)->arch.fault_dear == 0x7000 && vcpu(machine)->arch.fault_esr == 0x800000);
		pyexit_machine_free(machine);
	}
}

/* A host kernel ----------------------------------------------------------- */

struct host {
	struct pyexit_machine *machine;
	uint32_t halts, kicks, rescheds, handler, bus;
	uint64_t addr;
	uint8_t data[8];
	uint32_t len;
};

static void host_halt(void *context, uint32_t number, struct pyexit_wake *wake)
{
	struct host *host = context;

	CHECK(number == 0 && !wake->pending_exceptions && !wake->requests && !wake->signal);
	host->halts++;
	wake->pending_exceptions = 1u << 16;	/* an external interrupt */
}

static void host_kick(void *context, uint32_t number)
{
	CHECK(number == 0);
	((struct host *)context)->kicks++;
}

static void host_resched(void *context, uint32_t number)
{
	struct host *host = context;

	CHECK(number == 0);
	host->rescheds++;
	set_host(host->machine, offsetof(struct pyexit_host, jiffies), 77);	/* time has passed */
}

static void host_handler(void *context, uint32_t number, uint32_t handler)
{
	CHECK(number == 0);
	((struct host *)context)->handler = handler;
}

static int host_read(void *context, uint32_t number, uint64_t addr, uint32_t len, uint8_t *data)
{
	struct host *host = context;

	CHECK(number == 0);
	host->addr = addr;
	if (!host->bus)
		return -1;
	memcpy(data, "\x12\x34\x56\x78\x9a\xbc\xde\xf0", len);
	return 0;
}

static int host_write(void *context, uint32_t number, uint64_t addr, uint32_t len, const uint8_t *data)
{
	struct host *host = context;

	CHECK(number == 0);
	host->addr = addr;
	host->len = len;
	memcpy(host->data, data, len);
	return host->bus ? 0 : -1;
}

static void test_ops_of_interrupts(struct host *host)
{
	struct pyexit_machine *machine = host->machine;
	struct pyexit_exit_record external = { .exit_nr = EXTERNAL, .pc = 0x3000, .msr = GUEST_MSR };
	uint64_t interrupt[2] = { 0, UINT32_MAX };
	struct pyexit_resume resume;
	struct pyexit_result result;

	set_host(machine, offsetof(struct pyexit_host, need_resched), 1);
	start_at(machine, 0x1000, GUEST_MSR | MSR_WE | MSR_EE);
	CHECK(pyexit_enter(machine, 0, &resume) == 0);
	CHECK(resume.where == PYEXIT_WHERE_GUEST && host->halts == 1 && host->rescheds == 1);
	CHECK(thread(machine)->pc == 0x55557740 && !(thread(machine)->msr & MSR_WE));
	CHECK(((const struct pyexit_host *)record(machine, PYEXIT_RECORD_HOST, 0))->jiffies == 77);
	CHECK(pyexit_exits(machine, &external, 1, &resume) == 1);
	CHECK(resume.where == PYEXIT_WHERE_GUEST && host->handler == PYEXIT_HOST_DO_IRQ);
	CHECK(pyexit_call(machine, "kvm_vcpu_ioctl_interrupt", interrupt, 2, &result) == 0);
	CHECK(host->kicks == 1);
}

static void test_ops_of_the_bus(struct host *host)
{
	struct pyexit_machine *machine = host->machine;
	uint64_t load[4] = { 0, 5, 4, 1 }, store[4] = { 0, 0xa1b2c3d4, 4, 1 };
	struct pyexit_vcpu v = *vcpu(machine);
	struct pyexit_result result;

	v.arch.paddr_accessed = 0xfe001000u;
	put(machine, PYEXIT_RECORD_VCPU, 0, &v, sizeof(v));
	CHECK(pyexit_call(machine, "kvmppc_handle_load", load, 4, &result) == 0);
	CHECK(result.ret == 1 && host->addr == 0xfe001000u);	/* EMULATE_DO_MMIO: userspace's */
	CHECK(pyexit_call(machine, "kvmppc_handle_store", store, 4, &result) == 0);
	CHECK(result.ret == 1);
	host->bus = 1;
	CHECK(pyexit_call(machine, "kvmppc_handle_load", load, 4, &result) == 0);
	CHECK(result.ret == 0 && vcpu(machine)->arch.regs.gpr[5] == 0x12345678);
	CHECK(pyexit_call(machine, "kvmppc_handle_store", store, 4, &result) == 0);
	CHECK(result.ret == 0 && host->len == 4 && !memcmp(host->data, "\xa1\xb2\xc3\xd4", 4));
}

/* Every request is an event, whoever answers. */
static void test_ops_leave_events(struct pyexit_machine *machine)
{
	const uint32_t kinds[] = {
		PYEXIT_EVENT_HALT, PYEXIT_EVENT_KICK, PYEXIT_EVENT_HOST_HANDLER, PYEXIT_EVENT_IO_READ,
		PYEXIT_EVENT_IO_WRITE,
	};
	struct pyexit_event events[64];
	size_t n = pyexit_events(machine, events, 64);

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		size_t found = 0;

		for (size_t i = 0; i < n; i++)
			found += events[i].kind == kinds[k];
		CHECK(found > 0);
	}
}

static void test_host_ops(uint32_t model)
{
	struct host host = { 0 };
	struct pyexit_host_ops ops = {
		.size = sizeof(ops), .context = &host, .halt = host_halt, .kick = host_kick,
		.cond_resched = host_resched, .host_handler = host_handler,
		.io_read = host_read, .io_write = host_write,
	};
	struct pyexit_options bad = {
		.size = sizeof(bad), .cores = 1, .vms = 1, .vcpus = 1, .host_ops = &ops,
	};

	host.machine = new_machine(model, PYEXIT_FETCH_MERGED, &ops);
	ops.halt = NULL;	/* the machine has its own copy */
	test_ops_of_interrupts(&host);
	test_ops_of_the_bus(&host);
	test_ops_leave_events(host.machine);
	pyexit_machine_free(host.machine);
	for (ops.size = 0; ops.size < sizeof(ops); ops.size++)
		CHECK(pyexit_machine_size(&bad) == 0);
	CHECK(pyexit_machine_size(&bad) > 0);
}

/* Whatever the state holds, the verbs return. */
static void random_state(struct pyexit_machine *machine)
{
	size_t size;

	CHECK(pyexit_state(machine, &size) != NULL);
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t value = draw() & draw() & draw();

		pyexit_state_write(machine, i, &value, 8);
	}
}

static void test_any_state(uint32_t model, uint32_t fetch)
{
	struct pyexit_machine *machine = new_machine(model, fetch, NULL);
	struct pyexit_exit_record any;
	struct pyexit_resume resume;

	for (uint32_t i = 0; i < 300; i++) {
		int64_t done;

		if (i % 20 == 0)
			random_state(machine);
		any = (struct pyexit_exit_record){
			.vcpu = (uint32_t)(draw() % 3), .exit_nr = (uint32_t)(draw() % 43), .pc = draw() >> draw() % 64,
			.msr = draw() % 4 ? GUEST_MSR | (draw() & MSR_WE) : draw(), .dear = draw() >> draw() % 64,
			.esr = (uint32_t)draw(),
		};
		done = pyexit_exits(machine, &any, 1, &resume);
		CHECK(done == 1 || done == -ENOENT);
		CHECK(done != 1 || resume.outcome <= PYEXIT_OOPS);
		done = pyexit_enter(machine, any.vcpu, &resume);
		CHECK(done == 0 || done == -EBUSY);
	}
	pyexit_machine_free(machine);
}

int main(void)
{
	test_errors();
	test_enter_that_returns();
	test_hypercall();
	test_exits_stop();
	test_lwepx_fault();
	for (uint32_t model = PYEXIT_E500MC; model <= PYEXIT_E6500; model++) {
		test_enter(model);
		test_exit(model);
		test_host_ops(model);
		for (uint32_t fetch = PYEXIT_FETCH_MERGED; fetch <= PYEXIT_FETCH_LWEPX_HIJACK; fetch++)
			test_any_state(model, fetch);
	}
	return verdict();
}
