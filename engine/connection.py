"""How a process reaches Temporal: by Handover's own settings first, then by Temporal's environment and profile file."""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfigProfile, ClientConfigTLS
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from domain.errors import ErrorCode, HandoverError, Unavailable
from engine.service_client import PunctualServiceClient

DEFAULT_ADDRESS: Final = "127.0.0.1:7233"
DEFAULT_NAMESPACE: Final = "default"

#: How long a process that starts waits for its first answer, in seconds.
_OPEN_WITHIN: Final = 20.0
_SILENCE: Final = "silence"
#: What the SDK's error holds, and what that means: the error itself is the inside of three libraries.
_REASONS: Final = {
    r"InvalidCertificate\((\w+)": "its certificate is not accepted: {}",
    r"InvalidContentType": "it speaks no TLS",
    r"(PermissionDenied|Unauthenticated)": "it refuses the API key or the certificate: {}",
    r"fatal alert: (\w+)": "it refuses the client certificate: {}",
    r"Invalid headers": "what TEMPORAL_GRPC_META_… sets is no header",
    r"connection: Status . code: (?:Unknown|Cancelled)": "it closes the connection: it may want TLS, or a certificate",
    _SILENCE: "nothing comes back: a firewall may drop what is sent",
}


class BadConnection(HandoverError):
    """What is set makes no connection. The text says what to correct, and holds no key, nor a line of the file."""

    code: ClassVar[ErrorCode] = ErrorCode.UNAVAILABLE


