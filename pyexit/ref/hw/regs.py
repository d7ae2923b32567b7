# SPDX-License-Identifier: BSD-3-Clause
"""hw/regs: SPR numbers, register fields, the table of SPRs, as data (mmu-hardware 1, 2, 3; exit 1.5-1.9)."""

from __future__ import annotations

from enum import Flag, auto
from typing import NamedTuple

# SPR numbers (mmu-hardware 1, exit 1.9)
SPR_XER = 1
SPR_LR = 8
SPR_CTR = 9
SPR_SRR0 = 26
SPR_SRR1 = 27
SPR_PID = 48
SPR_LPER = 56
SPR_LPERU = 57  # its high half (mmu-hardware 10.5a)
SPR_CSRR0 = 58
SPR_CSRR1 = 59
SPR_DEAR = 61
SPR_ESR = 62
SPR_IVPR = 63
SPR_VRSAVE = 256
SPR_USPRG3 = 259  # SPRG3..7 for reading in user state: 259..263
SPR_TBL = 268
SPR_TBU = 269
SPR_SPRG0 = 272  # SPRG0..7 are 272..279
SPR_TBWL = 284
SPR_TBWU = 285
SPR_PIR = 286
SPR_PVR = 287
SPR_DBSR = 304
SPR_EPCR = 307
SPR_MSRP = 311
SPR_LPID = 338
SPR_MAS5 = 339
SPR_MAS8 = 341
SPR_LRATCFG = 342
SPR_LRATPS = 343
SPR_TLB0PS = 344
SPR_TLB1PS = 345
SPR_MAS5_MAS6 = 348
SPR_MAS8_MAS1 = 349
SPR_EPTCFG = 350
SPR_GSPRG0 = 368
SPR_GSPRG1 = 369
SPR_GSPRG2 = 370
SPR_GSPRG3 = 371
SPR_MAS7_MAS3 = 372
SPR_MAS0_MAS1 = 373
SPR_GSRR0 = 378
SPR_GSRR1 = 379
SPR_GEPR = 380
SPR_GDEAR = 381
SPR_GPIR = 382
SPR_GESR = 383
SPR_IVOR0 = 400  # IVOR0..15 are 400..415
SPR_IVOR38 = 432  # IVOR38..42 are 432..436 (architecture)
SPR_GIVOR2 = 440
SPR_GIVOR3 = 441
SPR_GIVOR4 = 442
SPR_GIVOR8 = 443
SPR_GIVOR13 = 444
SPR_GIVOR14 = 445
SPR_GIVPR = 447
SPR_ATBL = 526
SPR_ATBU = 527
SPR_IVOR32 = 528  # IVOR32..37 are 528..533 (emulate 4.5)
SPR_MCSRR0 = 570
SPR_MCSRR1 = 571
SPR_MCSR = 572
SPR_MCAR = 573
SPR_DSRR0 = 574
SPR_DSRR1 = 575
SPR_SPRG8 = 604
SPR_SPRG9 = 605
SPR_MAS0 = 624
SPR_MAS1 = 625
SPR_MAS2 = 626
SPR_MAS3 = 627
SPR_MAS4 = 628
SPR_MAS6 = 630
SPR_TLB0CFG = 688
SPR_TLB1CFG = 689
SPR_EPR = 702
SPR_MAS7 = 944
SPR_EPLC = 947
SPR_EPSC = 948
SPR_HID0 = 1008
SPR_MMUCSR0 = 1012
SPR_MMUCFG = 1015
SPR_SVR = 1023

# MAS0 (mmu-hardware 2.1)
MAS0_ATSEL = 0x80000000
MAS0_TLBSEL_SHIFT = 28
MAS0_ESEL_SHIFT = 16
MAS0_ESEL_MASK = 0x0FFF0000
MAS0_HES = 0x00004000
MAS0_WQ_SHIFT = 12
MAS0_NV_MASK = 0x00000FFF

