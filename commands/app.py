"""Puts the verbs together, and runs the one that is called."""

import errno
import os
import sys
from collections.abc import Callable, Mapping
from typing import Final

import typer

from commands import act_verbs, audit, charge_points, keys, people, read_verbs, sessions, setting_up
from process import leave

#: As which errors of a file come that is full, or whose disk has failed.
_NOT_WRITTEN: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_VERBS: Final[Mapping[str, Mapping[str, Callable[..., None]]]] = {
    "Transfers": {
        "list": read_verbs.list_transfers,
        "show": read_verbs.show,
        "watch": read_verbs.watch,
        "resolve": act_verbs.resolve,
        "cancel": act_verbs.cancel,
        "resend": act_verbs.resend,
        "pause": act_verbs.pause,
        "resume": act_verbs.resume,
    },
    "Charge points": {},
    "Set-up": {
        "import": setting_up.import_file,
        "migrate": setting_up.migrate,
        "findings": setting_up.list_findings,
        "letters": setting_up.list_letters,
        "models": setting_up.list_models,
        "new-secret-key": setting_up.new_secret_key,
    },
}

app = typer.Typer(
    help="Look at transfers and charge points, act on transfers; set Handover up.\n\n"
    "The verbs on both go through the API, with its rights: HANDOVER_API_KEY is your key, HANDOVER_API_URL where "
    "the API is (http://127.0.0.1:8000 by default). Those that set up work on the database itself.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for panel, verbs in _VERBS.items():
    for verb, work in verbs.items():
        app.command(verb, rich_help_panel=panel)(work)
app.add_typer(charge_points.app, name="charge-points", rich_help_panel="Charge points")
app.add_typer(sessions.app, name="sessions", rich_help_panel="Charge points")
app.add_typer(keys.app, name="keys", rich_help_panel="Set-up")
app.add_typer(people.app, name="people", rich_help_panel="Set-up")
app.add_typer(audit.app, name="audit", rich_help_panel="Set-up")


def run() -> None:
    """Run the verb that the command line names, and end the process."""
    code = 0
    try:
        try:
            app()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has seen enough, like `head`
        _write_no_more()
    except OSError as error:
        if error.filename is not None or error.errno not in _NOT_WRITTEN:
            raise
        sys.stderr.write(f"The output could not be written: {error.strerror}.\n")
        _write_no_more()
        code = 1
    leave(code)


def _write_no_more() -> None:
    """Let what is still to be written go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
