"""The API keeps what its OpenAPI document promises, whatever is sent to it and in whatever order."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.journeys.system import running
from tools.demo.seed import FILE

#: Single calls, then calls that follow from each other's answers; each takes its share of the time.
PHASES = {"examples,coverage,fuzzing": 0.6, "stateful": 0.4}


@pytest.mark.timeout(3600)
async def test_no_call_and_no_sequence_of_calls_breaks_the_openapi_document(
    tmp_path: Path, sqlite_url: str, request: pytest.FixtureRequest
) -> None:
    seconds = int(request.config.getoption("--contract-seconds"))
    lines = [json.loads(line) for line in FILE.read_text().splitlines()]
    async with running(tmp_path / "system", sqlite_url, lines) as system:
        for phases, share in PHASES.items():
            command = [
                *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{system.stage.api}/openapi.json"),
                *("--checks", "all", "--phases", phases, "--max-time", str(int(seconds * share))),
                *("--header", f"Authorization: Bearer {system.keys['amelie']}"),  # with every scope
                *("--request-timeout", "30", "--generation-database", "none", "--no-color", "--continue-on-failure"),
            ]
            environment = {"SCHEMATHESIS_HOOKS": "tests.journeys.contract_hooks", "PYTHONPATH": str(ROOT)}
            ended = await asyncio.to_thread(
                subprocess.run,
                command,
                cwd=tmp_path,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                timeout=seconds + 300,
                check=False,
            )
            assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
