/* SPDX-License-Identifier: BSD-3-Clause */
#include "doorbell.h"

#include "interrupt.h"

static uint32_t message_type(uint64_t message)
{
	return (uint32_t)message >> MSG_TYPE_SHIFT & MSG_TYPE_MASK;
}

/* The latch of a message type; PYEXIT_PINS for a type that no core has. */
static uint32_t message_pin(uint32_t type)
{
	static const uint8_t pins[] = {
		[MSG_DBELL] = PYEXIT_PIN_DBELL,
		[MSG_DBELL_CRIT] = PYEXIT_PIN_DBELL_CRIT,
		[MSG_GDBELL] = PYEXIT_PIN_GDBELL,
		[MSG_GDBELL_CRIT] = PYEXIT_PIN_GDBELL_CRIT,
		[MSG_GDBELL_MC] = PYEXIT_PIN_GDBELL_MC,
	};

	return type < sizeof(pins) ? pins[type] : PYEXIT_PINS;
}

/* Host doorbells name a PIR, guest ones an LPID and a GPIR; a broadcast names no PIR (exit 1.10, 7.4). */
static int message_reaches(const struct pyexit_spr *spr, uint64_t message)
{
	uint32_t tag = (uint32_t)message & MSG_TAG_MASK;
	uint32_t pir = tag & MSG_PIR_MASK, lpid = (tag & ~(uint32_t)MSG_BROADCAST) >> MSG_LPID_SHIFT;
	int broadcast = (message & MSG_BROADCAST) != 0;

	if (message_type(message) < MSG_GDBELL)
		return broadcast || pir == (spr->PIR & MSG_PIR_MASK);
	return lpid == spr->LPID && (broadcast || pir == (spr->GPIR & MSG_PIR_MASK));
}

static struct ppc_end ppc_msgsnd(struct ppc_hw *hw, uint32_t thread, uint64_t message)
{
	uint32_t pin = message_pin(message_type(message));

	ppc_count(hw, thread, PYEXIT_OP_MSGSND);
	ppc_event(&hw->events, PYEXIT_EVENT_MSGSND, 0, (uint32_t)message, 0, 0);
	for (uint32_t t = 0; t < hw->threads && pin < PYEXIT_PINS; t++)
		if (message_reaches(&hw->spr[t], message))
			ppc_pin_set(&hw->thread[t].pins, pin, 1);
	return PPC_DONE;
}

static struct ppc_end ppc_msgclr(struct ppc_hw *hw, uint32_t thread, uint64_t message)
{
	uint32_t pin = message_pin(message_type(message));

	if (pin < PYEXIT_PINS)
		ppc_pin_set(&hw->thread[thread].pins, pin, 0);
	return PPC_DONE;
}

struct pin_row {
	uint32_t pin, ivor;
	uint32_t enable;	/* MSR bit that gates it in guest state; 0: the hypervisor's own, never gated there */
	int level;		/* stays when taken */
};

/* Order of priority; guest doorbells wait for the guest's own enables (exit 7.4) */
static const struct pin_row pin_rows[] = {
	{ PYEXIT_PIN_MACHINE_CHECK, IVOR_MACHINE_CHECK, 0, 0 },
	{ PYEXIT_PIN_CRITICAL, IVOR_CRITICAL, 0, 0 },
	{ PYEXIT_PIN_WATCHDOG, IVOR_WATCHDOG, 0, 0 },
	{ PYEXIT_PIN_DBELL_CRIT, IVOR_DBELL_CRIT, 0, 0 },
	{ PYEXIT_PIN_GDBELL_MC, IVOR_GDBELL_CRIT, MSR_ME, 0 },
	{ PYEXIT_PIN_GDBELL_CRIT, IVOR_GDBELL_CRIT, MSR_CE, 0 },
	{ PYEXIT_PIN_EXTERNAL, IVOR_EXTERNAL, 0, 1 },
	{ PYEXIT_PIN_FIT, IVOR_FIT, 0, 0 },
	{ PYEXIT_PIN_DECREMENTER, IVOR_DECREMENTER, 0, 0 },
	{ PYEXIT_PIN_DBELL, IVOR_DBELL, 0, 0 },
	{ PYEXIT_PIN_GDBELL, IVOR_GDBELL, MSR_EE, 0 },
	{ PYEXIT_PIN_PERFORMANCE_MONITOR, IVOR_PERFORMANCE_MONITOR, 0, 0 },
};

static int pin_enabled(const struct ppc_hw *hw, uint32_t thread, const struct pin_row *row)
{
	uint32_t enable = row->enable;

	if (row->ivor == IVOR_EXTERNAL && hw->spr[thread].EPCR & EPCR_EXTGS)
		enable = MSR_EE;
	return !enable || hw->thread[thread].msr & enable;
}

static struct ppc_end ppc_pending(struct ppc_hw *hw, uint32_t thread)
{
	struct pyexit_thread *t = &hw->thread[thread];

	if (!(t->msr & MSR_GS) || !__atomic_load_n(&t->pins, __ATOMIC_ACQUIRE))
		return PPC_DONE;
	for (size_t i = 0; i < sizeof(pin_rows) / sizeof(pin_rows[0]); i++) {
		const struct pin_row *row = &pin_rows[i];
		struct ppc_cause cause = { .ivor = row->ivor, .ea = t->pc };

		if (!(__atomic_load_n(&t->pins, __ATOMIC_ACQUIRE) >> row->pin & 1) || !pin_enabled(hw, thread, row))
			continue;
		if (!row->level)
			ppc_pin_set(&t->pins, row->pin, 0);
		return ppc_interrupt(hw, thread, &cause);
	}
	return PPC_DONE;
}
