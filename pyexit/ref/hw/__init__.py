# SPDX-License-Identifier: BSD-3-Clause
"""What the processor does (mmu-hardware.md). Rooms in reading order.

regs, core, memory, interrupt, then tlb (the match rule), lrat, tlbops (TLB instructions), walk, translate,
epid, doorbell, and guestop: all of these as instructions of the running code.
"""
