"""Job files are read strictly, and what is wrong is told by its place."""

import pytest

from forehearth import enrich
from forehearth.config.problems import ConfigError
from forehearth.core.enrichment_settings import ParquetSource
from forehearth.core.function_settings import LabelSettings, SummarizeFunction

GOOD = """\
version: 1
source: {format: parquet, path: in.parquet}
prompt: "Summarise: {text}"
deployment: {name: chat}
sink: {format: delta, path: out}
"""


def read(tmp_path, text, **environ):
    path = tmp_path / "summaries.yaml"
    path.write_text(text)
    return enrich.load(path, environ)


def test_a_job_of_five_lines(tmp_path):
    file = read(tmp_path, GOOD)
    assert (file.name, file.folder) == ("summaries", tmp_path)
    assert file.job.source == ParquetSource(path="in.parquet")
    assert (file.job.mode, file.job.on_error, file.job.chunk_rows) == ("append", "quarantine", 5_000)
    assert enrich.state_folder(file, None) == tmp_path / ".forehearth" / "summaries"
    assert enrich.state_folder(read(tmp_path, "name: other\n" + GOOD), tmp_path / "s") == tmp_path / "s" / "other"


def test_a_host_has_the_keys_of_a_backend(tmp_path):
    backend = "{provider: azure_openai, endpoint: 'https://x.openai.azure.com', api_key: '${KEY}'}"
    text = GOOD.replace("{name: chat}", f"{{name: gpt, backend: {backend}}}")
    found = read(tmp_path, text, KEY="a-key-of-some-length").job.deployment.backend
    assert found.address == "https://x.openai.azure.com"
    assert "a-key" not in repr(found)


@pytest.mark.parametrize(
    "backend",
    [
        "{provider: openai_compatible, base_url: 'http://127.0.0.1:11434/v1'}",
        "{provider: openai_compatible, base_url: 'http://[::1]/v1'}",
        "{provider: openai_compatible, base_url: 'http://LOCALHOST:8080/openai/v1'}",
        "{provider: scripted}",
    ],
)
def test_private_values_go_to_hosts_of_this_machine(tmp_path, backend):
    text = GOOD.replace("{name: chat}", f"{{name: m, backend: {backend}}}") + "private: [text]\n"
    assert read(tmp_path, text).job.private == ("text",)


@pytest.mark.parametrize(
    ("connection", "environ", "refused"),
    [
        ("", {"HTTP_PROXY": "http://proxy.example:3128"}, True),
        ("", {"HTTP_PROXY": "http://proxy.example:3128", "NO_PROXY": "127.0.0.1"}, False),
        ("", {"HTTPS_PROXY": "http://proxy.example:3128"}, False),
        (", connection: {proxy: none}", {"HTTP_PROXY": "http://proxy.example:3128"}, False),
        (", connection: {proxy: 'http://proxy.example:3128'}", {"NO_PROXY": "*"}, True),
    ],
)
def test_private_values_go_through_no_proxy(tmp_path, connection, environ, refused):
    backend = f"{{provider: openai_compatible, base_url: 'http://127.0.0.1:11434/v1'{connection}}}"
    text = GOOD.replace("{name: chat}", f"{{name: m, backend: {backend}}}") + "private: [text]\n"
    if not refused:
        assert read(tmp_path, text, **environ).job.private == ("text",)
        return
    with pytest.raises(ConfigError, match="'text' is private, and its host is asked through a proxy"):
        read(tmp_path, text, **environ)


@pytest.mark.parametrize("end", ["key: [", "key: [a,", "source: {", "source: {format: csv,", "schema: {a: [", "["])
def test_a_file_that_ends_within_a_bracket_is_told_by_its_place(tmp_path, end):
    with pytest.raises(ConfigError) as wrong:
        read(tmp_path, f"version: 1\n{end}")
    assert str(wrong.value).startswith(f"{tmp_path / 'summaries.yaml'}:2:")


ELSEWHERE = "deployment: {name: m, backend: {provider: openai_compatible, base_url: 'http://127.0.0.1.example/v1'}}"

TOPIC = "source: {format: kafka, topic: t, brokers: ['b:9092']"

