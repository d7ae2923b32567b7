/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bundled guest.  It makes every kind of exit happen, checks what it gets
 * back against the architecture, prints a line a check, and stores its
 * verdict in the board's verdict device: the number of failed checks.
 */
typedef unsigned int u32;
typedef unsigned char u8;
typedef unsigned short u16;

struct frame {
	u32 r[32], lr, ctr, cr, xer, pc, msr, esr, dear;
};

extern struct frame frame;
extern u8 vectors[];
extern void leave_user(void);
extern u32 call(u32 ea);	/* 0xbac if an interrupt ended it */
extern u32 run_user(const void *code, u32 argument);
extern const u32 user_sum[], user_mfmsr[], user_load[];

#define SPR(number) \
	({ u32 value_; __asm__ volatile("mfspr %0, %1" : "=r"(value_) : "i"(number) : "memory"); value_; })
#define SET_SPR(number, value) __asm__ volatile("mtspr %0, %1" : : "i"(number), "r"((u32)(value)) : "memory")

enum {
	DEC = 22, PID = 48, SPRG4W = 276, PIR = 286, PVR = 287, TSR = 336, TCR = 340, IVOR0 = 400, IVOR36 = 532,
	MAS0 = 624, MAS1, MAS2, MAS3, MAS4, MAS6 = 630, TLB0CFG = 688, TLB1CFG, MAS7 = 944, MMUCSR0 = 1012
};

enum { MSR_GS = 0x10000000, MSR_CE = 0x20000, MSR_EE = 0x8000, MSR_PR = 0x4000, MSR_FP = 0x2000, MSR_DS = 0x10 };
enum { ESR_PIL = 0x08000000, ESR_PPR = 0x04000000, ESR_PTR = 0x02000000, ESR_ST = 0x00800000 };
enum { SX = 0x10, SW = 4, UR = 2, SR = 1 };
enum { DSI = 2, ISI, EXTERNAL, ALIGNMENT, PROGRAM, FP_UNAVAILABLE, SYSCALL, DECREMENTER = 10, WATCHDOG = 12,
       DTLB_MISS, ITLB_MISS, DOORBELL = 36 };

/* The board: 1 MiB of registers at F_E000_0000, mapped at E000_0000. */
#define CCSR 0xe0000000u
#define UART ((volatile u8 *)(CCSR + 0x4500))
#define MPIC(offset) (*(volatile u32 *)(CCSR + 0x40000 + (offset)))
#define VERDICT (*(volatile u32 *)(CCSR + 0xf0000))
#define SCRATCH (CCSR + 0xf1000)

/* Pages to play with: effective and real. */
#define EA 0x50000000u
#define RA 0x01000000u

/* Output ----------------------------------------------------------------- */

static void put(char c)
{
	if (c == '\n')
		UART[0] = '\r';
	UART[0] = (u8)c;
}

static void print(const char *text)
{
	while (*text)
		put(*text++);
}

static void print_number(u32 value)
{
	if (value >= 10)
		print_number(value / 10);
	put((char)('0' + value % 10));
}

static void print_hex(u32 value)
{
	for (int shift = 28; shift >= 0; shift -= 4)
		put("0123456789abcdef"[value >> shift & 15]);
}

static u32 checks, failures;

/* One line; a wrong value is shown. */
static void check(const char *what, u32 got, u32 expected)
{
	checks++;
	print(got == expected ? "ok   " : "FAIL ");
	print(what);
	if (got != expected) {
		failures++;
		print(": ");
		print_hex(got);
		print(" instead of ");
		print_hex(expected);
	}
	print("\n");
}

/* Interrupts --------------------------------------------------------------- */

/* How many since expect(), and what the first was. */
static volatile u32 taken, first, first_pc, first_esr, first_dear, map_on_miss, vector;
volatile u32 resume_at;	/* where a call() that is interrupted goes on */

