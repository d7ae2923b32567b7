/* SPDX-License-Identifier: BSD-3-Clause */
/* hw/pin: the asynchronous causes of a thread, the one piece of state that others may change meanwhile. */
#ifndef HW_PIN_H
#define HW_PIN_H

#include <stdint.h>

static inline void ppc_pin_set(uint32_t *pins, uint32_t pin, int level)
{
	if (level)
		__atomic_fetch_or(pins, 1u << pin, __ATOMIC_RELEASE);
	else
		__atomic_fetch_and(pins, ~(1u << pin), __ATOMIC_RELEASE);
}

#endif
