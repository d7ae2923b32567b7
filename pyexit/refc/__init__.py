# SPDX-License-Identifier: BSD-3-Clause
"""The reference compiled: the modules of pyexit.ref, by Cython, under this name (design.md 4).

There are no sources here: backends/build_refc.py makes the extension modules from pyexit/ref. Both can be
loaded in one process. A build with PYEXIT_NO_REFC=1 leaves them out; then there is no backend refc.
"""
