"""The export of all of one's data: a ZIP of JSON and CSV, made by a job through its owner's own projection."""

from jobs.outbox import Kind
from jobs.worker import Job

JOBS: dict[Kind, Job] = {}
