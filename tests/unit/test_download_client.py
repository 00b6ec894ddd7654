"""The download client against a real server that misbehaves on purpose."""

import errno
import functools
import hashlib
import json
import os
import pty
import random
import re
import select
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from bad_server import serving
from statediff import InputError, download, web
from statediff.download import fetch, zenodo_file
from support import ROOT

SIZE = 600_000
CONTENT = np.random.default_rng(0).bytes(SIZE)
OTHER = np.random.default_rng(1).bytes(SIZE)
PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"
HTML = {"Content-Type": "text/html; charset=utf-8"}


def md5(content):
    return hashlib.md5(content).hexdigest()


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """The pauses of a test, not of a bad day."""
    monkeypatch.setattr(web, "BACKOFF", 0.01)
    monkeypatch.setattr(download, "TICK", 0.02)


@pytest.fixture
def ranges(monkeypatch):
    """Parallel ranges for a small file."""
    monkeypatch.setattr(download, "SEGMENT", 64_000)


@pytest.fixture
def server():
    with serving(CONTENT) as server:
        yield server


@pytest.fixture
def get(server, tmp_path):
    """Fetch the file; returns what is in the folder then."""

    def run(urls=None, size=SIZE, expected=None, terminal=None):
        urls = urls or [f"{server.address}/data.h5ad"]
        expected = md5(CONTENT) if expected is None else expected
        try:
            fetch(urls, tmp_path / "data.h5ad", size, expected, terminal)
        finally:
            run.left = sorted(path.name for path in tmp_path.iterdir())
        assert run.left == ["data.h5ad"]
        return (tmp_path / "data.h5ad").read_bytes()

    return run


def refused(get, *words, **changes):
    """Fetch in vain; returns the message."""
    with pytest.raises(InputError) as caught:
        get(**changes)
    assert "data.h5ad" not in get.left
    for word in (*words, "dataset.source.path"):
        assert word in str(caught.value)
    return str(caught.value)


def test_a_small_file_comes_in_one_piece_and_alone(server, get, capsys):
    assert get() == CONTENT
    assert server.ranges_asked() == [f"bytes=0-{SIZE - 1}"]
    assert "0.6 of 0.6 MB" in capsys.readouterr().out


def test_a_large_file_comes_in_ranges_over_several_connections(server, get, ranges):
    server.pace = 0.001
    assert get() == CONTENT
    starts = [int(re.search(r"\d+", asked).group()) for asked in server.ranges_asked()]
    assert sorted(starts) == list(range(0, SIZE, 64_000))
    assert server.sent == SIZE


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_fifty_cuts_at_random_points(server, get, parallel, chunked, request):
    if parallel:
        request.getfixturevalue("ranges")
    server.cuts = random.Random(parallel).sample(range(SIZE), 50)
    server.chunked = chunked
    assert get() == CONTENT
    assert server.cuts == []
    # Resets lose what is under way; all else is asked for once.
    assert server.sent < 3 * SIZE


@pytest.mark.parametrize("etag", [None, 'W/"weak"', '"strong"'])
def test_any_kind_of_etag_resumes(server, get, etag):
    server.etag, server.cuts = etag, [100_000, 300_000]
    assert get() == CONTENT
    asked = [headers.get("If-Range") for _, _, headers in server.asked]
    assert set(asked[1:]) == {etag if etag == '"strong"' else None}


def test_answers_that_are_too_short_are_continued(server, get):
    server.truncate = 50_000
    assert get() == CONTENT
    assert len(server.asked) == SIZE / 50_000


def test_an_answer_that_stalls_is_given_up_and_continued(server, get, monkeypatch):
    monkeypatch.setattr(web, "TIMEOUT", (1, 0.2))
    server.stall = 250_000
    assert get() == CONTENT
    assert len(server.asked) == 3


@pytest.mark.parametrize("parallel", [False, True])
def test_a_server_without_ranges_starts_over(server, get, parallel, request, capsys):
    if parallel:
        request.getfixturevalue("ranges")
    server.ranges, server.cuts = False, [200_000]
    assert get() == CONTENT
    assert "does not send ranges; starting over" in capsys.readouterr().out


def test_a_server_without_ranges_that_always_breaks_off_ends_in_an_error(server, get):
    server.ranges, server.truncate = False, 200_000
    refused(get, server.address, "this server does not resume")


