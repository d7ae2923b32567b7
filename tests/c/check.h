/* SPDX-License-Identifier: BSD-3-Clause */
/* The whole test framework of tests/c: CHECK() and a verdict. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

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

#endif
