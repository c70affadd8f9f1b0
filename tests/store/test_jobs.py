"""The store of jobs on the embedded engine, and over a connection that breaks."""

import json

from connectors.engine import open_engine
from connectors.engine.records import Revision
from connectors.settings import EngineSettings
from connectors.store.job import SyncJob
from connectors.store.jobs import INDEX, JobStore
from tests.engine.conftest import Impatient
from tests.engine.stub import Reply, Stub, answer, greeting, half, refusal
from tests.store.jobs_contract import JobsContract

JOB = SyncJob("j", {"connector": {"id": "c"}, "status": "pending"}, Revision(3, 1))
CONFLICT = refusal(409, "version_conflict_engine_exception")


class TestEmbedded(JobsContract):
    pass


async def claimed(*, own: bool) -> SyncJob | None:
    """Claim a job whose answer is lost; what is found then is this claim, or another one."""

    class Losing(Stub):
        def reply_to(self, request: object) -> Reply:
            if len(self.requests) == 1:
                return greeting()
            if self.requests[-1].method == "PUT":
                return half() if len(self.requests) == 2 else CONFLICT
            written = json.loads(self.requests[1].body)
            other = {**written, "metadata": {"claim": "another"}}
            found = {"_index": INDEX.name, "_id": "j", "_version": 1, "_seq_no": 4, "_primary_term": 1}
            return answer(200, {**found, "found": True, "_source": written if own else other})

    async with Losing() as stub, open_engine(EngineSettings(host=stub.url), Impatient()) as engine:
        return await JobStore(engine.control).claim(JOB, instance="me", hostname="here")


async def test_a_claim_whose_answer_was_lost_is_recognised_as_ones_own() -> None:
    found = await claimed(own=True)
    assert found is not None
    assert (found.worker_hostname, found.revision.seq_no) == ("here", 4)


async def test_a_claim_that_met_somebody_elses_is_none() -> None:
    assert await claimed(own=False) is None
