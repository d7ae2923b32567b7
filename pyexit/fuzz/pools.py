# SPDX-License-Identifier: BSD-3-Clause
"""What scenarios draw from: small pools in which accesses and entries meet, or miss by one bit (style.md).

A value that is listed twice is drawn twice as often. Numbers: mmu-hardware 2, exit 1, emulate 2-5.
"""

from __future__ import annotations

# MSR (exit 1.5)
CM, GS, PR, IS, DS = 0x80000000, 0x10000000, 0x4000, 0x20, 0x10
EE, CE, ME, DE, WE, FP, SPV = 0x8000, 0x20000, 0x1000, 0x200, 0x40000, 0x2000, 0x02000000

# MAS1, MAS8
V, IPROT, IND, TS, TGS, VF = 0x80000000, 0x40000000, 0x2000, 0x1000, 0x80000000, 0x40000000

#: The guest's memory of the arena: guest page, bytes (arena.py); the last ones lie outside every slot.
GUEST_PAGES = (
    *(0x3000, 0x3000, 0x7000, 0x0, 0x3FF000, 0x400000),
    *(0x1000000, 0x13FF000, 0x2000000, 0x20FF000, 0x3000000, 0x3004000, 0x3001000),
    *(0x4000000, 0x5000000, 0x6000000, 0x7000000),
    *(0xFE000000, 0xFE001000, 0x9_FE001000),
)

#: Effective pages whose numbers share sets (10003, 10083), are neighbours, or lie at an end.
PAGES = (0x10003000, 0x10003000, 0x10083000, 0x10004000, 0x00000000, 0xFFFFF000)
PAGES_64 = (*PAGES, 0x1_10003000, 0xFFFFFFFF_FFFFF000)
OFFSETS = (0x234, 0x234, 0x000, 0xFFC, 0x800, 0xFFE)
PIDS = (0, 5, 5, 0xFF)

#: Host real pages: RAM, its ends, and what is not RAM.
REALS = (*(0x7000,) * 8, 0x0, 0xFFF000, 0x2000000, 0x1000000, 0xE_0000_0000)
PERMS = (*(0x3F,) * 8, 0x35, 0x30, 0x15, 0x10, 0x20, 0x0F, 0x00)
ATTRIBUTES = (*(0x04,) * 10, 0x06, 0x05, 0x00, 0x0C, 0x14, 0x7F)
SIZES = (2, 2, 2, 2, 2, 2, 3, 4, 4, 6, 10, 11, 16, 22, 30)

#: Registers and words without meaning of their own.
VALUES = (
    *(0, 1, 2, 5, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10003234, 0x10003FFC, 0xFE001000),
    *(0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x1_00000000, 0x7FFFFFFF_FFFFFFFF, 0xFFFFFFFF_FFFFFFFF),
)

#: Exit numbers (exit 1.1): those with work to do often, then the rest, then some that no vector has.
EXITS = (
    *(41, 41, 41, 41, 41, 41, 13, 13, 13, 14, 14, 2, 3, 6, 6, 40, 40, 15, 15),
    *(4, 10, 36, 38, 39, 7, 8, 5, 1, 32, 33, 35, 12),
    *(0, 9, 11, 16, 34, 37, 42, 43, 0xFFFFFFFF),
)

#: Extended opcodes of primary 31 that KVM emulates (emulate 4.5, 5.2), and what is next to them.
XOPS = (
    *(4, 18, 68, 83, 131, 146, 163, 166, 206, 238, 270, 366, 566, 786, 914, 946, 978),
    *(23, 55, 87, 119, 279, 311, 343, 375, 341, 373, 21, 53, 534, 790, 532),
    *(151, 183, 215, 247, 407, 439, 149, 181, 662, 918, 660, 535, 567, 599, 631, 663, 695, 727, 759),
    *(791, 855, 887, 919, 983, 7, 39, 71, 103, 359, 135, 167, 199, 231, 487),
    *(20, 52, 84, 276, 150, 694, 214, 182, 533, 597, 661, 725, 54, 86, 246, 278, 982, 1014, 470, 758),
    *(494, 134, 390, 486, 230, 850, 62, 598, 854, 31, 95, 159, 223, 0, 266, 1023),
)

#: SPRs of mtspr and mfspr (emulate 4.5), and neighbours that are refused.
SPRS = (
    *(22, 26, 27, 54, 58, 59, 61, 62, 63, 272, 275, 276, 279, 284, 285, 286, 287, 304, 307, 308, 309, 310),
    *(312, 313, 316, 317, 336, 340, 344, 345, 350, 400, 405, 415, 528, 529, 531, 532, 533, 572, 574, 575),
    *(624, 625, 626, 627, 628, 630, 688, 689, 702, 944, 1008, 1009, 1010, 1011, 1012, 1013, 1015, 1019, 1023),
    *(1, 8, 9, 48, 256, 268, 633, 1014),
)

#: Primary opcodes of loads and stores with a displacement (emulate 5.2), and others.
PRIMARIES = (*range(32, 48), *range(48, 56), 56, 58, 62, 57, 61, 3, 2, 0, 17, 14, 24, 60, 63, 4)

#: Words that are an instruction by themselves: the software breakpoint, rfi, rfci, rfdi, ehpriv, sc.
WORDS = (0x00DDDD00, 0x4C000064, 0x4C000066, 0x4C00004E, 0x7C00021C, 0x7C000A1C, 0x44000002, 0x44000022)

#: One-register ids (exit 12.6) with their sizes, and their neighbours.
ONE_REGS = (
    *(0x1030000000000002, 0x1030000000000003, 0x1030000000000004, 0x1030000000000006),
    *(0x1020000000000000 | number for number in (*range(0x81, 0x9D), 0xB4, 0xBB)),
    *(0x103000000000008E, 0x103000000000008F, 0x10300000000000BA),
    *(0x1040000000000040, 0x104000000000005F, 0x1020000000000040, 0x1000000000000085),
)

#: Addresses in user memory (pyexit.h PYEXIT_USER_*), and what is none.
USER_ADDRESSES = (0x5000, 0x5000, 0x5000, 0x1000, 0x2000, 0x4000, 0x7000, 0x8000, 0, 0x5004, 0x1_00005000)

#: KVM_ENABLE_CAP (exit 1.4).
CAPS = (52, 68, 69, 83, 86, 90, 0, 70)

#: gpr11 of hypercalls (exit 10).
HCALLS = (0x002A0003, 0x002A0004, 0x00010010, 0x00010001, 0x00010000, 7, 0, 0x002A0000, 0x00010002)

#: TCR and TSR (exit 8), DBSR (exit 9), ESR.
TCRS = (0, 0x04000000, 0x08000000, 0x0C000000, 0x00C00000, 0x3C140000, 0xC01E0000, 0x30000000, 0x00400000)
TSRS = (0, 0x08000000, 0x40000000, 0x80000000, 0xC0000000, 0x04000000, 0xFFFFFFFF)
DBSRS = (0, 0x00060000, 0x00880000, 0x81000000, 0x08000000, 0x00800000, 0x00010000, 0xFFFFFFFF)
ESRS = (0, 0x00800000, 0x08000000, 0x04000000, 0x02000000, 0x0080_0200)

#: MMUCSR0 and the T field of tlbilx.
MMUCSR0S = (0, 2, 4, 6, 0x42)
TLBILX_TS = (0, 1, 2, 3)
