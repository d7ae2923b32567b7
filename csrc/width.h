/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The door between api/ and the two width units: what each of them offers.
 * width32.c and width64.c hold the same rooms, compiled for a ulong of 32
 * and of 64 bits.
 */
#ifndef PYEXIT_WIDTH_H
#define PYEXIT_WIDTH_H

#include "kvm/machine.h"

#if defined(__GNUC__)
#define PYEXIT_INTERNAL __attribute__((visibility("hidden")))
#else
#define PYEXIT_INTERNAL
#endif

extern PYEXIT_INTERNAL const struct pyexit_width pyexit_width32;
extern PYEXIT_INTERNAL const struct pyexit_width pyexit_width64;

#endif
