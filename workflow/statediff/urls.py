"""Checks of addresses: https is allowed anywhere, http on this machine only."""

import ipaddress
import re
import socket
from urllib.parse import urlsplit

__all__ = ["is_local", "url_fault"]


def url_fault(url):
    """What is wrong with an address.

    Parameters
    ----------
    url : str

    Returns
    -------
    str or None
        None if it is https, or http to a loopback address, and can't be read in two ways.
    """
    if re.search(r"[\s\x00-\x1f\x7f\\]", url):
        return "has blanks, control characters or backslashes; write them as %20 and so on"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"is no address ({error})"
    if "@" in parts.netloc:
        return "has a user name; addresses are written to logs"
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _loopback(host))):
        return "is not safe; expected https://… (http://… only to this machine itself)"
    return None


def is_local(url):
    """Whether an address is of this machine or of its own network.

    Returns
    -------
    bool
        False if the name cannot be resolved here, as behind a proxy.
    """
    host = urlsplit(url).hostname or ""
    try:
        # Also of numbers in other forms, such as 0x7f000001.
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    numbers = [ipaddress.ip_address(name.partition("%")[0]) for name in found]
    return any(not (getattr(n, "ipv4_mapped", None) or n).is_global for n in numbers)


def _loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
