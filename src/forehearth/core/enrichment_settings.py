"""A job file as frozen values: its members are the file's keys, their docstrings its documentation.

A job enriches a table: what a prompt or a function asks of each row is put to a deployment, and the answers become
columns beside the row's own.
"""

import re
from typing import Annotated, Any, Final, Literal

import msgspec

from forehearth.core.function_settings import EmbedFunction, ExtractFunction, Function
from forehearth.core.kafka_settings import KafkaSource
from forehearth.core.price_settings import ListedAs, Money, PriceSettings
from forehearth.core.secret import Secret
from forehearth.core.settings import ProviderSettings
from forehearth.core.settings_types import HttpUrl, Name, Seconds, Text, Unfit, Values

Count = Annotated[int, msgspec.Meta(ge=1)]
Column = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
ColumnType = Literal["string", "int64", "float64", "bool", "date32", "timestamp"]
MetadataColumn = Literal["model", "usage", "prompt_hash", "spec", "source_version", "run_id", "time"]
OnError = Literal["quarantine", "keep", "fail"]

_ALL_METADATA: tuple[MetadataColumn, ...] = (
    "model", "usage", "prompt_hash", "spec", "source_version", "run_id", "time",
)  # fmt: skip


_SECRET: Final = re.compile(r"(?i)secret|token|password|_sas|sas_|account_key|access_key(?!_id)|credential|bearer")


def check_options(options: dict[str, str]) -> None:
    """Refuse options of a storage that are credentials, by their names. Raises `Unfit`."""
    for name in options:
        if _SECRET.search(name):
            hint = f"write it as storage_secrets: {{{name}: '${{NAME_OF_AN_ENVIRONMENT_VARIABLE}}'}}"
            raise Unfit(f"'{name}' is a secret, and may not stand here", member="storage_options", hint=hint)


class CsvSource(Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="format", tag="csv"):
    """CSV files in UTF-8 with a line of column names. An empty value is a gap; among numbers `NA` and its like are.

    A quote that is not closed takes the rest of the file.
    """

    path: Text
    """A file, a folder of `*.csv`, or a pattern such as `in/2026-*.csv`."""
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    """What stands between two values."""
    types: dict[Column, ColumnType] = {}
    """Types of columns that are not to be guessed from the first megabyte, such as `zip: string`."""


class JsonlSource(Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="format", tag="jsonl"):
    """Files with one JSON object a line. Whole numbers beyond 64 bits are decimal numbers, of up to 76 digits."""

    path: Text
    """A file, a folder of `*.jsonl`, or a pattern."""


class ParquetSource(Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="format", tag="parquet"):
    """Parquet files of the same columns."""

    path: Text
    """A file, a folder of `*.parquet`, or a pattern."""


class DeltaSource(Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="format", tag="delta"):
    """A Delta table at one version, whatever is written to it meanwhile."""

    path: Text
    """The table's folder, or its URL, such as `abfss://…`, `az://…` or `s3://…`."""
    version: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """The version to read; the newest one when the run begins, unless given."""
    storage_options: dict[str, Text] = {}
    """What the storage asks for, by the names of Delta's own library, such as `aws_region`."""
    storage_secrets: dict[str, Secret] = {}
    """The same for what must not be seen, such as `azure_storage_account_key`."""

    def __post_init__(self) -> None:
        """Refuse secrets in the open. Raises `Unfit`."""
        check_options(self.storage_options)


class PostgresSource(
    Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="format", tag="postgresql"
):
    """The rows of a query, read once when the run begins and kept beside the run's state until it is complete."""

    url: Secret
    """The database's address with its credential: `postgresql://user:password@host/database`."""
    query: Text
    """What is asked, such as `SELECT id, text FROM tickets ORDER BY id`."""


Source = CsvSource | JsonlSource | ParquetSource | DeltaSource | PostgresSource | KafkaSource


