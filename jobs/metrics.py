"""What a worker counts for Prometheus. Labels are our own words (a kind, an outcome), never anybody's data."""

from prometheus_client import Counter

from models.outbox import OutboxState

MAIL = Counter(
    "logbook_mail",
    "Mails taken in hand: done (the server took it), dropped, put_off, dead, fenced",
    ["kind", "outcome"],
)
JOBS = Counter("logbook_jobs", "Jobs that are no mail, with the same outcomes", ["kind", "outcome"])
CHORE_RUNS = Counter("logbook_chores", "Recurring jobs: done or failed", ["chore", "outcome"])


def count_work(kind: str, state: OutboxState, *, is_mail: bool, kept: bool) -> None:
    """Count a mail or job with this outcome. Not `kept`: the lease was lost, and another worker does it again."""
    outcome = ("put_off" if state is OutboxState.QUEUED else state.lower()) if kept else "fenced"
    (MAIL if is_mail else JOBS).labels(kind, outcome).inc()
