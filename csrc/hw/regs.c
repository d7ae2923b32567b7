/* SPDX-License-Identifier: BSD-3-Clause */
/* hw/regs: the SPRs that a core has, one row each (mmu-hardware 1, exit 1.9). */
#include "regs.h"

#include "core.h"

#define SPR_READ_ONLY 1u	/* a write is program/PIL */
#define SPR_MAV2 2u		/* only with MMU architecture version 2 */
#define SPR_RAW 4u		/* also on the recorded host, whatever its version */
#define SPR_CLEAR 8u		/* write one to clear, an event */

/* Which bits a write keeps (mmu-hardware 2.8) */
enum spr_width {
	SPR_WORD,	/* 32 bits */
	SPR_ULONG,	/* as wide as an effective address */
	SPR_MAS,	/* params.mas_mask[] */
	SPR_PID_BITS,	/* params.pid_mask */
	SPR_LPID_BITS,	/* params.lpid_mask */
	SPR_EP_BITS	/* params.ep_mask */
};

struct spr_row {
	uint16_t number;
	uint16_t index;		/* of the uint64_t in struct pyexit_spr */
	uint8_t width;		/* enum spr_width */
	uint8_t mas;		/* with SPR_MAS: which */
	uint8_t flags;
};

#define AT(field) (uint16_t)(offsetof(struct pyexit_spr, field) / sizeof(uint64_t))
#define ROW(number, field, width, flags) { number, AT(field), width, 0, flags }
#define MAS_ROW(number, n) { number, AT(MAS##n), SPR_MAS, n, 0 }
#define IVOR_ROW(number, n) { number, (uint16_t)(AT(IVOR) + (n)), SPR_WORD, 0, 0 }

