"""Which addresses may be asked: https anywhere, plain http on this machine only."""

import ipaddress
import re
from urllib.parse import urlsplit

__all__ = ["url_fault"]


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


def _loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
