"""Addresses: which are public, and so nobody's own services. Pure."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")
_METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16")))
"""Beside the link-local ones: where clouds tell a machine what it is and hand it its keys."""


def is_public(text: str) -> bool:
    """Return whether an address is of the open internet, also where it stands for another that is not."""
    try:
        # What follows `%` names an interface of this machine.
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address in _NAT64:
        # In networks of version 6 alone the way to every address of version 4.
        return _is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return all(map(_is_public, (address, *_meant(address))))


def is_metadata(text: str) -> bool:
    """Return whether a cloud may hand out a machine's keys at an address; nobody has pages there."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    meant: tuple[IPv4Address | IPv6Address, ...] = (address, *_meant(address))
    if isinstance(address, IPv6Address) and address in _NAT64:
        meant = (*meant, IPv4Address(int(address) & 0xFFFFFFFF))
    return any(one.is_link_local or one in _METADATA for one in meant)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    )


def _meant(address: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the addresses that one of version 6 leads to."""
    if isinstance(address, IPv4Address):
        return ()
    found = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
    return tuple(one for one in found if one is not None)
