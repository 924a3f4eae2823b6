"""The settings: a misspelt one is an error, and each stands in the docs with its default."""

import re
from datetime import timedelta
from ipaddress import ip_network

import pytest

from domain.proxies import ForwardedHeader, Proxies
from settings import WrongSetting, read_settings
from tools.settings_page import PAGE, page, rows


@pytest.mark.parametrize(
    "name",
    [
        "HANDOVER_POLICY__OFFLINE_DEADLIN",
        "HANDOVER_LIMITS__TRANSFERS_PER_DAY",
        "HANDOVER_POLICY__X__Y",
        "HANDOVER_OIDC__SECRET",
    ],
)
def test_a_misspelt_duration_or_limit_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "PT1H")
    with pytest.raises(WrongSetting, match=name.removesuffix("__Y")):
        read_settings()


def test_a_transfer_keeps_the_durations_that_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDOVER_POLICY__OFFLINE_DEADLINE", "P3D")
    assert read_settings().policy.offline_deadline == timedelta(days=3)


@pytest.mark.parametrize("wrong", ["proxy.example", "10.0.0.1/8", "10.0.0.0/8,0.0.0.0/0", "::/0"])
def test_who_is_trusted_are_addresses_and_networks_never_everybody(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("HANDOVER_TRUSTED_PROXIES", wrong)
    with pytest.raises(WrongSetting, match="HANDOVER_TRUSTED_PROXIES"):
        read_settings()
    monkeypatch.setenv("HANDOVER_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::1,")
    monkeypatch.setenv("HANDOVER_FORWARDED_HEADER", "forwarded")
    networks = tuple(map(ip_network, ("10.0.0.0/8", "2001:db8::1/128")))
    assert read_settings().proxies == Proxies(networks, ForwardedHeader.FORWARDED)


@pytest.mark.parametrize(
    ("name", "least", "less"), [("REQUESTS", "P7D", "P6D"), ("REFUSALS", "P1D", "PT23H"), ("CODES", "P1D", "PT23H")]
)
def test_what_is_still_of_use_is_kept(monkeypatch: pytest.MonkeyPatch, name: str, least: str, less: str) -> None:
    monkeypatch.setenv(f"HANDOVER_{name}_KEPT", least)
    read_settings()
    monkeypatch.setenv(f"HANDOVER_{name}_KEPT", less)
    with pytest.raises(WrongSetting, match=f"HANDOVER_{name}_KEPT"):
        read_settings()


def test_patches_are_named_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().patches == []
    monkeypatch.setenv("HANDOVER_PATCHES", "one, two,")
    assert read_settings().patches == ["one", "two"]


def test_event_streams_leave_places_for_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDOVER_API_CONNECTIONS", "1000")
    with pytest.raises(WrongSetting, match=r"HANDOVER_API_CONNECTIONS: .*HANDOVER_STREAM_LIMIT"):
        read_settings()
    monkeypatch.setenv("HANDOVER_STREAM_LIMIT", "999")
    read_settings()
    monkeypatch.delenv("HANDOVER_API_CONNECTIONS")
    monkeypatch.setenv("HANDOVER_STREAM_LIMIT", "2000")
    with pytest.raises(WrongSetting, match="HANDOVER_API_CONNECTIONS"):
        read_settings()


def test_each_setting_stands_in_the_docs_as_its_docstring_says_and_no_other_does() -> None:
    text = PAGE.read_text()
    assert {row for row in text.splitlines() if re.match(r"\| `(HANDOVER|OTEL)_", row)} == set(rows().values())
    assert page(text) == text, "make docs"


@pytest.mark.parametrize("issuer", ["http://id.example", "id.example", "javascript:x", "https://"])
def test_an_issuer_is_reached_over_tls(monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    monkeypatch.setenv("HANDOVER_OIDC__CLIENT_ID", "handover")
    monkeypatch.setenv("HANDOVER_OIDC__ISSUER", issuer)
    with pytest.raises(WrongSetting, match="HANDOVER_OIDC__ISSUER"):
        read_settings()
    monkeypatch.setenv("HANDOVER_OIDC__ISSUER", "https://id.example/realm")
    assert read_settings().oidc.issuer == "https://id.example/realm"


@pytest.mark.parametrize("client_id", ["", None])
def test_an_issuer_has_to_know_us(monkeypatch: pytest.MonkeyPatch, client_id: str | None) -> None:
    monkeypatch.setenv("HANDOVER_OIDC__ISSUER", "https://id.example")
    if client_id is not None:
        monkeypatch.setenv("HANDOVER_OIDC__CLIENT_ID", client_id)
    with pytest.raises(WrongSetting, match="HANDOVER_OIDC"):
        read_settings()
