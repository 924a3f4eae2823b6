"""A worker with the real register and the real reconciler, but no letters and no chargers, and one transfer."""

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta

from sqlalchemy import select
from temporalio.client import Client, WorkflowHandle

from activities.contracts.reconciler import Look, Reconciled, Settlement
from activities.reconciler import DatabaseReconciler
from domain.approval import Decision
from domain.ids import TASK_QUEUE, TransferId, workflow_id
from domain.reconciliation import Finding
from domain.transfer import Acceptance, OperatorAction, TransferState
from engine.engine import TemporalEngine
from engine.runs import Runs
from engine.schedule import RECONCILE
from persistence.intake.requests import Requests
from persistence.session import Database
from persistence.tables import AuditEvent, Transfer
from persistence.transfers import findings
from persistence.vault import Vault
from tests.journeys.requests import keep_a_request, steps
from tests.orders import give
from workflows.reconciliation import ReconciliationWorkflow


class OwnRuns(Runs):
    """Runs as if the tests did not share a server: of these transfers, none of other tests'."""

    def __init__(self, client: Client, own: Callable[[], Collection[TransferId]]) -> None:
        super().__init__(client)
        self._own = own

    async def page(self, place: str, number: int) -> tuple[list[TransferId], str]:
        found: list[TransferId] = []
        while True:
            some, place = await super().page(place, number)
            found += [one for one in some if one in self._own()]
            if not place:
                return found, ""


class Hall:
    """A worker with the real register and the real reconciler, and one transfer."""

    def __init__(self, temporal: Client, database: Database, vault: Vault) -> None:
        self.temporal, self.database, self.vault = temporal, database, vault
        self.client = TemporalEngine(temporal)
        self.requests = Requests(database, vault)
        self.transfer_id = TransferId("")

    @property
    def steps(self) -> tuple[object, ...]:
        runs = OwnRuns(self.temporal, lambda: {self.transfer_id})
        reconciler = DatabaseReconciler(self.database, self.vault, self.requests, self.client, runs)
        return (*steps(self.database, self.vault), reconciler)

    @property
    def handle(self) -> WorkflowHandle[object, object]:
        return self.temporal.get_workflow_handle(workflow_id(self.transfer_id))

    async def ask(self, expires_in: timedelta = timedelta(days=7)) -> None:
        """Have Bob asked to take a charge point on."""
        self.transfer_id = await keep_a_request(self.database, self.vault, Acceptance.REQUIRED, expires_in)
        async with asyncio.timeout(60):
            while not await self.client.start(self.transfer_id):  # no answer in time, on a busy machine: asked again
                pass
        await self.requests.mark_started(self.transfer_id)

    async def reconcile(self) -> dict[Finding, Settlement]:
        done: Reconciled = await self.temporal.execute_workflow(
            ReconciliationWorkflow.run, Look(), id=f"{RECONCILE}-{self.transfer_id}", task_queue=TASK_QUEUE
        )
        return {one.kind: one.settlement for one in done.items}

    async def accept(self) -> TransferState:
        return await self.decide(Decision.ACCEPT)

    async def decide(
        self, decision: Decision, user: str = "bob", client: TemporalEngine | None = None
    ) -> TransferState:
        order_id = await give(self.database, self.transfer_id, decision.value, f"user:{user}")
        return await (client or self.client).decide(self.transfer_id, decision, order_id)

    async def roll_back(self, client: TemporalEngine | None = None) -> TransferState:
        act = OperatorAction.ROLL_BACK
        order_id = await give(
            self.database, self.transfer_id, act.value, "operator:op", request_id="1", reason="for a test"
        )
        return await (client or self.client).resolve(self.transfer_id, act, order_id)

    async def row(self) -> Transfer:
        async with self.database.reading() as rows:
            return await rows.get_one(Transfer, self.transfer_id)

    async def trail(self) -> list[str]:
        query = select(AuditEvent.action).where(AuditEvent.subject == self.transfer_id)
        async with self.database.reading() as rows:
            return [*await rows.scalars(query.order_by(AuditEvent.sequence))]

    async def parked(self) -> list[str]:
        async with self.database.reading() as rows:
            return [one.kind for one in await findings.parked(rows)]

    async def until(self, state: str) -> None:
        async with asyncio.timeout(30):
            while (await self.row()).state != state:
                await asyncio.sleep(0.1)  # the worker's doing: there is nothing here to wait on
