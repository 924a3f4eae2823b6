"""The verbs on people, as operators call them: real processes on a database of their own."""

import json
import os
from pathlib import Path

from tests.commands.test_setting_up import SECRET, handover

LINES = (
    {"type": "user", "id": "p-1", "name": "Zoe Quittenbaum", "email": "zoe@example.com"},
    {"type": "user", "id": "p-2", "name": "Ada", "email": "ada@example.com"},
    {"type": "group", "id": "depot", "name": "Depot"},
    {"type": "membership", "group_id": "depot", "user_id": "p-1", "role": "owner"},
)
OTHER = {"type": "membership", "group_id": "depot", "user_id": "p-2", "role": "owner"}


def test_somebody_is_given_what_is_theirs_and_erased_once_nothing_is_in_the_way(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'handover.db'}"
    environ = {**os.environ, "HANDOVER_DATABASE_URL": url, "HANDOVER_SECRET_KEYS": SECRET, "TERM": "dumb"}
    file = tmp_path / "lines.jsonl"

    def take(*lines: dict[str, str]) -> tuple[int, str, str]:
        file.write_text("\n".join(map(json.dumps, lines)))
        return handover(environ, "import", str(file))

    assert handover(environ, "migrate", "--no-search-attributes")[0] == 0
    assert take(*LINES)[0] == 0
    assert json.loads(handover(environ, "people", "export", "p-1")[1])["account"]["email"] == "zoe@example.com"
    assert handover(environ, "people", "export", "nobody")[0] == 1

    erase = ("people", "erase", "p-1", "--reason")
    code, _, err = handover(environ, *erase, "request 4711")
    assert (code, "the only owner of the groups depot: give those another owner" in err) == (1, True)
    assert take(OTHER)[0] == 0
    code, _, err = handover(environ, *erase, "zoe@example.com wrote")
    assert (code, "can't name the person" in err) == (1, True)
    code, out, _ = handover(environ, *erase, "request 4711")
    assert (code, out.startswith("User p-1 is erased, since ")) == (0, True)
    assert handover(environ, *erase, "again")[:2] == (0, out)
    assert "Zoe" not in handover(environ, "people", "export", "p-1")[1]
    [line] = handover(environ, "audit", "export")[1].splitlines()
    entry = json.loads(line)
    assert (entry["subject"], entry["actor"], entry["action"]) == ("user:p-1", "command-line", "erased")
    assert entry["reason"] == "request 4711"
    assert "user p-1 was erased" in take(*LINES)[2]
