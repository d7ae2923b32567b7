/* SPDX-License-Identifier: BSD-3-Clause */
/* api/params: parameter sets per model (mmu-hardware 0.4, 2.8, 3, 15). */
#include <errno.h>
#include <string.h>

#include "../hw/regs.h"
#include "pyexit.h"

static const struct pyexit_params core_params[] = {
	[PYEXIT_E500MC] = {
		.size = sizeof(struct pyexit_params), .width = 32, .threads = 1, .mav = 1,
		.tlb0_ways = 4, .tlb0_sets = 128, .tlb1_entries = 64,
		.mas_mask = { 0x1fff0fff, 0xc0ff1f00, 0xfffff07f, 0xfffff3ff, 0x10000f7f,
			      0x8000003f, 0x00ff0001, 0xf, 0xc000003f },
		.pid_mask = 0xff, .lpid_mask = 0x3f, .ep_mask = 0xe03f00ff,
		.pvr = 0x80230030, .svr = 0x82090030,
		.mmucfg = 0x064809c4, .tlb0cfg = 0x04110200, .tlb1cfg = 0x401bc040,
		.hid0 = HID0_EN_MAS7_UPDATE,
		.miss_u = 1, .tsize_check = 1,
	},
	[PYEXIT_E5500] = {
		.size = sizeof(struct pyexit_params), .width = 64, .threads = 1, .mav = 1,
		.tlb0_ways = 4, .tlb0_sets = 128, .tlb1_entries = 64,
		.mas_mask = { 0x1fff0fff, 0xffff1f00, 0xfffffffffffff07f, 0xfffff3ff, 0x10000f7f,
			      0x8000003f, 0x3fff0001, 0xf, 0xc000003f },
		.pid_mask = 0x3fff, .lpid_mask = 0x3f, .ep_mask = 0xe03f3fff,
		.pvr = 0x80240020, .svr = 0x82200020,
		.mmucfg = 0x06480b44, .tlb0cfg = 0x04110200, .tlb1cfg = 0x401bc040,
		.hid0 = HID0_EN_MAS7_UPDATE,
		.miss_u = 1, .tsize_check = 1,
	},
	[PYEXIT_E6500] = {
		.size = sizeof(struct pyexit_params), .width = 64, .threads = 2, .mav = 2,
		.tlb0_ways = 8, .tlb0_sets = 128, .tlb1_entries = 64,
		.mas_mask = { 0x9fff7fff, 0xffff3f80, 0xfffffffffffff07f, 0xfffffbff, 0x10008fff,
			      0x8000003f, 0x3fff0f83, 0xff, 0xc000003f },
		.pid_mask = 0x3fff, .lpid_mask = 0x3f, .ep_mask = 0xe03f3fff,
		.pvr = 0x80400020, .svr = 0x82400020,
		.mmucfg = 0x06510b45, .tlb0cfg = 0x08052400, .tlb1cfg = 0x40028040,
		.tlb0ps = 0x4, .tlb1ps = 0x7ffffffc, .eptcfg = 0x2, .lratcfg = 0x00502008, .lratps = 0x7ffffffc,
		.hid0 = HID0_EN_MAS7_UPDATE,
		.miss_u = 1, .tlbilx_as = 1, .miss_wq = 1, .tsize_check = 1, .altivec = 1,
	},
};

/* The host of the kernel vectors (mmu-hardware 0.4, vectors/SCHEMA.md): one machine, two widths. */
static void recorded_params(uint32_t model, struct pyexit_params *params)
{
	int wide = params->width == 64;

	*params = core_params[PYEXIT_E500MC];
	params->raw = 1;
	params->width = wide ? 64 : 32;
	for (int i = 0; i < 9; i++)
		params->mas_mask[i] = 0xffffffff;
	params->mas_mask[2] = wide ? UINT64_MAX : UINT32_MAX;
	params->pid_mask = 0x3fff;
	params->lpid_mask = 0xff;
	params->ep_mask = 0xffffffff;
	params->pvr = core_params[model].pvr;
	params->svr = core_params[model].svr;
	params->mmucfg = wide ? 0x0c25b2c9 : 0x06400a4c;
	params->tlb1cfg = 0x4034c040;
	params->tlb0ps = 0x4;
	params->tlb1ps = 0x554554;
	params->miss_u = 0;
	params->miss_epn = 2;
	params->tsize_check = 0;
	params->altivec = wide ? 1 : 0;
}

int pyexit_params(uint32_t model, uint32_t set, struct pyexit_params *params)
{
	if (model >= sizeof(core_params) / sizeof(core_params[0]) || set > PYEXIT_PARAMS_RECORDED || !params)
		return -EINVAL;
	*params = core_params[model];
	if (set == PYEXIT_PARAMS_RECORDED)
		recorded_params(model, params);
	return 0;
}
