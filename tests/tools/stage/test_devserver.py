"""The dev server: found or built in a fixed order, each way that fails saying why, and run for real."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.stage import devserver
from tools.stage.devserver.finding import cached_program
from tools.stage.ports import free_port

STARTS = "#!/bin/sh\necho temporal version 9.9.9\n"
FAILS = "#!/bin/sh\necho 'not for this machine' >&2\nexit 3\n"
#: A Go that makes a program, as `go install` does with GOBIN.
BUILDS = '#!/bin/sh\necho "$@" >&2\necho "#!/bin/sh" > "$GOBIN/temporal"\nchmod +x "$GOBIN/temporal"\n'


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder on the PATH; the cache is empty, and no download gets through."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in ("sh", "chmod"):
        (folder / program).symlink_to(f"/bin/{program}")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    return folder


def put(file: Path, content: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    file.chmod(0o755)
    return file


def find(said: list[str], seconds: float = 30) -> Path:
    return devserver.find_or_build(said.append, download_seconds=seconds)


def test_a_given_address_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    assert devserver.given_address() is None
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:7233")
    assert devserver.given_address() == "127.0.0.1:7233"


def test_the_one_on_the_path_is_first(bin_dir: Path) -> None:
    put(cached_program(), STARTS)
    program = put(bin_dir / "temporal", STARTS)
    said: list[str] = []
    assert find(said) == program
    assert not said


def test_one_on_the_path_that_does_not_start_is_passed_over_for_the_cache(bin_dir: Path) -> None:
    put(bin_dir / "temporal", FAILS)
    cached = put(cached_program(), STARTS)
    said: list[str] = []
    assert find(said) == cached
    assert said == ["Temporal dev server: the `temporal` on the PATH does not start: not for this machine."]


def test_without_one_it_is_built_into_the_cache_once(bin_dir: Path) -> None:
    put(bin_dir / "go", BUILDS)
    said: list[str] = []
    assert find(said) == cached_program()
    assert [line for line in said if "the download failed" in line]
    assert os.access(cached_program(), os.X_OK)
    assert sorted(file.name for file in cached_program().parent.iterdir()) == ["temporal", "temporal.lock"]
    put(bin_dir / "go", FAILS)
    assert find([]) == cached_program()


@pytest.mark.parametrize(
    ("go", "why"), [(None, "no `go` on the PATH"), (FAILS, "the build failed: not for this machine.")]
)
def test_where_every_way_fails_each_says_why_and_the_last_word_says_what_to_install(
    bin_dir: Path, go: str | None, why: str
) -> None:
    if go is not None:
        put(bin_dir / "go", go)
    said: list[str] = []
    with pytest.raises(devserver.NoServer, match="Install the Temporal CLI"):
        find(said)
    assert all("\n" not in line for line in said)
    assert [line for line in said if "no `temporal` on the PATH" in line]
    assert [line for line in said if "none in the cache" in line]
    assert [line for line in said if "the download failed" in line]
    assert why in said[-1]
    assert not cached_program().exists()


def test_a_download_that_takes_too_long_is_given_up(bin_dir: Path) -> None:
    said: list[str] = []
    put(bin_dir / "go", BUILDS)
    find(said, seconds=0.05)
    assert "Temporal dev server: the download failed: gave up after 0.05 s." in said


async def test_it_runs_and_is_ready(temporal_address: str) -> None:
    assert await devserver.ready(temporal_address)


async def test_waiting_ends_when_the_process_has_died(start_dead: Callable[[], bool]) -> None:
    assert not await devserver.ready(f"127.0.0.1:{free_port()}", alive=start_dead)


@pytest.fixture
def start_dead() -> Callable[[], bool]:
    """Say that a process that ends at once is no longer alive."""
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
    return lambda: process.poll() is None
