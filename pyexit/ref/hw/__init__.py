# SPDX-License-Identifier: BSD-3-Clause
"""What the processor does (mmu-hardware.md). Rooms in reading order.

regs, core, memory, then tlb (the match rule), tlbops (the TLB instructions), translate and interrupt.
"""
