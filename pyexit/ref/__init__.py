# SPDX-License-Identifier: BSD-3-Clause
"""The reference: the specification in executable form (design.md 4).

Plain functions on plain state. hw/ is what the processor does, kvm/ what the hypervisor does with it, api
the one face above both. Nothing here sees the C core: it has its own constants, and a test compares them.
"""
