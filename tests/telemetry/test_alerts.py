"""The alert rules as they are written; that their metrics exist is tried in tests/journeys/test_watching.py."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = [rule for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_since_when_how_bad_what_to_do_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    file, _, section = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert section in {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_alert_is_tried_on_numbers() -> None:
    tried = (PROMETHEUS / "alerts.test.yml").read_text()
    names = {str(rule["alert"]) for rule in RULES}
    patterns = re.findall(r'alertname(?:: |=~?")([\w.+|]+)', tried)
    assert {name for name in names if any(re.fullmatch(pattern, name) for pattern in patterns)} == names


@pytest.mark.parametrize(
    "check", [["check", "config", "prometheus.yml"], ["test", "rules", "alerts.test.yml"]], ids=["check", "test"]
)
def test_prometheus_reads_the_rules_and_they_fire_on_the_right_numbers(check: list[str]) -> None:
    program = shutil.which("promtool")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing")
        pytest.skip("not run: no promtool on the PATH (Debian's package prometheus has it)")
    ended = subprocess.run([program, *check], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
