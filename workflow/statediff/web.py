"""Requests to servers of others: retries with pauses, safe addresses only, clear errors.

A server cannot exhaust memory or time: answers are read in pieces, with a limit of size and time,
and the bodies of redirects and error pages are not read.
"""

import math
import socket
import threading
import time
import warnings
from contextlib import suppress
from http.client import HTTPException, responses
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError

from statediff import DataWarning, InputError, __version__
from statediff.urls import is_local, url_fault

__all__ = [
    "BACKOFF", "LONGEST", "TIMEOUT", "TRIES", "UNREADABLE", "Busy", "ServerFault", "Session",
    "status_fault",
]  # fmt: skip

#: Seconds to connect, and between two pieces of an answer.
TIMEOUT = (20, 60)
#: Seconds from a request to the end of the headers of its answer.
HEADERS = 180.0
#: Seconds for all of an answer that is held in memory, and its bytes.
SLOWEST = 600.0
LARGEST = 128 << 20
# Attempts of a request, with pauses of 0, 2, 4, … times BACKOFF seconds, or as in Retry-After.
RETRIES = 6
#: Unit of these pauses.
BACKOFF = 1.0
#: Longest wait, in seconds, that a server may ask for.
LONGEST = 300.0
# Waits of more seconds than this are explained on the terminal.
TOLD = 10.0
#: Break-offs in a row, without a byte gained.
TRIES = 6
# From one address to another.
REDIRECTS = 10
BLOCK = 1 << 16
BUSY = (408, 429, 500, 502, 503, 504)
#: What reading an answer raises whose JSON is damaged, or not the expected object.
UNREADABLE = (ValueError, KeyError, TypeError, RecursionError)
# What to do about a status.
HINTS = {
    401: "it is not public; ask its authors for access",
    403: "it is restricted, or the server blocks this machine; ask its authors for access",
    404: "not found; check the address",
    410: "it was withdrawn; look for a newer version",
    429: "too many requests, even after waiting; run again later",
}


# Understands all forms of Retry-After, and shortens none.
_PATIENT = urllib3.Retry(retry_after_max=math.inf)


class ServerFault(InputError):
    """An address did not return the requested file; another may."""


class Busy(requests.RequestException):
    """A server asks for a longer pause than a job waits."""


class Session(requests.Session):
    """Session that repeats requests after temporary failures; use one per thread.

    This machine itself, all that plain http may go to, is asked without a proxy.

    Parameters
    ----------
    pause : callable
        Waits so many seconds before a request is repeated; what it raises ends the request.
    retries : int
    least : float
        Seconds of the shortest pause.
    redirected : bool
        Whether redirects are followed.
    """

    def __init__(self, pause=time.sleep, retries=RETRIES, least=0.0, redirected=True):
        super().__init__()
        self._pause, self._retries, self._least = pause, retries, least
        self._redirected = redirected
        # What is not compressed on the way has the length that the server names.
        self.headers.update(
            {"Accept-Encoding": "identity", "User-Agent": f"statediff/{__version__}"}
        )
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def ask(self, method, url, whole=False, timeout=TIMEOUT, **arguments):
        """Ask until there is an answer, of any status, or too many tries.

        Parameters
        ----------
        method, url : str
        whole : bool
            Whether to read the body too, into `content`; otherwise it is streamed.
        **arguments
            Of `requests.Session.request`.

        Returns
        -------
        requests.Response

        Raises
        ------
        requests.RequestException
            If there is none.
        """
        arguments |= {"timeout": timeout, "stream": True, "allow_redirects": False}
        for attempt in range(self._retries + 1):
            wanted = None
            try:
                answer = self._follow(method, url, arguments)
                busy = answer.status_code in BUSY and attempt < self._retries
                if whole and not busy:
                    _read(answer)
                if not busy:
                    return answer
                what, wanted = f"status {answer.status_code}", _wanted(answer)
                answer.close()
            except (requests.ConnectionError, requests.Timeout, ChunkedEncodingError) as error:
                lasting = isinstance(error, requests.exceptions.SSLError)
                if lasting or attempt == self._retries:
                    raise
                what = "no answer"
            except (ValueError, HTTPException, urllib3.exceptions.HTTPError) as error:
                if isinstance(error, requests.RequestException):
                    raise
                raise requests.RequestException(f"a malformed answer ({error})") from error
            self._wait(url, what, wanted, attempt)
        return answer

    def get(self, url, **arguments):
        """Like `ask`, with an error message that says what to do.

        Raises
        ------
        ServerFault
        """
        try:
            return self.ask("GET", url, **arguments)
        except ChunkedEncodingError as error:
            tries = self._retries + 1
            raise ServerFault(
                f"{url}: broke off {tries} times ({error}); run again later"
            ) from error
        except requests.RequestException as error:
            raise ServerFault(f"{url}: {_hint(error)}") from error

    def send(self, request, **arguments):
        if fault := url_fault(request.url):
            raise requests.exceptions.InvalidURL(f"{request.url} {fault}")
        if urlsplit(request.url).scheme == "http":
            arguments["proxies"] = {}
        return super().send(request, **arguments)

    def resolve_redirects(self, *_, **__):
        """Nothing: requests would read all of the body of a redirect."""
        return iter(())

    def _follow(self, method, url, arguments):
        """The answer after all redirects, whose bodies are not read."""
        for _ in range(REDIRECTS):
            answer = self.request(method, url, **arguments)
            target = self.get_redirect_target(answer) if self._redirected else None
            if target is None:
                return answer
            answer.close()
            target = urljoin(url, target)
            if is_local(target) and not is_local(url):
                raise requests.exceptions.InvalidURL(
                    f"{target} is in this network, and a server outside of it names it"
                )
            url = target
        raise requests.TooManyRedirects(f"more than {REDIRECTS} redirects")

    def _wait(self, url, what, wanted, attempt):
        if (wanted or 0) > LONGEST:
            raise Busy(
                f"the server is busy ({what}) and asks for a pause of {wanted:,.0f} s; a job waits "
                f"at most {LONGEST:.0f} s"
            )
        backoff = BACKOFF * 2**attempt if attempt else 0.0
        seconds = max(self._least, backoff if wanted is None else wanted)
        print(f"{what}: next request in {seconds:.1f} s", flush=True)
        if seconds >= TOLD:
            warnings.warn(
                f"{url}: {what}: next request in {seconds:.0f} s: see "
                "docs/warnings.md#waiting-for-a-server",
                DataWarning,
                stacklevel=4,
            )
        self._pause(seconds)


