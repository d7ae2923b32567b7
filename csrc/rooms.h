/* SPDX-License-Identifier: BSD-3-Clause */
/* The rooms of one width unit, in reading order. */
#include "hw/regs.c"
#include "hw/core.c"
#include "hw/memory.c"
#include "hw/tlb.c"
#include "hw/interrupt.c"
#include "hw/tlbops.c"
#include "hw/translate.c"
#include "kvm/vcpu.c"
#include "kvm/last_inst.c"
#include "calls.c"
