/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/memory: real memory (mmu-kvm 15).  RAM is ranges of host memory that
 * the caller lends; everything else is not RAM.
 */
#ifndef HW_MEMORY_H
#define HW_MEMORY_H

#include "ram.h"

/* Is page frame @pfn RAM? */
static int ppc_page_is_ram(const struct ppc_memory *memory, uint64_t pfn);

/* The big-endian word at @addr, aligned or not; bytes that are not RAM read 0. */
static uint32_t ppc_load32(const struct ppc_memory *memory, uint64_t addr);

/* One byte; what is not RAM reads 0 and drops what is stored. */
static uint32_t ppc_load_byte(const struct ppc_memory *memory, uint64_t addr);
static void ppc_store_byte(const struct ppc_memory *memory, uint64_t addr, uint8_t byte);

/* Store a big-endian word at @addr; bytes that are not RAM are dropped. */
static void ppc_store32(struct ppc_memory *memory, uint64_t addr, uint32_t word);

#endif
