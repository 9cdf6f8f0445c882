"""The embedding engine: a sentence transformer as an ONNX file, run by onnxruntime, imported when it is loaded.

The vector of a text is the mean of its tokens' vectors, scaled to length one.
"""

from collections.abc import Sequence
from typing import Any, Final

from forehearth.core.errors import ContextTooLong, InvalidField
from forehearth.embedded.catalogue import ModelSource
from forehearth.embedded.gguf import ModelUnusable

BATCH: Final = 16
"""Texts that are computed at once."""

Input = str | tuple[int, ...]
"""A text, or the tokens of one."""


class EmbeddingEngine:
    """A model in memory. Its calls block, so they are made in threads."""

    def __init__(self, source: ModelSource, threads: int) -> None:
        """Load the model. Raises `ModelUnusable`."""
        import numpy  # noqa: PLC0415, ICN001 - only a process that runs a model pays for these
        import onnxruntime  # noqa: PLC0415
        import tokenizers  # noqa: PLC0415

        self._numpy: Any = numpy
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4
        name = ""
        try:
            name = source.files["tokenizer"].name
            self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(source.files["tokenizer"]))
            name = source.files["onnx"].name
            model = str(source.files["onnx"])
            self._session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the libraries raise plain `Exception` for a file that is not there or damaged
            raise ModelUnusable(f"The model file {name} could not be loaded by the engine.") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._longest = source.context_tokens or 0
        self._words = self._tokenizer.get_vocab_size()
        self._first, self._last = (self._tokenizer.token_to_id(mark) for mark in ("[CLS]", "[SEP]"))

    def tokens(self, inputs: Sequence[Input]) -> list[list[int]]:
        """The tokens of each input, marks at both ends included. Raises `ContextTooLong` and `InvalidField`."""
        texts = [item for item in inputs if isinstance(item, str)]
        encoded = iter(self._tokenizer.encode_batch(texts, add_special_tokens=False))
        bodies = [
            next(encoded).ids if isinstance(item, str) else self._checked(at, item) for at, item in enumerate(inputs)
        ]
        marked = [[self._first, *body, self._last] for body in bodies]
        for at, one in enumerate(marked):
            if len(one) > self._longest:
                message = (
                    f"This model's maximum context length is {self._longest} tokens, however input[{at}] has "
                    f"{len(one)} tokens. Please reduce your input."
                )
                raise ContextTooLong(message, param="input")
        return marked

    def _checked(self, at: int, tokens: tuple[int, ...]) -> list[int]:
        if any(token >= self._words for token in tokens):
            message = f"Invalid value for input[{at}]: tokens must be this model's own, from 0 to {self._words - 1}."
            raise InvalidField(f"{message} Send the text instead.", param=f"input[{at}]")
        return [token for token in tokens if token not in (self._first, self._last)]

    def embed(self, batch: Sequence[Sequence[int]]) -> Any:
        """The vectors of a batch of token lists: an array of 32-bit floats, one row each."""
        numpy = self._numpy
        width = max(len(tokens) for tokens in batch)
        ids = numpy.zeros((len(batch), width), numpy.int64)
        mask = numpy.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
        hidden = self._session.run(None, given)[0]
        weights = mask[:, :, None].astype(numpy.float32)
        mean = (hidden * weights).sum(1) / weights.sum(1)
        return (mean / numpy.linalg.norm(mean, axis=1, keepdims=True)).astype(numpy.float32)
