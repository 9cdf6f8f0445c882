"""llama.cpp's own HTTP server, run as a process of its own: a model host that nobody here wrote.

usage: llama_server.py GGUF. Prints its port, and ends with its standard input.
"""

import sys

import xllamacpp


def main() -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.n_parallel = 2
    parameters.n_ctx = 4096
    parameters.cpuparams.n_threads = 1
    parameters.verbosity = -1
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    server = xllamacpp.Server(parameters)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
