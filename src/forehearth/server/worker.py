"""The worker process, as the parent starts it: `python -m forehearth.server.worker`."""

import sys

from forehearth.core.imports import for_good

with for_good():
    from forehearth.registry import PROVIDER_SETTINGS
    from forehearth.server.serving import run_worker
    from forehearth.server.worker_process import work

if __name__ == "__main__":
    sys.exit(work(run_worker, PROVIDER_SETTINGS))
