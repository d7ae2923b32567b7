/* SPDX-License-Identifier: BSD-3-Clause */
/* The whole test framework of tests/c: CHECK() and a verdict, seeded numbers, machines compared. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pyexit.h"

static unsigned int checks, failures;

#define CHECK(condition)                                                        \
	do {                                                                    \
		checks++;                                                       \
		if (!(condition)) {                                             \
			failures++;                                             \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);  \
		}                                                               \
	} while (0)

static int verdict(void)
{
	printf("%u checks, %u failed\n", checks, failures);
	return checks == 0 || failures != 0;
}

static uint64_t seed = 0x9e3779b97f4a7c15u;

static inline uint64_t draw(void)	/* xorshift64 */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static inline int same_state(const struct pyexit_machine *a, const struct pyexit_machine *b)
{
	size_t size, other;
	const uint8_t *left = pyexit_state(a, &size), *right = pyexit_state(b, &other);

	return size == other && !memcmp(left, right, size);
}

#endif
