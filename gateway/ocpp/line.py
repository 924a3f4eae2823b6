"""OCPP-J over one WebSocket: calls in both directions, one outstanding in each; no frame is ever logged or raised."""

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from inspect import signature
from typing import Any, ClassVar

from ocpp.charge_point import remove_nones, serialize_as_dict
from ocpp.exceptions import InternalError, NotImplementedError, OCPPError, SecurityError  # noqa: A004 - OCPP's own name
from ocpp.messages import Call, CallError, CallResult, unpack
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from domain.charger import OcppVersion
from domain.errors import ErrorCode, HandoverError
from gateway.metrics import GatewayMetrics
from gateway.ocpp.mending import mended, storable
from gateway.ocpp.schemas import schema_of, validate
from gateway.ocpp.spelling import to_camel, to_snake

_log = logging.getLogger(__name__)

#: Answers a call: the payload in snake case as keyword arguments, the library's call_result back.
Handler = Callable[..., Awaitable[Any]]
#: How OCPP 1.6 spells an error code, a slip that stays (its errata, 5.2).
_OLD_CODES = {"FormatViolation": "FormationViolation"}
#: How OCPP 2.x answers what is no message (OCPP-J 2.0.1, 4.2.3), and under which id where none can be read.
_NO_RPC, _NO_ID = "RpcFrameworkError", "-1"
#: Errors that the same call would be answered with again, in both spellings; any other may pass.
_NOT_THERE = frozenset({"NotImplemented", "NotSupported"})
_FINAL = frozenset(
    {
        "FormatViolation",
        "FormationViolation",
        "MessageTypeNotSupported",
        "OccurenceConstraintViolation",
        "OccurrenceConstraintViolation",
        "PropertyConstraintViolation",
        "ProtocolError",
        "SecurityError",
        "TypeConstraintViolation",
    }
)


class NotConnected(HandoverError):
    """The charger has no socket here, or lost it before it answered."""

    code: ClassVar[ErrorCode] = ErrorCode.UNAVAILABLE
    outcome: ClassVar[str] = "not_connected"


class NoAnswer(HandoverError):
    """The charger did not answer in time, or not in a way that can be read: it may have done what it was told."""

    code: ClassVar[ErrorCode] = ErrorCode.UNAVAILABLE
    outcome: ClassVar[str] = "no_answer"


class CallRefused(HandoverError):
    """The charger answered with an error instead of a result, or any would: the call does not fit its schema."""

    code: ClassVar[ErrorCode] = ErrorCode.UNAVAILABLE
    outcome: ClassVar[str] = "refused"


class CallNotSupported(CallRefused):
    """The charger does not know the call."""

    outcome: ClassVar[str] = "not_supported"


class CallRejected(CallRefused):
    """The charger will answer the call with this error whenever it is made."""


class NotInQuarantine(SecurityError):  # type: ignore[misc]
    """Answer to what a charger must not send while it is quarantined; it keeps the message and sends it again."""


class Unanswered(Exception):
    """A call is left without an answer, so that the charger keeps what it told, and tells it again."""