WRONG = [
    ("prompt: x\nprompts: y", "2:1: prompts: unknown key 'prompts'", "did you mean 'prompt'?"),
    ("prompt: 'a {text'", "1:9: prompt: the '{' in line 1, column 3 of the text", "write {{ for a brace"),
    (
        "prompt: x\nsource: {format: xls, path: a}",
        "2:18: source.format: there is no format 'xls'",
        "it is one of 'csv'",
    ),
    ("prompt: x\nsource: {path: a}", "source: the key 'format' is missing", "it is one of 'csv'"),
    ("prompt: x\nsource: {format: csv, path: a, version: 3}", "source.version: unknown key", "at the top of the file"),
    ("prompt: x\nmode: merge", "2:7: mode: merge needs a key", "add key: [COLUMN]"),
    (
        "prompt: x\nmode: merge\nkey: [id]\nsink: {format: parquet, path: o}",
        "2:7: mode: rows of Parquet files",
        "format: delta",
    ),
    ("prompt: x\nlimits: {usd: 5}", "2:9: limits: a limit in money needs prices", "add prices"),
    (
        "prompt: x\nlimits: {usd: 5}\nprices: {input: 1}",
        "prices: a limit in money needs a price of answers",
        "add output",
    ),
    (
        "prompt: x\nlimits: {usd: 5}\nprices: {input: 1, output: 1, currency: EUR}",
        "prices: the limit is in USD and the prices are not",
        "give prices in USD",
    ),
    ("prompt: x\nprices: {input: 1}\nprice_as: openai/gpt-4o", "price_as: there are both", "remove one"),
    ("prompt: x\nlimits: {request: 5}", "limits.request: unknown key", "did you mean 'requests'?"),
    (
        "prompt: x\nschema:\n  type: object\n  properties:\n    n: {type: intger}",
        "5:15: schema.properties.n.type: a column has one type",
        "did you mean 'integer'?",
    ),
    ("prompt: x\nschema: {type: array}", "2:9: schema: the answer has to be an object", "write type: object"),
    (
        "prompt: x\nschema: {type: object, properties: {n: {type: string, format: date}}}",
        "schema.properties.n.format: 'format' is not taken for the type string",
        "taken here are",
    ),
    ("prompt: x\noutput: _model", "2:9: output: the column '_model' begins with '_'", "another name"),
    (
        "prompt: 'about {mail}'\nprivate: [mail]",
        "1:9: prompt: the column 'mail' is private, and the server's deployment may send it on",
        "take it out of the prompt",
    ),
    (
        f"prompt: 'about {{mail}}'\nprivate: [mail]\n{ELSEWHERE}",
        "the column 'mail' is private, and its host is elsewhere",
        "on this machine",
    ),
    (
        "prompt: x\nsink: {format: delta, path: 's3://b/t', storage_options: {aws_secret_access_key: abc}}",
        "sink.storage_options: 'aws_secret_access_key' is a secret",
        "storage_secrets",
    ),
    ("prompt: x\nlineage: {namespace: team}", "2:10: lineage: the events have no place to go to", "add path: FILE"),
    (f"prompt: x\n{TOPIC}, columns: {{}}}}", "source.columns: there are no columns", "write columns"),
    (f"prompt: x\n{TOPIC}, columns: {{id: int}}}}", "source.columns.id: expected", "int64"),
    (f"prompt: x\n{TOPIC}, columns: {{_offset: int64}}}}", "the column '_offset' begins with '_'", "by themselves"),
    (
        f"prompt: x\n{TOPIC.replace('b:9092', 'b')}, columns: {{id: int64}}}}",
        "source.brokers[0]: expected",
        "HOST:PORT",
    ),
    (f"prompt: x\n{TOPIC}, columns: {{id: int64}}, ca_bundle: {__file__}}}", "'ca_bundle' is for encrypted", "tls"),
    (
        f"prompt: x\n{TOPIC}, columns: {{id: int64}}, sasl: {{user: u, password: '${{KEY}}'}}}}",
        "source.sasl: the password would be sent in the clear",
        "add tls: true",
    ),
    ("prompt: x\ncolumns: [modle]", "columns[0]: expected", "did you mean 'model'?"),
    (
        "prompt: x\ndeployment: {name: c, backend: {provider: embedded}}",
        "there is no provider 'embedded'",
        "there are 'azure_openai'",
    ),
    (
        "prompt: x\nsource: {format: postgresql, url: 'postgresql://u:secret@h/d', query: SELECT 1}",
        "source.url: a secret may not stand in this file",
        "write ${NAME}",
    ),
]


@pytest.mark.parametrize(("lines", "says", "hint"), WRONG)
def test_what_is_wrong_is_told_by_its_place(tmp_path, lines, says, hint):
    given = {line.partition(":")[0] for line in lines.splitlines() if not line.startswith(" ")}
    rest = "".join(f"{line}\n" for line in GOOD.splitlines() if line.partition(":")[0] not in given)
    with pytest.raises(ConfigError) as wrong:
        read(tmp_path, f"{lines}\n{rest}", KEY="a-key-of-some-length")
    assert len(wrong.value.problems) == 1
    assert says in str(wrong.value)
    assert hint in str(wrong.value)
    assert "secret@" not in str(wrong.value)


FUNCTION = GOOD.replace('prompt: "Summarise: {text}"', "function: {name: summarize, column: text}")


