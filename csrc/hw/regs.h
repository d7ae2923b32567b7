/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/regs: SPR numbers and register fields, as data (mmu-hardware 1, 2, 3;
 * exit 1.5-1.9).  pyexit/ref/hw/regs.py has the same names and values; a
 * house test compares them.
 */
#ifndef HW_REGS_H
#define HW_REGS_H

/* SPR numbers (mmu-hardware 1, exit 1.9) */
enum {
	SPR_XER = 1,
	SPR_LR = 8,
	SPR_CTR = 9,
	SPR_SRR0 = 26,
	SPR_SRR1 = 27,
	SPR_PID = 48,
	SPR_CSRR0 = 58,
	SPR_CSRR1 = 59,
	SPR_DEAR = 61,
	SPR_ESR = 62,
	SPR_IVPR = 63,
	SPR_LPER = 56,
	SPR_LPERU = 57,		/* its high half (mmu-hardware 10.5a) */
	SPR_VRSAVE = 256,
	SPR_USPRG3 = 259,	/* SPRG3..7 for reading in user state: 259..263 */
	SPR_TBL = 268,
	SPR_TBU = 269,
	SPR_SPRG0 = 272,	/* SPRG0..7 are 272..279 */
	SPR_TBWL = 284,
	SPR_TBWU = 285,
	SPR_PIR = 286,
	SPR_PVR = 287,
	SPR_DBSR = 304,
	SPR_EPCR = 307,
	SPR_MSRP = 311,
	SPR_LPID = 338,
	SPR_MAS5 = 339,
	SPR_MAS8 = 341,
	SPR_LRATCFG = 342,
	SPR_LRATPS = 343,
	SPR_TLB0PS = 344,
	SPR_TLB1PS = 345,
	SPR_MAS5_MAS6 = 348,
	SPR_MAS8_MAS1 = 349,
	SPR_EPTCFG = 350,
	SPR_GSPRG0 = 368,
	SPR_GSPRG1 = 369,
	SPR_GSPRG2 = 370,
	SPR_GSPRG3 = 371,
	SPR_MAS7_MAS3 = 372,
	SPR_MAS0_MAS1 = 373,
	SPR_GSRR0 = 378,
	SPR_GSRR1 = 379,
	SPR_GEPR = 380,
	SPR_GDEAR = 381,
	SPR_GPIR = 382,
	SPR_GESR = 383,
	SPR_IVOR0 = 400,	/* IVOR0..15 are 400..415 */
	SPR_IVOR38 = 432,	/* IVOR38..42 are 432..436 (architecture) */
	SPR_GIVOR2 = 440,
	SPR_GIVOR3 = 441,
	SPR_GIVOR4 = 442,
	SPR_GIVOR8 = 443,
	SPR_GIVOR13 = 444,
	SPR_GIVOR14 = 445,
	SPR_GIVPR = 447,
	SPR_ATBL = 526,
	SPR_ATBU = 527,
	SPR_IVOR32 = 528,	/* IVOR32..37 are 528..533 (emulate 4.5) */
	SPR_MCSRR0 = 570,
	SPR_MCSRR1 = 571,
	SPR_MCSR = 572,
	SPR_MCAR = 573,
	SPR_DSRR0 = 574,
	SPR_DSRR1 = 575,
	SPR_MAS0 = 624,
	SPR_MAS1 = 625,
	SPR_MAS2 = 626,
	SPR_MAS3 = 627,
	SPR_MAS4 = 628,
	SPR_MAS6 = 630,
	SPR_SPRG8 = 604,
	SPR_SPRG9 = 605,
	SPR_TLB0CFG = 688,
	SPR_TLB1CFG = 689,
	SPR_EPR = 702,
	SPR_MAS7 = 944,
	SPR_EPLC = 947,
	SPR_EPSC = 948,
	SPR_HID0 = 1008,
	SPR_MMUCSR0 = 1012,
	SPR_MMUCFG = 1015,
	SPR_SVR = 1023
};

/* MAS0 (mmu-hardware 2.1) */
#define MAS0_ATSEL 0x80000000u
#define MAS0_TLBSEL_SHIFT 28
#define MAS0_ESEL_SHIFT 16
#define MAS0_ESEL_MASK 0x0fff0000u
#define MAS0_HES 0x00004000u
#define MAS0_WQ_SHIFT 12
#define MAS0_NV_MASK 0x00000fffu