class Line:
    """One charger's socket, spoken in one version of OCPP; `results` is the library's module of that version."""

    def __init__(
        self,
        socket: ServerConnection,
        name: str,
        version: OcppVersion,
        results: Any,
        call_timeout: float,
        metrics: GatewayMetrics,
    ) -> None:
        """Speak over `socket`; `name` stands for the charger in the log."""
        self._socket = socket
        self._name = name
        self._version = version
        self._results = results
        self.call_timeout = call_timeout
        """How many seconds the charger may take to answer."""
        self._metrics = metrics
        self._one_call = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._awaited: tuple[str, asyncio.Future[CallResult | CallError]] | None = None
        self._ended = False
        self._misfits = 0
        self._strays: set[str] = set()

    async def ask(self, request: Any) -> Any:
        """Send one of the library's calls and give its call_result; one that does not fit its schema is not sent.

        Raises NotConnected, NoAnswer, CallNotSupported, CallRefused; none holds a part of the call or of the answer.
        """
        action = type(request).__name__
        payload = to_camel(remove_nones(serialize_as_dict(request)))
        call = Call(str(uuid.uuid4()), action, payload)
        with self._metrics.call(self._version, action, call.unique_id):
            return await self._ask(call, action)

    async def _ask(self, call: Call, action: str) -> Any:
        if not await self._fits(call):
            raise CallRefused(f"The {action} does not fit OCPP's schema, and was not sent.")
        async with self._one_call:
            reply = await self._exchange(call, action)
        if isinstance(reply, CallError):
            if str(reply.error_code) in _NOT_THERE:
                raise CallNotSupported(f"The charger does not support {action}.")
            if str(reply.error_code) in _FINAL:
                raise CallRejected(f"The charger does not take the {action}.")
            raise CallRefused(f"The charger answered {action} with an error.")
        reply.action = action
        payload = reply.payload
        if not await self._fits(reply):
            schema = schema_of(reply, self._version)
            payload = mended(payload, schema, numbers_as_text=True) if schema is not None else None
            self._stray(action)
        if payload is not None:
            try:
                return getattr(self._results, action)(**to_snake(storable(payload)))
            except (TypeError, AttributeError, RecursionError):
                pass  # raised below, outside, so that the frame is not carried along as its context
        raise NoAnswer(f"The charger's answer to {action} can't be read.")

    async def listen(self, handlers: Mapping[str, Handler]) -> None:
        """Take frames, one after the other, until the socket is closed; a call in `handlers` is answered by it."""
        try:
            async for frame in self._socket:
                await self._take(frame, handlers)
        except ConnectionClosed:
            pass
        finally:
            self._ended = True
            if self._awaited is not None and not self._awaited[1].done():
                self._awaited[1].set_exception(NotConnected("The charger's connection was lost before it answered."))

    async def _exchange(self, call: Call, action: str) -> Any:
        if self._ended:
            raise NotConnected("The charger is not connected.")
        answer: asyncio.Future[CallResult | CallError] = asyncio.get_running_loop().create_future()
        self._awaited = (call.unique_id, answer)
        try:
            async with asyncio.timeout(self.call_timeout):
                async with self._turn:  # the answer to a call of the charger's goes out first
                    await self._socket.send(call.to_json())
                return await answer
        except TimeoutError:
            failure: HandoverError = NoAnswer(f"The charger did not answer {action} in time.")
        except ConnectionClosed:
            failure = NotConnected("The charger's connection was lost before it answered.")
        finally:
            self._awaited = None
        raise failure

    async def _take(self, frame: str | bytes, handlers: Mapping[str, Handler]) -> None:
        try:
            message = unpack(frame)
        except (OCPPError, ValueError, RecursionError):
            await self._take_misfit(frame)
            return
        if not self._is_id(message.unique_id):
            await self._take_misfit(frame)
        elif isinstance(message, Call):
            self._metrics.received(self._version, str(message.action) if str(message.action) in handlers else "unknown")
            async with self._turn:
                await self._answer(message, handlers)
        elif (answer := self._answer_to(message.unique_id)) is not None:
            answer.set_result(message)
        else:
            self._misfit()  # too late, or never asked for

    def _is_id(self, said: object) -> bool:
        """Whether an id can be answered under; a charger of OCPP 1.6 may count."""
        counts = self._version is OcppVersion.V16 and isinstance(said, int) and not isinstance(said, bool)
        return counts or isinstance(said, str)

    async def _take_misfit(self, frame: str | bytes) -> None:
        """Make of a frame that is no message what can be made of it: an answer that lacks something, or a call's error.

        OCPP-J 2.0.1 (4.2.3) answers what has no id that can be read under `-1`; 1.6 has no answer to that.
        """
        self._misfit()
        match _loose(frame):
            case [3, of, *_] if (answer := self._answer_to(of)) is not None:
                answer.set_exception(NoAnswer("The charger's answer can't be read."))
                return
            case [4, of, *said] if (answer := self._answer_to(of)) is not None:
                answer.set_result(CallError(of, next(iter(said), None), "", {}))
                return
            case [3 | 4, *_]:
                return  # an error about an answer would be one about an error
            case [2, of, *_] if self._is_id(of):
                code = "FormationViolation" if self._version is OcppVersion.V16 else _NO_RPC
                error = CallError(of, code, "It is no call: four elements are wanted.", {})
            case _ if self._version is OcppVersion.V16:
                return
            case _:
                error = CallError(_NO_ID, _NO_RPC, "It can't be read.", {})
        async with self._turn:
            await self._socket.send(error.to_json())

    def _answer_to(self, unique_id: object) -> asyncio.Future[CallResult | CallError] | None:
        """Give what waits for the answer to a call; None where nothing does, or it has come."""
        if self._awaited is None:
            return None
        asked, answer = self._awaited
        return answer if asked == unique_id and not answer.done() else None

    async def _answer(self, call: Call, handlers: Mapping[str, Handler]) -> None:
        try:
            reply: Any = await self._handle(call, handlers)
        except Unanswered:
            return
        except OCPPError as error:
            reply = CallError(call.unique_id, self._spell(error.code), error.default_description, {})
        except ConnectionClosed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever fails, the charger gets an answer and keeps its socket
            _log.warning("A %s of %s was not handled: %s", call.action, self._name, type(error).__name__)
            reply = CallError(call.unique_id, InternalError.code, InternalError.default_description, {})
        await self._socket.send(reply.to_json())

    async def _handle(self, call: Call, handlers: Mapping[str, Handler]) -> CallResult:
        handler = handlers.get(call.action) if isinstance(call.action, str) else None
        if handler is None:
            raise NotImplementedError
        result = await handler(**await self._read(call, handler))
        reply = call.create_call_result(to_camel(remove_nones(serialize_as_dict(result))))
        await validate(reply, self._version)
        return reply

    async def _read(self, call: Call, handler: Handler) -> dict[str, Any]:
        """Give what a call says, spelled for its handler; raises an OCPPError where that lacks what it needs.

        The rest of what does not fit is put right or left out, and noted: a stop that is refused for a tag which nobody
        reads would be told for ever (OCPP 1.6, 4.10).
        """
        try:
            await validate(call, self._version)
        except OCPPError as fault:
            schema = schema_of(call, self._version)
            found = mended(call.payload, schema) if schema is not None else None
            if found is None:
                raise
            said: dict[str, Any] = to_snake(storable(found))
            try:
                signature(handler).bind(**said)
            except TypeError:
                raise fault from None
            self._stray(str(call.action))
            return said
        payload: dict[str, Any] = to_snake(storable(call.payload))
        return payload

    def _stray(self, action: str) -> None:
        """Note, once for each action, that a charger says it otherwise than the standard has it."""
        if action not in self._strays:
            self._strays.add(action)
            _log.warning("%s says %s otherwise than OCPP does: it is read as far as it is needed.", self._name, action)

    async def _fits(self, message: Call | CallResult) -> bool:
        try:
            await validate(message, self._version)
        except (OCPPError, TypeError, RecursionError):
            return False
        return True

    def _spell(self, code: str) -> str:
        return _OLD_CODES.get(code, code) if self._version is OcppVersion.V16 else code

    def _misfit(self) -> None:
        """Count a frame that fits nothing; the log has a line at the 1st, 2nd, 4th, 8th …, so none can flood it."""
        self._misfits += 1
        if self._misfits & (self._misfits - 1) == 0:
            _log.warning("%s sent a frame that fits nothing (%d so far).", self._name, self._misfits)


def _loose(frame: str | bytes) -> list[Any]:
    """Read a frame as far as it is a list; empty where it is none."""
    try:
        said = json.loads(frame)
    except (ValueError, RecursionError):
        return []
    return said if isinstance(said, list) else []
