"""Three machines and the network between them, as namespaces of Linux's: packets can be lost there without a word.

All of it is in a mount namespace and a network namespace of the run's own: what the run leaves behind when it ends,
however it ends, the kernel takes away, and nobody else's network has a rule or an address of it.
"""

import asyncio
import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tools.stage.finding_postgres import programs
from tools.stage.machine import Machine

#: Nobody's addresses but this network's own, in which nothing else is.
_NETWORK: Final = "10.77"
#: The part of the network that chargers, and clients of former owners, come from.
STREET: Final = f"{_NETWORK}.9"
_NAMES: Final = ("a", "b", "c")
_PROGRAMS: Final = {"ip": "iproute2", "nft": "nftables", "mount": "mount"}
#: Of unshare(2).
_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_NAMED: Final = Path("/run/netns")
_FORWARD: Final = Path("/proc/sys/net/ipv4/ip_forward")
_TABLE: Final = ("inet", "between")


class Missing(Exception):
    """Namespaces are not to be had here; the text says what is missing."""


def enter() -> None:
    """Have this process in a network, and with mounts, of its own; before it has threads. Raises Missing."""
    if problem := next(_missing(), None):
        raise Missing(problem)
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS | _CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise Missing(f"This root may make no namespaces ({reason}): CAP_SYS_ADMIN is needed.")


def _missing() -> Iterator[str]:
    if sys.platform != "linux":
        yield "Two machines are shown as network namespaces, which only Linux has."
    if os.geteuid() != 0:
        yield "Network namespaces are made by root alone: run it as root."
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            yield f"`{program}` is needed, and not on the PATH (Debian: {package})."
    if programs() is None:
        yield "PostgreSQL's own programs are needed, as a container is in another network (Debian: postgresql)."


@dataclass
class Network:
    """The network as it is now: a router, which is where the run itself is, and a machine behind each of its ends.

    The chargers are at the router, too, so what is cut between two machines is not cut for them.
    """

    a: Machine
    b: Machine
    c: Machine
    lost: dict[str, int] = field(default_factory=dict)
    """How many packets each cut took."""

    async def cut(self, name: str, one: Machine, other: Machine, ports: Sequence[int] = ()) -> None:
        """Lose every packet between two machines, or those from and to `ports` of the other, until `heal`."""
        ends = [("saddr", "daddr", "dport"), ("daddr", "saddr", "sport")]
        only = f"{{ {', '.join(map(str, ports))} }}"
        for own, others, side in ends:
            ports_of = ("tcp", side, only) if ports else ()
            hosts = ("ip", own, one.address, "ip", others, other.address)
            rule = (*hosts, *ports_of, "counter", "drop", "comment", f'"{name}"')
            await _run("nft", "add", "rule", *_TABLE, "forward", *rule)

    async def heal(self) -> None:
        """Lose nothing any more, and count what was lost."""
        listed = json.loads(await _run("nft", "--json", "list", "chain", *_TABLE, "forward"))
        for entry in listed["nftables"]:
            rule: dict[str, Any] = entry.get("rule", {})
            packets = sum(one["counter"]["packets"] for one in rule.get("expr", []) if "counter" in one)
            if rule:
                self.lost[rule["comment"]] = self.lost.get(rule["comment"], 0) + packets
        await _run("nft", "flush", "chain", *_TABLE, "forward")


async def lay(street: Sequence[str]) -> Network:
    """Make the machines, and the network between them; `street`: the addresses at the router itself."""
    await _run("mount", "--make-rprivate", "/")
    await asyncio.to_thread(_NAMED.mkdir, exist_ok=True)
    await _run("mount", "-t", "tmpfs", "tmpfs", str(_NAMED))
    await _run("ip", "link", "set", "lo", "up")
    for address in street:
        await _run("ip", "address", "add", f"{address}/32", "dev", "lo")
    for number, name in enumerate(_NAMES, 1):
        await _lay_line(name, f"{_NETWORK}.{number}.1", f"{_NETWORK}.{number}.2")
    await asyncio.to_thread(_FORWARD.write_text, "1", "ascii")
    await _run("nft", "add", "table", *_TABLE)
    await _run("nft", "add", "chain", *_TABLE, "forward", "{ type filter hook forward priority 0; }")
    a, b, c = (Machine(f"{_NETWORK}.{n}.2", ("ip", "netns", "exec", name)) for n, name in enumerate(_NAMES, 1))
    return Network(a, b, c)


async def _lay_line(name: str, here: str, there: str) -> None:
    await _run("ip", "netns", "add", name)
    await _run("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "net", "netns", name)
    await _run("ip", "address", "add", f"{here}/30", "dev", f"to-{name}")
    await _run("ip", "link", "set", f"to-{name}", "up")
    await _run("ip", "-n", name, "link", "set", "lo", "up")
    await _run("ip", "-n", name, "address", "add", f"{there}/30", "dev", "net")
    await _run("ip", "-n", name, "link", "set", "net", "up")
    await _run("ip", "-n", name, "route", "add", "default", "via", here)


async def _run(*argv: str) -> str:
    """Run a program of the system; raises Missing with what it says where it fails."""
    process = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, problem = await process.communicate()
    if process.returncode != 0:
        raise Missing(f"`{' '.join(argv)}` failed: {problem.decode(errors='replace').strip()}")
    return out.decode()
