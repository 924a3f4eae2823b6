"""What leaves the process in a span, and what does not."""

import pytest

from settings import WrongSetting, read_settings
from telemetry.traces import Tracing
from tests.telemetry.spans import Kept


def test_of_an_exception_its_kind_leaves_the_process_and_no_text_of_it() -> None:
    kept = Kept()
    tracing = Tracing("handover-test", kept)
    with pytest.raises(ValueError, match="ann@example"), tracing.tracer.start_as_current_span("work"):
        raise ValueError("ann@example.com has the key 0123")

    span = kept.named(tracing)["work"]

    assert span.events[0].attributes == {"exception.type": "ValueError", "exception.escaped": "False"}
    assert "ann@example" not in span.to_json()
    assert not span.status.is_ok
    assert span.resource.attributes["service.name"] == "handover-test"


def test_without_an_exporter_there_are_no_spans_and_no_interceptors() -> None:
    tracing = Tracing("handover-test")
    with tracing.tracer.start_as_current_span("work") as span:
        assert not span.is_recording()
    assert tracing.interceptors == []
    tracing.close()


@pytest.mark.parametrize(
    ("environment", "traced"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
    ],
)
def test_traces_are_made_where_opentelemetrys_variables_ask_for_them(
    environment: dict[str, str], traced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert read_settings().traced is traced


def test_an_exporter_that_we_do_not_have_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")

    with pytest.raises(WrongSetting, match="Correct OTEL_TRACES_EXPORTER: "):
        read_settings()
