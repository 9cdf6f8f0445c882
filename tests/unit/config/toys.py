"""A provider with every kind of member that settings may have, for the tests of what reads them."""

import enum
from typing import Annotated, Any, Literal

import msgspec

from forehearth.core.secret import Secret
from forehearth.core.settings import ProviderSettings
from forehearth.core.settings_types import FilePath, HttpUrl, ProxyUrl, Unfit, Values


class Colour(enum.StrEnum):
    """Some colours."""

    RED = "red"
    DARK_GREEN = "dark_green"


class Circle(Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="shape", tag="circle"):
    """Round."""

    radius: Annotated[float, msgspec.Meta(gt=0)]
    """Half its width."""


class Square(Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="shape", tag="square"):
    """Not round."""

    side: Annotated[int, msgspec.Meta(ge=1, le=9, multiple_of=2)]
    """Each of its sides."""


class Toy(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A toy."""

    whole: Annotated[int, msgspec.Meta(ge=-5, le=5)] = 0
    """A whole number, as most things are."""
    number: float = 0.5
    flag: bool = False
    text: str = "some"
    short: Annotated[str, msgspec.Meta(max_length=3)] = ""
    worded: Annotated[str, msgspec.Meta(pattern="^(one|two|three)$")] = "one"
    word: Literal["alpha", "beta"] = "alpha"
    figure: Literal[1, 2] = 1
    colour: Colour = Colour.RED
    maybe: int | None = None
    either: int | str = 0
    several: str | tuple[str, ...] | None = None
    drawing: Circle | Square | None = None
    drawings: tuple[Circle | Square, ...] = ()
    by_name: dict[str, int] = msgspec.field(default_factory=dict)
    by_number: dict[int, str] = msgspec.field(default_factory=dict)
    anything: Any = None
    unique: frozenset[int] = frozenset()
    pair: Annotated[tuple[int, ...], msgspec.Meta(min_length=2, max_length=2)] = (0, 0)
    secret: Secret | None = None
    file: FilePath | None = None
    url: HttpUrl | None = None
    proxy: ProxyUrl | None = None
    renamed: int = msgspec.field(default=0, name="other-name")

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.whole > 0 and self.flag:
            raise Unfit("whole and flag exclude each other", member="flag", hint="leave one out")
        if self.text == "trouble":
            raise ValueError("this text is trouble")


class Demanding(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A toy with a required key, whose models may be files."""

    model_files = True

    address: str
    """Where the toy is."""


TOYS = {"toy": Toy, "demanding": Demanding}
