# SPDX-License-Identifier: BSD-3-Clause
"""The part of the build that pyproject.toml cannot say: what cffi and Cython make."""

from __future__ import annotations

import os
import runpy

from setuptools import setup
from setuptools.command.build_ext import build_ext


class BuildExt(build_ext):
    """Adds the modules of pyexit.refc, which cost two minutes, where a build wants them."""

    def finalize_options(self) -> None:
        """As setuptools does, when all extensions are known."""
        if self._wants_refc():
            made = runpy.run_path("pyexit/backends/build_refc.py")["extensions"]()
            self.distribution.ext_modules = [*(self.distribution.ext_modules or []), *made]
            self.parallel = self.parallel or os.cpu_count() or 1
        super().finalize_options()

    def _wants_refc(self) -> bool:
        """PYEXIT_NO_REFC=1 leaves refc out, =0 asks for it; unset, a developer's --inplace is without."""
        commands = set(self.distribution.commands)
        quick = "1" if self.inplace and "build_ext" in commands else "0"
        return not commands & {"sdist", "egg_info", "dist_info"} and (
            os.environ.get("PYEXIT_NO_REFC", quick) != "1"
        )


setup(
    cffi_modules=["pyexit/backends/build_core.py:ffibuilder"],
    cmdclass={"build_ext": BuildExt},
)
