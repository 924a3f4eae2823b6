"""The transfers of the drill: what is so at the moment that is gone back to, what follows, and what is found then."""

from dataclasses import dataclass

from domain.reconciliation import Finding


@dataclass
class Case:
    """One transfer, and what became of it."""

    title: str
    charge_point: str
    before: str
    """What was so at the moment that the database is put back to."""
    after: str
    """What happened after it, and is lost to the database."""
    found: str
    """What the reconciler is to say; empty: nothing."""
    answer: str
    """What an operator, and the owner, then do."""
    owner: str
    """Who has the charge point at the end, and what state the last transfer of it is in."""
    state: str
    transfer_id: str = ""
    ended: str = ""


def cases() -> dict[str, Case]:
    """Give them, by name."""
    return {
        "done": Case(
            "A move to another group",
            "lilas-1",
            before="had been completed",
            after="nothing",
            found="",
            answer="nothing: it stays as it is",
            owner="amelie",
            state="completed",
        ),
        "waits": Case(
            "An offer to Hugo",
            "lilas-5",
            before="waited for him",
            after="nothing",
            found="",
            answer="nothing: it waits for him still",
            owner="amelie",
            state="awaiting_acceptance",
        ),
        "asked": Case(
            "Another move to another group",
            "lilas-6",
            before="had been asked for, and no worker had taken it",
            after="it was completed",
            found=Finding.RUN_ENDED,
            answer="`retry`: it is done again",
            owner="amelie",
            state="completed",
        ),
        "accepted": Case(
            "An offer to Farid",
            "lilas-3",
            before="waited for him",
            after="he accepted; the charger got a new key",
            found=Finding.RUN_ENDED,
            answer="`retry`; Farid accepts once more, and has new credentials typed in",
            owner="farid",
            state="completed",
        ),
        "declined": Case(
            "An offer to Emma",
            "lilas-4",
            before="waited for her",
            after="she declined",
            found=Finding.RUN_ENDED,
            answer="`retry`, then `roll_back`",
            owner="amelie",
            state="cancelled",
        ),
        "handed over": Case(
            "A handover to Ben",
            "lilas-2",
            before="had not been asked for",
            after="it was completed; the charger got a new key",
            found=Finding.RUN_UNKNOWN,
            answer="it is handed over once more; Ben has new credentials typed in; the run is deleted",
            owner="ben",
            state="completed",
        ),
        "offered": Case(
            "An offer to Chloé",
            "lilas-8",
            before="had not been asked for",
            after="it was asked for, and waited for her",
            found=Finding.RUN_UNKNOWN,
            answer="the run is terminated, and deleted",
            owner="amelie",
            state="no transfer",
        ),
    }
