"""Sends one one-time code: to whoever a link is for, to whoever signs in."""

from temporalio import workflow

from activities.contracts.messages import Done
from activities.contracts.notices import Notices, SendCode, SendSignInCode, SignInLetters
from domain.policy import Policy
from workflows.activity_calls import call
from workflows.options import code as code_options


@workflow.defn(name="one_time_code")
class OneTimeCodeWorkflow:
    """Makes, keeps as a MAC, and sends a code: never the API's work, so that a crash loses none."""

    @workflow.run
    async def run(self, order: SendCode) -> Done:
        """Send it; fails where it could not be sent within two minutes."""
        return await call(Notices.send_code, order, code_options(Policy()), summary="one-time code to the recipient")


@workflow.defn(name="sign_in_code")
class SignInCodeWorkflow:
    """Sends a code to sign in with, of the id `sign-in-code-<code id>`; nobody waits for how that went."""

    @workflow.run
    async def run(self, order: SendSignInCode) -> Done:
        """Send it; fails where it could not be sent within two minutes."""
        return await call(
            SignInLetters.send_sign_in_code, order, code_options(Policy()), summary="code to sign in with"
        )
