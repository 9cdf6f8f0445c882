"""The model host's surface: the OpenAI dialect over the models that this process runs.

To the gateway it is one more backend. It asks for no credential: its socket is private to this installation.
"""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any, Final

import msgspec

from forehearth.core.clock import Clock, SystemClock
from forehearth.core.errors import (
    ContextTooLong,
    DeploymentNotFound,
    ForehearthError,
    MethodNotAllowed,
    NotSupported,
    PathNotFound,
    Refused,
)
from forehearth.core.exchange import Head, Reply
from forehearth.dialects.audio import LARGEST_FILE
from forehearth.dialects.form_fields import AROUND
from forehearth.embedded.answers import Origin
from forehearth.embedded.audio import decoded
from forehearth.embedded.catalogue import ModelSource
from forehearth.embedded.chat import answer_chat
from forehearth.embedded.chat_request import read_chat
from forehearth.embedded.completions import answer_completions, read_completions
from forehearth.embedded.embedding_engine import EmbeddingEngine
from forehearth.embedded.embeddings import EmbeddingModel, read_embeddings
from forehearth.embedded.embeddings import Load as LoadEmbeddings
from forehearth.embedded.form import Form, read_form
from forehearth.embedded.members import Members, decode_object
from forehearth.embedded.pins import Kind
from forehearth.embedded.replies import error_of, unexpected, whole
from forehearth.embedded.speech import Engine as SpeakingEngine
from forehearth.embedded.speech import Load as LoadSpeaking
from forehearth.embedded.speech import SpeechModel, read_speech
from forehearth.embedded.text_model import Load as LoadText
from forehearth.embedded.text_model import TextLimits, TextModel, load_llama
from forehearth.embedded.transcriptions import NUMBERS, Decode, TranscriptionModel, read_transcription
from forehearth.embedded.transcriptions import Engine as HearingEngine
from forehearth.embedded.transcriptions import Load as LoadHearing

MAX_BODY: Final = 16 * 1024 * 1024
"""Bytes of a request."""

MAX_FORM: Final = LARGEST_FILE + AROUND
"""Bytes of a request with a recording in it."""

ENGINES: Final[Mapping[str, str]] = {
    "chat": "xllamacpp",
    "embeddings": "onnxruntime",
    "transcription": "numpy",
    "speech": "onnxruntime",
}
"""The package that runs each kind of model."""

_LARGE: Final = 16 * 1024
"""Bytes of a body from which on it is read in a thread: a large schema takes a while."""

_OPERATIONS: Final[Mapping[bytes, str]] = {
    b"/v1/chat/completions": "chat",
    b"/v1/completions": "completions",
    b"/v1/embeddings": "embeddings",
    b"/v1/audio/transcriptions": "transcriptions",
    b"/v1/audio/translations": "translations",
    b"/v1/audio/speech": "speech",
}
_KINDS: Final[Mapping[str, tuple[Kind, str]]] = {
    "chat": ("chat", "chat completions"),
    "completions": ("chat", "completions"),
    "embeddings": ("embeddings", "embeddings"),
    "transcriptions": ("transcription", "transcriptions"),
    "translations": ("transcription", "translations"),
    "speech": ("speech", "speech"),
}
"""By operation, the kind of model that can do it, and what it is called."""
_FORMS: Final = frozenset({"transcriptions", "translations"})

_PROMPTS: Final[Mapping[str, str]] = {"chat": "messages", "completions": "prompt", "embeddings": "input"}
"""The member that is at fault when an input is too long."""

Model = TextModel | EmbeddingModel | TranscriptionModel | SpeechModel


class HostLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the machine the host may take."""

    threads: int | None = None
    """Processor threads of an engine; None: one less than there are processors, as more collapse under other load."""
    slots: int = 4
    """Calls at once to one chat model."""
    most_waiting: int = 64
    """Calls in line behind them."""

    def engine_threads(self) -> int:
        """The threads, decided."""
        return self.threads or max(1, len(os.sched_getaffinity(0)) - 1)


def load_whisper(source: ModelSource) -> HearingEngine:
    """Load a Whisper model into the real engine."""
    from forehearth.embedded.transcription_engine import WhisperEngine  # noqa: PLC0415 - brings numpy

    return WhisperEngine(source)


def load_hibari(source: ModelSource, threads: int) -> SpeakingEngine:
    """Load Hibari into the real engine."""
    from forehearth.embedded.speech_engine import HibariEngine  # noqa: PLC0415 - brings numpy

    return HibariEngine(source, threads)


class Loaders(msgspec.Struct, frozen=True, kw_only=True):
    """What loads a model of each kind."""

    text: LoadText = load_llama
    embeddings: LoadEmbeddings = EmbeddingEngine
    hearing: LoadHearing = load_whisper
    decode: Decode = decoded
    speaking: LoadSpeaking = load_hibari


class EmbeddedHost:
    """The door of the model host (`ports.entrance.Entrance`)."""

    def __init__(self, models: Mapping[str, Model], clock: Clock) -> None:
        self._models = models
        self._clock = clock

    def accept(self, head: Head) -> "Asked | Reply | None":
        """Let an operation in; answer what needs no body; everything else is refused here too."""
        wanted = b"POST" if head.raw_path in _OPERATIONS else b"GET"
        pages = {b"/health": self.health, b"/v1/models": self.list_models}
        if head.raw_path not in _OPERATIONS and head.raw_path not in pages:
            return error_of(PathNotFound("The model host has no such path."))
        if head.method != wanted:
            message = f"Only {wanted.decode()} is allowed here."
            return error_of(MethodNotAllowed(message, allowed=(wanted.decode(),)))
        if wanted == b"GET":
            return whole(pages[head.raw_path]())
        return Asked(self, _OPERATIONS[head.raw_path], head.headers.get(b"content-type", b""))

    def health(self) -> dict[str, Any]:
        """Which models there are and how they are doing, and what runs them."""
        return {
            "status": "ok",
            "engines": {kind: {"package": package, "version": _version(package)} for kind, package in ENGINES.items()},
            "models": {
                name: {
                    "kind": model.source.kind,
                    "state": model.state,
                    "slots": model.slots.size,
                    "busy": model.slots.taken,
                    "waiting": model.slots.waiting,
                }
                for name, model in self._models.items()
            },
        }

    def list_models(self) -> dict[str, Any]:
        """The models as the dialect lists them."""
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "forehearth"} for name in self._models]
        return {"object": "list", "data": data}

    async def preload(self) -> None:
        """Load every model but those that are fetched at their first use.

        Raises `ModelUnusable` for the first that cannot be.
        """
        for model in self._models.values():
            if model.source.fetch is None:
                await model.ready()

    async def answer(self, operation: str, body: bytes, content_type: bytes = b"") -> Reply:
        """Carry out an operation. Raises our errors."""
        form = await asyncio.to_thread(read_form, content_type, body, NUMBERS) if operation in _FORMS else None
        members = form.fields if form is not None else decode_object(body)
        name = members.required("model", members.text("model"))
        model = self._models.get(name)
        if model is None:
            message = f"The model {shown(name)[:128]!r} does not exist here: {', '.join(map(shown, self._models))} do."
            raise DeploymentNotFound(message, param="model")
        name = shown(name)
        kind, what = _KINDS[operation]
        if operation == "translations" and model.source.kind == kind:
            raise NotSupported(f"The model {name!r} cannot translate: it hears nothing but English.", param="model")
        if model.source.kind != kind:
            raise NotSupported(f"The model {name!r} cannot do {what}.", param="model")
        match model:
            case EmbeddingModel():
                return await model.answer(read_embeddings(members, model.source.dimensions), name)
            case TranscriptionModel():
                return await model.answer(read_transcription(form or Form(members, None)))
            case SpeechModel():
                return await model.answer(read_speech(members))
            case TextModel():
                return await self._answer_in_text(model, operation, members, name, is_large=len(body) > _LARGE)

    async def _answer_in_text(
        self, model: TextModel, operation: str, members: Members, name: str, *, is_large: bool
    ) -> Reply:
        if operation == "completions":
            return await answer_completions(model, read_completions(members), self._origin("cmpl-", name))
        request = await asyncio.to_thread(read_chat, members) if is_large else read_chat(members)
        return await answer_chat(model, request, self._origin("chatcmpl-", name), _new_id)

    def _origin(self, prefix: str, name: str) -> Origin:
        engine = f"{_version(ENGINES['chat'])} {name}"
        fingerprint = f"fp_{hashlib.sha256(engine.encode()).hexdigest()[:12]}"
        return Origin(id=_new_id(prefix), created=int(self._clock.unix()), model=name, fingerprint=fingerprint)


def shown(name: str) -> str:
    """A model's name as callers see it: of a file its stem, because where files are is the operator's business."""
    return PurePath(name).stem if "/" in name else name


class Asked:
    """A request that was let in (`ports.entrance.Admission`)."""

    streamed = None

    def __init__(self, host: EmbeddedHost, operation: str, content_type: bytes) -> None:
        self._host = host
        self._operation = operation
        self._content_type = content_type

    @property
    def max_body(self) -> int:
        """See `ports.entrance.Admission`."""
        return MAX_FORM if self._operation in _FORMS else MAX_BODY

    async def answer(self, body: bytes) -> Reply:
        """The reply, whatever comes of it. Cancelling it frees the place at the engine."""
        try:
            return await self._host.answer(self._operation, body, self._content_type)
        except ContextTooLong as error:
            return error_of(ContextTooLong(error.message, param=error.param or _PROMPTS[self._operation]))
        except ForehearthError as error:
            return error_of(error)
        except Exception as error:  # noqa: BLE001 - the edge of this process: every call gets an answer
            return error_of(unexpected(error))

    def again(self) -> None:
        """Each call is let in by itself."""

    def refuse(self, error: Refused) -> Reply:
        """The reply that tells what was wrong with the transfer of the body."""
        return error_of(error)


@asynccontextmanager
async def open_host(
    models: Mapping[str, ModelSource],
    limits: HostLimits | None = None,
    *,
    clock: Clock | None = None,
    loaders: Loaders | None = None,
) -> AsyncGenerator[EmbeddedHost, None]:
    """The host of `models`, by the names that callers use: nothing else can be asked for.

    Models are loaded when they are first asked. At the end calls in flight are stopped and the models freed.
    """
    limits, loaders = limits or HostLimits(), loaders or Loaders()
    running = {name: _model(name, source, limits, loaders) for name, source in models.items()}
    try:
        yield EmbeddedHost(running, clock or SystemClock())
    finally:
        await asyncio.gather(*(model.close() for model in running.values()))


def _model(name: str, source: ModelSource, limits: HostLimits, loaders: Loaders) -> Model:
    threads = limits.engine_threads()
    if source.kind == "embeddings":
        return EmbeddingModel(name, source, threads, limits.most_waiting, loaders.embeddings)
    if source.kind == "transcription":
        return TranscriptionModel(name, source, limits.most_waiting, loaders.hearing, loaders.decode)
    if source.kind == "speech":
        return SpeechModel(name, source, threads, limits.most_waiting, loaders.speaking)
    bounds = TextLimits(threads=threads, slots=limits.slots, most_waiting=limits.most_waiting)
    return TextModel(name, source, bounds, loaders.text)


def _new_id(prefix: str) -> str:
    return prefix + secrets.token_hex(12)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
