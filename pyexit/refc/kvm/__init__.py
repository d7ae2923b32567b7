# SPDX-License-Identifier: BSD-3-Clause
"""The compiled modules of pyexit.ref.kvm."""
