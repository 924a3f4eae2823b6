"""What happens before the moment that the database is put back to, after it, and once it was; and how it all ends."""

import time
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest

from domain.ids import TransferId, workflow_id
from persistence.tables import ChargePoint, Transfer
from persistence.transfers import findings
from tools.demo.person import FINAL, WentWrong
from tools.restore.cases import Case, cases
from tools.restore.site import Site
from tools.simulator.control import tell
from tools.stage import plain_http
from tools.stage.readiness import connected, when
from tools.stage.supervisor import Report

POINT: Final = "before_it_happened"
_PARTS: Final = ("worker", "api", "gateway")


@dataclass
class Drill:
    """One drill: its cases by name, and what was measured."""

    site: Site
    report: Report
    cases: dict[str, Case] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each part of it took."""

    async def perform(self) -> list[str]:
        """Go through with it; gives what is not as it should be."""
        self.cases = cases()
        await self.site.server.back_up()
        self.report("Before the moment …")
        await self._before()
        await self.site.server.mark(POINT)
        self.report("After the moment …")
        await self._after()
        await self.site.server.archive()
        self.report("The database is put back …")
        await self.site.stop(*reversed(_PARTS))
        await self.site.db.close()
        self.seconds["the database is put back"] = await self.site.server.put_back(POINT)
        began = time.monotonic()
        await self.site.start(*_PARTS)
        self.seconds["worker, API and gateway are ready"] = time.monotonic() - began
        self.report("The reconciler looks …")
        began = time.monotonic()
        wrong = await self._see_findings()
        self.seconds["all is found"] = time.monotonic() - began
        if wrong:
            return wrong
        self.report("People do what the runbook says …")
        began = time.monotonic()
        await self._answer()
        wrong = await self._see_the_end()
        self.seconds["people are done, and all is at rest"] = time.monotonic() - began
        return wrong

    # --- what happens ---------------------------------------------------------------------------------------------

    async def _before(self) -> None:
        await self._start("done", "amelie", {"kind": "move_to_group", "group_id": "harbour"})
        await self._until("done", FINAL)
        for name, recipient in (("waits", "hugo"), ("accepted", "farid"), ("declined", "emma")):
            body = {"kind": "transfer_to_user", "recipient": f"{recipient}@example.com", "connection": "keep"}
            await self._start(name, "amelie", body)
            await self._until(name, {"awaiting_acceptance"})
        await self.site.stop("worker")
        await self._start("asked", "amelie", {"kind": "move_to_group", "group_id": "harbour"})

    async def _after(self) -> None:
        await self.site.start("worker")
        await self._until("asked", FINAL)
        await self._post("farid", f"/v1/transfers/{self.cases['accepted'].transfer_id}/accept")
        await self._until("accepted", FINAL)
        await self._post("emma", f"/v1/transfers/{self.cases['declined'].transfer_id}/decline")
        await self._until("declined", FINAL)
        await self._start("handed over", "amelie", {"kind": "transfer_ownership", "user_id": "ben"})
        await self._until("handed over", FINAL)
        body = {"kind": "transfer_to_user", "recipient": "chloe@example.com", "connection": "keep"}
        await self._start("offered", "amelie", body)
        await self._until("offered", {"awaiting_acceptance"})

    async def _answer(self) -> None:
        """Do what docs/operations.md says of what was found."""
        await self._resolve("asked", "retry")
        await self._until("asked", FINAL)
        await self._resolve("accepted", "retry")
        await self._until("accepted", {"awaiting_acceptance"})
        await self._post("farid", f"/v1/transfers/{self.cases['accepted'].transfer_id}/accept")
        await self._connect_afresh("accepted", "farid")
        await self._until("accepted", FINAL)
        await self._resolve("declined", "retry")
        await self._until("declined", {"awaiting_acceptance"})
        await self._resolve("declined", "roll_back")
        await self._until("declined", FINAL)

        client = await self.site.temporal()
        for name in ("offered", "handed over"):
            run = workflow_id(TransferId(self.cases[name].transfer_id))
            if name == "offered":
                await client.get_workflow_handle(run).terminate("the register does not know it")
            await client.workflow_service.delete_workflow_execution(
                DeleteWorkflowExecutionRequest(
                    namespace=client.namespace, workflow_execution=WorkflowExecution(workflow_id=run)
                )
            )
        await self._start("handed over", "amelie", {"kind": "transfer_ownership", "user_id": "ben"})
        await self._connect_afresh("handed over", "ben")
        await self._until("handed over", FINAL)

    # --- what is found --------------------------------------------------------------------------------------------

    async def _see_findings(self) -> list[str]:
        wanted = {(case.found, case.transfer_id) for case in self.cases.values() if case.found}
        seen: set[tuple[str, str]] = set()

        async def all_there() -> bool:
            seen.clear()
            seen.update(await self._parked())
            return wanted <= seen

        await when(all_there)(lambda: True)
        wrong = [f"{kind} of {subject} is not found" for kind, subject in sorted(wanted - seen)]
        return wrong + [f"{kind} of {subject} is found, and should not be" for kind, subject in sorted(seen - wanted)]

    async def _see_the_end(self) -> list[str]:
        async def at_rest() -> bool:
            return not await self._parked() and await self._all_connected()

        await when(at_rest)(lambda: True)
        wrong = [f"{kind} of {subject} is found still" for kind, subject in await self._parked()]
        if not await self._all_connected():
            wrong.append("not every charger is connected")
        async with self.site.db.reading() as rows:
            for case in self.cases.values():
                owner = await rows.scalar(select(ChargePoint.owner_id).where(ChargePoint.id == case.charge_point))
                latest = select(Transfer.state, Transfer.warnings).where(Transfer.charge_point_id == case.charge_point)
                found = (await rows.execute(latest.order_by(Transfer.requested_at.desc()).limit(1))).one_or_none()
                state, warnings = found if found is not None else ("no transfer", [])
                case.ended = f"{state}, {owner} has it"
                if (owner, state) != (case.owner, case.state) or warnings:
                    wrong.append(f"{case.title}: {case.ended} {warnings}, and not {case.state}, {case.owner} has it")
        return wrong

    async def _parked(self) -> set[tuple[str, str]]:
        async with self.site.db.reading() as rows:
            return {(one.kind, one.subject) for one in await findings.parked(rows)}

    async def _all_connected(self) -> bool:
        return await connected(self.site.db, len(self.site.charge_points))

    # --- what people do -------------------------------------------------------------------------------------------

    async def _start(self, name: str, sender: str, body: dict[str, Any]) -> None:
        case = self.cases[name]
        case.transfer_id = (await self._post(sender, f"/v1/charge-points/{case.charge_point}/transfers", body))["id"]

    async def _resolve(self, name: str, action: str) -> None:
        body = {"action": action, "reason": "The database was put back."}
        await self._post("grace", f"/v1/transfers/{self.cases[name].transfer_id}/resolve", body)

    async def _connect_afresh(self, name: str, owner: str) -> None:
        """Have new credentials made by the new owner, and typed in: the charger has a key that the database lost."""
        await self._until(name, {"reconfiguring"})
        charge_point = self.cases[name].charge_point
        made = await self._post(owner, f"/v1/charge-points/{charge_point}/connection")
        identity = next(one["identity"] for one in self.site.charge_points if one["id"] == charge_point)
        await tell(self.site.stage.ports.stations, f"{identity} password {made['password']}")

    async def _until(self, name: str, states: frozenset[str] | set[str]) -> None:
        case, state = self.cases[name], ""

        async def there() -> bool:
            nonlocal state
            state = str((await self._call("GET", "grace", f"/v1/transfers/{case.transfer_id}"))["state"])
            return state in states

        if not await when(there)(lambda: True):
            raise WentWrong(f"“{case.title}” is {state} still.")

    async def _post(self, who: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return await self._call("POST", who, path, body)

    async def _call(self, method: str, who: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.site.keys[who]}"}
        async with plain_http.client(base_url=self.site.stage.api, headers=headers, timeout=30) as client:
            answer = await client.request(method, path, json=body)
        if not answer.is_success:
            raise WentWrong(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")
        found: dict[str, Any] = answer.json()
        return found
