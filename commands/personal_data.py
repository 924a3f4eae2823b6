"""What the verbs on people do on the database."""

import json

import typer

from commands.database import database as open_database
from commands.database import do
from commands.ends import Wrong
from domain.actors import COMMAND_LINE
from domain.ids import UserId
from persistence.intake.erasures import Erasures
from persistence.vault import Vault
from persistence.views.personal_data import PersonalData
from settings import read_settings


def export(user: str) -> None:
    """Print what is kept about somebody."""
    do(_export(UserId(user)))


def erase(user: str, reason: str) -> None:
    """Erase somebody, and say since when they are."""
    do(_erase(UserId(user), reason))


async def _export(user_id: UserId) -> None:
    vault = _vault()
    async with open_database() as db:
        found = await PersonalData(db, vault).of(user_id)
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2))


async def _erase(user_id: UserId, reason: str) -> None:
    vault = _vault()
    async with open_database() as db:
        erased_at = await Erasures(db, vault).erase(user_id, reason, COMMAND_LINE)
    typer.echo(f"User {user_id} is erased, since {erased_at:%Y-%m-%d %H:%M} UTC. Backups still have them.")


def _vault() -> Vault:
    try:
        return Vault(read_settings().server_keys())
    except ValueError as error:
        raise Wrong(str(error)) from None