/* What each interrupt needs before the interrupted code goes on: by default the instruction is left out. */
void interrupt(u32 number)
{
	if (!taken++) {
		first = number;
		first_pc = frame.pc;
		first_esr = frame.esr;
		first_dear = frame.dear;
	}
	if (number == DTLB_MISS && map_on_miss) {
		/* MAS0, 1, 2 are what the miss has preset: the handler adds the real page only */
		SET_SPR(MAS3, map_on_miss | SX | SW | SR);
		SET_SPR(MAS7, 0);
		__asm__ volatile("isync; tlbwe; isync" : : : "memory");
		return;
	}
	if (number == SYSCALL && frame.r[0] == 0) {
		frame.pc = (u32)leave_user;
		frame.msr &= ~(u32)MSR_PR;
	} else if (number == DECREMENTER) {
		SET_SPR(TCR, 0);
		SET_SPR(TSR, 0x08000000);
	} else if (number == WATCHDOG) {
		SET_SPR(TCR, SPR(TCR) & ~0x08000000u);
		SET_SPR(TSR, 0xc0000000);
	} else if (number == EXTERNAL) {
		vector = MPIC(0x200a0);
		(void)UART[0];
		MPIC(0x200b0) = 0;
	} else if (resume_at) {
		frame.pc = resume_at;
	} else if (number != SYSCALL && number != DOORBELL) {
		frame.pc += 4;
	}
}

static void set_msr(u32 clear, u32 set)
{
	u32 msr;

	__asm__ volatile("mfmsr %0" : "=r"(msr));
	__asm__ volatile("mtmsr %0; isync" : : "r"((msr & ~clear) | set) : "memory");
}

static void expect(void)
{
	taken = first = 0;
	first_esr = first_dear = 0xeeeeeeee;
}

static void set_vectors(void)
{
	for (u32 i = 0; i < 16; i++) {
		u32 offset = ((u32)vectors & 0xffff) + 16 * i;

		switch (i) {	/* SPR numbers are part of the instruction */
#define CASE(n) case n: SET_SPR(IVOR0 + n, offset); break;
		CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
		CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14) CASE(15)
		}
	}
	SET_SPR(IVOR36, ((u32)vectors & 0xffff) + 16 * 16);
}

/* The TLB ------------------------------------------------------------------- */

static void write_entry(u32 mas0, u32 mas1, u32 mas2, u32 mas3, u32 mas7)
{
	SET_SPR(MAS0, mas0);
	SET_SPR(MAS1, mas1);
	SET_SPR(MAS2, mas2);
	SET_SPR(MAS3, mas3);
	SET_SPR(MAS7, mas7);
	__asm__ volatile("isync; tlbwe; isync" : : : "memory");
}

/* A 4 KiB page in TLB0; space and PID choose the way, so that entries of one set live side by side. */
static void map(u32 ea, u32 ra, u32 perms, u32 pid, u32 space)
{
	write_entry(((pid ^ space) & 1) << 16, 0x80000100 | pid << 16 | space << 12, ea | 4, ra | perms, 0);
}

static void flush(void)
{
	SET_SPR(MMUCSR0, 4);
}

static u32 load(u32 ea)
{
	u32 value;

	__asm__ volatile("lwz %0, 0(%1)" : "=r"(value) : "b"(ea), "0"(0xdead) : "memory");
	return value;
}

static void store(u32 ea, u32 value)
{
	__asm__ volatile("stw %0, 0(%1)" : : "r"(value), "b"(ea) : "memory");
}

static u32 load_in_space_1(u32 ea)
{
	u32 msr, value;

	__asm__ volatile("mfmsr %0; ori %1, %0, 0x10; mtmsr %1; isync; lwz %1, 0(%2); mtmsr %0; isync"
			 : "=&b"(msr), "=&b"(value) : "b"(ea) : "memory");
	return value;
}

/* The checks ----------------------------------------------------------------- */

