"""A project's endpoints, asked as an official client asks them: by a token, with the version in the query."""

import json

from tests.unit.doors import head


class Answer:
    """What came back."""

    def __init__(self, reply):
        self.status, self.headers, self.raw = reply.status, dict(reply.headers), reply.body

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def error(self):
        return self.json["error"]


async def ask(client, method, target, body=b"", token="all", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    version = "" if "api-version" in target else f"{'&' if '?' in target else '?'}api-version=v1"
    accepted = client.gateway.accept(
        head(target + version, method=method, key=None, authorization=f"Bearer {token}", **headers)
    )
    return Answer(await accepted.answer(raw) if hasattr(accepted, "answer") else accepted)
