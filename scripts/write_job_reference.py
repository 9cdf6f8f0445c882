"""Write the part of docs/reference/enrichment.md that lists every key of a job file; what stands before it stays.

Usage: python -m scripts.write_job_reference.
"""

from pathlib import Path

from forehearth.config import reference
from forehearth.core.enrichment_settings import Job
from forehearth.enrich.hosts import HOSTS

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "enrichment.md"
MARK = "<!-- From here on written by scripts/write-reference from the types that read the file. Change those. -->\n"


def page() -> str:
    """The whole page."""
    written, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    return reference.page(HOSTS, Job, written + MARK)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