static void check_registers(void)
{
	u32 msr;

	__asm__ volatile("mfmsr %0" : "=r"(msr));
	check("mfmsr shows guest state", msr & MSR_GS, MSR_GS);
	check("mfspr PVR", SPR(PVR), 0x80230020);
	check("mfspr PIR", SPR(PIR), 0);
	SET_SPR(SPRG4W, 0x12345678);
	check("mtspr SPRG4, mfspr SPRG4 by its user number", SPR(260), 0x12345678);
	check("mfspr IVOR13", SPR(IVOR0 + 13), ((u32)vectors & 0xffff) + 16 * 13);
	check("mfspr TLB0CFG: 512 entries, 4 ways", SPR(TLB0CFG) & 0xff000fff, 0x04000200);
	check("mfspr TLB1CFG: 64 entries", SPR(TLB1CFG) & 0xff000fff, 0x40000040);
}

static void check_tlb(void)
{
	*(volatile u32 *)RA = 0x11111111;
	*(volatile u32 *)(RA + 0x1000) = 0x22222222;
	map(EA, RA, SR | SW, 0, 0);
	check("load through tlbwe's entry", load(EA), 0x11111111);
	store(EA, 0x33333333);
	check("store through it", *(volatile u32 *)RA, 0x33333333);
	SET_SPR(MAS6, 0);
	__asm__ volatile("tlbsx 0, %0" : : "r"(EA + 0x123) : "memory");
	check("tlbsx finds it", SPR(MAS1) >> 31, 1);
	check("and its real page", SPR(MAS3) & ~0xfffu, RA);
	SET_SPR(MAS0, 0x10000000);
	__asm__ volatile("tlbre" : : : "memory");
	check("tlbre reads TLB1[0]: 64 MiB", SPR(MAS1) >> 7 & 31, 16);
	expect();
	__asm__ volatile("tlbivax 0, %0; msync; isync; tlbsync" : : "r"(EA) : "memory");
	load(EA);
	check("after tlbivax it misses", first, DTLB_MISS);
	map(EA, RA, SR | SW, 0, 0);
	load(EA);
	expect();
	__asm__ volatile("tlbilxva 0, %0; isync" : : "r"(EA) : "memory");
	load(EA);
	check("after tlbilx too", first, DTLB_MISS);
	flush();
}

static void check_misses(void)
{
	SET_SPR(MAS4, 0x100);
	expect();
	load(EA + 0x10);
	check("a load that misses: data TLB error", first, DTLB_MISS);
	check("its DEAR", first_dear, EA + 0x10);
	check("its ESR", first_esr, 0);
	expect();
	store(EA + 0x24, 1);
	check("a store that misses: ESR[ST]", first_esr, ESR_ST);
	*(volatile u32 *)(RA + 0x2030) = 0x44444444;
	expect();
	map_on_miss = RA + 0x2000;
	check("a miss that the handler repairs", load(EA + 0x2030), 0x44444444);
	map_on_miss = 0;
	check("took one interrupt", taken, 1);
	map(EA, RA, SR | SW, 0, 0);
	expect();
	store(EA + 0xffe, 1);
	check("a store across pages: DEAR is in the missing one", first_dear, EA + 0x1000);
	expect();
	call(EA + 0x8000);
	check("a fetch that misses: instruction TLB error", first, ITLB_MISS);
	check("its pc", first_pc, EA + 0x8000);
	flush();
}

static void check_permissions(void)
{
	map(EA, RA, SR, 0, 0);
	expect();
	store(EA + 8, 1);
	check("a store to a read-only page: data storage", first, DSI);
	check("its DEAR", first_dear, EA + 8);
	check("its ESR", first_esr, ESR_ST);
	expect();
	call(EA);
	check("a fetch without permission: instruction storage", first, ISI);
	flush();
}

static void check_user(void)
{
	expect();
	check("user state and back", run_user(user_sum, 40), 42);
	check("two system calls", taken << 8 | first, 2 << 8 | SYSCALL);
	expect();
	run_user(user_mfmsr, 0);
	check("a user's mfmsr: program", first, PROGRAM);
	check("its ESR[PPR]", first_esr, ESR_PPR);
	map(EA, RA, SR | SW, 0, 0);
	expect();
	run_user(user_load, EA);
	check("a user's load of a supervisor's page: data storage", first, DSI);
	map(EA, RA, SR | SW | UR, 0, 0);
	*(volatile u32 *)RA = 77;
	check("a user's load of its own page", run_user(user_load, EA), 77);
	flush();
}

