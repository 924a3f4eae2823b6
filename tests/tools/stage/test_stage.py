"""The environment of a demo's parts: what the machine's profile says of another Temporal is not for its dev server."""

import asyncio
from pathlib import Path

import pytest

from engine.connection import Connection, read_connection
from tests.mutual_tls import API_KEY
from tools.stage import plain_http
from tools.stage.ports import Ports
from tools.stage.stage import FolderProblem, Stage


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


def test_a_folder_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "inside", Path("/proc/none")):
        with (
            pytest.raises(FolderProblem, match=r"can't be used .*--data"),
            Stage(folder, Ports.free(), "x", own_temporal=False).fresh(),
        ):
            pass


def test_a_folder_in_which_a_demo_runs_is_left_alone(tmp_path: Path) -> None:
    with (
        Stage(tmp_path, Ports.free(), "x", own_temporal=False).fresh(),
        pytest.raises(FolderProblem, match="runs in"),
        Stage(tmp_path, Ports.free(), "x", own_temporal=False).fresh(),
    ):
        pass


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_the_parts_are_not_sought_behind_a_proxy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with plain_http.client(f"http://127.0.0.1:{port}") as http:
            assert (await http.get("/")).status_code == 204
