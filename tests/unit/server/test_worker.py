"""What a worker imports when it starts: each of these takes memory in every process, whether or not it is used."""

import subprocess
import sys

WHEN_NEEDED = {
    "aiokafka",
    "asyncpg",
    "av",
    "confluent_kafka",
    "cryptography",
    "deltalake",
    "jwt",
    "numpy",
    "onnxruntime",
    "pyarrow",
    "soundfile",
    "tokenizers",
    "xllamacpp",
    "yaml",
}


def test_what_only_some_gateways_need_is_not_imported_at_the_start():
    program = "import sys, forehearth.server.worker; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in ran.stdout.split()} & WHEN_NEEDED == set()
