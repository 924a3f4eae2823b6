"""What a log line carries."""

import asyncio
import logging

from telemetry.choices import LogFormat
from telemetry.subject import about, known, learn
from telemetry.traces import Tracing
from tests.telemetry.lines import written
from tests.telemetry.spans import Kept

log = logging.getLogger("some.where")


def test_a_line_carries_what_the_work_is_about_and_no_more_once_that_is_over() -> None:
    with written() as lines:
        with about(transfer_id="trf_1", attempt=2, step=None):
            with about(charge_point_id="cp-1"):
                log.warning("inside %s", "both")
            log.warning("inside one")
        log.warning("outside")

    both, one, outside = lines.read()
    assert {"transfer_id": "trf_1", "attempt": "2", "charge_point_id": "cp-1"}.items() <= both.items()
    assert (both["level"], both["logger"], both["message"]) == ("WARNING", "some.where", "inside both")
    assert "charge_point_id" not in one
    assert set(outside) == {"time", "level", "logger", "message"}


async def test_tasks_carry_what_their_starter_knew_and_tell_it_nothing() -> None:
    async def work() -> dict[str, str]:
        learn(step="registry.reserve")
        return dict(known())

    with about(transfer_id="trf_1"):
        found = await asyncio.create_task(work())
        assert found == {"transfer_id": "trf_1", "step": "registry.reserve"}
        assert known() == {"transfer_id": "trf_1"}
    assert known() == {}


def test_text_has_the_facts_at_its_end_and_nothing_where_there_are_none() -> None:
    with written(log_format=LogFormat.TEXT) as lines:
        with about(transfer_id="trf_1"):
            log.info("said")
        log.info("unsaid")

    said, unsaid = lines.stream.getvalue().splitlines()
    assert said.endswith("INFO    some.where: said [transfer_id=trf_1]")
    assert unsaid.endswith("some.where: unsaid")


def test_the_transfer_of_the_sdks_own_lines_is_known_from_the_workflow() -> None:
    with written() as lines:
        log.info("of a workflow", extra={"temporal_workflow": {"workflow_id": "transfer-trf_1", "attempt": 1}})
        log.info("of a step", extra={"temporal_activity": {"workflow_id": "rescue-trf_2", "activity_type": "x.y"}})
        log.info("of a code", extra={"temporal_activity": {"workflow_id": "code-lnk_1-1"}})

    of_workflow, of_step, of_code = lines.read()
    assert of_workflow["transfer_id"] == "trf_1"
    assert (of_step["transfer_id"], of_step["step"]) == ("trf_2", "x.y")
    assert (of_code.get("transfer_id"), of_code["workflow"]) == (None, "code-lnk_1-1")


def test_no_other_extra_gets_into_a_line_and_an_exception_stays_one_line() -> None:
    with written() as lines:
        try:
            int("why")
        except ValueError:
            log.exception("broken", extra={"password": "hunter2"})

    (line,) = lines.read()
    assert "ValueError: invalid literal" in line["exc_info"]
    assert "hunter2" not in lines.stream.getvalue()


def test_a_line_inside_a_span_carries_its_trace() -> None:
    tracing = Tracing("test", Kept())
    with written() as lines, tracing.tracer.start_as_current_span("a") as span:
        log.info("traced")

    assert lines.read()[0]["trace_id"] == f"{span.get_span_context().trace_id:032x}"
