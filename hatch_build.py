"""Compiles the native library of the extraction engine "gristmill" when the project is installed.

Without a C++ compiler the installation goes on without it: other engines serve,
and `gristmill doctor` says so.
"""

from __future__ import annotations

import importlib.util
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILD = Path("corpus") / "extraction" / "blocks" / "build.py"


class NativeLibrary(BuildHookInterface):  # type: ignore[type-arg]
    """Runs for wheels and editable installations."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library and put it into the wheel, whose tag then names the platform."""
        build = _load(Path(self.root) / BUILD)
        try:
            library = build.build()
        except build.BuildError as error:
            self.app.display_warning(f"the extraction engine 'gristmill' is left out: {error}")
            return
        build_data["artifacts"].append(f"/{library.relative_to(self.root).as_posix()}")
        build_data["pure_python"] = False
        # The library is loaded with ctypes: any Python 3 on this platform will do.
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"


def _load(path: Path) -> ModuleType:
    # The package's dependencies are not installed yet, so its modules cannot be imported by name.
    spec = importlib.util.spec_from_file_location("native_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
