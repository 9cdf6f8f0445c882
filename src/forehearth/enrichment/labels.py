"""What `extract` looks for: labels, and the JSON Schemas that they are asked by."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

_OF_OBJECTS: Final = frozenset({"properties", "required", "additionalProperties"})


class ExtractLabel:
    """One thing to look for in each text.

    Without `max_items=1` there is a list of what was found. `properties` are further keywords of JSON Schema, such as
    `enum` and `items`; for an object they may be its members themselves.
    """

    def __init__(  # noqa: PLR0913 - Fabric's parameters
        self,
        label: str,
        description: str | None = None,
        max_items: int | None = None,
        type: str | list[str] = "string",  # noqa: A002 - Fabric's name
        properties: Mapping[str, Any] | None = None,
        raw_col: str | None = None,
        *,
        required: Sequence[str] | None = None,
        additionalProperties: bool = False,  # noqa: N803 - Fabric's name
    ) -> None:
        if not label:
            raise ValueError("a label is not empty")
        if max_items is not None and max_items < 1:
            raise ValueError(f"max_items of '{label}' is at least 1, and not {max_items}")
        if additionalProperties:
            raise ValueError(f"'{label}' may not have members that are not named: a column has one type")
        self.label = label
        self.description = description
        self.max_items = max_items
        self.type = type
        self.properties = dict(properties or {})
        self.required = None if required is None else list(required)
        self.raw_col = raw_col

    def __repr__(self) -> str:
        known = ((name, value) for name, value in vars(self).items() if value is not None and value != {})
        return f"ExtractLabel({', '.join(f'{name}={value!r}' for name, value in known)})"

    @property
    def is_one(self) -> bool:
        """Whether its column has values, and not lists of them. An array is a list already."""
        return self.max_items == 1 or self._kind == "array"

    @property
    def _kind(self) -> str:
        kinds = [self.type] if isinstance(self.type, str) else [each for each in self.type if each != "null"]
        return kinds[0] if kinds else "string"

    def value(self) -> dict[str, Any]:
        """The schema of one value."""
        more = dict(self.properties)
        if self._kind == "object":
            more = _members(more, self.required)
        return {"type": self.type, **more}

    def asked(self) -> dict[str, Any]:
        """The schema of what is asked for the label."""
        value = self.value()
        if self.raw_col is not None:
            members = {"reason": {"type": "string"}, "extraction_text": value}
            value = {"type": "object", "properties": members, "required": list(members)}
        elif self.is_one:
            return self._told(_nullable(value))
        most = {"maxItems": self.max_items} if self.max_items is not None else {}
        return self._told({"type": "array", "items": value, **most})

    def _told(self, schema: dict[str, Any]) -> dict[str, Any]:
        return schema if self.description is None else {**schema, "description": self.description}

    def found(self, answer: Any) -> Any:
        """The cell for what was answered: null where nothing was found."""
        if self.raw_col is not None:
            values = [each["extraction_text"] for each in answer]
            return (values[0] if values else None) if self.is_one else values or None
        return None if answer == [] else answer


def labels_of(labels: Sequence[Any]) -> list[ExtractLabel]:
    """Names and labels as labels. Raises `ValueError` where there is none, or one twice."""
    found = [each if isinstance(each, ExtractLabel) else ExtractLabel(each) for each in labels]
    names = [name for each in found for name in (each.label, each.raw_col) if name is not None]
    if not names:
        raise ValueError("extract needs at least one label")
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise ValueError(f"'{twice[0]}' is there twice: each column has a name of its own")
    return found


def asked_of(labels: Sequence[ExtractLabel]) -> dict[str, Any]:
    """The schema of an answer about these labels."""
    members = {each.label: each.asked() for each in labels}
    return {"type": "object", "properties": members, "required": list(members)}


def _members(given: dict[str, Any], required: list[str] | None) -> dict[str, Any]:
    """The keywords of an object. Members that are not required may be null: strict hosts want all of them named."""
    keywords = given if given.keys() <= _OF_OBJECTS and "properties" in given else {"properties": given}
    members, needed = keywords["properties"], keywords.get("required", required)
    if not isinstance(members, Mapping) or not isinstance(needed, list | None):
        return keywords  # which is refused where the schema is read
    return {
        "properties": {
            name: member if needed is None or name in needed else _nullable(member) for name, member in members.items()
        },
        "required": list(members),
    }


def _nullable(schema: Any) -> Any:
    """The same, or null. What is no schema stays as it is, and is refused where it is read."""
    kinds = schema.get("type", "string") if isinstance(schema, Mapping) else None
    if not isinstance(kinds, str | list):
        return schema
    listed = [kinds] if isinstance(kinds, str) else kinds
    if "null" in listed:
        return dict(schema)
    nullable = {**schema, "type": [*listed, "null"]}
    if isinstance(schema.get("enum"), list):
        nullable["enum"] = [*schema["enum"], None]
    return nullable