def test_a_function_stands_in_the_place_of_a_prompt(tmp_path):
    job = read(tmp_path, FUNCTION).job
    assert (job.function, job.prompt, job.output) == (SummarizeFunction(column="text"), None, None)
    labels = "[city, {label: rooms, type: integer, max_items: 1}]"
    function = read(
        tmp_path, FUNCTION.replace("summarize, column: text", f"extract, column: text, labels: {labels}")
    ).job.function
    assert function.labels == ("city", LabelSettings(label="rooms", type="integer", max_items=1))


WRONG_FUNCTIONS = [
    ("{name: sumarize, column: text}", "", "function.name: there is no name 'sumarize'", "did you mean 'summarize'?"),
    ("{name: similarity, column: text}", "", "function.name: there is no name 'similarity'", "it is one of"),
    ("{column: text}", "", "function: the key 'name' is missing", "it is one of 'analyze_sentiment'"),
    ("{name: summarize}", "", "function: the key 'column' is missing", "The column with the texts."),
    ("{name: embed, column: text, labels: [a]}", "", "function.labels: unknown key 'labels'", ""),
    ("{name: translate, column: text}", "", "the key 'to_lang' is missing", "such as `spanish`"),
    ("{name: classify, column: text, labels: []}", "", "function.labels: expected a list of at least one item", ""),
    ("{name: embed, column: text}", "prompt: x", "prompt: a function has its own words", "remove 'prompt'"),
    ("{name: embed, column: text}", "system: x", "system: a function has its own words", "remove 'system'"),
    (
        "{name: embed, column: text}",
        "schema: {type: object}",
        "schema: a function has its own words",
        "or the function",
    ),
    ("", "", "there is neither a prompt nor a function", "add prompt: TEXT"),
    ("{name: embed, column: text}", "output: _v", "output: the column '_v' begins with '_'", "another name"),
    ("{name: extract, column: text, labels: [_a]}", "", "function.labels: the column '_a'", "another name"),
    ("{name: extract, column: text, labels: [a]}", "output: b", "output: extract fills a column for each", "remove it"),
    (
        "{name: extract, column: text, labels: [a, {label: b, raw_col: a}]}",
        "",
        "'a' is there twice",
        "a name of its own",
    ),
    (
        "{name: extract, column: text, labels: [{label: when, properties: {format: date}}]}",
        "",
        "function.labels: when.items.format: 'format' is not taken for the type string",
        "taken here are",
    ),
    ("{name: summarize, column: text}", "private: [text]", "function.column: the column 'text' is private", "another"),
    (
        "{name: embed, column: text}",
        "deployment: {name: e, temperature: 0}",
        "deployment.temperature: embed makes vectors, which have no temperature",
        "remove it",
    ),
    (
        "{name: summarize, column: text}",
        "prices: {input: 1}\nlimits: {usd: 5}",
        "prices: a limit in money needs a price of answers",
        "add output",
    ),
]


@pytest.mark.parametrize(("function", "lines", "says", "hint"), WRONG_FUNCTIONS)
def test_what_is_wrong_with_a_function_is_told_by_its_place(tmp_path, function, lines, says, hint):
    text = FUNCTION.replace("function: {name: summarize, column: text}", f"function: {function}" if function else "")
    if lines.startswith("deployment"):
        text = text.replace("deployment: {name: chat}", "")
    with pytest.raises(ConfigError) as wrong:
        read(tmp_path, f"{text}\n{lines}\n")
    assert len(wrong.value.problems) == 1
    assert says in str(wrong.value)
    assert hint in str(wrong.value)


def test_vectors_need_no_price_of_answers(tmp_path):
    text = FUNCTION.replace("summarize", "embed") + "prices: {input: 1}\nlimits: {usd: 5}\n"
    assert read(tmp_path, text).job.prices.output is None


@pytest.mark.parametrize(
    "label",
    [
        "type: object, properties: {properties: 5}",
        "type: object, properties: {a: 5}, required: []",
        "type: object, properties: {a: [x], b: {type: 5}}, required: [b]",
        "type: object, properties: {properties: {a: {type: string}}, required: 5}",
        "type: object",
        "max_items: 1, properties: {enum: 5}",
        "max_items: 1, properties: {type: 5}",
        "max_items: 1, properties: {type: [5, {}]}",
        "type: array",
        "type: array, properties: {items: 5}",
        "properties: {minLength: a}, raw_col: why",
    ],
)
def test_a_label_that_is_no_schema_is_told_at_the_labels(tmp_path, label):
    function = f"{{name: extract, column: text, labels: [{{label: found, {label}}}]}}"
    with pytest.raises(ConfigError) as wrong:
        read(tmp_path, FUNCTION.replace("{name: summarize, column: text}", function))
    assert [each.path for each in wrong.value.problems] == ["function.labels"]
    assert "function.labels: found" in str(wrong.value)
