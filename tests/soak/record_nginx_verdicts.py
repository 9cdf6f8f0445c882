"""Ask nginx what it makes of every case of the hostile corpus, and write its verdicts beside the corpus.

Usage: python -m tests.soak.record_nginx_verdicts. Needs nginx on the path (Debian: `apt-get install nginx-light`).
nginx stands as a reverse proxy with the limits that the corpus assumes, in front of a server that answers everything.
A verdict is the status of every response, and whether the connection was ended. HTTP/0.9 has none: 200 stands for it.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from tests.conformance.http.hostile import HERE, cases, name, request

SILENCE = 1.0
"""Seconds without a byte after which nginx is taken to have said all."""
AT_ONCE = 16

CONFIGURATION = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
{user}
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    client_max_body_size 100000;
    client_header_buffer_size 8k;
    large_client_header_buffers 8 8k;
    lingering_close off;
    server {{
        listen unix:{folder}/front.sock;
        location / {{ proxy_pass http://unix:{folder}/back.sock; }}
    }}
    server {{
        listen unix:{folder}/back.sock;
        location / {{ return 200 "ok"; }}
    }}
}}
"""

Verdict = Mapping[str, Any]


@contextlib.asynccontextmanager
async def nginx() -> AsyncIterator[str]:
    """nginx while it lasts; the path of its socket."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with tempfile.TemporaryDirectory(prefix="nginx-") as folder:
        user = "user root;" if os.geteuid() == 0 else ""
        (Path(folder) / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, user=user))
        process = await asyncio.create_subprocess_exec(program, "-p", folder, "-c", "nginx.conf", "-e", "stderr")
        try:
            front = Path(folder) / "front.sock"
            while not front.exists():
                if process.returncode is not None:
                    raise RuntimeError("nginx did not start")
                await asyncio.sleep(0.05)
            yield str(front)
        finally:
            process.terminate()
            await process.wait()


async def version() -> str:
    """What nginx says it is."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    process = await asyncio.create_subprocess_exec(program, "-v", stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    return said.decode().rpartition("nginx/")[2].strip()


async def verdict(front: str, data: bytes) -> Verdict:
    """What nginx answers to these bytes."""
    reader, writer = await asyncio.open_unix_connection(front)
    said = b""
    closed = False
    try:
        writer.write(data)
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(SILENCE):
                    part = await reader.read(65536)
                if not part:
                    closed = True
                    break
                said += part
    except ConnectionError:
        closed = True
    finally:
        writer.transport.abort()
    statuses = [int(found) for found in re.findall(rb"HTTP/1\.1 ([2-5]\d\d) ", said)]
    if said and not statuses:
        statuses = [200]
    return {"statuses": statuses, "closed": closed}


async def verdicts() -> dict[str, Any]:
    """nginx's verdicts on the whole corpus."""
    room = asyncio.Semaphore(AT_ONCE)

    async def ask(front: str, case: Mapping[str, Any]) -> Verdict:
        async with room:
            return await verdict(front, request(dict(case)))

    corpus = [case for case in cases() if case.get("nginx", True)]
    async with nginx() as front:
        answers = await asyncio.gather(*(ask(front, case) for case in corpus))
    return {
        "nginx": await version(),
        "verdicts": {name(case): answer for case, answer in zip(corpus, answers, strict=True)},
    }


def main() -> int:
    """Write `nginx.json`."""
    found = asyncio.run(verdicts())
    lines = ",\n".join(f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in found["verdicts"].items())
    text = f'{{\n  "nginx": {json.dumps(found["nginx"])},\n  "verdicts": {{\n{lines}\n  }}\n}}\n'
    (HERE / "nginx.json").write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
