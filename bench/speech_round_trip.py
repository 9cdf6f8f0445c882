"""How well what the embedded voice says is heard by the embedded model that hears: text, speech, text.

Usage: python -m bench.speech_round_trip [--record FILE]

Each sentence of two of the Harvard lists (IEEE 297-1969) is spoken, put into a file, decoded and told, through the
door of the model host. A figure is the share of words that were heard wrong, left out or put in, of all words, after
case and punctuation are taken away. It says how well the two work together, and not how well either understands people
or is understood by them. Seconds of the processor are those of this process; decoding is a process of its own.

The weights are the catalogue's; they are fetched where they are not there.
"""

import argparse
import asyncio
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported: the processor's seconds are counted

from bench.machine import commit, describe
from forehearth.core.exchange import Head
from forehearth.embedded.catalogue import source_of
from forehearth.embedded.host import Asked, EmbeddedHost, HostLimits, open_host
from forehearth.embedded.package_client import WhenNeeded
from forehearth.embedded.weights import default_cache, ensure

HEARS, SPEAKS = "whisper-tiny-en", "hibari-tts"
FORMATS = ("wav", "mp3", "opus")

SENTENCES = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "It's easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls.",
    "The juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck.",
    "The hogs were fed chopped corn and garbage.",
    "Four hours of steady work faced us.",
    "A large size in stockings is hard to sell.",
    "The boy was there when the sun rose.",
    "A rod is used to catch pink salmon.",
    "The source of the huge river is the clear spring.",
    "Kick the ball straight and follow through.",
    "Help the woman get back to her feet.",
    "A pot of tea helps to pass the evening.",
    "Smoky fires lack flame and heat.",
    "The soft cushion broke the man's fall.",
    "The salt breeze came across from the sea.",
    "The girl at the booth sold fifty bonds.",
)


@dataclass(frozen=True, kw_only=True)
class Round:
    """One sentence there and back."""

    said: str
    heard: str
    seconds: float
    """Of sound."""
    spoke: float
    heard_in: float
    """Seconds of the processor."""

    @property
    def wrong(self) -> int:
        """Words that did not come back."""
        return word_errors(self.said, self.heard)


def words_of(text: str) -> list[str]:
    """The words of a text, without case and punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower())


def word_errors(said: str, heard: str) -> int:
    """Words to change, leave out or put in until one text is the other."""
    before, after = words_of(said), words_of(heard)
    costs = list(range(len(after) + 1))
    for row, word in enumerate(before, 1):
        corner, costs[0] = costs[0], row
        for column, other in enumerate(after, 1):
            corner, costs[column] = (
                costs[column],
                min(costs[column] + 1, costs[column - 1] + 1, corner + (word != other)),
            )
    return costs[-1]


async def measured(form: str) -> list[Round]:
    """Every sentence there and back in files of `form`."""
    cache, client = default_cache(os.environ), WhenNeeded(os.environ)
    folders = {name: await ensure(name, cache, lambda _: None, client) for name in (HEARS, SPEAKS)}
    sources = {name: source_of(name, folder) for name, folder in folders.items()}
    async with open_host(sources, HostLimits(threads=1)) as host:
        await host.preload()
        return [await _round(host, sentence, form) for sentence in SENTENCES]


async def _round(host: EmbeddedHost, sentence: str, form: str) -> Round:
    body = {"model": SPEAKS, "voice": "heart", "input": sentence, "response_format": form}
    began = time.process_time()
    file = await _asked(host, "speech", msgspec.json.encode(body), b"application/json")
    between = time.process_time()
    said = await _asked(host, "transcriptions", _form(file), b"multipart/form-data; boundary=b")
    told = msgspec.json.decode(said)
    ended = time.process_time()
    return Round(
        said=sentence, heard=told["text"], seconds=told["duration"], spoke=between - began, heard_in=ended - between
    )


async def _asked(host: EmbeddedHost, operation: str, body: bytes, kind: bytes) -> bytes:
    head = Head(method=b"POST", raw_path=b"/v1/audio/" + operation.encode(), headers={b"content-type": kind})
    admitted = host.accept(head)
    if not isinstance(admitted, Asked):
        raise TypeError(operation)
    reply = await admitted.answer(body)
    if reply.status != 200:
        raise ValueError(reply.body.decode())
    return reply.body


def _form(file: bytes) -> bytes:
    fields = {"model": HEARS, "response_format": "verbose_json"}
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    head = '--b\r\nContent-Disposition: form-data; name="file"; filename="sound"\r\n\r\n'
    return "".join([*parts, head]).encode() + file + b"\r\n--b--\r\n"


def table(rounds: dict[str, list[Round]]) -> str:
    """The figures by format, and each sentence that came back otherwise."""
    lines = ["| file | words | wrong | word error rate | sound | to speak | to hear |", "|---|---|---|---|---|---|---|"]
    for form, found in rounds.items():
        words, wrong = sum(len(words_of(one.said)) for one in found), sum(one.wrong for one in found)
        seconds, spoke, heard = (sum(getattr(one, name) for one in found) for name in ("seconds", "spoke", "heard_in"))
        cells = (
            form,
            words,
            wrong,
            f"{100 * wrong / words:.1f} %",
            *(f"{each:.1f} s" for each in (seconds, spoke, heard)),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", "What came back otherwise:", ""]
    lines += [f"- {form}: {one.said} → {one.heard}" for form, each in rounds.items() for one in each if one.wrong]
    return "\n".join(lines) + "\n"


def page(rounds: dict[str, list[Round]], about: str) -> str:
    """The page of docs/benchmarks."""
    return (
        "# Text, speech, text: how many words come back\n\n"
        "<!-- Written by `python -m bench.speech_round_trip`. -->\n\n"
        f"{len(SENTENCES)} sentences of the Harvard lists (IEEE 297-1969) are spoken by `{SPEAKS}`, put into a file,"
        f" decoded and heard by `{HEARS}`.\nWrong are words that were changed, left out or put in, case and punctuation"
        " aside.\nSeconds are of sound, and of the processor of the model host; the decoder's own are not in them.\n"
        f"Taken {about}.\n\n{table(rounds)}"
    )


def _about() -> str:
    machine, root = describe(), Path(__file__).parent.parent
    today = time.strftime("%Y-%m-%d", time.gmtime())
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}"
    return f"{today} of commit `{commit(root)[:12]}` on {where}"


def main() -> None:
    """Measure, print, and keep where that is wanted."""
    arguments = argparse.ArgumentParser(description="text, speech, text on the embedded models")
    arguments.add_argument("--record", type=Path, help="write the figures to this file")
    record: Path | None = arguments.parse_args().record
    rounds = {form: asyncio.run(measured(form)) for form in FORMATS}
    print(table(rounds))
    if record is not None:
        record.write_text(page(rounds, _about()))


if __name__ == "__main__":
    main()
