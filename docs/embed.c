/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A first exit, embedded: docs/tutorial.md in C.  A guest of one page reads
 * TSR, which the hypervisor does for it, then loads from a device, which
 * comes out of KVM_RUN.  The tutorial has the command that compiles it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pyexit.h"

#define RAM_SIZE 0x200000u
#define GUEST_MEMORY 0x100000u	/* where guest address 0 lies in real memory */
#define VMM_ADDRESS 0x10000000u	/* and in the virtual machine monitor */
#define DEVICE 0xe0000000u

static uint8_t ram_bytes[RAM_SIZE];

static void check(int64_t error, const char *what)
{
	if (error < 0) {
		fprintf(stderr, "%s: %s\n", what, pyexit_strerror((int)error));
		exit(1);
	}
}

/* A record of the state block, to look at. */
static const void *look(const struct pyexit_machine *machine, uint32_t kind)
{
	size_t size;
	int64_t at = pyexit_state_offset(machine, kind, 0);

	check(at, "pyexit_state_offset");
	return pyexit_state(machine, &size) + at;
}

/* Change it: pyexit_state_write() is the one door. */
static void put(struct pyexit_machine *machine, uint32_t kind, const void *record, size_t size)
{
	int64_t at = pyexit_state_offset(machine, kind, 0);

	check(at, "pyexit_state_offset");
	check(pyexit_state_write(machine, (size_t)at, record, size), "pyexit_state_write");
}

static const struct pyexit_thread *thread(const struct pyexit_machine *machine)
{
	return look(machine, PYEXIT_RECORD_THREAD);
}

/* KVM_SET_USER_MEMORY_REGION: guest 0 to FFFF is the VMM's memory, which is real memory at GUEST_MEMORY. */
static void add_memory(struct pyexit_machine *machine)
{
	struct pyexit_kvm kvm = *(const struct pyexit_kvm *)look(machine, PYEXIT_RECORD_KVM);

	kvm.memslot.npages[0] = 16;
	kvm.memslot.userspace_addr[0] = VMM_ADDRESS;
	kvm.vma.start[0] = VMM_ADDRESS;
	kvm.vma.end[0] = VMM_ADDRESS + 16 * PYEXIT_PAGE_SIZE;
	kvm.vma.page_shift[0] = 12;
	kvm.backing.hva[0] = VMM_ADDRESS;
	kvm.backing.npages[0] = 16;
	kvm.backing.pfn[0] = GUEST_MEMORY / PYEXIT_PAGE_SIZE;
	kvm.backing.pte[0] = PYEXIT_PTE_PRESENT;
	put(machine, PYEXIT_RECORD_KVM, &kvm, sizeof(kvm));
}

/* The guest's tlbwe, as KVM emulates it. */
static void guest_tlbwe(struct pyexit_machine *machine, uint32_t mas0, uint32_t mas1, uint64_t mas2, uint64_t mas7_3)
{
	struct pyexit_vcpu vcpu = *(const struct pyexit_vcpu *)look(machine, PYEXIT_RECORD_VCPU);
	const uint64_t args[1] = { 0 };
	struct pyexit_result result;

	vcpu.arch.shared.mas0 = mas0;
	vcpu.arch.shared.mas1 = mas1;
	vcpu.arch.shared.mas2 = mas2;
	vcpu.arch.shared.mas7_3 = mas7_3;
	put(machine, PYEXIT_RECORD_VCPU, &vcpu, sizeof(vcpu));
	check(pyexit_call(machine, "kvmppc_e500_emul_tlbwe", args, 1, &result), "kvmppc_e500_emul_tlbwe");
}

static void leave(struct pyexit_machine *machine, uint32_t exit_nr)
{
	struct pyexit_resume resume;

	check(pyexit_exit(machine, 0, exit_nr, &resume), "pyexit_exit");
	printf("exit %u: %s\n", exit_nr, resume.where == PYEXIT_WHERE_GUEST ? "guest" : "host");
}

/* What the processor does first: the word at the pc, whatever exits it takes. */
static uint32_t fetch(struct pyexit_machine *machine)
{
	struct pyexit_translation found;
	uint8_t word[4];

	for (;;) {
		check(pyexit_translate(machine, 0, thread(machine)->pc, 4, PYEXIT_FETCH, 0, &found), "fetch");
		if (found.outcome != PYEXIT_EXIT)
			break;
		leave(machine, found.ivor);
	}
	check(pyexit_ram_read(machine, found.real, word, sizeof(word)), "pyexit_ram_read");
	return (uint32_t)word[0] << 24 | (uint32_t)word[1] << 16 | (uint32_t)word[2] << 8 | word[3];
}

int main(void)
{
	static const uint8_t code[] = { 0x7c, 0x70, 0x52, 0xa6, 0x80, 0x85, 0x00, 0x00 };	/* mfspr; lwz */
	const struct pyexit_ram ram = { 0, RAM_SIZE, ram_bytes, NULL };
	const struct pyexit_options options = {
		.size = sizeof(options), .model = PYEXIT_E500MC, .cores = 1, .vms = 1, .vcpus = 1,
		.events = 256, .ram = &ram, .ram_count = 1,
	};
	struct pyexit_machine *machine = NULL;
	struct pyexit_translation found;
	struct pyexit_resume resume;
	struct pyexit_vcpu vcpu;
	struct pyexit_run run;
	struct pyexit_end end;

	check(pyexit_machine_new(&options, &machine), "pyexit_machine_new");
	check(pyexit_ram_write(machine, GUEST_MEMORY + 0x1000, code, sizeof(code)), "pyexit_ram_write");
	add_memory(machine);
	guest_tlbwe(machine, 0x10000000, 0x80000500, 0x00000004, 0x0000003f);	/* 1 MiB at 0 */
	guest_tlbwe(machine, 0x10010000, 0x80000100, DEVICE, DEVICE | 0xf);	/* the device's page */

	vcpu = *(const struct pyexit_vcpu *)look(machine, PYEXIT_RECORD_VCPU);
	vcpu.arch.regs.nip = 0x1000;
	vcpu.arch.regs.gpr[5] = DEVICE;
	vcpu.arch.tsr = 0x1234;
	put(machine, PYEXIT_RECORD_VCPU, &vcpu, sizeof(vcpu));
	check(pyexit_enter(machine, 0, &resume), "pyexit_enter");

	check(pyexit_guest_op(machine, 0, fetch(machine), &end), "pyexit_guest_op");	/* mfspr r3,TSR */
	leave(machine, end.ivor);
	printf("r3 = %#llx\n", (unsigned long long)thread(machine)->gpr[3]);

	if (fetch(machine) != 0x80850000u)	/* lwz r4,0(r5): not privileged, the engine's own business */
		return 1;
	check(pyexit_translate(machine, 0, thread(machine)->gpr[5], 4, PYEXIT_LOAD, 0, &found), "load");
	leave(machine, found.ivor);

	run = *(const struct pyexit_run *)look(machine, PYEXIT_RECORD_RUN);
	printf("exit reason %u: %u bytes at %#llx\n", run.exit_reason, run.mmio.len,
	       (unsigned long long)run.mmio.phys_addr);
	memcpy(run.mmio.data, "\x11\x22\x33\x44", 4);
	put(machine, PYEXIT_RECORD_RUN, &run, sizeof(run));
	check(pyexit_enter(machine, 0, &resume), "pyexit_enter");
	printf("r4 = %#llx\n", (unsigned long long)thread(machine)->gpr[4]);
	pyexit_machine_free(machine);
	return 0;
}
