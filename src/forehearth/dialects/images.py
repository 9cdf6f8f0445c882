"""What is asked of image models: a picture for a prompt, or one that is made of others.

Source: OpenAI's specification of `/images`. Only what every host reads alike is looked at.
"""

from typing import Annotated, Final, Literal

import msgspec

from forehearth.dialects import form_values
from forehearth.dialects.form_fields import FileField, FormFields, FormRules

LARGEST_FILE: Final = 50 * 1024 * 1024
"""Bytes of a picture. Source: the service's documentation."""
MOST_FILES: Final = 16
"""Pictures that one is made of; a mask is one more."""
_FORMATS: Final = ("url", "b64_json")
_MOST_ANSWERS, _MOST_PARTIAL = 10, 3

_Answers = Annotated[int, msgspec.Meta(ge=1, le=_MOST_ANSWERS)]
_Partial = Annotated[int, msgspec.Meta(ge=0, le=_MOST_PARTIAL)]


class Pictures(msgspec.Struct, kw_only=True):
    """Pictures that are wanted."""

    prompt: Annotated[str, msgspec.Meta(min_length=1)]
    model: str | msgspec.UnsetType | None = msgspec.UNSET
    n: _Answers | None = None
    size: str | None = None
    quality: str | None = None
    response_format: Literal["url", "b64_json"] | None = None
    output_format: str | None = None
    output_compression: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    background: str | None = None
    stream: bool | None = None
    partial_images: _Partial | None = None
    user: str | None = None


class _Reference(msgspec.Struct):
    image_url: str | None = None
    file_id: str | None = None


class EditedPictures(Pictures, kw_only=True):
    """Pictures that are to be made of others, which are named and not sent along."""

    images: Annotated[list[_Reference], msgspec.Meta(min_length=1, max_length=MOST_FILES)]
    mask: _Reference | None = None


def edit_rules(most_bytes: int = LARGEST_FILE) -> FormRules:
    """The fields of `/images/edits`, for files of up to so many bytes."""
    single = ("model", "prompt", "n", "response_format", "stream", "partial_images")
    return FormRules(
        files={
            "image": FileField(most_bytes=most_bytes, many=True, needed=True),
            "mask": FileField(most_bytes=most_bytes),
        },
        texts=dict.fromkeys(single, False),
        read=frozenset({"prompt"}),
    )


def read_edit(fields: FormFields) -> bool:
    """Whether a form that was read to its end asks for a stream. Raises `InvalidField` for what is wrong with it."""
    form_values.required(fields, "prompt")
    form_values.number(fields, "n", 1, _MOST_ANSWERS)
    form_values.number(fields, "partial_images", 0, _MOST_PARTIAL)
    form_values.choice(fields, "response_format", _FORMATS)
    return form_values.truth(fields, "stream")
