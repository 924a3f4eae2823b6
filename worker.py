"""Where all rooms meet: the worker process and, with `--gateway`, a gateway process."""

import gc
import logging
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import uvloop
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.client import Client
from temporalio.worker import Interceptor, PatchActivationInput, UnsandboxedWorkflowRunner, Worker

from activities.account_letters import AccountLetters
from activities.accounts import DatabaseAccounts
from activities.charge_points import DatabaseChargePoints
from activities.charger import GatewayCharger
from activities.contracts.wiring import implementations
from activities.ended import EndedTransfers
from activities.metrics import ActivityMetrics
from activities.notices import Notices
from activities.outbox import DatabaseOutbox
from activities.reconciler import DatabaseReconciler
from activities.records import DatabaseRecords
from activities.refusals import RefusalInterceptor
from activities.registry import DatabaseRegistry
from activities.rescues import DatabaseRescues
from activities.retention import Kept
from activities.transfer_letters import TransferLetters
from domain.errors import HandoverError, Unavailable
from domain.ids import TASK_QUEUE, ChargePointId, NodeId, gateway_queue
from domain.news import OwnerNews
from engine.connection import BadConnection, read_connection
from engine.engine import TemporalEngine
from engine.pollers import heard
from engine.runs import Runs
from engine.schedule import keep_schedule
from gateway.enrolment import EnrolmentOptions
from gateway.facts import Fact
from gateway.metrics import GatewayMetrics
from gateway.server import Gateway
from gateway.socket_limits import SocketLimits
from gateway.tls import Certificate
from notices.mail import MailSender
from persistence.chargers.upgrades import OldKeys
from persistence.intake.requests import Requests
from persistence.schema import UNFIT, fits
from persistence.session import LOCK_WAIT_SECONDS, PATIENT_LOCK_WAIT_SECONDS, Database
from persistence.tables import ChargePoint
from persistence.transfers import rescues, transfers
from persistence.vault import Vault
from process import leave, stop_requested
from settings import Settings, WrongSetting, read_settings
from telemetry.instruments import Instruments, open_instruments
from telemetry.logs import start_logging
from workflows.account_news import PasskeyNewsWorkflow
from workflows.accounts import AccountWorkflow
from workflows.charger_orders import IdentifyWorkflow, RotateKeyWorkflow
from workflows.codes import OneTimeCodeWorkflow, SignInCodeWorkflow
from workflows.outbox import OutboxWorkflow
from workflows.owner_news import OwnerNewsWorkflow
from workflows.patches import is_active, unknown
from workflows.reconciliation import ReconciliationWorkflow
from workflows.rescue import RescueWorkflow
from workflows.transfer import TransferWorkflow

log = logging.getLogger("handover.worker")

#: How long a stopping process lets its activities end or be handed back.
GRACE = timedelta(seconds=20)
#: How long a workflow task waits for the worker that has the workflow in its cache, before any other may take it: under
#: load that one is late, and to replay the workflow elsewhere would add to it.
STICKY = timedelta(seconds=10)
#: How many workflow tasks, and local activities, one process is at: what it has begun ends, the rest waits at the
#: server, where another process may take it.
WORKFLOW_TASKS = 16
LOCAL_ACTIVITIES = 32


def activation(named: Collection[str]) -> Callable[[PatchActivationInput], bool]:
    """Say of a patch that a run comes to for the first time whether it is on, with those `named` (decision 29)."""
    return lambda asked: is_active(asked.patch_id, named)


def transfer_worker(
    client: Client, steps: Sequence[object], guards: Sequence[Interceptor] = (), patches: Collection[str] = ()
) -> Worker:
    """Make the worker of the workflows and of every step that is not at a charger; `guards` stand before each step.

    `patches` are those of this release that are on.
    """
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[
            *(TransferWorkflow, OneTimeCodeWorkflow, SignInCodeWorkflow, AccountWorkflow, RescueWorkflow),
            *(OutboxWorkflow, OwnerNewsWorkflow, ReconciliationWorkflow, RotateKeyWorkflow, IdentifyWorkflow),
            PasskeyNewsWorkflow,
        ],
        activities=[activity for step in steps for activity in implementations(step)],
        workflow_runner=UnsandboxedWorkflowRunner(),  # decision 24
        interceptors=[RefusalInterceptor(), *guards],
        graceful_shutdown_timeout=GRACE,
        sticky_queue_schedule_to_start_timeout=STICKY,
        max_concurrent_workflow_tasks=WORKFLOW_TASKS,
        patch_activation_callback=activation(patches),
        max_concurrent_local_activities=LOCAL_ACTIVITIES,
    )


