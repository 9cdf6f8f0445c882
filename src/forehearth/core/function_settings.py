"""AI functions in a job file: what is asked of each value of a column, by the names that Microsoft Fabric has."""

from typing import Annotated, Any, Final, Literal

import msgspec

from forehearth.core.settings_types import Text, Unfit, Values

Column = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Labels = Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
SENTIMENTS: Final = ("positive", "negative", "neutral", "mixed")


class SentimentFunction(
    Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="analyze_sentiment"
):
    """Says which sentiment a text has, in the column `sentiment`."""

    column: Column
    """The column with the texts."""
    labels: Labels = SENTIMENTS
    """The sentiments there are. Where none fits there is nothing."""


class ClassifyFunction(Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="classify"):
    """Says which of some labels a text has, in the column `category`."""

    column: Column
    """The column with the texts."""
    labels: Labels
    """The labels there are. Where none fits there is nothing."""


class EmbedFunction(Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="embed"):
    """Makes a vector of each text, a list of 32-bit floats in the column `embedding`.

    `deployment` names a model of embeddings; what answers are asked for with, such as `temperature`, is refused there.
    """

    column: Column
    """The column with the texts."""


class LabelSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A label with more than its name."""

    label: Column
    """The name of the label, and of its column."""
    description: Text | None = None
    """What is meant by it."""
    max_items: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """How many there are at most. With 1 the column has values, else lists of them."""
    type: Literal["string", "integer", "number", "boolean", "array", "object"] = "string"
    """What a value is. With `array` the column has the arrays themselves."""
    properties: dict[str, Any] = {}
    """Further keywords of JSON Schema, such as `enum` and `items`; of an object its members."""
    required: tuple[Text, ...] | None = None
    """Members of an object that are always there; the others may be null. All of them, unless given."""
    raw_col: Column | None = None
    """A column more, with what was found and the model's reasons for it."""


class ExtractFunction(Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="extract"):
    """Finds in a text what it says of some labels. Each of them is a column."""

    column: Column
    """The column with the texts."""
    labels: Annotated[tuple[Column | LabelSettings, ...], msgspec.Meta(min_length=1)]
    """What to look for: names, or mappings with more than a name."""

    def __post_init__(self) -> None:
        """Refuse two columns of one name. Raises `Unfit`."""
        names = list[str]()
        for each in self.labels:
            names += [each] if isinstance(each, str) else [each.label, *([each.raw_col] if each.raw_col else [])]
        twice = sorted({each for each in names if names.count(each) > 1})
        if twice:
            hint = "give each label, and each raw_col, a name of its own"
            raise Unfit(f"'{twice[0]}' is there twice", member="labels", hint=hint)


class GrammarFunction(
    Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="fix_grammar"
):
    """Corrects a text, into the column `corrected`."""

    column: Column
    """The column with the texts."""


class SummarizeFunction(
    Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="summarize"
):
    """Summarizes a text, into the column `summary`."""

    column: Column
    """The column with the texts."""
    instructions: Text | None = None
    """What the model is told besides, such as how long a summary is."""


class TranslateFunction(
    Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="translate"
):
    """Translates a text, into the column `translation`."""

    column: Column
    """The column with the texts."""
    to_lang: Text
    """The language, such as `spanish`."""


Function = (
    SentimentFunction
    | ClassifyFunction
    | EmbedFunction
    | ExtractFunction
    | GrammarFunction
    | SummarizeFunction
    | TranslateFunction
)
