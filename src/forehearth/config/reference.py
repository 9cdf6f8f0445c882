"""The page of the documentation that lists every key, written from the types that read the file."""

from collections.abc import Iterator, Mapping

import msgspec
import msgspec.inspect as types

from forehearth.config.belonging import PROVIDER
from forehearth.config.binding import shape, wording
from forehearth.config.docstrings import Docstrings
from forehearth.config.json_schema import plain
from forehearth.core.secret import Secret
from forehearth.core.settings import ProviderSettings, Settings

_HEAD = """\
# The configuration file

<!-- Written by scripts/write-reference from the types that read the file. Change those. -->

One YAML file, by default `forehearth.yaml` in the current folder; `forehearth serve --config FILE` names another.
Without a file the built-in models are served. `forehearth config check FILE` reads a file as the server would and says
everything that is wrong with it, each with its line, its column and the nearest right name.
`forehearth config schema` prints a JSON Schema that lets editors complete and check the file as you type.

- **Strict.** An unknown key, a key that is there twice or a value of the wrong type stops the start.
- **Secrets** are never in the file. Where a secret belongs, write `${NAME}` for an environment variable or `file:PATH`
  for a file that holds it. Nowhere else is `${NAME}` read.
- **Paths** that are relative begin at the folder of the configuration file.
- **Text** needs no quotes: a key that takes text takes `1.10`, `2024-10-21` and `no` as they are written. Truth values
  are `true` and `false`; numbers have no units and no separators.
- **Anchors**: what is needed twice can be written once, with `&name`, `*name` and `<<: *name`.
- **Limits**: 1 MiB, 50,000 values, 32 levels.

`NAME` stands for a name of your choice.
"""

_TABLE = "| key | takes | default | |\n|---|---|---|---|\n"


def page(providers: Mapping[str, type[ProviderSettings]], root: type = Settings, head: str = _HEAD) -> str:
    """The whole page of a kind of file, as Markdown, beginning with `head`."""
    writer = _Writer(providers)
    return "\n".join([head, *writer.sections(types.type_info(root), "", "Top level")])


class _Writer:
    def __init__(self, providers: Mapping[str, type[ProviderSettings]]) -> None:
        self._providers = providers
        self._docstrings = Docstrings()
        self._written: dict[type, str] = {}
        self._beside = ""

    def sections(self, type_: types.Type, path: str, title: str) -> Iterator[str]:
        """A section for each mapping at or below `path`; one that was shown before is referred to."""
        for below, struct in _structs(type_, path):
            if struct.cls is ProviderSettings:
                yield from self._backends(below)
            elif struct.cls not in self._written:
                heading = title or f"`{below}`{_tagged(struct)}"
                heading = heading if heading not in self._written.values() else f"{heading}{self._beside}"
                self._written[struct.cls] = heading
                yield self._section(struct, heading)
                for field in struct.fields:
                    yield from self.sections(field.type, _join(below, field.encode_name), "")

    def _backends(self, path: str) -> Iterator[str]:
        names = ", ".join(f"`{name}`" for name in self._providers)
        yield (
            f"## `{path}`\n\nAn address that can serve deployments. Its key `{PROVIDER}` is required: one of {names}."
            " It chooses which keys stand beside it.\n"
        )
        for name, cls in self._providers.items():
            struct = types.type_info(cls)
            if isinstance(struct, types.StructType):
                self._beside = f" with `{PROVIDER}: {name}`"
                yield self._section(struct, f"`{path}`{self._beside}", level=3)
                for field in struct.fields:
                    yield from self.sections(field.type, _join(path, field.encode_name), "")

    def _section(self, struct: types.StructType, heading: str, level: int = 2) -> str:
        about = self._docstrings.about(struct.cls)
        if not struct.fields:
            return f"{'#' * level} {heading}\n\n{about.text}\n"
        rows = "".join(self._row(field, about.members.get(field.name, "")) for field in struct.fields)
        return f"{'#' * level} {heading}\n\n{about.text}\n\n{_TABLE}{rows}"

    def _row(self, field: types.Field, text: str) -> str:
        inner = [struct.cls for _, struct in _structs(field.type, "")]
        words = text or (self._docstrings.about(inner[0]).text if inner else "")
        return f"| `{field.encode_name}` | {_cell(_takes(field.type))} | {_default(field)} | {_cell(words)} |\n"


def _structs(type_: types.Type, path: str) -> Iterator[tuple[str, types.StructType]]:
    """The mappings that a value of this type is, or is made of."""
    match shape(type_).type:
        case types.StructType() as struct:
            yield path, struct
        case types.UnionType(types=options):
            for each in options:
                yield from _structs(each, path)
        case types.CollectionType(item_type=item):
            yield from _structs(item, f"{path}[]")
        case types.DictType(value_type=value):
            yield from _structs(value, f"{path}.NAME")


def _tagged(struct: types.StructType) -> str:
    """The key that chooses this mapping among others in its place."""
    return f" with `{struct.tag_field}: {struct.tag}`" if struct.tag_field else ""


def _takes(type_: types.Type) -> str:
    wanted = shape(type_)
    inner = wanted.type
    if isinstance(inner, types.UnionType):
        options = (_takes(each) for each in inner.types if not isinstance(each, types.NoneType))
        return " or ".join(dict.fromkeys(options))
    if isinstance(inner, types.CollectionType):
        return f"list: {_takes(inner.item_type)}"
    if isinstance(inner, types.CustomType) and inner.cls is Secret:
        return "secret: `${NAME}` or `file:PATH`"
    if isinstance(inner, types.StructType):
        return "mapping"
    if isinstance(inner, types.DictType):
        return "mapping by name" if list(_structs(inner, "")) else "mapping"
    return "anything" if isinstance(inner, types.AnyType) else wording(wanted).replace("'", "`")


def _default(field: types.Field) -> str:
    if field.required or shape(field.type).extra.get("required"):
        return "**required**"
    value = field.default if field.default is not msgspec.NODEFAULT else plain(field.default_factory())
    if value is None or isinstance(value, msgspec.Struct) or value in ([], (), {}):
        return ""
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{msgspec.json.encode(value).decode()}`" if not isinstance(value, str) else f"`{value}`"


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
