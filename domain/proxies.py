"""Whose word on where a caller is counts: that of a proxy that the settings trust, and nobody else's."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

#: `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:4711`.
_NODE: Final = re.compile(r"\[(?P<six>[^\]]+)\](?::\d+)?|(?P<four>[\d.]+)(?::\d+)?|(?P<bare>[\da-fA-F:.]+)")
#: A parameter of RFC 7239, with what ends it; an unquoted value may hold what should have been quoted.
_PARAMETER: Final = re.compile(
    r"""[ \t]*(?:(?P<name>[!#$%&'*+.^_`|~\w-]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s",;]*)))?"""
    r"[ \t]*(?P<end>[;,]|$)"
)


class ForwardedHeader(StrEnum):
    """In which header of a call proxies write where it came from."""

    X_FORWARDED_FOR = "x-forwarded-for"
    FORWARDED = "forwarded"
    """RFC 7239."""


@dataclass(frozen=True)
class Proxies:
    """The proxies that are trusted, and the one header that they write: any other is a client's own word."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    header: ForwardedHeader = ForwardedHeader.X_FORWARDED_FOR

    def trusts(self, address: str) -> bool:
        """Whether an address is a trusted proxy's."""
        read = _address(address)
        return read is not None and any(read in network for network in self.networks)

    def client(self, peer: str, lines: Sequence[str]) -> str:
        """Give where a call comes from that `peer` has sent, with these `lines` of `header`.

        Each proxy adds on the right who called it, so it is the first from there that is no proxy. What names nobody
        (`unknown`, a name of the proxy's own, what can't be read) hides who is behind it: then it is the last proxy.
        """
        client = peer
        for node in self._from_the_right(lines):
            if not self.trusts(client) or (named := _named(node)) is None:
                break
            client = named
        return client

    def _from_the_right(self, lines: Sequence[str]) -> Iterator[str]:
        nodes = _nodes if self.header is ForwardedHeader.FORWARDED else _listed
        for line in reversed(lines):
            yield from reversed(nodes(line))


NO_PROXIES: Final = Proxies()


def _listed(line: str) -> list[str]:
    return line.split(",")


def _nodes(line: str) -> list[str]:
    """List the `for` of each element, empty where it has none; of a line that can't be read one that is empty."""
    nodes, at = [""], 0
    while at < len(line):
        read = _PARAMETER.match(line, at)
        if read is None:
            return [""]
        if (read["name"] or "").lower() == "for":
            nodes[-1] = read["plain"] or read["quoted"] or ""
        if read["end"] == ",":
            nodes.append("")
        at = read.end()
    return nodes


def _named(node: str) -> str | None:
    """Read the address that a proxy names; None where it names none."""
    read = _NODE.fullmatch(node.strip())
    address = _address(read["six"] or read["four"] or read["bare"]) if read else None
    return None if address is None else str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        read = ip_address(text)
    except ValueError:
        return None
    return read.ipv4_mapped or read if isinstance(read, IPv6Address) else read
