# SPDX-License-Identifier: BSD-3-Clause
"""What the hypervisor does (exit.md, mmu-kvm.md): Linux 6.1's KVM for HV Book E and the seed's variants."""
