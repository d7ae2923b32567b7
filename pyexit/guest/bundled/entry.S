/* SPDX-License-Identifier: BSD-3-Clause */
/* The bundled guest: first instructions, interrupt vectors, the way into user state and back. */
#define SPRG0 272
#define SPRG1 273
#define SRR0 26
#define CSRR0 58
#define DEAR 61
#define ESR 62
#define IVPR 63

/* struct frame of guest.c */
#define F_LR 128
#define F_CTR 132
#define F_CR 136
#define F_XER 140
#define F_PC 144
#define F_MSR 148
#define F_ESR 152
#define F_DEAR 156

	.text
	.globl _start
_start:
	lis	1, stack_top@ha
	addi	1, 1, stack_top@l
	li	0, 0
	stwu	0, -16(1)
	lis	3, vectors@h
	mtspr	IVPR, 3
	bl	main
1:	b	1b

/* 16 bytes a vector; IVORn = offset of vector n in the 64 KiB that IVPR names. */
	.macro	vector number, common
	.balign	16
	mtspr	SPRG0, 3
	mtspr	SPRG1, 4
	li	3, \number
	b	\common
	.endm

	.balign	4096
	.globl vectors
vectors:
	vector 0, critical
	vector 1, ordinary
	vector 2, ordinary
	vector 3, ordinary
	vector 4, ordinary
	vector 5, ordinary
	vector 6, ordinary
	vector 7, ordinary
	vector 8, ordinary
	vector 9, ordinary
	vector 10, ordinary
	vector 11, ordinary
	vector 12, critical
	vector 13, ordinary
	vector 14, ordinary
	vector 15, ordinary
	vector 36, ordinary

	.macro	save pc
	lis	4, frame@ha
	addi	4, 4, frame@l
	stw	0, 0(4)
	stw	1, 4(4)
	stw	2, 8(4)
	stmw	5, 20(4)
	mfspr	5, SPRG0
	stw	5, 12(4)
	mfspr	5, SPRG1
	stw	5, 16(4)
	mflr	5
	stw	5, F_LR(4)
	mfctr	5
	stw	5, F_CTR(4)
	mfcr	5
	stw	5, F_CR(4)
	mfxer	5
	stw	5, F_XER(4)
	mfspr	5, \pc
	stw	5, F_PC(4)
	mfspr	5, \pc+1
	stw	5, F_MSR(4)
	mfspr	5, ESR
	stw	5, F_ESR(4)
	mfspr	5, DEAR
	stw	5, F_DEAR(4)
	lis	1, interrupt_stack_top@ha
	addi	1, 1, interrupt_stack_top@l
	li	0, 0
	stwu	0, -16(1)
	bl	interrupt
	lis	4, frame@ha
	addi	4, 4, frame@l
	lwz	5, F_LR(4)
	mtlr	5
	lwz	5, F_CTR(4)
	mtctr	5
	lwz	5, F_CR(4)
	mtcr	5
	lwz	5, F_XER(4)
	mtxer	5
	lwz	5, F_PC(4)
	mtspr	\pc, 5
	lwz	5, F_MSR(4)
	mtspr	\pc+1, 5
	lwz	0, 0(4)
	lwz	1, 4(4)
	lwz	2, 8(4)
	lwz	3, 12(4)
	lmw	5, 20(4)
	lwz	4, 16(4)
	.endm

ordinary:
	save	SRR0
	rfi
critical:
	save	CSRR0
	rfci

/* unsigned run_user(code, argument): until the user's sc with r0 = 0; returns its r3 */
	.globl run_user
run_user:
	mflr	0
	stwu	1, -96(1)
	stw	0, 100(1)
	stmw	14, 16(1)
	lis	5, kernel_stack@ha
	stw	1, kernel_stack@l(5)
	mtspr	SRR0, 3
	mfmsr	5
	ori	5, 5, 0x4000
	mtspr	SRR0+1, 5
	mr	3, 4
	lis	1, user_stack_top@ha
	addi	1, 1, user_stack_top@l
	rfi
	.globl leave_user
leave_user:
	lis	5, kernel_stack@ha
	lwz	1, kernel_stack@l(5)
	lmw	14, 16(1)
	lwz	0, 100(1)
	mtlr	0
	addi	1, 1, 96
	blr

/* unsigned call(address); an interrupt on the way goes on at the end of it */
	.globl call
call:
	mflr	0
	stwu	1, -16(1)
	stw	0, 20(1)
	lis	4, 1f@ha
	addi	4, 4, 1f@l
	lis	5, resume_at@ha
	stw	4, resume_at@l(5)
	mtctr	3
	bctrl
	b	2f
1:	li	3, 0xbac
2:	li	4, 0
	lis	5, resume_at@ha
	stw	4, resume_at@l(5)
	lwz	0, 20(1)
	mtlr	0
	addi	1, 1, 16
	blr

/* What users execute: */
	.globl user_sum, user_mfmsr, user_load
user_sum:
	addi	3, 3, 1
	li	0, 1
	sc
	addi	3, 3, 1
	li	0, 0
	sc
user_mfmsr:
	mfmsr	3
	li	0, 0
	sc
user_load:
	lwz	3, 0(3)
	li	0, 0
	sc

	.bss
	.balign	16
	.globl frame
frame:	.space	160
kernel_stack:
	.space	16
	.space	8192
stack_top:
	.space	8192
interrupt_stack_top:
	.space	4096
user_stack_top:
	.space	16
	.section .note.GNU-stack, "", @progbits