class DeltaSink(Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="format", tag="delta"):
    """A Delta table; made when it is not there. Each chunk is one commit with a transaction id: it lands once."""

    path: Text
    """The table's folder, or its URL. Rows that fail go to a table beside it whose name ends in `__quarantine`."""
    storage_options: dict[str, Text] = {}
    """What the storage asks for, by the names of Delta's own library, such as `aws_region`."""
    storage_secrets: dict[str, Secret] = {}
    """The same for what must not be seen, such as `azure_storage_account_key`."""

    def __post_init__(self) -> None:
        """Refuse secrets in the open. Raises `Unfit`."""
        check_options(self.storage_options)


class ParquetSink(Values, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="format", tag="parquet"):
    """A folder of Parquet files, one for each chunk, written whole under a name that is always the same."""

    path: Text
    """The folder. Rows that fail go to a folder beside it whose name ends in `__quarantine`."""


Sink = DeltaSink | ParquetSink


class JobDeployment(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is asked: a deployment of this machine's server, or of any other host."""

    name: Text
    """The deployment's name; at a backend the model's name there."""
    backend: ProviderSettings | None = None
    """The host, with the keys of a backend in the server's configuration. Unless given it is the server that
    `FOREHEARTH_URL` names, with the key in `FOREHEARTH_API_KEY`; else the one that runs here, with its development key.
    """
    max_output_tokens: Count = 4_096
    """The longest answer that is asked for; it is sent to the host, so that limits hold."""
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    """How much chance there is in answers."""
    seed: int | None = None
    """Hosts that take one give the same answer again, as far as they can."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high"] | None = None
    """For reasoning models: how long they may think."""


class JobLimits(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run may use.

    Where a limit is reached the run ends as `incomplete`: what landed stays, and it goes on once the limit is raised.
    Where the host does not say what a call used, limits of tokens and money count the most that it can have used.
    """

    requests: Count | None = None
    """Requests sent to the host, tries again included."""
    tokens: Count | None = None
    """Tokens of prompts and answers together. A call is only sent where its longest answer still fits."""
    usd: Money | None = None
    """Money, by `prices` or `price_as`. A call is only sent where the most that it can cost still fits."""
    seconds: Seconds | None = None
    """Seconds of work, those before an interruption included."""


class LineageSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the job tells what it read and wrote, as OpenLineage events: when it begins, and when it ends."""

    path: Text | None = None
    """A file, to which each event is added as a line of JSON."""
    url: HttpUrl | None = None
    """An address to which each event is posted, such as `https://marquez.example/api/v1/lineage`."""
    api_key: Secret | None = None
    """Sent there as bearer token."""
    namespace: Text = "forehearth"
    """What the job belongs to there."""

    def __post_init__(self) -> None:
        """Refuse to tell nobody. Raises `Unfit`."""
        if self.path is None and self.url is None:
            raise Unfit("the events have no place to go to", hint="add path: FILE or url: ADDRESS")


class Job(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    version: Annotated[Literal[1], msgspec.Meta(extra={"required": True})] = 1
    """The version of this file's format, always 1."""
    name: Name | None = None
    """What the job is called where its state is kept; the file's name without its ending, unless given."""
    source: Source
    """The table to enrich."""
    key: tuple[Column, ...] = ()
    """The columns that tell rows apart. `merge` needs them."""
    prompt: Text | None = None
    """What is asked for each row; there is either this or `function`. `{column}` stands for the row's value there; `{{`
    and `}}` are braces. A row with nothing in one of these columns is not asked about, and gets nothing."""
    function: Function | None = None
    """Instead of a prompt: one of the AI functions, over one column. It brings its own words and form of the answer, so
    that there is no `system` and no `schema` beside it."""
    system: Text | None = None
    """What the model is told before each prompt."""
    schema: dict[str, Any] | None = None
    """JSON Schema of the answer, an object whose properties become columns. Without it the answer is one text."""
    output: Column | None = None
    """Without a schema: the name of the column with the answer. It is `answer` unless given, and for a function what is
    said there; `extract` names its columns by its labels."""
    deployment: JobDeployment
    sink: Sink
    """Where enriched rows go."""
    mode: Literal["append", "merge"] = "append"
    """`append` adds rows; `merge` replaces those with the same key and adds the others. Of several rows of one key the
    last one stays; a row with a gap in its key is like no other one, and is added."""
    on_error: OnError = "quarantine"
    """What becomes of a row without a usable answer. `quarantine`: it goes to the table beside the sink, with the
    reason; `keep`: it goes to the sink with empty answers and the reason in `_error`; `fail`: the run stops."""
    limits: JobLimits = JobLimits()
    prices: PriceSettings | None = None
    """What tokens cost."""
    price_as: ListedAs | None = None
    """The provider and the model whose listed price they have, such as `openai/gpt-4o`; instead of `prices`."""
    columns: tuple[MetadataColumn, ...] = _ALL_METADATA
    """What is told of each answer beside it, in columns that begin with `_`."""
    private: tuple[Column, ...] = ()
    """Columns whose values may not leave this machine: `prompt` and `function` may name them only where
    `deployment.backend` is on it. They land beside the answers as all columns do, and are not shown in plans and
    reports."""
    lineage: LineageSettings | None = None
    """Who is told what was read and written; nobody, unless given."""
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=1_024)] = 64
    """Calls at the same time, at most. Fewer are made while the host asks for it."""
    chunk_rows: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 5_000
    """Rows that land together, in one commit. Many small ones make a Delta table slow to write and to read."""
    retries: Annotated[int, msgspec.Meta(ge=0, le=20)] = 5
    """How often a row is asked again after a failure of the host. Being asked to wait does not count."""
    patience_seconds: Seconds = 600.0
    """Seconds without any answer, while the host is away or busy, after which the run stops; 15, where it was never
    reached at all. It stops at once where the host wants to be left alone for longer. It can be resumed."""

    def __post_init__(self) -> None:
        """Refuse what does not fit together. Raises `Unfit`."""
        self._check_question()
        if self.mode == "merge" and not self.key:
            raise Unfit("merge needs a key", member="mode", hint="add key: [COLUMN]: the columns that tell rows apart")
        if self.mode == "merge" and not isinstance(self.sink, DeltaSink):
            hint = "write format: delta, or mode: append"
            raise Unfit("rows of Parquet files cannot be replaced", member="mode", hint=hint)
        if self.prices is not None and self.price_as is not None:
            raise Unfit("there are both prices and price_as", member="price_as", hint="remove one of them")
        if self.limits.usd is not None:
            self._check_prices()

    def _check_question(self) -> None:
        if self.function is None:
            if self.prompt is None:
                hint = "add prompt: TEXT, or function: {name: NAME, column: COLUMN}"
                raise Unfit("there is neither a prompt nor a function", hint=hint)
            return
        for name in ("prompt", "system", "schema"):
            if getattr(self, name) is not None:
                hint = f"remove '{name}', or the function"
                raise Unfit(f"a function has its own words, and no {name} beside it", member=name, hint=hint)
        if self.output is not None and isinstance(self.function, ExtractFunction):
            hint = "remove it, or name the labels otherwise"
            raise Unfit("extract fills a column for each label, and no other", member="output", hint=hint)

    def _check_prices(self) -> None:
        if self.prices is None and self.price_as is None:
            hint = "add prices: {input: AMOUNT, output: AMOUNT}, or price_as: PROVIDER/MODEL"
            raise Unfit("a limit in money needs prices", member="limits", hint=hint)
        if self.prices is not None and self.prices.currency != "USD":
            raise Unfit("the limit is in USD and the prices are not", member="prices", hint="give prices in USD")
        has_answers = not isinstance(self.function, EmbedFunction)
        if self.prices is not None and self.prices.output is None and has_answers:
            raise Unfit("a limit in money needs a price of answers", member="prices", hint="add output: AMOUNT")