def status_fault(url, status):
    """The error for an answer with this status."""
    hint = HINTS.get(status, "the server fails; run again later")
    return ServerFault(f"{url}: {status} {responses.get(status, '')}: {hint}")


def _read(answer):
    """Read the body of an answer, a little at a time."""
    start, blocks, size = time.monotonic(), [], 0
    try:
        while block := answer.raw.read1(BLOCK, decode_content=True):
            blocks.append(block)
            size += len(block)
            if size > LARGEST or time.monotonic() - start > SLOWEST:
                raise requests.exceptions.ContentDecodingError(
                    f"an answer without end: {size:,} bytes in {time.monotonic() - start:,.0f} s"
                )
    except (
        urllib3.exceptions.ProtocolError,
        urllib3.exceptions.ReadTimeoutError,
        OSError,
    ) as error:
        if isinstance(error, requests.RequestException):
            raise
        raise ChunkedEncodingError(error) from error
    finally:
        answer.close()
    answer._content, answer._content_consumed = b"".join(blocks), True


def _wanted(answer):
    """Seconds that a server asks to wait; None without a valid Retry-After."""
    said = answer.headers.get("Retry-After")
    with suppress(urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None if said is None else _PATIENT.parse_retry_after(said)
    return None


class _Bounded:
    """A connection whose answers begin in time, or not at all."""

    def getresponse(self):
        connection, late = self.sock, threading.Event()

        def end():
            late.set()
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(HEADERS, end)
        timer.daemon = True
        timer.start()
        try:
            answer = super().getresponse()
        finally:
            timer.cancel()
        # Headers that end early look complete.
        if late.is_set():
            raise TimeoutError(f"no end of the headers after {HEADERS:.0f} s")
        return answer


class _Http(_Bounded, urllib3.connection.HTTPConnection):
    pass


class _Https(_Bounded, urllib3.connection.HTTPSConnection):
    pass


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Https


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments, **settings):
        super().init_poolmanager(*arguments, **settings)
        self._bound(self.poolmanager)

    def proxy_manager_for(self, *arguments, **settings):
        return self._bound(super().proxy_manager_for(*arguments, **settings))

    @staticmethod
    def _bound(manager):
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return manager


def _hint(error):
    # The innermost reason is the most informative.
    reason = getattr(error.args[0] if error.args else error, "reason", error)
    match error:
        case requests.exceptions.InvalidURL() | requests.exceptions.InvalidSchema():
            return f"leads to an address that is not allowed: {error}"
        case requests.TooManyRedirects():
            return f"leads from one address to another without end ({error}); check the address"
        case requests.exceptions.ProxyError():
            return f"the proxy fails; check HTTPS_PROXY ({reason})"
        case requests.exceptions.SSLError():
            return (
                "no safe connection; certificates are always verified: check this machine's "
                f"clock, or name those of your network in REQUESTS_CA_BUNDLE ({reason})"
            )
        case requests.ConnectionError() | requests.Timeout():
            return (
                "no connection; check the network (behind a proxy, HTTPS_PROXY), or run again "
                f"later ({reason})"
            )
        case _:
            return f"{error}; run again later"
