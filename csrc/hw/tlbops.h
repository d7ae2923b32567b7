/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hw/tlbops: the TLB instructions as executed in hypervisor state, and the
 * MAS values that a miss leaves (mmu-hardware 6-8).  Effective addresses
 * come whole: who forms them cuts them (ppc_ea()).
 */
#ifndef HW_TLBOPS_H
#define HW_TLBOPS_H

#include "core.h"
#include "tlb.h"

/* What a tlbsx at @ea with the thread's MAS5 and MAS6 would find. */
static struct ppc_hits ppc_tlbsx_hits(const struct ppc_hw *hw, uint32_t thread, uint64_t ea);

/* The rest of that tlbsx: what it leaves when @hits is what it finds. */
static struct ppc_end ppc_tlbsx_answer(struct ppc_hw *hw, uint32_t thread, uint64_t ea, const struct ppc_hits *hits);

static struct ppc_end ppc_tlbsx(struct ppc_hw *hw, uint32_t thread, uint64_t ea);
static struct ppc_end ppc_tlbre(struct ppc_hw *hw, uint32_t thread);
static struct ppc_end ppc_tlbwe(struct ppc_hw *hw, uint32_t thread);
static struct ppc_end ppc_tlbilx(struct ppc_hw *hw, uint32_t thread, uint64_t t, uint64_t ea);
static struct ppc_end ppc_tlbivax(struct ppc_hw *hw, uint32_t thread, uint64_t ea);

/* HES=1: the way that hardware picks in the set that begins at TLB0 entry @set (U11). */
static uint32_t ppc_hes_way(struct ppc_hw *hw, uint32_t core, uint32_t set);

/* The size code of the entry that a tlbwe would store now. */
static uint32_t ppc_tlbwe_size(const struct ppc_hw *hw, uint32_t thread);

/* MMUCSR0: flash invalidation of a core's TLBs (mmu-hardware 6.4). */
static void ppc_tlb_flash(struct ppc_hw *hw, uint32_t core, uint64_t mmucsr0);

/* MAS0 as a TLB error or a tlbsx miss proposes it (mmu-hardware 6.6, 7.2). */
static uint64_t ppc_miss_mas0(const struct ppc_hw *hw, uint32_t thread);

/* MAS1 of a miss, without V: defaults of MAS4 and the identity that was looked for. */
static uint64_t ppc_miss_mas1(const struct ppc_hw *hw, uint32_t thread, uint32_t pid, uint32_t as);

/* MAS3 of a miss (U3). */
static uint64_t ppc_miss_mas3(const struct ppc_hw *hw, uint32_t thread);

/* More than one entry matched: the machine check, if HID0 asks for it (mmu-hardware 5.3). */
static int ppc_multi_hit_checks(const struct ppc_hw *hw, uint32_t thread, const struct ppc_hits *hits);

#endif
