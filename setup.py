# SPDX-License-Identifier: BSD-3-Clause
"""The part of the build that pyproject.toml cannot say: the extension is made by cffi."""

from __future__ import annotations

from setuptools import setup

setup(cffi_modules=["pyexit/backends/build_core.py:ffibuilder"])