# MAS1 (mmu-hardware 2.2)
MAS1_V = 0x80000000
MAS1_IPROT = 0x40000000
MAS1_TID_SHIFT = 16
MAS1_TID_MASK = 0x3FFF0000
MAS1_IND = 0x00002000
MAS1_TS = 0x00001000
MAS1_TSIZE_SHIFT = 7
MAS1_TSIZE_MASK = 0x00000F80

# MAS2 (mmu-hardware 2.3): attribute bits, the rest is EPN
MAS2_X0 = 0x40
MAS2_X1 = 0x20
MAS2_W = 0x10
MAS2_I = 0x08
MAS2_M = 0x04
MAS2_G = 0x02
MAS2_E = 0x01
MAS2_ATTRIBUTES = 0x7F

# MAS3 (mmu-hardware 2.4)
MAS3_U_MASK = 0x3C0
MAS3_UX = 0x20
MAS3_SX = 0x10
MAS3_UW = 0x08
MAS3_SW = 0x04
MAS3_UR = 0x02
MAS3_SR = 0x01
MAS3_PERMS = 0x3F
MAS3_SPSIZE_SHIFT = 1
MAS3_SPSIZE_MASK = 0x3E

# MAS4 (mmu-hardware 2.5)
MAS4_INDD = 0x00008000

# MAS5, MAS6, MAS8 (mmu-hardware 2.6)
MAS5_SGS = 0x80000000
MAS6_SPID_SHIFT = 16
MAS6_SPID_MASK = 0x3FFF0000
MAS6_SIND = 0x2
MAS6_SAS = 0x1
MAS8_TGS = 0x80000000
MAS8_VF = 0x40000000

# tlbivax operand, MMUCSR0 (mmu-hardware 6.4)
TLBIVAX_IA = 0x4
TLBIVAX_TLBSEL_SHIFT = 3
MMUCSR0_TLB1FI = 0x2
MMUCSR0_TLB0FI = 0x4

# Configuration registers (mmu-hardware 3.1, 3.2)
MMUCFG_MAVN = 0x3
MMUCFG_MAVN_V2 = 0x1
MMUCFG_TWC = 0x8000
MMUCFG_LRAT = 0x10000
MMUCFG_LPIDSIZE = 0x0F000000
TLBCFG_ASSOC_SHIFT = 24
TLBCFG_ASSOC = 0xFF000000
TLBCFG_PT = 0x40000
TLBCFG_IND = 0x20000
TLBCFG_GTWE = 0x10000
TLBCFG_IPROT = 0x8000
TLBCFG_HES = 0x2000
TLBCFG_N_ENTRY = 0xFFF

# EPLC, EPSC (mmu-hardware 9)
EPC_EPR = 0x80000000
EPC_EAS = 0x40000000
EPC_EGS = 0x20000000
EPC_ELPID_SHIFT = 16
EPC_ELPID_MASK = 0x00FF0000
EPC_EPID_MASK = 0x00003FFF

# LPER (mmu-hardware 10.5a): page-table entry's ARPN, page aligned, and its size code
LPER_LPS_MASK = 0xF

# Page-table entry (mmu-hardware 11.3)
PTE_ARPN_SHIFT = 24
PTE_WIMGE_SHIFT = 19
PTE_R = 0x40000
PTE_U_SHIFT = 14
PTE_C = 0x1000
PTE_PS_SHIFT = 8
PTE_PERMS_SHIFT = 2
PTE_V = 0x1

# HID0 (mmu-hardware 5.3, 6.1)
HID0_EN_L2MMU_MHD = 0x40000000
HID0_EN_MAS7_UPDATE = 0x80