def gateway_worker(client: Client, charger: object, node: NodeId, guards: Sequence[Interceptor] = ()) -> Worker:
    """Make the worker of the commands to the chargers whose sockets this node holds; `guards` stand before each."""
    return Worker(
        client,
        task_queue=gateway_queue(node),
        activities=implementations(charger),
        interceptors=[RefusalInterceptor(), *guards],
        graceful_shutdown_timeout=GRACE,
        max_concurrent_activities=500,
    )


#: What is told to a charge point's owner, and to nobody else.
_NEWS: Final = {Fact.TWO_HOLDERS: OwnerNews.TWO_HOLDERS, Fact.ENDED_KEY: OwnerNews.ENDED_KEY_TRIED}
#: What no transfer waits for: whoever has proven a key is connected next, and can be told something only then.
_NO_WAKE_UP: Final = frozenset({Fact.DISCONNECTED, Fact.PROVED, *_NEWS})


def charger_news(database: Database, client: TemporalEngine) -> Callable[[ChargePointId, str], Awaitable[None]]:
    """Wire what happens at a charger to the transfer that may wait for it, or has left something to do there."""

    async def tell(charge_point_id: ChargePointId, fact: str) -> None:
        if fact in _NEWS:
            async with database.reading() as rows:
                point = await rows.get_one(ChargePoint, charge_point_id)
            # the owner may be another than whoever was told today
            occasion = f"{datetime.now(UTC).date()}-{point.owner_version}" if point.owner_version else ""
            await client.tell_owner(charge_point_id, _NEWS[Fact(fact)], occasion=occasion)
        if fact in _NO_WAKE_UP:
            return
        async with database.reading() as rows:
            transfer_id = await transfers.at_charger(rows, charge_point_id)
            looks = transfer_id is None and fact == Fact.CONNECTED
            due = await rescues.due_on(rows, charge_point_id) if looks else []
        if transfer_id is not None:
            await client.tell_charger_news(transfer_id, charge_point_id, fact)
        for left in due:
            await client.rescue(left)

    return tell


