/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/guestop: a privileged instruction of the running code: done natively,
 * or the interrupt that it takes (mmu-hardware 6.5).  In user state it is
 * program/PPR, in guest supervisor state the table decides, in hypervisor
 * state it executes.
 */
#ifndef HW_GUESTOP_H
#define HW_GUESTOP_H

#include "core.h"

/* Outcome -ENOSYS: not an instruction of the table, the engine's own business. */
static struct ppc_end ppc_guest_op(struct ppc_hw *hw, uint32_t thread, uint32_t instruction);

#endif