# MSR (exit 1.5)
MSR_CM = 0x80000000
MSR_GS = 0x10000000
MSR_UCLE = 0x04000000
MSR_VEC = 0x02000000
MSR_WE = 0x00040000
MSR_EE = 0x00008000
MSR_CE = 0x00020000
MSR_PR = 0x00004000
MSR_FP = 0x00002000
MSR_ME = 0x00001000
MSR_DE = 0x00000200
MSR_IS = 0x00000020
MSR_IS_SHIFT = 5
MSR_DS = 0x00000010
MSR_PMM = 0x00000004

# MSRP (exit 1.9)
MSRP_UCLEP = 0x04000000
MSRP_DEP = 0x00000200
MSRP_PMMP = 0x00000004

# EPCR (exit 1.9)
EPCR_EXTGS = 0x80000000
EPCR_DTLBGS = 0x40000000
EPCR_ITLBGS = 0x20000000
EPCR_DSIGS = 0x10000000
EPCR_ISIGS = 0x08000000
EPCR_ICM = 0x02000000
EPCR_GICM = 0x01000000
EPCR_DGTMI = 0x00800000
EPCR_DMIUH = 0x00400000

# ESR (exit 1.6)
ESR_PIL = 0x08000000
ESR_PPR = 0x04000000
ESR_PTR = 0x02000000
ESR_DLK = 0x00200000
ESR_ILK = 0x00100000
ESR_ST = 0x00800000
ESR_BO = 0x00020000
ESR_DATA = 0x00000400
ESR_TLBI = 0x00000200
ESR_PT = 0x00000100
ESR_EPID = 0x00000040

# MCSR (mmu-hardware 5.3)
MCSR_L2MMU_MHIT = 0x08000000
MCSR_MAV = 0x00080000
MCSR_MEA = 0x00040000
MCSR_IF = 0x00010000
MCSR_LD = 0x00008000
MCSR_ST = 0x00004000

# Messages of msgsnd and msgclr (exit 1.10)
MSG_TYPE_SHIFT = 27
MSG_TYPE_MASK = 0xF
MSG_TAG_MASK = 0x07FFFFFF
MSG_BROADCAST = 0x04000000
MSG_PIR_MASK = 0x3FFF
MSG_LPID_SHIFT = 14
MSG_DBELL = 0
MSG_DBELL_CRIT = 1
MSG_GDBELL = 2
MSG_GDBELL_CRIT = 3
MSG_GDBELL_MC = 4

# Interrupt numbers: IVORn, which are also the exit numbers (exit 1.1)
IVOR_CRITICAL = 0
IVOR_MACHINE_CHECK = 1
IVOR_DATA_STORAGE = 2
IVOR_INST_STORAGE = 3
IVOR_EXTERNAL = 4
IVOR_ALIGNMENT = 5
IVOR_PROGRAM = 6
IVOR_FP_UNAVAIL = 7
IVOR_SYSCALL = 8
IVOR_AP_UNAVAIL = 9
IVOR_DECREMENTER = 10
IVOR_FIT = 11
IVOR_WATCHDOG = 12
IVOR_DTLB_MISS = 13
IVOR_ITLB_MISS = 14
IVOR_DEBUG = 15
IVOR_ALTIVEC_UNAVAIL = 32
IVOR_ALTIVEC_ASSIST = 33
IVOR_PERFORMANCE_MONITOR = 35
IVOR_DBELL = 36
IVOR_DBELL_CRIT = 37
IVOR_GDBELL = 38
IVOR_GDBELL_CRIT = 39
IVOR_HV_SYSCALL = 40
IVOR_HV_PRIV = 41
IVOR_LRAT_ERROR = 42


class SprFlag(Flag):
    """What distinguishes an SPR from plain storage."""

    READ_ONLY = auto()
    ONE_TO_CLEAR = auto()  # a 1 that is written clears the bit
    FLASH = auto()  # no storage: a write invalidates TLBs
    WRITE_ONLY = auto()
    THREAD = auto()  # a register of the thread, not of its SPR file
    TIMEBASE = auto()  # half of the core's timebase; a read of the low half gives a 64-bit core all of it
    HIGH = auto()  # the high half of the register
    MAV2 = auto()  # exists on MAV 2 only
    MAV2_OR_RAW = auto()  # exists on MAV 2 and on the recorded host


