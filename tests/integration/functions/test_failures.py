"""Rows without an answer: what stands in their cells, and what they count as."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import forehearth.functions as aifunc
from forehearth.core.errors import Misconfigured
from tests.integration.functions.hosts import FILTERED, saying, scripted


def conf(*rules: dict[str, object], **more: object) -> aifunc.Conf:
    return aifunc.Conf(client=scripted(*rules), progress_bar_mode="disable", **more)


def test_a_failed_row_fails_no_other() -> None:
    refused = {"when": {"contains": "odd"}, "status": 400, "error": {"code": "odd", "message": "Too odd."}}
    texts = pd.Series(["good", "filtered words", "odd", None, "odd"], index=list("abcde"))
    with pytest.warns(aifunc.RowsFailed, match="3 of 5 rows have no answer; the first, row 1: FilterResult"):
        found = texts.ai.summarize(conf=conf(FILTERED, refused))
    assert [type(each) for each in found] == [
        str, aifunc.FilterResult, aifunc.ExceptionResult, type(None), aifunc.ExceptionResult,
    ]  # fmt: skip
    assert (found["c"].code, found["c"].message, str(found["c"])) == (
        "odd", "Too odd.", "ExceptionResult(odd: Too odd.)",
    )  # fmt: skip
    (stats,) = found.ai.stats.to_dict("records")
    counted = [stats[f"num_{each}"] for each in ("successful", "exceptions", "unevaluated", "harmful")]
    assert counted == [1, 2, 0, 1]
    good, failed = aifunc.split_results(found)
    assert (list(good.index), list(failed.index)) == (["a", "d"], ["b", "c", "e"])


def test_what_is_no_text_fails_alone() -> None:
    with pytest.warns(aifunc.RowsFailed, match="1 of 2 rows .*not_text"):
        found = pd.Series(["half \ud83d", "good"], dtype=object).ai.summarize(conf=conf())
    assert (found[0].code, found[1]) == ("not_text", "good")


def test_what_every_row_would_be_told_is_told_once() -> None:
    wrong = {"status": 401, "error": {"code": "401", "message": "Wrong key."}}
    texts = pd.Series([f"text {n}" for n in range(5)])
    with pytest.warns(aifunc.RowsFailed, match="5 of 5 rows .* the host answers with 401: Wrong key"):
        found = texts.ai.classify("a", "b", conf=conf(wrong, concurrency=1))
    assert [type(each) for each in found] == [aifunc.ExceptionResult] + [aifunc.NotEvaluatedResult] * 4
    assert list(found.ai.stats.iloc[0][["num_exceptions", "num_unevaluated"]]) == [1, 4]


def test_what_was_answered_before_stays() -> None:
    wrong = {"when": {"after": 2}, "status": 403, "error": {"code": "403", "message": "No more."}}
    texts = pd.Series([f"text {n}" for n in range(4)])
    with pytest.warns(aifunc.RowsFailed, match="2 of 4 rows"):
        found = texts.ai.fix_grammar(conf=conf(wrong, concurrency=1))
    assert found.tolist()[:2] == ["text 0", "text 1"]
    assert [type(each) for each in found[2:]] == [aifunc.ExceptionResult, aifunc.NotEvaluatedResult]


def test_a_host_that_stays_busy_leaves_rows_to_be_asked_again() -> None:
    busy = {"status": 429, "error": {"code": "429", "message": "Slow down."}, "headers": {"retry-after": "0"}}
    with pytest.warns(aifunc.RowsFailed, match="CapacityExceededResult"):
        found = pd.Series(["one", "two"]).ai.summarize(conf=conf(busy, patience=0.01))
    assert [type(each) for each in found] == [aifunc.CapacityExceededResult] * 2
    assert found.ai.stats["num_exceptions"][0] == 2


def test_a_row_whose_input_has_no_answer_is_not_asked() -> None:
    with pytest.warns(aifunc.RowsFailed):
        summaries = pd.Series(["filtered words", "good"]).ai.summarize(conf=conf(FILTERED))
    with pytest.warns(aifunc.RowsFailed, match="1 of 2 rows"):
        found = summaries.ai.translate("spanish", conf=conf())
    assert [type(each) for each in found] == [aifunc.NotEvaluatedResult, str]
    frame = pd.DataFrame({"text": ["a", "b"], "summary": summaries})
    with pytest.warns(aifunc.RowsFailed, match="1 of 2 rows"):
        assert type(frame.ai.summarize(conf=conf())[0]) is aifunc.NotEvaluatedResult
    with pytest.warns(aifunc.RowsFailed, match="1 of 2 rows"):
        found = frame.ai.generate_response("Look at {summary}", is_prompt_template=True, conf=conf())
    assert [type(each) for each in found] == [aifunc.NotEvaluatedResult, str]


def test_vectors_of_filtered_texts() -> None:
    texts = pd.Series(["filtered words", "good"])
    with pytest.warns(aifunc.RowsFailed, match="1 of 2 rows"):
        found = texts.ai.similarity("good", conf=conf(FILTERED))
    assert (type(found[0]), found[1]) == (aifunc.FilterResult, pytest.approx(1.0))
    assert list(found.ai.stats.iloc[0][["num_successful", "num_harmful"]]) == [1, 1]


def test_extract_has_the_reason_in_each_column() -> None:
    texts = pd.Series(["filtered words", "good"])
    with pytest.warns(aifunc.RowsFailed):
        found = texts.ai.extract("a", "b", conf=conf(FILTERED, saying("good", {"a": ["x"], "b": []})))
    assert [type(each) for each in found.loc[0]] == [aifunc.FilterResult] * 2
    good, failed = aifunc.split_results(found)
    assert (list(good.index), list(failed.index)) == ([1], [0])


def test_the_warning_is_at_the_line_of_the_caller() -> None:
    texts = pd.Series(["filtered words"])
    with pytest.warns(aifunc.RowsFailed) as told:
        texts.ai.summarize(conf=conf(FILTERED))
    with pytest.warns(aifunc.RowsFailed) as told_too:
        texts.ai.similarity("b", conf=conf(FILTERED))
    assert {each.filename for each in (*told, *told_too)} == {__file__}


def test_a_function_that_takes_too_long() -> None:
    with pytest.raises(TimeoutError, match=r"ai.summarize did not end within 0.05 s"):
        pd.Series(["one"]).ai.summarize(conf=conf({"fault": "hang"}, timeout=0.05))


def test_nothing_is_asked_where_there_is_nothing() -> None:
    found = pd.Series([None, None], dtype=object).ai.summarize(conf=aifunc.Conf())
    assert found.tolist() == [None, None]
    assert pd.Series([], dtype=object).ai.embed(conf=aifunc.Conf()).tolist() == []


def test_without_anybody_to_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("FOREHEARTH_API_KEY", raising=False)
    with pytest.raises(Misconfigured, match="set FOREHEARTH_URL and FOREHEARTH_API_KEY"):
        pd.Series(["one"]).ai.summarize(conf=aifunc.Conf(progress_bar_mode="disable"))


INTERRUPTED = """
import asyncio, os, signal, threading
import pandas as pd
import forehearth.functions as aifunc
from tests.integration.functions.hosts import scripted

async def cell():
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    pd.Series(["one"]).ai.summarize(conf=aifunc.Conf(client=scripted({"fault": "hang"})))

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started this may have had it ignored
loop = asyncio.new_event_loop()
try:
    loop.run_until_complete(cell())
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_cell_of_a_notebook_can_be_interrupted(repository_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=repository_root, capture_output=True, text=True, check=False
    )
    assert done.stdout == "interrupted\n", done.stderr
