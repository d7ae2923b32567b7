# SPDX-License-Identifier: BSD-3-Clause
"""What can stand behind a Machine (design.md 7).

``base`` is the protocol and the table of backends, ``native`` the C core over cffi (``_core``, built from
``cdef`` by ``build_core``), ``ref_backend`` the reference. This module imports nothing: ``layout`` needs
``_core`` before the others can be read.
"""
