"""Reads the configuration file: all of it or nothing, and with every problem at once."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import msgspec
import msgspec.inspect as types
import yaml

from forehearth.config import checks, nodes, syntax
from forehearth.config.binding import Binder
from forehearth.config.problems import ConfigError, Problem
from forehearth.config.problems import Path as KeyPath
from forehearth.core.settings import ProviderSettings, Settings

MOST_BYTES: Final = 1_048_576
"""The largest file that is read."""

FILE_NAME: Final = "forehearth.yaml"
"""The file that is read when none is named and the current folder has it."""

BUILT_IN: Final = Path(__file__).with_name("embedded.yaml")
"""The configuration without a file: the models that Forehearth brings itself."""

Form = TypeVar("Form")

_TOP: Final = nodes.Mark(1, 1)
_SETTINGS: Final = types.type_info(Settings)


def locate(given: Path | None, folder: Path) -> Path:
    """The file to read: the one that was named, else `forehearth.yaml` in `folder`, else the built-in one."""
    if given is not None:
        return given
    usual = folder / FILE_NAME
    return usual if usual.exists() else BUILT_IN


def load(
    source: Path | str, *, providers: Mapping[str, type[ProviderSettings]], environ: Mapping[str, str]
) -> Settings:
    """The settings in a file (a `Path`) or in a text (a `str`, whose relative paths begin at the current folder).

    `providers` are the kinds of backend there are, `environ` is where `${NAME}` is looked up. Paths in the settings
    are absolute. Raises `ConfigError` with all that is wrong, and nothing else.
    """
    if isinstance(source, Path):
        name, folder = str(source), source.absolute().parent
        text = _decoded(_read(source), name)
    else:
        name, folder = "<text>", Path.cwd()
        text = source
    binder = Binder(file=name, folder=folder, providers=providers, environ=environ)
    settings = _bound(binder, _tree(binder, text))
    model_files = checks.across(binder, providers, folder)
    if binder.problems or not isinstance(settings, Settings):
        raise ConfigError(binder.problems)
    return _with_models(settings, model_files)


def load_as(
    source: Path | str,
    form: type[Form],
    *,
    providers: Mapping[str, type[ProviderSettings]] | None = None,
    environ: Mapping[str, str] | None = None,
    check: Callable[[Binder, Form], None] | None = None,
    folder: Path | None = None,
) -> Form:
    """What a file, or a text, has that is no configuration but is written like one, as a type says.

    Relative paths begin at `folder`, unless given at the file's. `check` may look at what was read, and tells the
    binder what is wrong with it. Raises `ConfigError`.
    """
    if isinstance(source, Path):
        name, folder = str(source), folder or source.absolute().parent
        text = _decoded(_read(source), name)
    else:
        name, text = "<text>", source
    binder = Binder(file=name, folder=folder or Path.cwd(), providers=providers or {}, environ=environ or {}, root=form)
    found = cast("Form", binder.bind(types.type_info(form), _tree(binder, text), ()))
    if check is not None and not binder.problems:
        check(binder, found)
    if binder.problems:
        raise ConfigError(binder.problems)
    return found


def _tree(binder: Binder, text: str) -> nodes.Node:
    """The nodes of the text, with what did not end the reading noted. Raises `ConfigError` for what did."""
    if len(text) > MOST_BYTES:
        raise _hopeless(binder, _too_large())
    try:
        text = text.removeprefix("\ufeff")
        unprintable = syntax.unprintable(text)
        if unprintable is not None:
            raise unprintable
        root, faults = nodes.compose(text)
    except yaml.MarkedYAMLError as error:
        raise _hopeless(binder, syntax.fault(error)) from None
    except nodes.Fault as fault:
        raise _hopeless(binder, fault) from None
    for each in faults:
        binder.tell(each.mark, each.path, each.message, each.hint)
    if root is None or (isinstance(root, nodes.Scalar) and not root.text):
        raise _hopeless(binder, nodes.Fault(_TOP, "the file is empty", "begin with 'version: 1'"))
    return root


def _bound(binder: Binder, root: nodes.Node) -> object:
    return binder.bind(_SETTINGS, root, ())


def _hopeless(binder: Binder, fault: nodes.Fault) -> ConfigError:
    binder.tell(fault.mark, (), fault.message, fault.hint)
    return ConfigError(binder.problems)


def _with_models(settings: Settings, model_files: Mapping[KeyPath, str]) -> Settings:
    """The settings with each model that is a file named by its full path."""
    for path, full in model_files.items():
        settings = _replaced(settings, path, full)
    return settings


def _replaced(values: Any, path: KeyPath, leaf: object) -> Any:
    """The values with another one at `path`, through structs, dicts and lists."""
    if not path:
        return leaf
    step, rest = path[0], path[1:]
    if isinstance(values, dict):
        return values | {step: _replaced(values[step], rest, leaf)}
    if isinstance(values, tuple):
        return tuple(_replaced(each, rest, leaf) if index == step else each for index, each in enumerate(values))
    return msgspec.structs.replace(values, **{str(step): _replaced(getattr(values, str(step)), rest, leaf)})


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise _unreadable(str(path), f"the file cannot be read: {reason}", "give the path of a YAML file") from None
    if len(content) > MOST_BYTES:
        raise _unreadable(str(path), _too_large().message, _too_large().hint)
    return content


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in content[:64]:
            raise _unreadable(name, "the file is not UTF-8 but UTF-16 or binary", "save it as UTF-8") from None
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        message = f"the byte {content[error.start]:#04x} is not UTF-8"
        raise ConfigError(
            [Problem(file=name, line=line, column=column, path="", message=message, hint="save the file as UTF-8")]
        ) from None


def _too_large() -> nodes.Fault:
    return nodes.Fault(_TOP, f"the file is larger than {MOST_BYTES} bytes", "a configuration is text of a few pages")


def _unreadable(name: str, message: str, hint: str) -> ConfigError:
    return ConfigError([Problem(file=name, line=0, column=0, path="", message=message, hint=hint)])