/* MAS1 (mmu-hardware 2.2) */
#define MAS1_V 0x80000000u
#define MAS1_IPROT 0x40000000u
#define MAS1_TID_SHIFT 16
#define MAS1_TID_MASK 0x3fff0000u
#define MAS1_IND 0x00002000u
#define MAS1_TS 0x00001000u
#define MAS1_TSIZE_SHIFT 7
#define MAS1_TSIZE_MASK 0x00000f80u

/* MAS2 (mmu-hardware 2.3): attribute bits, the rest is EPN */
#define MAS2_X0 0x40u
#define MAS2_X1 0x20u
#define MAS2_W 0x10u
#define MAS2_I 0x08u
#define MAS2_M 0x04u
#define MAS2_G 0x02u
#define MAS2_E 0x01u
#define MAS2_ATTRIBUTES 0x7fu

/* MAS3 (mmu-hardware 2.4) */
#define MAS3_U_MASK 0x3c0u
#define MAS3_UX 0x20u
#define MAS3_SX 0x10u
#define MAS3_UW 0x08u
#define MAS3_SW 0x04u
#define MAS3_UR 0x02u
#define MAS3_SR 0x01u
#define MAS3_PERMS 0x3fu
#define MAS3_SPSIZE_SHIFT 1
#define MAS3_SPSIZE_MASK 0x3eu

/* MAS4 (mmu-hardware 2.5) */
#define MAS4_INDD 0x00008000u

/* MAS5, MAS6, MAS8 (mmu-hardware 2.6) */
#define MAS5_SGS 0x80000000u
#define MAS6_SPID_SHIFT 16
#define MAS6_SPID_MASK 0x3fff0000u
#define MAS6_SIND 0x2u
#define MAS6_SAS 0x1u
#define MAS8_TGS 0x80000000u
#define MAS8_VF 0x40000000u

/* tlbivax operand, MMUCSR0 (mmu-hardware 6.4) */
#define TLBIVAX_IA 0x4u
#define TLBIVAX_TLBSEL_SHIFT 3
#define MMUCSR0_TLB1FI 0x2u
#define MMUCSR0_TLB0FI 0x4u

/* Configuration registers (mmu-hardware 3.1, 3.2) */
#define MMUCFG_MAVN 0x3u
#define MMUCFG_MAVN_V2 0x1u
#define MMUCFG_TWC 0x8000u
#define MMUCFG_LRAT 0x10000u
#define MMUCFG_LPIDSIZE 0x0f000000u
#define TLBCFG_ASSOC_SHIFT 24
#define TLBCFG_ASSOC 0xff000000u
#define TLBCFG_PT 0x40000u
#define TLBCFG_IND 0x20000u
#define TLBCFG_GTWE 0x10000u
#define TLBCFG_IPROT 0x8000u
#define TLBCFG_HES 0x2000u
#define TLBCFG_N_ENTRY 0xfffu

/* EPLC, EPSC (mmu-hardware 9) */
#define EPC_EPR 0x80000000u
#define EPC_EAS 0x40000000u
#define EPC_EGS 0x20000000u
#define EPC_ELPID_SHIFT 16
#define EPC_ELPID_MASK 0x00ff0000u
#define EPC_EPID_MASK 0x00003fffu

/* LPER (mmu-hardware 10.5a): page-table entry's ARPN, page aligned, and its size code */
#define LPER_LPS_MASK 0xfu

/* Page-table entry (mmu-hardware 11.3) */
#define PTE_ARPN_SHIFT 24
#define PTE_WIMGE_SHIFT 19
#define PTE_R 0x40000u
#define PTE_U_SHIFT 14
#define PTE_C 0x1000u
#define PTE_PS_SHIFT 8
#define PTE_PERMS_SHIFT 2
#define PTE_V 0x1u

/* HID0 (mmu-hardware 5.3, 6.1) */
#define HID0_EN_L2MMU_MHD 0x40000000u
#define HID0_EN_MAS7_UPDATE 0x80u

