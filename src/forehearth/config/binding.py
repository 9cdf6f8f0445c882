"""From nodes to the settings' types. Those types are the only schema there is: a key is a member of one of them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import msgspec.inspect as types

from forehearth.config import files, nodes, scalars, secrets
from forehearth.config.belonging import PROVIDER, Belonging
from forehearth.config.nearest import listed, nearest, suggestion
from forehearth.config.problems import Path as KeyPath
from forehearth.config.problems import Problem, shortened, written
from forehearth.config.scalars import Wrong, called, found, kind
from forehearth.core.secret import Secret
from forehearth.core.settings import ProviderSettings, Settings
from forehearth.core.settings_types import Unfit

_COLLECTIONS: Final = {
    types.ListType: list,
    types.VarTupleType: tuple,
    types.SetType: set,
    types.FrozenSetType: frozenset,
}


class Failed(msgspec.Struct, frozen=True):
    """What stands in for a value that could not be read; the problem is told already."""


FAILED: Final = Failed()


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A type with what its annotation says beside it."""

    type: types.Type
    words: str = ""
    extra: Mapping[str, object] = {}


def shape(type_: types.Type) -> Shape:
    """Take off what `Annotated` wraps around a type."""
    words, extra = "", dict[str, object]()
    while isinstance(type_, types.Metadata):
        words = words or str((type_.extra_json_schema or {}).get("description", ""))
        extra.update(type_.extra or {})
        type_ = type_.type
    return Shape(type=type_, words=words, extra=extra)