@dataclass(frozen=True)
class Connection:
    """Where Temporal is, and what lets us in."""

    address: str = DEFAULT_ADDRESS
    namespace: str = DEFAULT_NAMESPACE
    tls: TLSConfig | bool = field(default=False, repr=False)
    api_key: str | None = field(default=None, repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def open(self, *, interceptors: Sequence[Interceptor] = (), runtime: Runtime | None = None) -> Client:
        """Connect, and see that the namespace is there; raises Unavailable, which says why it can't be."""
        try:
            async with asyncio.timeout(_OPEN_WITHIN):
                client = await self._connect(lazy=False, interceptors=interceptors, runtime=runtime)
                ask = DescribeNamespaceRequest(namespace=self.namespace)
                await client.workflow_service.describe_namespace(ask)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise Unavailable(
                    f"Temporal at {self.address} has no namespace {self.namespace}; create it, or correct "
                    "HANDOVER_TEMPORAL_NAMESPACE."
                ) from None
            raise self._away(error.status.name.title().replace("_", "")) from None
        except RuntimeError as error:
            raise self._away(str(error)) from None
        except TimeoutError:
            raise self._away(_SILENCE) from None
        return client

    async def open_later(self, *, interceptors: Sequence[Interceptor] = (), runtime: Runtime | None = None) -> Client:
        """Give a client that connects with its first call, which raises RuntimeError where it can't."""
        return await self._connect(lazy=True, interceptors=interceptors, runtime=runtime)

    async def _connect(self, *, lazy: bool, interceptors: Sequence[Interceptor], runtime: Runtime | None) -> Client:
        client = await Client.connect(
            self.address,
            namespace=self.namespace,
            tls=self.tls,
            api_key=self.api_key,
            rpc_metadata=self.metadata,
            data_converter=pydantic_data_converter,
            lazy=lazy,
            interceptors=interceptors,
            runtime=runtime,
        )
        config = client.config()
        config["service_client"] = PunctualServiceClient(client.service_client)
        return Client(**config)

    def _away(self, error: str) -> Unavailable:
        found = ((text, re.search(pattern, error)) for pattern, text in _REASONS.items())
        reason = next((f" ({text.format(*match.groups())})" for text, match in found if match), "")
        return Unavailable(
            f"Temporal does not answer at {self.address}{reason}; start it, or correct HANDOVER_TEMPORAL_ADDRESS"
            f"{' or what TEMPORAL_… sets' if reason else ''}."
        )


def read_connection(
    address: str | None = None, namespace: str | None = None, environ: Mapping[str, str] = os.environ
) -> Connection:
    """Read how Temporal is reached, its address and namespace where the profile's are not meant.

    A variable of `environ` that is empty counts as unset. Raises BadConnection.
    """
    profile = _read_profile(environ)
    address = address or profile.address or DEFAULT_ADDRESS
    if not re.fullmatch(r"[^\s/]+:\d{1,5}", address):
        raise BadConnection(
            f"{address} is no address, like temporal.example:7233; correct HANDOVER_TEMPORAL_ADDRESS, or else "
            "TEMPORAL_ADDRESS."
        )
    if profile.api_key is not None and not re.fullmatch(r"[!-~]+", profile.api_key):
        raise BadConnection("The API key for Temporal has characters that none has; correct TEMPORAL_API_KEY.")
    return Connection(
        address,
        read_namespace(namespace, environ),
        bool(profile.api_key) if profile.tls is None else _read_tls(profile.tls),
        profile.api_key,
        profile.grpc_meta,
    )


def read_namespace(namespace: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """Read the namespace alone, which needs no certificate to be there; raises BadConnection."""
    return namespace or _read_profile(environ).namespace or DEFAULT_NAMESPACE


def _read_profile(environ: Mapping[str, str]) -> ClientConfigProfile:
    given = {name: value for name, value in environ.items() if value}
    file = given.get("TEMPORAL_CONFIG_FILE")
    if file and not Path(file).exists():  # to the SDK it would be an empty one
        raise BadConnection(f"There is no {file}; correct TEMPORAL_CONFIG_FILE, or unset it.")
    try:
        return ClientConfigProfile.load(override_env_vars=given, config_file_strict=True)
    except RuntimeError as error:
        fault = str(error)
    file = file or "Temporal's profile file"
    if line := re.search(r"at line (\d+)", fault):  # what follows shows the line
        raise BadConnection(f"Line {line[1]} of {file} is none of a Temporal profile; correct it.")
    if fault.startswith(("Profile ", "Invalid configuration: ")):  # they name what is set, and not to what
        raise BadConnection(f"{fault.removeprefix('Invalid configuration: ')}; correct TEMPORAL_PROFILE or {file}.")
    raise BadConnection(f"{file} can't be read; correct it, or TEMPORAL_CONFIG_FILE.")


def _read_tls(profile: ClientConfigTLS) -> TLSConfig | bool:
    """Read the certificates, and see that they are some: the SDK would find that out at the first connection."""
    try:
        tls = profile.to_connect_tls_config()
    except OSError as error:
        raise BadConnection(
            f"{error.filename} can't be read ({error.strerror}); correct TEMPORAL_TLS_…_PATH, or the profile."
        ) from None
    if not isinstance(tls, TLSConfig):
        return tls
    if (tls.client_cert is None) != (tls.client_private_key is None):
        raise BadConnection("Set TEMPORAL_TLS_CLIENT_CERT_… and TEMPORAL_TLS_CLIENT_KEY_… together, or neither.")
    if tls.server_root_ca_cert is not None and not _is_certificate(tls.server_root_ca_cert):
        raise BadConnection("What TEMPORAL_TLS_SERVER_CA_CERT_… gives is no PEM certificate; correct it.")
    if tls.client_cert is not None and tls.client_private_key is not None:
        _check_pair(tls.client_cert, tls.client_private_key)
    return tls


def _check_pair(cert: bytes, key: bytes) -> None:
    try:
        if load_pem_x509_certificates(cert)[0].public_key() == load_pem_private_key(key, None).public_key():
            return
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it wants a pass phrase
        pass
    raise BadConnection(
        "What TEMPORAL_TLS_CLIENT_CERT_… and TEMPORAL_TLS_CLIENT_KEY_… give are no PEM certificate and its own key "
        "without a pass phrase; correct them."
    )


def _is_certificate(pem: bytes) -> bool:
    try:
        return bool(load_pem_x509_certificates(pem))
    except ValueError:
        return False
