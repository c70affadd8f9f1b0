"""The book of jobs: every write of a job that an engine has taken from daemons, held to the rules for them.

What a test writes itself does not come through a line, and is not in it: it makes jobs, and cancels them.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import msgspec

from connectors.store.job import ACTIVE, ENDED, WAITING, JobStatus
from connectors.store.jobs import NAME as JOBS
from tests.torture.exchange import Seen
from tests.torture.messages import Answer

OWN = frozenset({JobStatus.IN_PROGRESS, JobStatus.COMPLETED})
"""What only who runs a job says of it; that it is suspended, canceled or failed may be said by others too."""


@dataclass(frozen=True)
class Entry:
    """One write of a job: when, by which line it came, and what the document said then."""

    at: float
    line: str
    seq_no: int
    document: dict[str, Any]

    @property
    def status(self) -> JobStatus:
        """What became of the job so far."""
        return JobStatus(self.document["status"])

    @property
    def claim(self) -> str | None:
        """By which attempt it is run."""
        found: str | None = (self.document.get("metadata") or {}).get("claim")
        return found


@dataclass
class JobBook:
    """The writes of each job, in the order in which the engine took them."""

    _entries: dict[str, dict[int, Entry]] = field(default_factory=lambda: defaultdict(dict))

    def witness(self, line: str) -> Callable[[Seen, Answer], None]:
        """Return what is to see every answer of a line."""

        def see(seen: Seen, answer: Answer) -> None:
            written = job_in(seen)
            if written is None or answer.status not in {200, 201}:
                return
            job, document = written
            seq_no = msgspec.json.decode(answer.content)["_seq_no"]
            self._entries[job].setdefault(seq_no, Entry(time.monotonic(), line, seq_no, document))

        return see

    @property
    def jobs(self) -> list[str]:
        """The jobs that were written to."""
        return list(self._entries)

    def of(self, job: str) -> list[Entry]:
        """Return the writes of a job."""
        return [entry for _, entry in sorted(self._entries[job].items())]

    def claims(self, job: str) -> list[Entry]:
        """Return the writes by which a job was begun or gone on with."""
        entries = self.of(job)
        before = [None, *(one.claim for one in entries)]
        return [one for one, claim in zip(entries, before, strict=False) if one.claim not in {None, claim}]

    def check(self) -> Counter[str]:
        """Hold every write to the rules, and return what there was.

        - A job is claimed only while it waits, under a claim of its own each time.
        - What is said of a job that runs is said under the claim that it runs by; and how it comes on, and that it is
          completed, by the daemon whose process claimed it.
        - Nothing is said of a job that has ended.
        """
        facts: Counter[str] = Counter()
        for job in self._entries:
            before: Entry | None = None
            owner = ""
            for entry in self.of(job):
                where = (job, before, entry)
                if before is None or before.status in WAITING:
                    if entry.status is JobStatus.IN_PROGRESS:
                        assert entry.claim is not None, where
                        assert before is None or entry.claim != before.claim, where
                        owner = entry.line
                        facts["claims of jobs"] += 1
                    elif before is not None:
                        assert entry.status in {JobStatus.CANCELED, JobStatus.ERROR}, where
                else:
                    assert before.status in ACTIVE, where
                    assert entry.claim == before.claim, where
                    assert entry.status is not JobStatus.PENDING, where
                    assert entry.status not in OWN or entry.line == owner, where
                    facts["other writes of jobs that ran"] += 1
                facts["ends of jobs"] += entry.status in ENDED
                before = entry
        return facts


def job_in(seen: Seen) -> tuple[str, dict[str, Any]] | None:
    """Return the job that a request writes, and its document; None for any other request."""
    parts = seen.request.path.split("/")
    if seen.request.method not in {"PUT", "POST"} or len(parts) != 4 or parts[1] != JOBS:
        return None
    return (unquote(parts[3]), msgspec.json.decode(seen.content)) if parts[2] in {"_doc", "_create"} else None
