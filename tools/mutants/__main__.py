"""`make mutants`: tries slips, and compares what went unseen with docs/mutants.md."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tools.mutants.equivalent import EQUIVALENT
from tools.mutants.reach import measure
from tools.mutants.slips import Slip, slips_in
from tools.mutants.trying import Seen, try_all

ROOT: Final = Path(__file__).resolve().parents[2]
TABLE: Final = ROOT / "docs" / "mutants.md"
#: What guards: rights, sight, credentials, links, limits, idempotency, the change of ownership, sessions.
FILES: Final = (
    "domain/approval.py",
    "domain/charge_point.py",
    "domain/charger.py",
    "domain/charger_clock.py",
    "domain/charger_orders.py",
    "domain/charging.py",
    "domain/transitions.py",
    "domain/rights.py",
    "domain/transfer.py",
    "persistence/links/approvals.py",
    "persistence/transfers/audit.py",
    "persistence/people/callers.py",
    "persistence/chargers/charge_points.py",
    "persistence/chargers/charger_connections.py",
    "persistence/chargers/charger_keys.py",
    "persistence/chargers/present_connections.py",
    "persistence/chargers/charging.py",
    "persistence/views/charging_reads.py",
    "persistence/chargers/charging_review.py",
    "persistence/chargers/contenders.py",
    "persistence/chargers/credentials.py",
    "persistence/transfers/inconsistencies.py",
    "persistence/chargers/issuing.py",
    "persistence/intake/idempotency.py",
    "persistence/intake/order_book.py",
    "persistence/intake/refused_attempts.py",
    "persistence/intake/requests.py",
    "persistence/intake/session_orders.py",
    "persistence/chargers/key_sending.py",
    "persistence/intake/limits.py",
    "persistence/links/link_accounts.py",
    "persistence/links/link_codes.py",
    "persistence/links/link_reads.py",
    "persistence/links/signups.py",
    "persistence/intake/orders.py",
    "persistence/transfers/parties.py",
    "persistence/intake/rates.py",
    "persistence/transfers/rescues.py",
    "persistence/views/visibility.py",
    "persistence/transfers/transfers.py",
    "persistence/chargers/typed_keys.py",
    "persistence/chargers/upgrades.py",
    "activities/accounts.py",
    "activities/charge_points.py",
    "activities/charger.py",
    "activities/decisions.py",
    "activities/notices.py",
    "activities/parties.py",
    "activities/reconciler.py",
    "activities/registry.py",
    "activities/rescues.py",
    "activities/whereabouts.py",
    "workflows/approvals.py",
    "workflows/charger.py",
    "workflows/compensation.py",
    "workflows/reconfiguration.py",
    "workflows/rescue.py",
    "workflows/status.py",
    "workflows/step_runner.py",
    "workflows/transfer.py",
    "gateway/connections.py",
    "gateway/contests.py",
    "gateway/credentials.py",
    "gateway/ended_keys.py",
    "gateway/enrolment.py",
    "gateway/auth_throttle.py",
    "gateway/reports.py",
    "gateway/sweep.py",
    "gateway/upgrade.py",
    "api/actions.py",
    "api/acts/connecting.py",
    "api/acts/deciding.py",
    "api/acts/starting.py",
    "api/middleware.py",
    "api/pages/visitors.py",
    "api/routes/decisions.py",
    "api/routes/sessions.py",
)
HEAD: Final = """# Slips that no test sees

`make mutants` puts plausible slips into the code that guards, one at a time: a condition left out of a query or an
`if`, a bound that takes the other side, a guard that is not raised, a call that is not made. Those that are tried are
drawn from all of them, the same ones each time as long as the code there stays the same. A slip that no test sees fails
the run, unless it stands below with the reason why nobody can see it.

"""


def main() -> int:
    """Try the slips that are asked for; gives the exit code."""
    options = _options()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    every = slips_in(ROOT, *FILES)
    chosen = _chosen(every, options)
    if options.list:
        for slip in chosen:
            print(_said(slip))
        return 0
    done = _try(chosen, folder, options)
    unseen = sum(seen is not Seen.SEEN for seen in done.values())
    print(f"{len(done)} slips of {len(every)} were tried, {unseen} unseen.")
    if options.write_table:
        TABLE.write_text(HEAD + _table(done, chosen, every))
    return 1 if unseen or len(done) < sum(slip.id not in EQUIVALENT for slip in chosen) else 0


def _try(chosen: list[Slip], folder: Path, options: argparse.Namespace) -> dict[str, Seen]:
    """Try each but those that nobody can see, and give what became of it by its id.

    Those that were seen are kept in `folder`: they are not tried again as long as their functions stay as they are.
    """
    kept = folder / "seen.json"
    known = set(json.loads(kept.read_text())) if kept.exists() else set()
    possible = [slip for slip in chosen if slip.id not in EQUIVALENT]
    done = {slip.id: Seen.SEEN for slip in possible if slip.id in known}
    left = [slip for slip in possible if slip.id not in known]
    until = time.monotonic() + options.seconds
    for slip, seen in try_all(ROOT, folder, left, measure(ROOT, folder), options.workers, until) if left else ():
        done[slip.id] = seen
        if seen is not Seen.SEEN:
            print(f"{seen}: {_said(slip)}", flush=True)
            continue
        known.add(slip.id)
        kept.write_text(json.dumps(sorted(known)))
    return done


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description="Try slips in the code that guards.")
    parser.add_argument("--slips", type=int, default=400, help="how many (400)")
    parser.add_argument("--only", default="", help="only those in files whose path has this, or of this id")
    parser.add_argument("--seconds", type=float, default=5400, help="no more are begun after so long (5400)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--folder", type=Path, default=ROOT / ".handover" / "mutants", help="where trees are copied to")
    parser.add_argument("--list", action="store_true", help="only list them")
    parser.add_argument("--write-table", action="store_true", help="write docs/mutants.md")
    return parser.parse_args()


def _chosen(every: list[Slip], options: argparse.Namespace) -> list[Slip]:
    """Draw slips by their ids, which are spread evenly."""
    wanted = [slip for slip in every if options.only in slip.file or options.only == slip.id]
    return sorted(wanted, key=lambda slip: slip.id)[: options.slips]


def _said(slip: Slip) -> str:
    return f"{slip.id} {slip.file}:{slip.line} {slip.function}: {slip.what}"


def _table(done: dict[str, Seen], chosen: list[Slip], every: list[Slip]) -> str:
    could = Counter(_room(slip) for slip in every)
    tried = Counter(_room(slip) for slip in chosen if slip.id in done)
    seen = Counter(_room(slip) for slip in chosen if done.get(slip.id) is Seen.SEEN)
    rows = ["| room | slips that could be made | tried | seen |\n|---|---|---|---|\n"]
    rows += [f"| {room} | {could[room]} | {tried[room]} | {seen[room]} |\n" for room in sorted(tried)]
    rows.append(f"| in all | {could.total()} | {tried.total()} | {seen.total()} |\n")
    known = {slip.id: slip for slip in every}
    rows.append("\nNobody can see these:\n\n| slip | where | why |\n|---|---|---|\n")
    for name, why in EQUIVALENT.items():
        if slip := known.get(name):
            rows.append(f"| {slip.what} | `{slip.file}`, `{slip.function}` | {why} |\n")
    return "".join(rows)


def _room(slip: Slip) -> str:
    return Path(slip.file).parts[0]


if __name__ == "__main__":
    sys.exit(main())
