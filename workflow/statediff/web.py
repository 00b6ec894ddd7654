"""Asking servers we do not own: retries with pauses, safe addresses only, clear errors."""

import time
from http.client import responses
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from statediff import InputError, __version__
from statediff.urls import url_fault

__all__ = [
    "BACKOFF", "TIMEOUT", "TRIES", "UNREADABLE", "DirectSession", "ServerFault", "new_session",
    "status_fault",
]  # fmt: skip

#: Seconds to connect, and between two pieces of an answer.
TIMEOUT = (20, 60)
# Of a request, with pauses of 0, 2, 4, … times BACKOFF seconds, or as Retry-After says.
RETRIES = 6
#: Unit of these pauses.
BACKOFF = 1.0
#: Break-offs in a row, without a byte gained.
TRIES = 6
BUSY = (408, 429, 500, 502, 503, 504)
#: What reading an answer raises whose JSON is damaged, or not the expected object.
UNREADABLE = (ValueError, KeyError, TypeError)
# What to do about a status.
HINTS = {
    401: "it is not public; ask its authors for access",
    403: "it is restricted, or the server blocks this machine; ask its authors for access",
    404: "there is no such thing; check the address",
    410: "it was withdrawn; look for a newer version",
    429: "too many requests, even after waiting; run again later",
}


class ServerFault(InputError):
    """An address did not give what was asked for; another may."""


class DirectSession(requests.Session):
    """Session that asks this machine itself without a proxy: all that plain http may go to."""

    def send(self, request, **arguments):
        # Comes by here once more for each redirect.
        if urlsplit(request.url).scheme == "http":
            arguments["proxies"] = {}
        return super().send(request, **arguments)


def new_session(pause=time.sleep):
    """Session that retries what is worth it; use one a thread.

    Parameters
    ----------
    pause : callable
        Waits so many seconds before a request is repeated; what it raises ends the request.

    Returns
    -------
    requests.Session
        Its requests raise `ServerFault` where there is no answer.
    """
    session = _Session()
    # What is not compressed on the way has the length that the server names.
    session.headers.update(
        {"Accept-Encoding": "identity", "User-Agent": f"statediff/{__version__}"}
    )
    # "other" are faults of TLS, which last.
    retries = _Retry(
        RETRIES, other=0, backoff_factor=BACKOFF, status_forcelist=BUSY, raise_on_status=False,
        pause=pause,
    )  # fmt: skip
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retries))
    return session


def status_fault(url, status):
    """The error for an answer with this status."""
    hint = HINTS.get(status, "the server fails; run again later")
    return ServerFault(f"{url}: {status} {responses.get(status, '')}: {hint}")


class _Session(DirectSession):
    def request(self, method, url, **arguments):
        try:
            return super().request(method, url, **arguments)
        except requests.exceptions.ChunkedEncodingError:
            raise
        except requests.RequestException as error:
            raise ServerFault(f"{url}: {_connection_hint(error)}") from error

    def send(self, request, **arguments):
        if fault := url_fault(request.url):
            raise requests.exceptions.InvalidURL(f"{request.url} {fault}")
        return super().send(request, **arguments)


class _Retry(urllib3.Retry):
    def __init__(self, *arguments, pause, **settings):
        super().__init__(*arguments, **settings)
        self.pause = pause

    def new(self, **changes):
        return super().new(pause=self.pause, **changes)

    def sleep(self, response=None):
        if response is None:
            what, wanted = "no answer", None
        else:
            what, wanted = f"status {response.status}", self.get_retry_after(response)
        seconds = wanted or self.get_backoff_time()
        print(f"{what}: again in {seconds:.1f} s", flush=True)
        self.pause(seconds)


def _connection_hint(error):
    # The innermost reason says all.
    reason = getattr(error.args[0] if error.args else error, "reason", error)
    match error:
        case requests.exceptions.InvalidURL():
            return f"leads to an address that may not be asked: {error}"
        case requests.exceptions.ProxyError():
            return f"the proxy fails; check HTTPS_PROXY ({reason})"
        case requests.exceptions.SSLError():
            return (
                "no safe connection; certificates are always verified: check this machine's "
                f"clock, or name those of your network in REQUESTS_CA_BUNDLE ({reason})"
            )
        case _:
            return (
                "no connection; check the network (behind a proxy, HTTPS_PROXY), or run again "
                f"later ({reason})"
            )