class Binder:
    """Reads one tree. Afterwards `problems` has all that was wrong, `values` and `keys` where everything stands."""

    def __init__(
        self,
        *,
        file: str,
        folder: Path,
        providers: Mapping[str, type[ProviderSettings]],
        environ: Mapping[str, str],
        root: type = Settings,
    ) -> None:
        self._file = file
        self._folder = folder
        self._providers = providers
        self._environ = environ
        self._belonging = Belonging(providers, root)
        self.problems: list[Problem] = []
        self.values: dict[KeyPath, nodes.Node] = {}
        self.keys: dict[KeyPath, nodes.Mark] = {}

    def tell(self, mark: nodes.Mark, path: KeyPath, message: str, hint: str = "") -> Failed:
        """Note a problem."""
        self.problems.append(
            Problem(file=self._file, line=mark.line, column=mark.column, path=written(path), message=message, hint=hint)
        )
        return FAILED

    def bind(self, type_: types.Type, node: nodes.Node, path: KeyPath) -> object:
        """The value of `node` as `type_`, or `FAILED`."""
        self.values[path] = node
        if isinstance(node, nodes.Broken):
            return FAILED
        wanted = shape(type_)
        if isinstance(wanted.type, types.UnionType):
            return self._union(wanted, node, path)
        return self._one(wanted, node, path)

    def _one(self, wanted: Shape, node: nodes.Node, path: KeyPath) -> object:
        value: object = FAILED
        match wanted.type:
            case types.StructType(cls=cls) if cls is ProviderSettings:
                value = self._backend(node, path)
            case types.StructType() as struct:
                value = self._struct(struct, node, path)
            case types.DictType() as dictionary:
                value = self._dict(dictionary, node, path)
            case types.CollectionType() as collection:
                value = self._list(collection, node, path)
            case types.CustomType(cls=cls) if cls is Secret:
                value = self._secret(node, path)
            case types.AnyType():
                value = self._anything(node, path)
            case _ if isinstance(wanted.type, scalars.SCALARS):
                value = self._scalar(wanted, node, path)
            case _:
                raise TypeError(f"settings cannot have members of the type {wanted.type!r}")
        return value

    def _union(self, wanted: Shape, node: nodes.Node, path: KeyPath) -> object:
        union = wanted.type
        assert isinstance(union, types.UnionType)  # noqa: S101 - for the type checker; `bind` has looked
        options = [shape(each) for each in union.types]
        may_be_null = any(isinstance(each.type, types.NoneType) for each in options)
        options = [each for each in options if not isinstance(each.type, types.NoneType)]
        if may_be_null and scalars.is_null(node):
            return None
        structs = [each.type for each in options if isinstance(each.type, types.StructType)]
        if len(structs) > 1 and isinstance(node, nodes.Mapping):
            return self._tagged(structs, node, path)
        fitting = [each for each in options if _takes(each.type, node)]
        if len(fitting) == 1 or len(options) == 1:
            return self._one(_with((fitting or options)[0], wanted), node, path)
        for each in fitting:
            if isinstance(node, nodes.Scalar) and isinstance(each.type, scalars.SCALARS):
                try:
                    return self._checked(each, scalars.read(each.type, node, each.words), node, path)
                except Wrong:
                    continue
        expects = " or ".join(dict.fromkeys(wording(each) for each in options))
        return self.tell(node.mark, path, f"expected {expects}, found {found(node)}")

    def _tagged(self, structs: Sequence[types.StructType], node: nodes.Mapping, path: KeyPath) -> object:
        field = structs[0].tag_field or ""
        by_tag = {str(each.tag): each for each in structs}
        entry = next((each for each in node.entries if each.key.text == field), None)
        if entry is None:
            return self.tell(node.mark, path, f"the key '{field}' is missing", f"it is one of {listed(by_tag)}")
        value = entry.value
        if not isinstance(value, nodes.Scalar) or value.text not in by_tag:
            hint = suggestion(value.text, by_tag, "it is one of") if isinstance(value, nodes.Scalar) else ""
            return self.tell(value.mark, (*path, field), f"there is no {field}{called(value)}", hint)
        return self._struct(by_tag[value.text], node, path)

    def _scalar(self, wanted: Shape, node: nodes.Node, path: KeyPath) -> object:
        if not isinstance(node, nodes.Scalar):
            return self.tell(node.mark, path, f"expected {wording(wanted)}, found {found(node)}")
        if isinstance(wanted.type, types.StrType) and re.fullmatch(r"\$\{\w+\}", node.text):
            return self.tell(
                node.mark, path, "an environment variable is read only where a secret belongs", "write the value itself"
            )
        try:
            if "url" in wanted.extra or "proxy" in wanted.extra:
                # Before the form, so that a password in an address gets its own words.
                files.no_user(node.text, proxy="proxy" in wanted.extra)
            value = scalars.read(wanted.type, node, wanted.words)
        except (Wrong, files.Unusable) as wrong:
            return self.tell(node.mark, path, wrong.message, wrong.hint)
        return self._checked(wanted, value, node, path)

    def _checked(self, wanted: Shape, value: object, node: nodes.Node, path: KeyPath) -> object:
        try:
            if "file" in wanted.extra and isinstance(value, str):
                return files.existing(value, self._folder)
            if ("url" in wanted.extra or ("proxy" in wanted.extra and value != "none")) and isinstance(value, str):
                files.address(value)
        except files.Unusable as unusable:
            return self.tell(node.mark, path, unusable.message, unusable.hint)
        return value

    def _secret(self, node: nodes.Node, path: KeyPath) -> object:
        if not isinstance(node, nodes.Scalar) or scalars.is_null(node):
            return self.tell(node.mark, path, f"expected {secrets.EXPECTED}, found {found(node)}")
        try:
            return secrets.fetch(node.text, folder=self._folder, environ=self._environ)
        except secrets.NoSecret as error:
            return self.tell(node.mark, path, error.message, error.hint)

    def _list(self, type_: types.CollectionType, node: nodes.Node, path: KeyPath) -> object:
        if not isinstance(node, nodes.Sequence):
            example = _written(shape(type_.item_type).type, node)
            hint = f"write [{example}]" if example else "begin each item with '- '"
            return self.tell(node.mark, path, f"expected a list, found {found(node)}", hint)
        values = [self.bind(type_.item_type, item, (*path, index)) for index, item in enumerate(node.items)]
        if type_.min_length is not None and len(values) < type_.min_length:
            least = "at least one item" if type_.min_length == 1 else f"at least {type_.min_length} items"
            return self.tell(node.mark, path, f"expected a list of {least}, found {len(values) or 'an empty one'}")
        if type_.max_length is not None and len(values) > type_.max_length:
            return self.tell(
                node.mark, path, f"expected a list of at most {type_.max_length} items, found {len(values)}"
            )
        return FAILED if FAILED in values else _COLLECTIONS[type(type_)](values)

    def _dict(self, type_: types.DictType, node: nodes.Node, path: KeyPath) -> object:
        if not isinstance(node, nodes.Mapping):
            return self._no_mapping(node, path)
        values: dict[object, object] = {}
        for entry in node.entries:
            below = (*path, entry.key.text)
            self.keys[below] = entry.key.mark
            key = self._key(shape(type_.key_type), entry.key, below)
            values[key] = self.bind(type_.value_type, entry.value, below)
        return FAILED if FAILED in values or FAILED in values.values() else values

    def _key(self, wanted: Shape, key: nodes.Scalar, path: KeyPath) -> object:
        plain = isinstance(wanted.type, types.StrType)
        try:
            return scalars.read(wanted.type, msgspec.structs.replace(key, plain=key.plain and not plain), wanted.words)
        except Wrong as wrong:
            return self.tell(key.mark, path, f"this key must be {wording(wanted)}", wrong.hint)

    def _anything(self, node: nodes.Node, path: KeyPath) -> object:
        if isinstance(node, nodes.Sequence):
            values = [self.bind(types.AnyType(), item, (*path, index)) for index, item in enumerate(node.items)]
            return FAILED if FAILED in values else values
        if isinstance(node, nodes.Mapping):
            return self._dict(types.DictType(key_type=types.StrType(), value_type=types.AnyType()), node, path)
        try:
            return scalars.plainly(node) if isinstance(node, nodes.Scalar) else FAILED
        except Wrong as wrong:
            return self.tell(node.mark, path, wrong.message, wrong.hint)

    def _backend(self, node: nodes.Node, path: KeyPath) -> object:
        if not isinstance(node, nodes.Mapping):
            return self._no_mapping(node, path)
        entry = next((each for each in node.entries if each.key.text == PROVIDER), None)
        if entry is None:
            return self.tell(
                node.mark, path, f"the key '{PROVIDER}' is missing", f"it is one of {listed(self._providers)}"
            )
        value = entry.value
        self.values[*path, PROVIDER] = value
        if not isinstance(value, nodes.Scalar) or value.text not in self._providers:
            hint = suggestion(value.text, self._providers, "there are") if isinstance(value, nodes.Scalar) else ""
            return self.tell(value.mark, (*path, PROVIDER), f"there is no provider{called(value)}", hint)
        type_ = types.type_info(self._providers[value.text])
        assert isinstance(type_, types.StructType)  # noqa: S101 - ProviderSettings are structs
        return self._struct(type_, node, path, besides=PROVIDER)

    def _struct(self, type_: types.StructType, node: nodes.Node, path: KeyPath, besides: str | None = None) -> object:
        if not isinstance(node, nodes.Mapping):
            return self._no_mapping(node, path, type_)
        fields = {field.encode_name: field for field in type_.fields}
        skipped = {name for name in (besides, type_.tag_field) if name}
        members: dict[str, object] = {}
        unknown: list[nodes.Scalar] = []
        for entry in node.entries:
            name = entry.key.text
            below = (*path, name)
            self.keys[below] = entry.key.mark
            if name in fields and _may_be_left(fields[name]) and scalars.is_null(entry.value):
                self.values[below] = entry.value
            elif name in fields:
                members[fields[name].name] = self._member(fields[name], entry.value, below)
            elif name not in skipped:
                unknown.append(entry.key)
        complete = self._keys_fit(type_, [*skipped, *fields], unknown, node, path)
        if not complete or FAILED in members.values():
            return FAILED
        return self._made(type_.cls, members, node, path)

    def _keys_fit(
        self, type_: types.StructType, known: list[str], unknown: list[nodes.Scalar], node: nodes.Mapping, path: KeyPath
    ) -> bool:
        """Whether all keys are known and there. One mistake is told once: `versoin` is not a missing `version` too."""
        fields = {field.encode_name: field for field in type_.fields}
        missing = [name for name, field in fields.items() if _is_required(field) and (*path, name) not in self.keys]
        for key in unknown:
            hint = self._belonging.hint(key.text, known, type_.cls, path)
            self.tell(key.mark, (*path, key.text), f"unknown key '{shortened(key.text)}'", hint)
            meant = nearest(key.text, known)
            missing = [name for name in missing if name != meant]
        for name in missing:
            hint = self._belonging.purpose(type_.cls, fields[name])
            self.tell(node.mark, path, f"the key '{name}' is missing", hint)
        return not missing and not unknown

    def _member(self, field: types.Field, node: nodes.Node, path: KeyPath) -> object:
        before = len(self.problems)
        value = self.bind(field.type, node, path)
        if value is FAILED and scalars.is_null(node) and not field.required and len(self.problems) == before + 1:
            problem = self.problems[-1]
            hint = problem.hint or "give a value, or remove the key to have the default"
            self.problems[-1] = msgspec.structs.replace(problem, hint=hint)
        return value

    def _made(self, cls: type[object], members: Mapping[str, object], node: nodes.Node, path: KeyPath) -> object:
        try:
            return cls(**members)
        except Unfit as error:
            where = (*path, error.member) if error.member else path
            place = self.values.get(where, node)
            return self.tell(place.mark, where, error.message, error.hint)
        except ValueError as error:
            return self.tell(node.mark, path, shortened(str(error), 200))

    def _no_mapping(self, node: nodes.Node, path: KeyPath, type_: types.StructType | None = None) -> Failed:
        hint = "write 'key: value' lines, without '- '"
        if isinstance(node, nodes.Scalar):
            example = _written(type_, node)
            if scalars.is_null(node):
                hint = "write its keys below it, indented"
            elif re.search(r"\w:\S", node.text):
                hint = "put a space after the ':'"
            elif example:
                hint = f"write {example}"
            else:
                hint = "write 'key: value' lines below it, indented"
        return self.tell(node.mark, path, f"expected a mapping of keys to values, found {found(node)}", hint)


