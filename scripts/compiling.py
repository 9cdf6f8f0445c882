"""The build hook that compiles what every call runs through: Python with types in, extension modules out.

Off unless `HATCH_BUILD_HOOK_ENABLE_CUSTOM` is set, as `make wheel` does: then the wheel has compiled modules
beside their sources, and is for one interpreter and one machine. Which modules, is in pyproject.toml; what a module has
to be like to be among them, in docs/decisions/044-compiled-modules.md. Needs mypy, setuptools, a C compiler and
Python's headers.
"""

import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from mypyc.build import mypycify
from setuptools import Distribution

PACKAGE = "forehearth"


class Compile(BuildHookInterface):  # type: ignore[type-arg] # of the wheel alone
    """Adds the compiled modules to the wheel. `modules` of the configuration are paths below the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling. An editable installation stays as it is: an edit is to be at work at once."""
        if version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory(prefix=f"{PACKAGE}-compiled-")
        folder = Path(self._folder.name)
        for file in compiled(Path(self.root), self.config["modules"], folder):
            build_data["force_include"][str(file)] = str(file.relative_to(folder))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """See hatchling."""
        del version, build_data, artifact_path
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def compiled(root: Path, modules: list[str], folder: Path) -> list[Path]:
    """Compile the modules of the project at `root` into `folder`, and return what is to be packed from there."""
    sources = [str(root / "src" / PACKAGE / f"{module}.py") for module in modules]
    options = ["--config-file", str(root / "pyproject.toml")]
    extensions = mypycify([*options, *sources], group_name=PACKAGE, target_dir=str(folder / "c"))
    command = Distribution({"name": PACKAGE, "ext_modules": extensions}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(folder), str(folder / "c")
    command.ensure_finalized()
    command.run()
    return sorted(folder.rglob("*.so"))
