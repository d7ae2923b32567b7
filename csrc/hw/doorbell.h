/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/doorbell: what comes from outside the instruction stream: messages
 * between threads, pins, and which of them is due (exit 1.10, 7.4;
 * mmu-hardware 12).
 */
#ifndef HW_DOORBELL_H
#define HW_DOORBELL_H

#include "core.h"
#include "pin.h"

static struct ppc_end ppc_msgsnd(struct ppc_hw *hw, uint32_t thread, uint64_t message);
static struct ppc_end ppc_msgclr(struct ppc_hw *hw, uint32_t thread, uint64_t message);

/* Take the asynchronous interrupt that is due and enabled in guest state; DONE if none is. */
static struct ppc_end ppc_pending(struct ppc_hw *hw, uint32_t thread);

#endif