def interrupt(server, get):
    """Leave a part, of a server that vanishes in the middle."""
    server.cuts = [SIZE // 2] * (download.TRIES + 1)
    refused(get, "broke off 6 times in a row", f"at {SIZE // 2:,} of {SIZE:,} bytes")
    server.cuts = []
    assert get.left == ["data.h5ad.lock", "data.h5ad.part", "data.h5ad.part.json"]
    server.asked.clear()


def test_a_part_is_continued_by_the_next_process(server, get):
    interrupt(server, get)
    assert get() == CONTENT
    assert server.ranges_asked() == [f"bytes={SIZE // 2}-{SIZE - 1}"]


@pytest.mark.parametrize("conditions", [True, False])
def test_a_part_of_another_version_is_discarded(server, get, conditions):
    server.content = OTHER
    interrupt(server, get)
    server.content, server.etag, server.conditions = CONTENT, '"two"', conditions
    assert get() == CONTENT


@pytest.mark.parametrize("conditions", [True, False])
def test_a_file_that_changes_on_the_way_starts_over(server, get, conditions, ranges, capsys):
    server.content, server.pace, server.conditions = OTHER, 0.001, conditions

    def change():
        while server.sent < SIZE / 2:
            time.sleep(0.005)
        server.content, server.etag = CONTENT, '"two"'

    thread = threading.Thread(target=change)
    thread.start()
    assert get() == CONTENT
    thread.join()
    assert "the file has changed there; starting over" in capsys.readouterr().out


@pytest.mark.parametrize("content", [CONTENT[:-1], OTHER])
def test_a_part_of_another_file_is_discarded(server, get, content):
    interrupt(server, get)
    server.content = content
    assert get(size=len(content), expected=md5(content)) == content
    assert server.ranges_asked()[0].startswith("bytes=0-")


def test_a_part_is_continued_from_the_mirror(server, get):
    interrupt(server, get)
    server.paths["/data.h5ad"] = (404, {}, b"")
    server.etag = '"the same file, otherwise named"'
    assert get([f"{server.address}/{name}" for name in ("data.h5ad", "mirror")]) == CONTENT
    _, _, headers = server.asked[-1]
    assert headers["Range"] == f"bytes={SIZE // 2}-{SIZE - 1}"
    assert "If-Range" not in headers


def test_a_mirror_of_another_version_starts_over_once(server, get, capsys):
    server.content = OTHER
    interrupt(server, get)
    server.content = CONTENT
    assert get([f"{server.address}/mirror"]) == CONTENT
    assert len(server.asked) == 2
    assert "starting over" in capsys.readouterr().out


def test_a_damaged_part_is_fetched_again(server, get, tmp_path, capsys):
    interrupt(server, get)
    (tmp_path / "data.h5ad.part").write_bytes(OTHER)
    assert get() == CONTENT
    assert "what an earlier download left is damaged; starting over" in capsys.readouterr().out


@pytest.mark.parametrize("left", ["", "{", "null", "{}", "[]", '{"segments": [[1, 2]]}'])
def test_a_damaged_record_of_the_part_is_no_use(server, get, tmp_path, left):
    interrupt(server, get)
    (tmp_path / "data.h5ad.part.json").write_text(left)
    (tmp_path / "data.h5ad.part").write_bytes(OTHER * 2)
    assert get() == CONTENT


def test_another_range_than_asked_for_is_not_taken(server, get):
    wrong = {"Content-Range": f"bytes 5-{SIZE - 1}/{SIZE}"}
    server.first.append((206, wrong, CONTENT[5:]))
    assert get() == CONTENT


def test_more_than_the_range_is_told_as_that(server, get):
    server.first.append((206, {"Content-Range": f"bytes 0-{SIZE - 1}/{SIZE}"}, CONTENT + b"x"))
    refused(get, f"{server.address}/data.h5ad: sent more than the range it was asked for")


def test_too_many_requests_wait_as_long_as_the_server_says(server, get):
    server.first.extend([(429, {"Retry-After": 1}, b"slow down")] * 2)
    assert get() == CONTENT
    times = [time for time, _, _ in server.asked]
    assert np.all(np.diff(times) >= 1)


def test_an_error_does_not_wait_for_the_other_connections(server, get, ranges):
    server.pace = 0.2
    server.first.extend([None, (429, {"Retry-After": 3}, b""), (404, {}, b"")])
    refused(get, "404 Not Found")
    # Had it slept to the end, the busy connection would have asked again.
    assert len(server.asked) == download.CONNECTIONS


def test_bursts_of_server_errors_pass(server, get, capsys):
    server.first.extend([(status, {}, b"oops") for status in (503, 500, 502, 504)])
    server.cuts = [100_000]
    assert get() == CONTENT
    assert "status 503: again in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "it is not public"),
        (403, "it is restricted"),
        (404, "check the address"),
        (410, "it was withdrawn"),
        (429, "too many requests, even after waiting"),
        (500, "the server fails"),
        (418, "the server fails"),
    ],
)
def test_a_status_is_told_with_what_to_do(server, get, status, hint):
    server.paths["/data.h5ad"] = (status, {}, b"")
    refused(get, f"{server.address}/data.h5ad: {status} ", hint)
    lasting = status in (401, 403, 404, 410, 418)
    assert len(server.asked) == (1 if lasting else web.RETRIES + 1)


