"""What a maker of a low-code flow fills in and gets of pictures and recordings."""

from typing import Final

from forehearth.connectors.members import TEXT, Member, Operation

IMAGES: Final = Operation(
    name="images",
    path="/images/generations",
    operation_id="CreateImage",
    summary="Make pictures",
    about="Sends a prompt to an image deployment and returns the pictures that it made.",
    asks=(
        Member(name="prompt", title="Prompt", about="What is to be seen.", visibility="important"),
        Member(
            name="n",
            title="Number of Pictures",
            about="How many pictures are made, from 1 to 10. Some models make one alone.",
            visibility="advanced",
        ),
        Member(
            name="size",
            title="Size",
            about="Width and height, such as 1024x1024; which there are depends on the model.",
            visibility="advanced",
        ),
        Member(
            name="quality",
            title="Quality",
            about="How much work is put into them, such as low, medium or high; it depends on the model.",
            visibility="advanced",
        ),
        Member(
            name="response_format",
            title="Response Format",
            about="An address of each picture, or the picture itself; some models give the picture alone.",
            visibility="advanced",
            schema={"type": "string", "enum": ["url", "b64_json"]},
        ),
    ),
    answers=(
        Member(name="created", title="Created", about="When they were made, in seconds since 1970."),
        Member(
            name="data",
            title="Pictures",
            about="The pictures.",
            members=(
                Member(name="b64_json", title="Picture", about="The picture itself, in base64.", schema=TEXT),
                Member(name="url", title="Address", about="Where the picture is.", schema=TEXT),
                Member(
                    name="revised_prompt",
                    title="Revised Prompt",
                    about="The prompt as the model had it, where it changed that.",
                    schema=TEXT,
                ),
            ),
        ),
    ),
)
TRANSCRIPTION: Final = Operation(
    name="transcription",
    path="/audio/transcriptions",
    operation_id="CreateTranscription",
    summary="Get the text of a recording",
    about="Sends a recording to a transcription deployment and returns what is said in it.",
    asks=(
        Member(
            name="file",
            title="Recording",
            about="The recording, of up to 25 MB: flac, m4a, mp3, ogg, wav or webm, as the model can.",
            visibility="important",
        ),
        Member(
            name="language",
            title="Language",
            about="The language that is spoken, such as en; it is found out where it is not given.",
            visibility="advanced",
        ),
        Member(
            name="prompt",
            title="Prompt",
            about="Names and words that may be said in it, or what was said before.",
            visibility="advanced",
        ),
        Member(
            name="temperature",
            title="Temperature",
            about="How freely the words are chosen, from 0 to 1.",
            visibility="advanced",
        ),
    ),
    answers=(Member(name="text", title="Text", about="What is said.", schema=TEXT),),
)
