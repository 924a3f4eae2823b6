"""The environment of a demo's parts: what the machine's profile says of another Temporal is not for its dev server."""

from pathlib import Path

import pytest

from engine.connection import Connection, read_connection
from tests.mutual_tls import API_KEY
from tools.stage.ports import Ports
from tools.stage.stage import Stage


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose user has a namespace elsewhere."""
    (tmp_path / "temporal.toml").write_text(f'[profile.default]\nnamespace = "elsewhere"\napi_key = "{API_KEY}"\n')
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "temporal.toml"))
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_NAME", "elsewhere.example")
    monkeypatch.setenv("HANDOVER_TEMPORAL_NAMESPACE", "elsewhere")


@pytest.mark.usefixtures("profile")
@pytest.mark.parametrize("own", [True, False])
def test_the_profile_counts_for_a_given_server_and_not_for_the_demos_own(tmp_path: Path, own: bool) -> None:
    stage = Stage(tmp_path, Ports.free(), "127.0.0.1:7233", own_temporal=own)
    stage.data.mkdir()
    environ = {"HANDOVER_TEMPORAL_NAMESPACE": "elsewhere", **stage.environment}
    parts = read_connection(environ["HANDOVER_TEMPORAL_ADDRESS"], environ["HANDOVER_TEMPORAL_NAMESPACE"], environ)
    found = (stage.connection.namespace, stage.connection.api_key, bool(stage.connection.tls))
    assert found == (("default", None, False) if own else ("elsewhere", API_KEY, True))
    if own:
        assert parts == stage.connection == Connection("127.0.0.1:7233")