def test_a_status_keeps_what_has_arrived(server, get):
    interrupt(server, get)
    server.paths["/data.h5ad"] = (403, {}, b"")
    refused(get, "403 Forbidden")
    server.paths.clear()
    assert get() == CONTENT
    assert server.ranges_asked()[-1] == f"bytes={SIZE // 2}-{SIZE - 1}"


@pytest.mark.parametrize("kind", [HTML, {"Content-Type": "application/octet-stream"}])
def test_a_web_page_is_told_from_the_file(server, get, kind):
    page = PAGE + b" " * (SIZE - len(PAGE))
    server.paths["/data.h5ad"] = (200, kind, page)
    refused(get, "found a web page")
    assert get.left == ["data.h5ad.lock"]


def test_a_web_page_of_another_size_is_told_from_the_file(server, get):
    server.paths["/data.h5ad"] = (200, HTML, PAGE)
    refused(get, "found a web page")
    server.paths.clear()
    server.content, server.kind, server.chunked, server.ranges = PAGE, "text/html", True, False
    refused(get, "found a web page")


@pytest.mark.parametrize("parallel", [False, True])
def test_a_wrong_md5_is_told_and_nothing_is_kept(server, get, parallel, request):
    if parallel:
        request.getfixturevalue("ranges")
    refused(get, f"found md5 {md5(CONTENT)}, expected {'0' * 32}", expected="0" * 32)
    assert get.left == ["data.h5ad.lock"]


@pytest.mark.parametrize("ranged", [True, False])
def test_a_wrong_size_is_told_at_once(server, get, ranged):
    server.ranges = ranged
    refused(get, f"found {SIZE:,} bytes, expected {SIZE + 1:,}", size=SIZE + 1)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("change", "found"), [(1, f"{SIZE:,}"), (-1, f"more than {SIZE - 1:,}")])
def test_a_wrong_size_that_the_server_does_not_name_is_told(server, get, change, found):
    server.ranges, server.chunked = False, True
    refused(get, f"found {found} bytes, expected {SIZE + change:,}", size=SIZE + change)


def test_nobody_there(get):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/data.h5ad"
        refused(get, url, "no connection; check the network", "refused", urls=[url])


@pytest.mark.parametrize(
    "target", ["http://example.org/x", "ftp://127.0.0.1/x", "http://127.0.0.1@example.org/"]
)
def test_a_redirect_to_an_unsafe_address_is_not_followed(server, get, target):
    server.first.append((302, {"Location": target}, b""))
    refused(get, f"{server.address}/data.h5ad: leads to", target.split("/")[2])


def test_a_redirect_to_a_safe_address_is_followed(server, get):
    server.first.append((302, {"Location": "/elsewhere"}, b""))
    assert get() == CONTENT
    assert server.asked[1][1] == "/elsewhere"


@pytest.mark.parametrize("status", [404, 503, 200])
def test_the_mirror_is_asked_when_the_first_address_fails(server, get, status):
    server.paths["/first"] = (status, {}, PAGE)
    assert get([f"{server.address}/first", f"{server.address}/mirror"]) == CONTENT
    assert server.asked[-1][1] == "/mirror"


def test_all_addresses_that_failed_are_named(server, get):
    server.paths |= {"/first": (404, {}, b""), "/mirror": (410, {}, b"")}
    urls = [f"{server.address}/first", f"{server.address}/mirror"]
    refused(get, f"{urls[0]}: 404 ", f"{urls[1]}: 410 ", urls=urls)


