"""Whatever a server sends, there is an answer in bounded memory and time, or one clear error."""

import gzip
import itertools
import resource
import socketserver
import threading
import time
import warnings
from contextlib import suppress

import pytest
from statediff import DataWarning, InputError, urls, web
from statediff.string_db import StringClient
from statediff.urls import is_local
from statediff.zenodo import zenodo_file
from support import serving

pytestmark = pytest.mark.usefixtures("hurry")
OK = b"HTTP/1.1 200 OK\r\n"
MB = b"x" * (1 << 20)


class RawServer(socketserver.ThreadingTCPServer):
    """Sends bytes as they are: an iterable of pieces for each connection, in turn."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, *answers):
        super().__init__(("127.0.0.1", 0), _Raw)
        self.answers, self.sent, self.guard = list(answers), 0, threading.Lock()
        self.address = f"http://127.0.0.1:{self.server_address[1]}"


class _Raw(socketserver.BaseRequestHandler):
    def handle(self):
        with self.server.guard:
            answers = self.server.answers
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.request.recv(1 << 16)
        with suppress(OSError):
            for piece in answer:
                self.request.sendall(piece)
                self.server.sent += len(piece)


class Endless:
    """Pieces without end, after some."""

    def __init__(self, *begin, piece=MB, pause=0.0):
        self.begin, self.piece, self.pause = begin, piece, pause

    def __iter__(self):
        yield from self.begin
        while True:
            time.sleep(self.pause)
            yield self.piece


@pytest.fixture
def bounded(monkeypatch):
    """Small bounds."""
    for name, value in (("LARGEST", 4 << 20), ("SLOWEST", 0.6), ("HEADERS", 0.3), ("RETRIES", 1)):
        monkeypatch.setattr(web, name, value)


def ask(*answers, **session):
    with serving(RawServer(*answers)) as server, web.Session(**{"retries": 1} | session) as one:
        return one.get(f"{server.address}/x", whole=True), server


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "body": (Endless(OK + b"\r\n"), "an answer without end"),
    "chunks": (Endless(CHUNKED, piece=b"100000\r\n" + MB + b"\r\n"), "an answer without end"),
    "slow body": (Endless(OK + b"\r\n", piece=b"x", pause=0.05), "an answer without end"),
    "bomb": (
        [OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(bytes(200 << 20))],
        "an answer without end",
    ),
    "slow headers": (Endless(OK + b"X: ", piece=b"x", pause=0.02), "no connection"),
    "many headers": (Endless(OK, piece=b"A: b\r\n"), "headers"),
    "one long header": (Endless(OK, piece=MB), "line"),
    "busy": (Endless(b"HTTP/1.1 503 No\r\n\r\n"), "an answer without end"),
    "redirect": (Endless(b"HTTP/1.1 302 Go\r\nLocation: /y\r\n\r\n"), "more than 10 redirects"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_nothing_is_endless(bounded, name):
    answer, message = ENDLESS[name]
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    try:
        found, _ = ask(answer)
        text = str(web.status_fault("x", found.status_code)) if not found.ok else found.content
    except InputError as error:
        text = str(error)
    assert message in text
    assert "\n" not in text
    assert time.monotonic() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # kB


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"nonsense\r\n\r\n", "no connection"),
        (b"HTTP/1.1 9999999 X\r\n\r\n", "no connection"),
        (b"", "no connection"),
        (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "again later"),
        (b"HTTP/1.1 302 Go\r\nLocation: http://[::1\r\n\r\n", "a malformed answer"),
        (b"HTTP/1.1 302 Go\r\nLocation: \xff\xfe\r\n\r\n", "again later"),
        (b"HTTP/1.1 302 Go\r\nLocation: http:///\r\n\r\n", "without end"),
        (b"HTTP/1.1 302 Go\r\nLocation: file:///etc/passwd\r\n\r\n", "is not allowed"),
        (b"HTTP/1.1 302 Go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "without end"),
        (CHUNKED + b"zz\r\nabc\r\n", "again later"),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "again later"),
    ],
)
def test_malformed_answers_are_one_clear_error(answer, message):
    with pytest.raises(InputError, match=r"^http://127\.0\.0\.1:\d+/x: ") as caught:
        ask([answer])
    assert message in str(caught.value)


@pytest.mark.parametrize("length", [b"abc", b"-5"])
def test_a_length_that_is_none_is_ignored(length):
    answer, _ = ask([OK + b"Content-Length: " + length + b"\r\n\r\nabc"])
    assert answer.content == b"abc"


BUSY = b"HTTP/1.1 429 No\r\nContent-Length: 0\r\nRetry-After: %s\r\n\r\n"
DONE = [OK + b"Content-Length: 2\r\n\r\nok"]


@pytest.mark.parametrize("wanted", [b"soon", b"-7", b"1e9", b"", b"Mon, 99 Foo 2026", b"\xff"])
def test_a_wait_that_cannot_be_understood_is_a_short_one(wanted):
    waited = []
    answer, _ = ask([BUSY % wanted], DONE, pause=waited.append)
    assert answer.content == b"ok"
    assert waited == [0.0]


def test_long_waits_are_told_and_longer_ones_refused():
    waited = []
    with pytest.warns(DataWarning, match="status 429: next request in 299 s: see docs/"):
        ask([BUSY % b"299"], DONE, pause=waited.append)
    assert waited == [299.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask([BUSY % b"2"], DONE, pause=waited.append)
    date = b"Fri, 01 Jan 2100 00:00:00 GMT"
    for wanted in (b"301", b"9" * 30, date):
        with pytest.raises(InputError, match=r"asks for a pause of [\d,]+ s; a job waits"):
            ask([BUSY % wanted], DONE, pause=waited.append)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("https://127.0.0.1/x", True),
        ("https://10.1.2.3/", True),
        ("https://192.168.0.1/", True),
        ("https://169.254.169.254/latest", True),
        ("https://[::1]/", True),
        ("https://[::ffff:127.0.0.1]/", True),
        ("https://[fe80::1]/", True),
        ("https://0x7f000001/", True),
        ("https://2130706433/", True),
        ("https://localhost/", True),
        ("https://8.8.8.8/", False),
        ("https://[2001:4860:4860::8888]/", False),
        ("https://no.such.host.invalid/", False),
        (f"https://{'a' * 300}/", False),
    ],
)
def test_local_addresses(url, local):
    assert is_local(url) is local


def test_a_public_server_does_not_lead_into_this_network(monkeypatch):
    # This machine by a name that the look-up finds outside of this network.
    found = urls.socket.getaddrinfo

    def outside(host, port, *arguments, **settings):
        told = port is None and host == "localhost"
        return found("8.8.8.8" if told else host, port, *arguments, **settings)

    monkeypatch.setattr(urls.socket, "getaddrinfo", outside)
    with serving(RawServer(DONE)) as inside:
        redirect = f"HTTP/1.1 302 Go\r\nLocation: {inside.address}/secret\r\n\r\n".encode()
        with serving(RawServer([redirect])) as server, web.Session() as session:
            public = server.address.replace("127.0.0.1", "localhost")
            with pytest.raises(InputError, match=r"leads to .*127\.0\.0\.1:\d+/secret is in this"):
                session.get(f"{public}/x")
            assert inside.sent == 0
            assert session.get(f"{server.address}/x", whole=True).content == b"ok"


def test_a_record_without_end_and_one_without_bottom(bounded, tmp_path):
    nested = b"[" * 100_000
    begin = OK + b"Content-Length: %d\r\n\r\n" % len(nested)
    for answer, message in (
        (Endless(OK + b"\r\n"), "an answer without end"),
        ([begin + nested], "found no record"),
    ):
        with (
            serving(RawServer(answer)) as server,
            pytest.raises(InputError, match=message),
        ):
            zenodo_file(server.address, 7, "x", tmp_path)


def test_string_without_end(bounded, tmp_path):
    with serving(RawServer(Endless(OK + b"\r\n"))) as server:
        client = StringClient(f"{server.address}/api", 9606, tmp_path, tmp_path / "turn")
        with pytest.raises(InputError, match="gave no result: an answer without end"):
            client.map_genes(["A"])


def test_a_download_that_trickles_is_given_up(monkeypatch, get):
    monkeypatch.setattr("statediff.download.PATIENCE", 0.3)
    begin = OK + b"Content-Length: 600000\r\n\r\n"
    drops = itertools.chain([begin], itertools.repeat(b"x"))

    def slowly():
        for drop in drops:
            time.sleep(0.05)
            yield drop

    with serving(RawServer(slowly())) as server, pytest.raises(InputError, match=r"sent \d+ bytes"):
        get([f"{server.address}/data.h5ad"])
