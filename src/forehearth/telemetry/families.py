"""Every metric there is: what it is called, of which kind it is, and what it tells."""

from collections.abc import Mapping

import msgspec

from forehearth.telemetry import caches, ledger, limits


class Family(msgspec.Struct, frozen=True):
    """A metric: its name, its kind as Prometheus calls it, and what it tells."""

    name: str
    kind: str
    help: str


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("forehearth_requests_total", "counter", "Requests answered, by surface, operation and status."),
        Family("forehearth_request_seconds", "histogram", "From the head of a request to the last byte of its answer."),
        Family("forehearth_first_byte_seconds", "histogram", "From the head of a request to its answer's first byte."),
        Family("forehearth_tokens_total", "counter", "Tokens as backends counted them, by deployment and kind."),
        Family(
            "forehearth_backend_attempts_total", "counter", "Tries at a backend, by outcome: ok, or what went wrong."
        ),
        Family(
            "forehearth_backend_state", "gauge", "1 for the state that a worker has a backend in, 0 for the others."
        ),
        Family("forehearth_backend_in_flight", "gauge", "Calls and streams that a backend answers."),
        Family("forehearth_backend_ejections_total", "counter", "How often a backend was ejected."),
        Family(
            "forehearth_retries_total",
            "counter",
            "Calls for which another backend could be asked; refused: there were too many retries.",
        ),
        Family(
            "forehearth_spillovers_total", "counter", "Calls served by another priority because the first one was busy."
        ),
        Family(caches.LOOKUPS, "counter", "Calls of deployments with a cache, by what they found in it."),
        Family(caches.REFUSED, "counter", "Near answers that were not given, by what differed."),
        Family(caches.UNEMBEDDED, "counter", "Messages that the semantic cache had no vector of."),
        Family(caches.ANSWERS, "counter", "Answers that were kept, or were not ones to be given again."),
        Family(caches.ENTRIES, "gauge", "Answers in each worker's cache."),
        Family(caches.BYTES, "gauge", "Bytes that they take, about."),
        Family(limits.REFUSALS, "counter", "Calls refused, by the limit that they were over."),
        Family(limits.WAITS, "histogram", "How long calls waited that a limit had nothing free for in memory."),
        Family(limits.EXCESS, "counter", "Used beyond what was reserved: the backend ignored its bound."),
        Family(ledger.RECORDS, "counter", "Records of calls that came to the ledger, by why they are flagged."),
        Family(ledger.UNWRITTEN, "counter", "Calls that could not be written down, by what became of them."),
        Family(ledger.BEHIND, "gauge", "Since when a worker could not bring calls to the ledger; 0 is well."),
        Family("forehearth_in_flight", "gauge", "Requests that are being answered."),
        Family("forehearth_upstream_connections_opened_total", "counter", "Connections opened to backends."),
        Family("forehearth_worker_info", "gauge", "One for each worker, with its process id and versions."),
        Family("forehearth_worker_starts_total", "counter", "Processes started, by role: worker or embedded_host."),
        Family("forehearth_event_loop_lag_seconds", "gauge", "How late a worker's event loop last was for a timer."),
        Family(
            "forehearth_keys_age_seconds",
            "gauge",
            "Since when a worker could not look whether keys or role assignments changed; 0 is well.",
        ),
        Family("forehearth_audit_lost_total", "counter", "Audit records that could not be kept."),
        Family(
            "forehearth_refusals_unrecorded_total",
            "counter",
            "Refused calls that the audit log does not tell of, because there were too many different ones.",
        ),
        Family("forehearth_worker_cpu_seconds_total", "counter", "Processor time of each worker."),
        Family("forehearth_worker_resident_bytes", "gauge", "Memory of each worker."),
    )
}
"""Every metric there is, in the order in which it is told."""