def said(fact: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    """Make a check of what the process knows by itself."""

    async def check() -> bool:
        return fact()

    return check


async def run_worker(
    settings: Settings, database: Database, vault: Vault, client: Client, instruments: Instruments
) -> None:
    """Run workflows and steps until a stop is asked for."""
    password = settings.smtp_password
    sender = MailSender(
        host=settings.smtp_host,
        port=settings.smtp_port,
        mail_from=settings.mail_from,
        user=settings.smtp_user,
        password=password.get_secret_value() if password else None,
        starttls=settings.smtp_starttls,
    )
    letters = database, vault, sender, settings.origin, settings.policy.offline_deadline
    engine = TemporalEngine(client)
    steps = (
        DatabaseRegistry(database, vault, settings.cool_down),
        DatabaseAccounts(database, vault),
        DatabaseRecords(database),
        DatabaseRescues(database),
        DatabaseChargePoints(database),
        Notices(*letters),
        AccountLetters(database, sender, settings.origin),
        DatabaseOutbox(database, TransferLetters(*letters)),
        DatabaseReconciler(
            database,
            vault,
            Requests(database, vault),
            engine,
            Runs(client),
            Kept(
                places=settings.addresses_kept,
                connections=settings.connections_kept,
                requests=settings.requests_kept,
                refusals=settings.refusals_kept,
                codes=settings.codes_kept,
            ),
            settings.session_open_limit,
        ),
    )
    if strange := unknown(settings.patches):  # it may be a newer release's, on the way back: no reason not to start
        log.warning("HANDOVER_PATCHES names what this release does not know: %s", ", ".join(strange))
    async with transfer_worker(client, steps, [EndedTransfers(database)], settings.patches) as worker:
        instruments.health.watch(
            alive={"working": said(lambda: worker.is_running)},
            ready={
                "database": lambda: fits(database),
                "temporal": lambda: heard(client, TASK_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW),
            },
        )
        await engine.deliver_letters()
        await keep_schedule(client, settings.reconcile_every)
        log.info("worker ready")
        await stop_requested().wait()


async def run_gateway(
    settings: Settings, database: Database, vault: Vault, client: Client, instruments: Instruments
) -> None:
    """Hold sockets, and run the commands to their chargers, until a stop is asked for."""
    gc.set_threshold(20_000, 50, 1_000)  # thousands of sockets: a full collection pauses them all
    transfer_client = TemporalEngine(client)
    node = NodeId(settings.gateway_node)
    cert, key = settings.gateway_tls_cert, settings.gateway_tls_key
    gateway = Gateway(
        database,
        vault,
        host=settings.gateway_host,
        port=settings.gateway_port,
        node=node,
        call_timeout=settings.call_timeout,
        old_keys=OldKeys(settings.key_grace, strict=settings.strict_key_end),
        reconnect_patience=settings.policy.reconnect_after,
        restart_patience=settings.policy.restart_patience,
        enrolment=EnrolmentOptions(
            settings.enrolled_models,
            settings.enrolments_at_once,
            settings.enrolments_per_hour,
            settings.restart_hours,
        ),
        open_line=not settings.gateway_behind_tls,
        without_subprotocol=settings.gateway_without_subprotocol,
        power_limit=settings.connector_power_limit,
        lost_after=settings.session_lost_after,
        on_fact=charger_news(database, transfer_client),
        certificate=Certificate(cert, key) if cert and key else None,
        limits=SocketLimits(
            frame_size=settings.gateway_frame_limit,
            messages_per_second=settings.gateway_messages_per_second,
            message_burst=settings.gateway_message_burst,
            garbage_in_a_row=settings.gateway_garbage_limit,
            ping_every=settings.gateway_ping_every,
            ping_timeout=settings.gateway_ping_timeout,
            guesses_per_identity=settings.gateway_guesses_per_identity,
            guesses_per_address=settings.gateway_guesses_per_address,
        ),
        proxies=settings.proxies,
        proxy_protocol=settings.gateway_proxy_protocol,
        metrics=GatewayMetrics(instruments.registry, instruments.tracing.tracer),
    )
    await gateway.start()
    try:
        async with gateway_worker(client, GatewayCharger(gateway), node, [EndedTransfers(database)]) as worker:
            instruments.health.watch(
                alive={"working": said(lambda: worker.is_running), "listening": said(lambda: gateway.listening)},
                ready={
                    "database": lambda: fits(database),
                    "signing": said(lambda: gateway.signing),
                    "temporal": lambda: heard(client, gateway_queue(node), TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
                },
            )
            log.info("gateway ready on port %s", gateway.port)
            await stop_requested().wait()
    finally:
        await gateway.stop()


async def main(*, gateway: bool) -> int:
    """Run one process until it is told to stop; give its exit code."""
    try:
        settings = read_settings()
        vault = Vault(settings.server_keys())
        connection = read_connection(settings.temporal_address, settings.temporal_namespace)
    except (WrongSetting, ValueError, BadConnection) as error:
        sys.stderr.write(f"{'gateway' if gateway else 'worker'}: {error}\n")
        return 1
    start_logging(settings.log_level, settings.log_format)
    lock_wait = PATIENT_LOCK_WAIT_SECONDS if gateway else LOCK_WAIT_SECONDS
    database = Database(settings.database_url, lock_wait=lock_wait)
    try:
        if not await fits(database):
            raise Unavailable(f"Not started: {UNFIT}")
        service = "handover-gateway" if gateway else "handover-worker"
        instruments = open_instruments(
            service, settings.metrics_ports, traced=settings.traced, log_format=settings.log_format
        )
        try:
            interceptors = [
                *instruments.tracing.interceptors,
                ActivityMetrics(instruments.registry),
            ]  # of its workers, too
            client = await connection.open(interceptors=interceptors, runtime=instruments.runtime)
            if gateway:
                await run_gateway(settings, database, vault, client, instruments)
            else:
                await run_worker(settings, database, vault, client, instruments)
        finally:
            instruments.close()
    except HandoverError as error:
        log.error("%s", error.message)  # noqa: TRY400 - it says all there is
        return 1
    finally:
        await database.close()
    return 0


if __name__ == "__main__":
    leave(uvloop.run(main(gateway="--gateway" in sys.argv[1:])))