/* MSR (exit 1.5) */
#define MSR_CM 0x80000000u
#define MSR_GS 0x10000000u
#define MSR_UCLE 0x04000000u
#define MSR_VEC 0x02000000u
#define MSR_WE 0x00040000u
#define MSR_EE 0x00008000u
#define MSR_CE 0x00020000u
#define MSR_PR 0x00004000u
#define MSR_FP 0x00002000u
#define MSR_ME 0x00001000u
#define MSR_DE 0x00000200u
#define MSR_IS 0x00000020u
#define MSR_IS_SHIFT 5
#define MSR_DS 0x00000010u
#define MSR_PMM 0x00000004u
#define MSR_RI 0x00000002u

/* MSRP (exit 1.9) */
#define MSRP_UCLEP 0x04000000u
#define MSRP_DEP 0x00000200u
#define MSRP_PMMP 0x00000004u

/* EPCR (exit 1.9) */
#define EPCR_EXTGS 0x80000000u
#define EPCR_DTLBGS 0x40000000u
#define EPCR_ITLBGS 0x20000000u
#define EPCR_DSIGS 0x10000000u
#define EPCR_ISIGS 0x08000000u
#define EPCR_ICM 0x02000000u
#define EPCR_GICM 0x01000000u
#define EPCR_DGTMI 0x00800000u
#define EPCR_DMIUH 0x00400000u

/* ESR (exit 1.6) */
#define ESR_PIL 0x08000000u
#define ESR_PPR 0x04000000u
#define ESR_PTR 0x02000000u
#define ESR_DLK 0x00200000u
#define ESR_ILK 0x00100000u
#define ESR_ST 0x00800000u
#define ESR_BO 0x00020000u
#define ESR_DATA 0x00000400u
#define ESR_TLBI 0x00000200u
#define ESR_PT 0x00000100u
#define ESR_EPID 0x00000040u

/* MCSR (mmu-hardware 5.3) */
#define MCSR_L2MMU_MHIT 0x08000000u
#define MCSR_MAV 0x00080000u
#define MCSR_MEA 0x00040000u
#define MCSR_IF 0x00010000u
#define MCSR_LD 0x00008000u
#define MCSR_ST 0x00004000u

/* Messages of msgsnd and msgclr (exit 1.10) */
#define MSG_TYPE_SHIFT 27
#define MSG_TYPE_MASK 0xfu
#define MSG_TAG_MASK 0x07ffffffu
#define MSG_BROADCAST 0x04000000u
#define MSG_PIR_MASK 0x3fffu
#define MSG_LPID_SHIFT 14
enum {
	MSG_DBELL = 0,
	MSG_DBELL_CRIT = 1,
	MSG_GDBELL = 2,
	MSG_GDBELL_CRIT = 3,
	MSG_GDBELL_MC = 4
};

/* Interrupt numbers: IVORn, which are also the exit numbers (exit 1.1) */
enum {
	IVOR_CRITICAL = 0,
	IVOR_MACHINE_CHECK = 1,
	IVOR_DATA_STORAGE = 2,
	IVOR_INST_STORAGE = 3,
	IVOR_EXTERNAL = 4,
	IVOR_ALIGNMENT = 5,
	IVOR_PROGRAM = 6,
	IVOR_FP_UNAVAIL = 7,
	IVOR_SYSCALL = 8,
	IVOR_AP_UNAVAIL = 9,
	IVOR_DECREMENTER = 10,
	IVOR_FIT = 11,
	IVOR_WATCHDOG = 12,
	IVOR_DTLB_MISS = 13,
	IVOR_ITLB_MISS = 14,
	IVOR_DEBUG = 15,
	IVOR_ALTIVEC_UNAVAIL = 32,
	IVOR_ALTIVEC_ASSIST = 33,
	IVOR_PERFORMANCE_MONITOR = 35,
	IVOR_DBELL = 36,
	IVOR_DBELL_CRIT = 37,
	IVOR_GDBELL = 38,
	IVOR_GDBELL_CRIT = 39,
	IVOR_HV_SYSCALL = 40,
	IVOR_HV_PRIV = 41,
	IVOR_LRAT_ERROR = 42
};

/* Bytes in a cache line of e500mc, e5500 and e6500: what dcbzep zeroes (mmu-hardware 9). */
#define PPC_CACHE_LINE 64

#endif