class SprRow(NamedTuple):
    """Where an SPR is stored: a field of Spr, with its place in IVOR, or with the low half of a pair."""

    field: str
    element: int = 0
    low: str = ""
    flags: SprFlag = SprFlag(0)


def _ivor(first: int, number: int, count: int) -> dict[int, SprRow]:
    """Rows of `count` interrupt vector offsets, IVOR`first` on, from SPR `number` on."""
    return {number + n: SprRow("IVOR", first + n) for n in range(count)}


def _sprg(first: int, number: int, count: int) -> dict[int, SprRow]:
    """Rows of `count` software registers, SPRG`first` on, from SPR `number` on."""
    return {number + n: SprRow(f"SPRG{first + n}") for n in range(count)}


_CONFIGURATION = SprFlag.READ_ONLY | SprFlag.MAV2

#: Every SPR that the machine has, by its number (mmu-hardware 1).
SPR_TABLE: dict[int, SprRow] = {
    # MAS registers and their pairs (mmu-hardware 1.1, 2)
    SPR_MAS0: SprRow("MAS0"),
    SPR_MAS1: SprRow("MAS1"),
    SPR_MAS2: SprRow("MAS2"),
    SPR_MAS3: SprRow("MAS3"),
    SPR_MAS4: SprRow("MAS4"),
    SPR_MAS5: SprRow("MAS5"),
    SPR_MAS6: SprRow("MAS6"),
    SPR_MAS7: SprRow("MAS7"),
    SPR_MAS8: SprRow("MAS8"),
    SPR_MAS5_MAS6: SprRow("MAS5", low="MAS6"),
    SPR_MAS8_MAS1: SprRow("MAS8", low="MAS1"),
    SPR_MAS7_MAS3: SprRow("MAS7", low="MAS3"),
    SPR_MAS0_MAS1: SprRow("MAS0", low="MAS1"),
    SPR_MMUCSR0: SprRow("", flags=SprFlag.FLASH),
    # Identity (mmu-hardware 1, exit 1.9)
    SPR_PID: SprRow("PID"),
    SPR_LPID: SprRow("LPID"),
    SPR_PIR: SprRow("PIR"),
    SPR_PVR: SprRow("PVR", flags=SprFlag.READ_ONLY),
    SPR_SVR: SprRow("SVR", flags=SprFlag.READ_ONLY),
    SPR_HID0: SprRow("HID0"),
    SPR_EPCR: SprRow("EPCR"),
    SPR_MSRP: SprRow("MSRP"),
    SPR_EPLC: SprRow("EPLC"),
    SPR_EPSC: SprRow("EPSC"),
    # Registers of user state, and software's own (mmu-hardware 6.5)
    SPR_XER: SprRow("xer", flags=SprFlag.THREAD),
    SPR_LR: SprRow("lr", flags=SprFlag.THREAD),
    SPR_CTR: SprRow("ctr", flags=SprFlag.THREAD),
    SPR_VRSAVE: SprRow("VRSAVE"),
    **{SPR_USPRG3 + n: SprRow(f"SPRG{3 + n}", flags=SprFlag.READ_ONLY) for n in range(5)},
    **_sprg(0, SPR_SPRG0, 8),
    **_sprg(8, SPR_SPRG8, 2),
    # Timebase
    SPR_TBL: SprRow("tb", flags=SprFlag.TIMEBASE | SprFlag.READ_ONLY),
    SPR_TBU: SprRow("tb", flags=SprFlag.TIMEBASE | SprFlag.READ_ONLY | SprFlag.HIGH),
    SPR_ATBL: SprRow("tb", flags=SprFlag.TIMEBASE | SprFlag.READ_ONLY),
    SPR_ATBU: SprRow("tb", flags=SprFlag.TIMEBASE | SprFlag.READ_ONLY | SprFlag.HIGH),
    SPR_TBWL: SprRow("tb", flags=SprFlag.TIMEBASE | SprFlag.WRITE_ONLY),
    SPR_TBWU: SprRow("tb", flags=SprFlag.TIMEBASE | SprFlag.WRITE_ONLY | SprFlag.HIGH),
    # Save registers, syndromes and vectors (mmu-hardware 12)
    SPR_SRR0: SprRow("SRR0"),
    SPR_SRR1: SprRow("SRR1"),
    SPR_CSRR0: SprRow("CSRR0"),
    SPR_CSRR1: SprRow("CSRR1"),
    SPR_DSRR0: SprRow("DSRR0"),
    SPR_DSRR1: SprRow("DSRR1"),
    SPR_MCSRR0: SprRow("MCSRR0"),
    SPR_MCSRR1: SprRow("MCSRR1"),
    SPR_ESR: SprRow("ESR"),
    SPR_DEAR: SprRow("DEAR"),
    SPR_MCSR: SprRow("MCSR", flags=SprFlag.ONE_TO_CLEAR),
    SPR_MCAR: SprRow("MCAR"),
    SPR_DBSR: SprRow("DBSR", flags=SprFlag.ONE_TO_CLEAR),
    SPR_IVPR: SprRow("IVPR"),
    **_ivor(0, SPR_IVOR0, 16),
    **_ivor(32, SPR_IVOR32, 6),
    **_ivor(38, SPR_IVOR38, 5),
    # The guest's own (mmu-hardware 6.5)
    SPR_GSRR0: SprRow("GSRR0"),
    SPR_GSRR1: SprRow("GSRR1"),
    SPR_GESR: SprRow("GESR"),
    SPR_GDEAR: SprRow("GDEAR"),
    SPR_GEPR: SprRow("GEPR"),
    SPR_GPIR: SprRow("GPIR"),
    SPR_GSPRG0: SprRow("GSPRG0"),
    SPR_GSPRG1: SprRow("GSPRG1"),
    SPR_GSPRG2: SprRow("GSPRG2"),
    SPR_GSPRG3: SprRow("GSPRG3"),
    SPR_GIVPR: SprRow("GIVPR"),
    SPR_GIVOR2: SprRow("GIVOR2"),
    SPR_GIVOR3: SprRow("GIVOR3"),
    SPR_GIVOR4: SprRow("GIVOR4"),
    SPR_GIVOR8: SprRow("GIVOR8"),
    SPR_GIVOR13: SprRow("GIVOR13"),
    SPR_GIVOR14: SprRow("GIVOR14"),
    # Configuration (mmu-hardware 3)
    SPR_MMUCFG: SprRow("MMUCFG", flags=SprFlag.READ_ONLY),
    SPR_TLB0CFG: SprRow("TLB0CFG", flags=SprFlag.READ_ONLY),
    SPR_TLB1CFG: SprRow("TLB1CFG", flags=SprFlag.READ_ONLY),
    SPR_TLB0PS: SprRow("TLB0PS", flags=SprFlag.READ_ONLY | SprFlag.MAV2_OR_RAW),
    SPR_TLB1PS: SprRow("TLB1PS", flags=SprFlag.READ_ONLY | SprFlag.MAV2_OR_RAW),
    SPR_EPTCFG: SprRow("EPTCFG", flags=_CONFIGURATION),
    SPR_LRATCFG: SprRow("LRATCFG", flags=_CONFIGURATION),
    SPR_LRATPS: SprRow("LRATPS", flags=_CONFIGURATION),
    SPR_LPER: SprRow("LPER", flags=SprFlag.MAV2),
    SPR_LPERU: SprRow("LPER", flags=SprFlag.MAV2 | SprFlag.HIGH),
}