def test_the_part_of_the_mirror_outlives_a_failure_of_the_first_address(server, get):
    urls = [f"{server.address}/first", f"{server.address}/mirror"]
    server.paths["/first"] = (404, {}, b"")
    server.cuts = [SIZE // 2] * 7
    refused(get, "broke off", urls=urls)
    server.cuts = []
    assert get(urls) == CONTENT
    assert server.ranges_asked()[-1] == f"bytes={SIZE // 2}-{SIZE - 1}"


def test_a_good_copy_is_not_fetched_again_and_a_bad_one_is(server, get, tmp_path):
    (tmp_path / "data.h5ad").write_bytes(CONTENT)
    (tmp_path / "data.h5ad.part.json").write_text("left by a kill just before the end")
    assert get() == CONTENT
    assert server.asked == []
    (tmp_path / "data.h5ad").write_bytes(OTHER)
    assert get() == CONTENT
    assert len(server.asked) == 1


def test_a_wrong_size_in_the_configuration_leaves_the_good_copy(server, get, tmp_path):
    (tmp_path / "data.h5ad").write_bytes(CONTENT)
    wanted = rf"dataset\.source\.zenodo\.bytes: found 600,001, expected {SIZE:,}"
    with pytest.raises(InputError, match=wanted):
        get(size=SIZE + 1)
    assert (tmp_path / "data.h5ad").read_bytes() == CONTENT
    assert server.asked == []


def test_a_bad_copy_does_not_stay_when_it_cannot_be_replaced(server, get, tmp_path):
    (tmp_path / "data.h5ad").write_bytes(OTHER)
    server.paths["/data.h5ad"] = (404, {}, b"")
    refused(get, "404")


def test_too_little_space_is_known_before_anything_is_asked(server, get):
    with pytest.raises(InputError, match="the disk is too full: needs 1,152,921,504,606,846,976"):
        get(size=1 << 60)
    assert server.asked == []


# A process of its own that downloads: address, file, size, md5, bytes a range.
CHILD = """
import resource, sys
from statediff import InputError, download, web
web.BACKOFF, download.TICK = 0.01, 0.01
url, path, size, md5, download.SEGMENT, limit = sys.argv[1:4] + sys.argv[4:5] + sys.argv[5:]
download.SEGMENT = int(download.SEGMENT)
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    download.fetch([url], path, int(size), md5)
except InputError as error:
    sys.exit(str(error))
"""


def child(server, path, segment=10**9, limit=0, **options):
    arguments = [f"{server.address}/x", path, SIZE, md5(CONTENT), segment, limit]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, arguments)], text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "workflow")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options,
    )  # fmt: skip


