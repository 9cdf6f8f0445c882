"""What a maker of a low-code flow fills in and gets, operation by operation: words for what the surface describes.

Types and bounds come from the surface's own description; here is which of its members a form has, under which titles.
A member has a `schema` of its own where a form can say less than the surface takes: a text, where that may be a list,
too. What an operation streams is left out, as flows read whole answers.
"""

from collections.abc import Mapping
from typing import Final

from forehearth.connectors.media_forms import IMAGES, TRANSCRIPTION
from forehearth.connectors.members import TEXT, Member, Operation, OperationName


def _usage(*names: tuple[str, str]) -> Member:
    return Member(
        name="usage",
        title="Usage",
        about="How many tokens the call took.",
        members=tuple(Member(name=name, title=title, about=f"{title}, as a count.") for name, title in names),
    )


MODEL: Final = Member(
    name="model",
    title="Deployment",
    about="The deployment that is asked.",
    visibility="important",
    needed=True,
    schema=TEXT,
)
_ROLE: Final = Member(
    name="role",
    title="Role",
    about="Who says it: system, developer, user or assistant.",
    needed=True,
    schema={"enum": ["system", "developer", "user", "assistant"], "default": "user"},
)
_CONTENT: Final = Member(name="content", title="Content", about="What is said.", needed=True, schema=TEXT)
_TEMPERATURE: Final = Member(
    name="temperature",
    title="Temperature",
    about="How freely the words are chosen: 0 is the least free. Some models take none.",
    visibility="advanced",
)
_TOP_P: Final = Member(
    name="top_p",
    title="Top P",
    about="The share of likeliest words that are chosen from, from 0 to 1. Some models take none.",
    visibility="advanced",
)
_ID: Final = Member(name="id", title="ID", about="The name of this answer.")
_MODEL_ANSWERED: Final = Member(name="model", title="Model", about="The model that answered.")

CHAT: Final = Operation(
    name="chat",
    path="/chat/completions",
    operation_id="CreateChatCompletion",
    summary="Answer messages",
    about="Sends messages to a chat deployment and returns its answer. Nothing is kept between two calls.",
    asks=(
        Member(
            name="messages",
            title="Messages",
            about="The conversation so far, oldest first; the last one is answered.",
            visibility="important",
            members=(_ROLE, _CONTENT),
        ),
        Member(
            name="max_completion_tokens",
            title="Maximum Tokens",
            about="The most tokens that the answer may have.",
            visibility="advanced",
        ),
        _TEMPERATURE,
        _TOP_P,
        Member(
            name="seed",
            title="Seed",
            about="The same number with the same messages gives the same answer, as far as the model can.",
            visibility="advanced",
        ),
        Member(
            name="response_format",
            title="Response Format",
            about="The form of the answer: text, or a JSON object.",
            visibility="advanced",
            members=(
                Member(
                    name="type",
                    title="Type",
                    about="text or json_object.",
                    schema={"type": "string", "enum": ["text", "json_object"]},
                ),
            ),
        ),
    ),
    answers=(
        _ID,
        Member(name="created", title="Created", about="When it was answered, in seconds since 1970."),
        _MODEL_ANSWERED,
        Member(
            name="choices",
            title="Choices",
            about="The answers; one, unless more were asked for.",
            members=(
                Member(name="index", title="Index", about="The place of this answer, from 0."),
                Member(
                    name="message",
                    title="Message",
                    about="The answer itself.",
                    members=(
                        Member(name="role", title="Role", about="Always assistant."),
                        Member(name="content", title="Content", about="The answer's text.", schema=TEXT),
                    ),
                ),
                Member(
                    name="finish_reason",
                    title="Finish Reason",
                    about="Why it ends: stop, length or content_filter.",
                ),
            ),
        ),
        _usage(
            ("prompt_tokens", "Prompt Tokens"),
            ("completion_tokens", "Completion Tokens"),
            ("total_tokens", "Total Tokens"),
        ),
    ),
)
EMBEDDINGS: Final = Operation(
    name="embeddings",
    path="/embeddings",
    operation_id="CreateEmbeddings",
    summary="Get vectors of texts",
    about="Sends texts to an embeddings deployment and returns a vector of each, to compare or search them by meaning.",
    asks=(
        Member(
            name="input",
            title="Texts",
            about="The texts, each of which gets a vector.",
            visibility="important",
            schema={"type": "array", "items": {"type": "string", "title": "Text"}},
        ),
        Member(
            name="dimensions",
            title="Dimensions",
            about="How many numbers a vector has, of a model that lets one choose.",
            visibility="advanced",
        ),
    ),
    answers=(
        _MODEL_ANSWERED,
        Member(
            name="data",
            title="Vectors",
            about="A vector for each text, in the order of the texts.",
            members=(
                Member(name="index", title="Index", about="The place of its text, from 0."),
                Member(
                    name="embedding",
                    title="Vector",
                    about="The numbers of the vector.",
                    schema={"type": "array", "items": {"type": "number", "format": "double"}},
                ),
            ),
        ),
        _usage(("prompt_tokens", "Prompt Tokens"), ("total_tokens", "Total Tokens")),
    ),
)
RESPONSES: Final = Operation(
    name="responses",
    path="/responses",
    operation_id="CreateResponse",
    summary="Answer a prompt and keep the response",
    about="Sends a prompt to a chat deployment and returns its response, which is kept for later calls to go on with.",
    asks=(
        Member(
            name="input",
            title="Prompt",
            about="What is asked.",
            visibility="important",
            needed=True,
            schema=TEXT,
        ),
        Member(
            name="instructions",
            title="Instructions",
            about="How the model is to answer; for this call alone.",
        ),
        Member(
            name="previous_response_id",
            title="Previous Response ID",
            about="The ID of the response that this one goes on with.",
            visibility="advanced",
        ),
        Member(
            name="store",
            title="Store",
            about="Whether the response is kept.",
            visibility="advanced",
            schema={"default": True},
        ),
        Member(
            name="max_output_tokens",
            title="Maximum Tokens",
            about="The most tokens that the answer may have.",
            visibility="advanced",
        ),
        _TEMPERATURE,
        _TOP_P,
    ),
    answers=(
        _ID,
        Member(name="created_at", title="Created", about="When it was answered, in seconds since 1970."),
        Member(name="status", title="Status", about="completed, incomplete or failed."),
        _MODEL_ANSWERED,
        Member(
            name="output",
            title="Output",
            about="What the model gave, item by item; its words are in the items of the type message.",
            members=(
                Member(name="type", title="Type", about="message, or what else it gave.", schema=TEXT),
                Member(
                    name="content",
                    title="Content",
                    about="The parts of a message.",
                    schema={"type": "array", "items": {"type": "object"}},
                    members=(
                        Member(name="type", title="Type", about="output_text or refusal.", schema=TEXT),
                        Member(name="text", title="Text", about="The words.", schema=TEXT),
                    ),
                ),
            ),
        ),
    ),
)
OPERATIONS: Final[Mapping[OperationName, Operation]] = {
    each.name: each for each in (CHAT, EMBEDDINGS, RESPONSES, IMAGES, TRANSCRIPTION)
}
COMMON: Final[tuple[OperationName, ...]] = ("chat", "embeddings", "responses")
"""What a connector has when nobody says for what; of the others a deployment has to be able."""
LISTED: Final = "/models"
"""Where the designers ask for the deployments."""
LISTED_MEMBERS: Final = (
    Member(
        name="data",
        title="Deployments",
        about="Every deployment that the connection may see.",
        members=(Member(name="id", title="Name", about="The name of the deployment."),),
    ),
)
