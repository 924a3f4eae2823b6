"""What counts as one address where somebody is limited by theirs, and what as this machine."""

from ipaddress import IPv6Address, ip_address, ip_network


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def network_of(address: str) -> str:
    """Give an address; of IPv6 the network of 64 bits that a customer has. What is no address stays as it is."""
    try:
        read = ip_address(address)
    except ValueError:
        return address
    if not isinstance(read, IPv6Address):
        return str(read)
    return str(read.ipv4_mapped or ip_network((read, 64), strict=False))
