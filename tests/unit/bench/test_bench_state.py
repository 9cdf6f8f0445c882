import json
import os
import socket
import threading
import time
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from bench.errors import FailedError
from bench.responses_cost import cpu_seconds, main
from bench.state import conversations_page
from bench.state.asking import Ask, Client
from bench.state.cases import CASES, Stage
from bench.state.chart import svg
from bench.state.page import markdown

MACHINE = {
    "cpu": "Some CPU",
    "cores": 2,
    "memory_gib": 8.0,
    "system": "Some Linux",
    "kernel": "6.1",
    "python": "3.11.7",
}
LOAD = [{"busy": 0.02, "average": 0.4}, {"busy": 0.31, "average": 1.5}]
COMMON = {"taken": "2026-11-27T10:00:00+00:00", "commit": "0123456789ab", "machine": MACHINE, "load": LOAD}


def record() -> dict[str, Any]:
    """The plain call is 100, then 150, then 200; the others are twice, then three times, then four times that."""
    rows = {
        each.name: {
            "title": each.title,
            "over": each.over,
            "us": [100.0, 150.0, 200.0] if each.over == each.name else [200.0, 450.0, 800.0],
        }
        for each in CASES
    }
    return COMMON | {"plan": {"rounds": 3, "calls": 800, "connections": 16}, "rows": rows}


def test_the_page_compares_each_row_with_the_plain_call_of_its_round():
    page = markdown(record())
    assert "| plain chat call | 150 | 100 | 1 |" in page
    assert "| stored response | 450 | 200 | 3.0 x (2.0 to 4.0) |" in page
    assert "| turn of an agent, streamed | 450 | 200 | 3.0 x (2.0 to 4.0) |" in page
    assert "other programs used 2 to 31 % of it, the load average was 0.4 to 1.5" in page
    assert "{" not in page


def test_the_chart_has_a_bar_for_each_row():
    root = ET.fromstring(svg(record()))  # noqa: S314 - our own output
    bars = list(root.iter("{http://www.w3.org/2000/svg}rect"))[1:]
    widths = {float(bar.get("width", "0")) for bar in bars}
    assert len(bars) == len(CASES)
    assert max(widths) / min(widths) == pytest.approx(3, abs=0.01)


def test_a_report_is_made_anew_from_its_record(tmp_path, capsys):
    (tmp_path / "kept.json").write_text(json.dumps(record()))
    assert main(["--render", str(tmp_path / "kept.json"), "--out", str(tmp_path / "out")]) == 0
    assert {each.name for each in (tmp_path / "out").iterdir()} == {"responses.json", "responses.md", "responses.svg"}
    assert json.loads((tmp_path / "out" / "responses.json").read_text()) == record()
    assert "stored response" in capsys.readouterr().out


def test_the_page_of_conversations_has_each_row_s_spread():
    rounds = [{"p50": value, "p99": 2 * value, "most": 9.0} for value in (1.0, 4.0, 2.0)]
    plan = {"conversations": 10_000, "items": 50, "rounds": 3, "tries": 2_000}
    found = COMMON | {"store": "SQLite", "plan": plan, "fill_seconds": 90.4, "rows": {"append 1": rounds}}
    page = conversations_page.markdown(found)
    assert "| append 1 | 2.00 (1.00 to 4.00) | 4.00 (2.00 to 8.00) |" in page
    assert "10,000 conversations of 50 items" in page
    assert "{" not in page


class Scripted:
    """Answers each connection's requests with the same bytes, on a thread of its own."""

    def __init__(self, body: bytes, status: str = "200 OK") -> None:
        self._reply = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.heads: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as asked:
            while head := asked.readline():
                length = 0
                while (line := asked.readline()) not in {b"\r\n", b""}:
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                asked.read(length)
                self.heads.append(head)
                connection.sendall(self._reply)


def test_a_client_asks_over_all_its_connections_and_checks_every_answer():
    server = Scripted(b'{"id": "one"}')
    ask = Ask(target="/here", headers={"api-key": "k"}, body={"a": 1}, expects=b"one")
    with server.listening, Client(server.port, 3) as client:
        assert client.one(ask) == {"id": "one"}
        assert len(client.all([(ask.encoded(), ask.expects)] * 7)) == 7
        with pytest.raises(FailedError, match="status 200"):
            client.all([(ask.encoded(), b"two")])
    assert server.heads == [b"POST /here HTTP/1.1\r\n"] * 9


def test_an_answer_that_is_an_error_is_told():
    server = Scripted(b"no", "429 Too Many Requests")
    with server.listening, Client(server.port, 1) as client, pytest.raises(FailedError, match="status 429: no"):
        client.one(Ask(target="/", headers={}, body={}))


def test_every_row_asks_what_its_title_says():
    server = Scripted(b'{"id": "id_1"}')
    with server.listening, Client(server.port, 1) as client:
        stage = Stage.__new__(Stage)
        stage._client, stage._key, stage._token = client, {"api-key": "k"}, {"authorization": "Bearer t"}
        stage.previous = "resp_1"
        asked = {each.name: each.ask(stage, 2) for each in CASES}
    assert all(len(each) == 2 for each in asked.values())
    first = {name: each[0] for name, each in asked.items()}
    assert first["not-stored"].body["store"] is False
    assert first["chat-stored"].body["store"] is True
    assert first["previous"].body["previous_response_id"] == "resp_1"
    assert first["conversation"].body["conversation"] == "id_1"
    assert {name for name, ask in first.items() if ask.body.get("stream")} == {n for n in first if n.endswith("stream")}
    for name in ("agent", "agent-conversation", "agent-stream"):
        assert first[name].target == "/api/projects/default/openai/v1/responses"
        assert first[name].headers == {"authorization": "Bearer t"}
        assert "model" not in first[name].body


def test_processor_time_of_a_tree_goes_on_as_it_works():
    class Here:
        def tree(self) -> list[int]:
            return [os.getpid()]

    before, own = cpu_seconds(Here()), time.process_time()
    sum(range(300_000))
    assert cpu_seconds(Here()) - before == pytest.approx(time.process_time() - own, rel=0.2, abs=0.002)