@pytest.mark.parametrize("segment", [10**9, 64_000])
def test_ten_kills_at_random_moments(server, tmp_path, segment):
    path = tmp_path / "data.h5ad"
    server.pace = 0.01
    for moment in random.Random(segment).sample(range(SIZE // 15), 10):
        before = server.sent
        server.limit = before + moment + SIZE // 50
        process = child(server, path, segment)
        while server.sent < before + moment:
            time.sleep(0.001)
        process.kill()
        process.communicate()
        assert not path.exists()
    server.pace, server.limit = 0, None
    process = child(server, path, segment)
    assert process.wait() == 0, process.communicate()
    assert path.read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["data.h5ad"]


def test_two_processes_fetch_a_file_once(server, tmp_path):
    server.pace = 0.002
    processes = [child(server, tmp_path / "data.h5ad") for _ in range(2)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert server.sent == SIZE
    assert [p.name for p in tmp_path.iterdir()] == ["data.h5ad"]


@pytest.fixture
def no_locks(monkeypatch):
    """A file system without them."""

    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(download.fcntl, "flock", flock)


@pytest.mark.parametrize("finished", [False, True])
def test_without_locks_the_part_of_another_process_is_left_alone(
    server, get, tmp_path, no_locks, finished
):
    server.pace = 0.002
    part, path = tmp_path / "data.h5ad.part", tmp_path / "data.h5ad"

    def replace():
        """What another process does that starts over: it has the first quarter, or all."""
        while server.sent < SIZE / 2:
            time.sleep(0.005)
        part.unlink()
        if finished:
            path.write_bytes(CONTENT)
        else:
            part.write_bytes(CONTENT[: SIZE // 4])

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        if finished:
            assert get() == CONTENT
        else:
            with pytest.raises(InputError, match="another one downloads the same file"):
                get()
            assert part.read_bytes() == CONTENT[: SIZE // 4]
            assert not path.exists()
    finally:
        thread.join()


def test_a_file_that_may_not_grow_keeps_what_there_is(server, tmp_path):
    process = child(server, tmp_path / "data.h5ad", limit=SIZE // 2)
    output, _ = process.communicate()
    assert process.returncode == 1
    assert "the disk is full" in output
    assert "Traceback" not in output
    assert not (tmp_path / "data.h5ad").exists()
    process = child(server, tmp_path / "data.h5ad")
    assert process.wait() == 0
    assert server.ranges_asked()[-1] == f"bytes={SIZE // 2}-{SIZE - 1}"


def test_a_full_disk_is_told_and_the_download_goes_on_when_there_is_space(server, get, tmp_path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", tmp_path])
    if mounted.returncode:
        pytest.skip("no right to mount a small file system")
    try:
        server.pace = 0.002

        def fill():
            while server.sent < SIZE / 4:
                time.sleep(0.005)
            (tmp_path / "other").write_bytes(bytes(700_000))

        thread = threading.Thread(target=fill)
        thread.start()
        with pytest.raises(InputError, match=r"the disk is full .*No space left"):
            get()
        thread.join()
        assert "data.h5ad" not in get.left
        with pytest.raises(InputError, match=r"the disk is too full: needs \d+,\d+ bytes"):
            get()
        (tmp_path / "other").unlink()
        server.asked.clear()
        assert get() == CONTENT
        assert not server.ranges_asked()[0].startswith("bytes=0-")
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_the_bar_is_on_the_terminal_and_the_lines_are_sparse(server, get, capsys):
    server.pace = 0.001
    master, slave = pty.openpty()
    with open(slave, "w") as terminal:
        get(terminal=terminal)
        assert select.select([master], [], [], 5)[0]
        shown = os.read(master, 1 << 20).decode()
    os.close(master)
    assert re.search(r"\d+%\|.*\| .*/600k", shown)
    lines = capsys.readouterr().out.splitlines()
    assert 2 <= len(lines) <= 12
    assert lines[-1] == "0.6 of 0.6 MB"


def test_without_a_terminal_there_is_no_bar(get, tmp_path):
    with open(tmp_path / "log", "w+") as log:
        (tmp_path / "log").unlink()
        get(terminal=log)
        assert log.tell() == 0


@pytest.fixture
def tls(tmp_path_factory):
    """A certificate that no authority signed, and a context with it."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -days 2 "
    command += "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context, folder / "certificate"


def test_a_certificate_that_cannot_be_verified_is_refused(get, tls):
    with serving(CONTENT, tls[0]) as server:
        url = f"{server.address}/data.h5ad"
        refused(get, url, "certificates are always verified", "REQUESTS_CA_BUNDLE", urls=[url])
        assert server.asked == []


class Proxy(BaseHTTPRequestHandler):
    """Tunnels to where it is asked to; notes the targets."""

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        self.server.targets.append(self.path)
        host, port = self.path.split(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            ends = {there: self.connection, self.connection: there}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    if not (data := end.recv(1 << 16)):
                        return
                    ends[end].sendall(data)


def test_https_goes_through_the_proxy_and_a_trusted_certificate(get, tls, monkeypatch):
    context, certificate = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy, serving(CONTENT, context) as server:
        proxy.daemon_threads, proxy.targets = True, []
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        for name in ("no_proxy", "NO_PROXY", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        try:
            assert get([f"{server.address}/data.h5ad"]) == CONTENT
        finally:
            proxy.shutdown()
            thread.join()
        assert proxy.targets == [server.address.removeprefix("https://")]


def test_this_machine_itself_is_asked_without_a_proxy(server, get, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.first.append((302, {"Location": f"{server.address}/elsewhere"}, b""))
    assert get() == CONTENT
    assert server.asked[1][1] == "/elsewhere"


def test_a_proxy_that_is_not_there_is_told(get, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free.getsockname()[1]}")
        refused(get, "the proxy fails; check HTTPS_PROXY", urls=["https://127.0.0.1:1/data.h5ad"])


@pytest.fixture
def look_up(tmp_path_factory):
    """Look up a file in a record, with a folder for the answers."""
    return functools.partial(zenodo_file, folder=tmp_path_factory.mktemp("answers"))


def record(server, **changes):
    """Let the server describe a record, in the format of Zenodo."""
    file = {"key": "data.h5ad", "size": SIZE, "checksum": f"md5:{md5(CONTENT)}"} | changes
    body = json.dumps({"id": 7, "title": "x", "files": [file | {"id": "1", "links": {}}]})
    server.paths["/api/records/7"] = (200, {"Content-Type": "application/json"}, body.encode())
    return f"{server.address}/api/records"


@pytest.mark.parametrize(
    "name",
    ["data.h5ad", "../../x", "a b?c#d&e%2f", "a;rm -rf ~", "%0d", "é—漢", "<script>", "x" * 1000],
)
def test_a_record_tells_address_size_and_md5(look_up, server, get, name):
    url, size, digest = look_up(record(server, key=name), 7, name)
    assert (size, digest) == (SIZE, md5(CONTENT))
    assert get([url]) == CONTENT
    path = server.asked[-1][1]
    assert re.fullmatch(r"/api/records/7/files/[A-Za-z0-9%._~-]+/content", path)
    assert server.asked[0][1] == "/api/records/7"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": "b"}, r"found no 'data.h5ad' .*file\); the record has 'b'"),
        ({"checksum": "sha256:00"}, "found the size 600000 and the checksum 'sha256:00'"),
        ({"checksum": "md5:../../x"}, "the checksum 'md5:../../x'"),
        ({"size": "1"}, "found the size '1'"),
        ({"size": 0}, "found the size 0"),
    ],
)
def test_a_record_that_does_not_say_enough_is_refused(look_up, server, changes, message):
    with pytest.raises(InputError, match=message):
        look_up(record(server, **changes), 7, "data.h5ad")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"id": 7}', b'{"id": 7, "files": {"a": 1}}'])
def test_what_is_no_record_is_refused(look_up, server, body):
    server.paths["/7"] = (200, {}, body)
    with pytest.raises(InputError, match="found no record with public files"):
        look_up(server.address, 7, "x")


@pytest.mark.parametrize("name", [".", ".."])
def test_names_that_are_steps_in_an_address_are_refused(look_up, server, name):
    with pytest.raises(InputError, match="found no '"):
        look_up(record(server, key=name), 7, name)


def test_a_number_that_stands_for_all_versions_is_refused(look_up, server):
    body = json.dumps({"id": 8, "files": []}).encode()
    server.paths |= {"/7": (301, {"Location": "/8"}, b""), "/8": (200, {}, body)}
    with pytest.raises(InputError, match="stands for the newest version, now 8"):
        look_up(server.address, 7, "x")


def test_a_record_is_asked_for_again_on_a_bad_day(look_up, server):
    address = record(server)
    body = server.paths["/api/records/7"][2]
    server.first.extend([(503, {}, b""), (429, {"Retry-After": 0}, b""), (200, {}, body)])
    assert look_up(address, 7, "data.h5ad")[1] == SIZE
    server.paths["/api/records/7"] = (404, {}, b"")
    with pytest.raises(InputError, match=r"records/7: 404 Not Found(.|\n)*dataset.source.path"):
        look_up(address, 7, "other")


def test_a_record_that_breaks_off_is_asked_for_again(look_up, server):
    server.content = json.dumps(
        {"id": 7, "files": [{"key": "a", "size": 1, "checksum": f"md5:{'0' * 32}"}]}
    ).encode()
    server.cuts = [10, 20, 30]
    assert look_up(server.address, 7, "a")[1:] == (1, "0" * 32)
    assert len(server.asked) == 4
    server.truncate = 10
    with pytest.raises(InputError, match="broke off 6 times"):
        look_up(server.address, 7, "b")


def test_what_a_record_told_is_not_asked_for_again(look_up):
    with serving(CONTENT) as server:
        address = record(server)
        told = look_up(address, 7, "data.h5ad")
    assert look_up(f"{address}/", 7, "data.h5ad") == told
    for other in ({"name": "other"}, {"record": 8}):
        with pytest.raises(InputError, match="no connection"):
            look_up(**{"api_url": address, "record": 7, "name": "data.h5ad"} | other)


@pytest.mark.parametrize("left", ["", "null", "{}", '{"url": '])
def test_an_answer_that_cannot_be_read_is_asked_for_again(look_up, server, left):
    told = look_up(record(server), 7, "data.h5ad")
    (answer,) = look_up.keywords["folder"].iterdir()
    answer.write_text(left)
    assert look_up(record(server), 7, "data.h5ad") == told
    assert len(server.asked) == 2
    assert json.loads(answer.read_text()) == dict(zip(("url", "size", "md5"), told))
