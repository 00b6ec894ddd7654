"""The download client against a real server that misbehaves on purpose."""

import os
import pty
import random
import re
import select
import socket
import threading
import time

import numpy as np
import pytest
from fetched import CONTENT, SIZE, md5, refused
from statediff import InputError, download, web

pytestmark = pytest.mark.usefixtures("hurry")
OTHER = np.random.default_rng(1).bytes(SIZE)
PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"
HTML = {"Content-Type": "text/html; charset=utf-8"}


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
    server.cuts = [SIZE // 2] * (web.TRIES + 1)
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
    assert "an earlier download is damaged; starting over" in capsys.readouterr().out


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
    assert "status 503: next request in" in capsys.readouterr().out


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
    with pytest.raises(InputError, match="not enough space: needs 1,152,921,504,606,846,976"):
        get(size=1 << 60)
    assert server.asked == []


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