static void check_spaces(void)
{
	*(volatile u32 *)RA = 0xa0;
	*(volatile u32 *)(RA + 0x1000) = 0xa1;
	map(EA, RA, SR, 1, 0);
	map(EA, RA + 0x1000, SR, 2, 0);
	SET_SPR(PID, 1);
	__asm__ volatile("isync");
	check("PID 1", load(EA), 0xa0);
	SET_SPR(PID, 2);
	__asm__ volatile("isync");
	check("PID 2", load(EA), 0xa1);
	SET_SPR(PID, 0);
	__asm__ volatile("isync");
	expect();
	load(EA);
	check("PID 0 has no such page", first, DTLB_MISS);
	flush();
	map(EA, RA, SR, 0, 0);
	map(EA, RA + 0x1000, SR, 0, 1);
	check("address space 0", load(EA), 0xa0);
	check("address space 1", load_in_space_1(EA), 0xa1);
	flush();
}

static void check_program(void)
{
	expect();
	__asm__ volatile("trap");
	check("trap: program, ESR[PTR]", first_esr, ESR_PTR);
	expect();
	__asm__ volatile(".long 0");
	check("an illegal instruction: program", first, PROGRAM);
	expect();
	__asm__ volatile("lwarx 3, 0, %0" : : "r"(RA + 2) : "r3", "memory");
	check("lwarx of half a word: alignment", first, ALIGNMENT);
	check("its DEAR", first_dear, RA + 2);
	expect();
	set_msr(MSR_FP, 0);
	__asm__ volatile("fadd 1, 1, 1");
	check("fadd with MSR[FP] = 0: FP unavailable", first, FP_UNAVAILABLE);
}

static void check_fp(void)
{
	volatile u32 *cell = (volatile u32 *)(RA + 0x100);

	cell[0] = 0x3ff80000;	/* 1.5 */
	cell[1] = 0;
	expect();
	set_msr(0, MSR_FP);
	__asm__ volatile("lfd 1, 0(%0); fadd 1, 1, 1; stfd 1, 8(%0)" : : "b"(cell) : "memory");
	set_msr(MSR_FP, 0);
	check("1.5 + 1.5", cell[2], 0x40080000);
	check("without an interrupt", taken, 0);
}

static void check_mmio(void)
{
	u32 value;

	*(volatile u32 *)SCRATCH = 0x81234567;
	check("MMIO: lwz", *(volatile u32 *)SCRATCH, 0x81234567);
	check("MMIO: lhz", *(volatile u16 *)SCRATCH, 0x8123);
	check("MMIO: lha", (u32) * (volatile short *)SCRATCH, 0xffff8123);
	check("MMIO: lbz", *(volatile u8 *)(SCRATCH + 1), 0x23);
	*(volatile u16 *)(SCRATCH + 2) = 0x89ab;
	*(volatile u8 *)(SCRATCH + 1) = 0xcd;
	check("MMIO: sth, stb", *(volatile u32 *)SCRATCH, 0x81cd89ab);
	__asm__ volatile("lwbrx %0, 0, %1" : "=r"(value) : "r"(SCRATCH) : "memory");
	check("MMIO: lwbrx", value, 0xab89cd81);
	__asm__ volatile("stwbrx %0, 0, %1" : : "r"(0x01020304), "r"(SCRATCH) : "memory");
	check("MMIO: stwbrx", *(volatile u32 *)SCRATCH, 0x04030201);
}

static u32 hypercall(u32 token)
{
	register u32 r3 __asm__("r3") = 0;
	register u32 r11 __asm__("r11") = token;

	__asm__ volatile(".long 0x44000022" /* sc 1 */ : "+r"(r3), "+r"(r11) : : "r4", "r5", "r6", "memory");
	return r3;
}

static void check_hypercalls(void)
{
	check("hypercall: KVM features", hypercall(0x2a0003), 0);
	check("hypercall: an unknown one", hypercall(0x2a7777), 12);
}

