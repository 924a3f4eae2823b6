"""What counts as one address, where somebody is limited by theirs."""

from ipaddress import IPv6Address, ip_address, ip_network


def network_of(address: str) -> str:
    """Give an address; of IPv6 the network of 64 bits that a customer has. What is no address stays as it is."""
    try:
        read = ip_address(address)
    except ValueError:
        return address
    if not isinstance(read, IPv6Address):
        return str(read)
    return str(read.ipv4_mapped or ip_network((read, 64), strict=False))
