"""Tool calls from models that were hardly trained for them: told in words what there is, held to its form by a grammar.

A call is written as `{"name": "f", "arguments": {…}}`, with arguments that are valid against the tool's schema. With
`auto` an answer in plain words may stand in its place; it cannot begin with a brace, so that the first character says
which of the two it is.
"""

import json
import re
from typing import Any, Final, Literal

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.embedded.gbnf import Chars, Node, Repeat, Text, choice, seq
from forehearth.embedded.members import Members, kind_of
from forehearth.embedded.schema_grammar import SchemaGrammar

MOST_TOOLS: Final = 128
NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_PARAMETERS: Final = {"type": "object", "properties": {}}
_OBJECT: Final = frozenset({"object"})

_REST: Final = (("\u00a0", "\ud7ff"), ("\ue000", "\ufffd"), ("\U00010000", "\U0010ffff"))
_FIRST_OF_ANSWER: Final = Chars((("!", "z"), ("|", "~"), *_REST))
_ANSWER: Final = Chars((("\t", "\n"), ("\r", "\r"), (" ", "~"), *_REST))

Mode = Literal["auto", "required", "named"]


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function that the caller offers."""

    name: str
    description: str
    parameters: Any
    path: str
    """Where its parameters stand in the request."""


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """The functions that may be called, and whether one must be."""

    mode: Mode
    tools: tuple[Tool, ...]
    """Only those that may be: one, where it is named."""

    def instructions(self) -> str:
        """What the model is told."""
        lines = [
            json.dumps(
                {"name": tool.name, "description": tool.description, "parameters": tool.parameters}, ensure_ascii=False
            )
            for tool in self.tools
        ]
        how = 'write only this JSON, with nothing around it: {"name": "<function>", "arguments": {<its parameters>}}'
        if self.mode == "auto":
            how = f"To call a function, {how}\nTo answer without one, write plain text."
        else:
            how = f"You must call a function: {how}"
        return "\n".join(["You can call these functions:", *lines, how])

    def grammar(self) -> str:
        """The grammar of an answer. Raises `InvalidField` and `NotSupported` for the schemas of the parameters."""
        rules = SchemaGrammar()
        calls: list[Node] = []
        for tool in self.tools:
            arguments = rules.add(tool.parameters, tool.path, _OBJECT)
            rules.text(arguments, tool.path)
            calls.append(seq(Text(prefix(tool.name)), arguments, Text("}")))
        if self.mode == "auto":
            calls.append(seq(_FIRST_OF_ANSWER, Repeat(_ANSWER)))
        return rules.text(choice(calls), "tools")


def prefix(name: str) -> str:
    """What a call of this function begins with, up to its arguments."""
    return f'{{"name": "{name}", "arguments": '


def call_text(name: str, arguments: str) -> str:
    """A call as the model writes it, to remind it of one it made."""
    return f"{prefix(name)}{arguments}}}"


def read_tools(members: Members) -> Tools | None:
    """`tools` and `tool_choice`; None when none is to be called. Raises `InvalidField` and `NotSupported`."""
    given = members.items("tools") or []
    if len(given) > MOST_TOOLS:
        raise members.wrong("tools", f"may have at most {MOST_TOOLS} entries")
    tools = tuple(_tool(at, tool) for at, tool in enumerate(given))
    names = [tool.name for tool in tools]
    for at, name in enumerate(names):
        if name in names[:at]:
            path = f"tools[{at}].function.name"
            raise InvalidField(f"Invalid value for {path}: {name!r} is there already.", param=path)
    return _chosen(members, tools)


def _tool(at: int, given: object) -> Tool:
    path = f"tools[{at}]"
    if not isinstance(given, dict):
        raise InvalidField(f"Invalid type for {path}: expected an object, but got {kind_of(given)}.", param=path)
    tool = Members(given, path)
    kind = tool.required("type", tool.text("type"))
    if kind != "function":
        raise tool.unsupported("type", f"{str(kind)[:64]!r} is not supported by embedded models: only 'function' is")
    tool.refuse_unknown({"type", "function"})
    function = tool.required("function", tool.object("function"))
    function.refuse_unknown({"name", "description", "parameters", "strict"})
    function.flag("strict")
    name = function.required("name", function.text("name"))
    if not NAME.fullmatch(name):
        raise function.wrong("name", "must be 1 to 64 letters, digits, underscores or hyphens")
    parameters = function.get("parameters")
    return Tool(
        name=name,
        description=function.text("description") or "",
        parameters=_NO_PARAMETERS if parameters is None else parameters,
        path=function.path("parameters"),
    )


def _chosen(members: Members, tools: tuple[Tool, ...]) -> Tools | None:
    choice_given = members.get("tool_choice")
    if isinstance(choice_given, dict):
        name = _named(members.required("tool_choice", members.object("tool_choice")))
        named = tuple(tool for tool in tools if tool.name == name)
        if not named:
            message = f"Invalid value for tool_choice.function.name: {name[:64]!r} is not one of the tools."
            raise InvalidField(message, param="tool_choice.function.name")
        return Tools(mode="named", tools=named)
    chosen = members.choice("tool_choice", ("none", "auto", "required"))
    if not tools:
        if chosen in {None, "none"}:
            return None
        raise members.wrong("tool_choice", "is only allowed when tools are given")
    if chosen == "none":
        return None
    return Tools(mode="required" if chosen == "required" else "auto", tools=tools)


def _named(given: Members) -> str:
    kind = given.required("type", given.text("type"))
    if kind != "function":
        raise given.unsupported("type", f"{str(kind)[:64]!r} is not supported by embedded models: only 'function' is")
    given.refuse_unknown({"type", "function"})
    function = given.required("function", given.object("function"))
    function.refuse_unknown({"name"})
    name: str = function.required("name", function.text("name"))
    return name


class CallPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a call, as it is streamed: the function's name comes first and alone."""

    name: str | None = None
    arguments: str = ""


class CallReader:
    """Tells what the model writes apart, piece by piece: words of an answer, or parts of a call."""

    def __init__(self, tools: Tools) -> None:
        self._prefixes = {prefix(tool.name): tool.name for tool in tools.tools}
        self._seen = ""
        self._held = ""
        self.kind: Literal["unknown", "answer", "call"] = "unknown"

    def feed(self, text: str) -> str | CallPart | None:
        """What `text` adds: words, a part of a call, or nothing yet."""
        if self.kind == "answer":
            return text
        if self.kind == "call":
            return self._arguments(text)
        self._seen += text
        if self._seen and not self._seen.startswith("{"):
            self.kind = "answer"
            return self._seen
        for start, name in self._prefixes.items():
            if self._seen.startswith(start):
                self.kind = "call"
                self._held = self._seen[len(start) :]
                return CallPart(name=name)
        return None

    def _arguments(self, text: str) -> CallPart | None:
        """All but the last character: that may be the brace which closes the call."""
        ready, self._held = (self._held + text)[:-1], (self._held + text)[-1:]
        return CallPart(arguments=ready) if ready else None

    def finish(self, *, complete: bool) -> CallPart | None:
        """What was held back: nothing but the call's own brace, where it is complete."""
        rest = self._held[:-1] if complete else self._held
        self._held = ""
        return CallPart(arguments=rest) if rest else None