/* Lets time pass, by reading it, until an interrupt has come. */
static void wait_for_interrupt(void)
{
	for (u32 i = 0; i < 20000 && !taken; i++)
		__asm__ volatile("mfspr 3, 268" : : : "r3", "memory");
}

static void check_timers(void)
{
	u32 before = SPR(268);

	check("the timebase runs", SPR(268) != before, 1);
	expect();
	SET_SPR(DEC, 100000);
	SET_SPR(TCR, 0x04000000);
	set_msr(0, MSR_EE);
	wait_for_interrupt();
	set_msr(MSR_EE, 0);
	check("decrementer", first, DECREMENTER);
	expect();
	SET_SPR(DEC, 1000000);
	SET_SPR(TCR, 0x04000000);
	set_msr(0, MSR_EE);
	__asm__ volatile(".long 0x7c00007c" : : : "memory");	/* wait */
	set_msr(MSR_EE, 0);
	check("wait until the decrementer", first, DECREMENTER);
	expect();
	SET_SPR(DEC, 2000000);
	SET_SPR(TCR, 0x04000000);
	set_msr(0, MSR_EE);
	while (!taken)
		;
	set_msr(MSR_EE, 0);
	check("decrementer in a loop without exits", first, DECREMENTER);
	expect();
	SET_SPR(TSR, 0xc0000000);
	SET_SPR(TCR, 0xc8140000);	/* period 43: bit 20 of the timebase; WIE */
	set_msr(0, MSR_CE);
	wait_for_interrupt();
	set_msr(MSR_CE, 0);
	check("watchdog", first, WATCHDOG);
	SET_SPR(TCR, 0);
}

static void check_interrupts(void)
{
	expect();
	set_msr(0, MSR_EE);
	__asm__ volatile("msgsnd %0" : : "r"(0) : "memory");
	set_msr(MSR_EE, 0);
	check("msgsnd to itself: doorbell", first, DOORBELL);
	MPIC(0x20080) = 0;				/* task priority */
	MPIC(0x10000 + 0x20 * 42) = 5 << 16 | 42;	/* the UART's source */
	expect();
	set_msr(0, MSR_EE);
	UART[4] = 0x10;		/* loopback */
	UART[1] = 1;		/* interrupt on data */
	UART[0] = 'x';
	for (u32 i = 0; i < 1000 && !taken; i++)
		(void)UART[5];
	set_msr(MSR_EE, 0);
	UART[1] = 0;
	UART[4] = 0;
	check("UART: external interrupt", first, EXTERNAL);
	check("its vector", vector, 42);
}

static void set_code(u32 value)
{
	volatile u32 *code = (volatile u32 *)(RA + 0x3000);

	code[0] = 0x38600000 | value;	/* li r3, value */
	code[1] = 0x4e800020;		/* blr */
	__asm__ volatile("dcbst 0, %0; sync; icbi 0, %0; sync; isync" : : "r"(code) : "memory");
}

static void check_code(void)
{
	expect();
	set_code(1);
	check("code made by the guest", call(RA + 0x3000), 1);
	set_code(2);
	check("and changed by it", call(RA + 0x3000), 2);
	map(EA, RA + 0x3000, SR | SW | SX, 0, 0);
	check("executed at another address", call(EA), 2);
	*(volatile u32 *)EA = 0x38600003;
	__asm__ volatile("dcbst 0, %0; sync; icbi 0, %0; sync; isync" : : "r"(EA) : "memory");
	check("changed there", call(RA + 0x3000), 3);
	flush();
}

int main(void)
{
	write_entry(0x10010000, 0xc0000500, CCSR | 0xa, CCSR | SR | SW, 0xf);
	set_vectors();
	print("pyexit: the bundled guest\n");
	check_registers();
	check_tlb();
	check_misses();
	check_permissions();
	check_user();
	check_spaces();
	check_program();
	check_fp();
	check_mmio();
	check_hypercalls();
	check_timers();
	check_interrupts();
	check_code();
	print_number(checks - failures);
	print(" of ");
	print_number(checks);
	print(" checks passed\n");
	VERDICT = failures;
	return 0;
}
