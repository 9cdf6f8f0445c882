"""What the running server does under load and faults that no single test can show: `python -m bench.faults`.

Each part is a file with `measure(...) -> list[Figure]`. The host behind the server is the ground truth: it is small,
it counts what reached it, and it never decides anything by itself.
"""