static const struct spr_row spr_rows[] = {
	ROW(SPR_SRR0, SRR0, SPR_ULONG, 0),
	ROW(SPR_SRR1, SRR1, SPR_ULONG, 0),
	ROW(SPR_PID, PID, SPR_PID_BITS, 0),
	ROW(SPR_CSRR0, CSRR0, SPR_ULONG, 0),
	ROW(SPR_CSRR1, CSRR1, SPR_ULONG, 0),
	ROW(SPR_DEAR, DEAR, SPR_ULONG, 0),
	ROW(SPR_ESR, ESR, SPR_ULONG, 0),
	ROW(SPR_IVPR, IVPR, SPR_ULONG, 0),
	ROW(SPR_LPER, LPER, SPR_ULONG, SPR_MAV2),
	ROW(SPR_PIR, PIR, SPR_ULONG, 0),
	ROW(SPR_PVR, PVR, SPR_ULONG, SPR_READ_ONLY),
	ROW(SPR_DBSR, DBSR, SPR_ULONG, SPR_CLEAR),
	ROW(SPR_EPCR, EPCR, SPR_ULONG, 0),
	ROW(SPR_MSRP, MSRP, SPR_ULONG, 0),
	ROW(SPR_LPID, LPID, SPR_LPID_BITS, 0),
	MAS_ROW(SPR_MAS5, 5),
	MAS_ROW(SPR_MAS8, 8),
	ROW(SPR_LRATCFG, LRATCFG, SPR_WORD, SPR_READ_ONLY | SPR_MAV2),
	ROW(SPR_LRATPS, LRATPS, SPR_WORD, SPR_READ_ONLY | SPR_MAV2),
	ROW(SPR_TLB0PS, TLB0PS, SPR_ULONG, SPR_READ_ONLY | SPR_MAV2 | SPR_RAW),
	ROW(SPR_TLB1PS, TLB1PS, SPR_ULONG, SPR_READ_ONLY | SPR_MAV2 | SPR_RAW),
	ROW(SPR_EPTCFG, EPTCFG, SPR_WORD, SPR_READ_ONLY | SPR_MAV2),
	ROW(SPR_GSPRG0, GSPRG0, SPR_ULONG, 0),
	ROW(SPR_GSPRG1, GSPRG1, SPR_ULONG, 0),
	ROW(SPR_GSPRG2, GSPRG2, SPR_ULONG, 0),
	ROW(SPR_GSPRG3, GSPRG3, SPR_ULONG, 0),
	ROW(SPR_GSRR0, GSRR0, SPR_ULONG, 0),
	ROW(SPR_GSRR1, GSRR1, SPR_ULONG, 0),
	ROW(SPR_GEPR, GEPR, SPR_ULONG, 0),
	ROW(SPR_GDEAR, GDEAR, SPR_ULONG, 0),
	ROW(SPR_GPIR, GPIR, SPR_ULONG, 0),
	ROW(SPR_GESR, GESR, SPR_ULONG, 0),
	IVOR_ROW(SPR_IVOR0, 0),
	IVOR_ROW(SPR_IVOR0 + 1, 1),
	IVOR_ROW(SPR_IVOR0 + 2, 2),
	IVOR_ROW(SPR_IVOR0 + 3, 3),
	IVOR_ROW(SPR_IVOR0 + 4, 4),
	IVOR_ROW(SPR_IVOR0 + 5, 5),
	IVOR_ROW(SPR_IVOR0 + 6, 6),
	IVOR_ROW(SPR_IVOR0 + 7, 7),
	IVOR_ROW(SPR_IVOR0 + 8, 8),
	IVOR_ROW(SPR_IVOR0 + 9, 9),
	IVOR_ROW(SPR_IVOR0 + 10, 10),
	IVOR_ROW(SPR_IVOR0 + 11, 11),
	IVOR_ROW(SPR_IVOR0 + 12, 12),
	IVOR_ROW(SPR_IVOR0 + 13, 13),
	IVOR_ROW(SPR_IVOR0 + 14, 14),
	IVOR_ROW(SPR_IVOR0 + 15, 15),
	IVOR_ROW(SPR_IVOR38, 38),
	IVOR_ROW(SPR_IVOR38 + 1, 39),
	IVOR_ROW(SPR_IVOR38 + 2, 40),
	IVOR_ROW(SPR_IVOR38 + 3, 41),
	IVOR_ROW(SPR_IVOR38 + 4, 42),
	ROW(SPR_GIVOR2, GIVOR2, SPR_ULONG, 0),
	ROW(SPR_GIVOR3, GIVOR3, SPR_ULONG, 0),
	ROW(SPR_GIVOR4, GIVOR4, SPR_ULONG, 0),
	ROW(SPR_GIVOR8, GIVOR8, SPR_ULONG, 0),
	ROW(SPR_GIVOR13, GIVOR13, SPR_ULONG, 0),
	ROW(SPR_GIVOR14, GIVOR14, SPR_ULONG, 0),
	ROW(SPR_GIVPR, GIVPR, SPR_ULONG, 0),
	IVOR_ROW(SPR_IVOR32, 32),
	IVOR_ROW(SPR_IVOR32 + 1, 33),
	IVOR_ROW(SPR_IVOR32 + 2, 34),
	IVOR_ROW(SPR_IVOR32 + 3, 35),
	IVOR_ROW(SPR_IVOR32 + 4, 36),
	IVOR_ROW(SPR_IVOR32 + 5, 37),
	ROW(SPR_MCSRR0, MCSRR0, SPR_ULONG, 0),
	ROW(SPR_MCSRR1, MCSRR1, SPR_ULONG, 0),
	ROW(SPR_MCSR, MCSR, SPR_ULONG, SPR_CLEAR),
	ROW(SPR_MCAR, MCAR, SPR_ULONG, 0),
	ROW(SPR_DSRR0, DSRR0, SPR_ULONG, 0),
	ROW(SPR_DSRR1, DSRR1, SPR_ULONG, 0),
	MAS_ROW(SPR_MAS0, 0),
	MAS_ROW(SPR_MAS1, 1),
	MAS_ROW(SPR_MAS2, 2),
	MAS_ROW(SPR_MAS3, 3),
	MAS_ROW(SPR_MAS4, 4),
	MAS_ROW(SPR_MAS6, 6),
	ROW(SPR_TLB0CFG, TLB0CFG, SPR_ULONG, SPR_READ_ONLY),
	ROW(SPR_TLB1CFG, TLB1CFG, SPR_ULONG, SPR_READ_ONLY),
	MAS_ROW(SPR_MAS7, 7),
	ROW(SPR_EPLC, EPLC, SPR_EP_BITS, 0),
	ROW(SPR_EPSC, EPSC, SPR_EP_BITS, 0),
	ROW(SPR_HID0, HID0, SPR_WORD, 0),
	ROW(SPR_MMUCFG, MMUCFG, SPR_ULONG, SPR_READ_ONLY),
	ROW(SPR_SVR, SVR, SPR_ULONG, SPR_READ_ONLY),
};

struct spr_pair {
	uint16_t number, high, low;
};

/* 64-bit SPRs that move two registers at once; only on 64-bit cores (mmu-hardware 1.1) */
static const struct spr_pair spr_pairs[] = {
	{ SPR_MAS5_MAS6, SPR_MAS5, SPR_MAS6 },
	{ SPR_MAS8_MAS1, SPR_MAS8, SPR_MAS1 },
	{ SPR_MAS7_MAS3, SPR_MAS7, SPR_MAS3 },
	{ SPR_MAS0_MAS1, SPR_MAS0, SPR_MAS1 },
};
