"""Where a call comes from, by what proxies say and by what anybody may have made up."""

from ipaddress import ip_network

import pytest

from domain.proxies import ForwardedHeader, Proxies

INNER, OUTER, CLIENT = "10.1.0.1", "2001:db8:99::1", "198.51.100.7"
NETWORKS = tuple(map(ip_network, ("10.0.0.0/8", "2001:db8:99::/48")))
LISTED = Proxies(NETWORKS)
SPOKEN = Proxies(NETWORKS, ForwardedHeader.FORWARDED)


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        ([CLIENT], CLIENT),
        ([f"192.0.2.1, {CLIENT}"], CLIENT),  # the client made its first up
        ([f"{CLIENT},{OUTER} , 10.2.0.1"], CLIENT),
        (["192.0.2.1", f"{CLIENT}, {OUTER}"], CLIENT),  # two lines are one list
        ([f"{OUTER}, {CLIENT}", "10.2.0.1"], CLIENT),  # behind who called the last proxy nobody is believed
        (["10.3.0.1, 10.2.0.1"], "10.3.0.1"),  # a proxy calls for itself
        ([f"{CLIENT}:4711"], CLIENT),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["[2001:db8::7]"], "2001:db8::7"),
        (["2001:DB8::7"], "2001:db8::7"),
        ([f"::ffff:{CLIENT}, ::ffff:10.2.0.1"], CLIENT),
        ([f"{CLIENT}, unknown"], INNER),
        ([f"{CLIENT}, unknown, 10.2.0.1"], "10.2.0.1"),
        ([f"{CLIENT}, 10.2.0.1.5"], INNER),
        ([f"{CLIENT}, "], INNER),
        (["fe80::1%eth0"], INNER),
        (["²"], INNER),
        ([""], INNER),
        ([], INNER),
    ],
)
def test_behind_trusted_proxies_it_is_the_first_from_the_right_that_is_none(lines: list[str], client: str) -> None:
    assert LISTED.client(INNER, lines) == client


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        ([f"for={CLIENT}"], CLIENT),
        ([f'For="{CLIENT}:4711";proto=https;by={INNER} , for="[{OUTER}]"'], CLIENT),
        (["for=[2001:db8::7]:1"], "2001:db8::7"),  # should have been quoted
        ([f'for={CLIENT};host="a, for=192.0.2.1;for=192.0.2.2\\", for=192.0.2.3"'], CLIENT),
        ([f"for=192.0.2.1;host={CLIENT}", "proto=http"], INNER),
        (['for="192.0.2.1', f"for={CLIENT}"], CLIENT),
        ([f'for="192.0.2.1, for={CLIENT}'], INNER),  # can't be read: nobody is believed
        ([f"for={CLIENT}, for=_hidden, for=10.2.0.1"], "10.2.0.1"),
        ([f"for={CLIENT}, for=unknown"], INNER),
        ([""], INNER),
        ([], INNER),
    ],
)
def test_in_the_words_of_rfc_7239_it_is_the_same(lines: list[str], client: str) -> None:
    assert SPOKEN.client(INNER, lines) == client


@pytest.mark.parametrize("peer", ["192.0.2.9", "2001:db8:98::1", "no address", ""])
@pytest.mark.parametrize("proxies", [LISTED, Proxies()])
def test_nobody_else_is_believed(peer: str, proxies: Proxies) -> None:
    assert proxies.client(peer, [CLIENT]) == peer


def test_a_proxy_whose_address_of_version_4_is_spelled_in_version_6_is_the_same_proxy() -> None:
    assert LISTED.client(f"::ffff:{INNER}", [CLIENT]) == CLIENT


def test_a_long_header_that_somebody_made_up_is_read_in_no_time() -> None:
    for made_up in ('for="' + "\\" * 60_000, "for=" + ";" * 60_000, "," * 60_000, "for=a" * 12_000):
        assert SPOKEN.client(INNER, [made_up]) == INNER