def wording(wanted: Shape) -> str:
    """What a type takes, in the words of its annotation where it has some."""
    return wanted.words or scalars.expected(wanted.type)


def _with(inner: Shape, outer: Shape) -> Shape:
    return Shape(type=inner.type, words=inner.words or outer.words, extra={**outer.extra, **inner.extra})


def _takes(type_: types.Type, node: nodes.Node) -> bool:
    if isinstance(node, nodes.Mapping):
        return isinstance(type_, types.StructType | types.DictType | types.AnyType)
    if isinstance(node, nodes.Sequence):
        return isinstance(type_, types.CollectionType | types.AnyType)
    return not isinstance(type_, types.StructType | types.DictType | types.CollectionType)


def _written(type_: types.Type | None, node: nodes.Node) -> str:
    """A single value as it is written where a type wants more than that: within its one required or usual key."""
    if not isinstance(node, nodes.Scalar) or kind(node) == "null" or found(node) == "text":
        return ""
    text = shortened(node.text)
    if not isinstance(type_, types.StructType):
        return text if isinstance(type_, scalars.SCALARS) else ""
    required = [field.encode_name for field in type_.fields if field.required]
    wanted = required or [field.encode_name for field in type_.fields if shape(field.type).extra.get("usual")]
    return f"{{{wanted[0]}: {text}}}" if len(wanted) == 1 else ""


def _is_required(field: types.Field) -> bool:
    return field.required or bool(shape(field.type).extra.get("required"))


def _may_be_left(field: types.Field) -> bool:
    """Whether a key with nothing behind it is the same as no key: `routes:` with every line below it a comment."""
    inner = shape(field.type).type
    return not field.required and isinstance(inner, types.StructType | types.DictType | types.CollectionType)
