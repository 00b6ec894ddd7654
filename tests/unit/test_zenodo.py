"""What a record of Zenodo tells, of a server on this machine that speaks as it does."""

import functools
import json
import re

import pytest
from bad_server import BadServer
from fetched import CONTENT, SIZE, md5
from statediff import InputError
from statediff.zenodo import zenodo_file
from support import serving

pytestmark = pytest.mark.usefixtures("hurry")


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
    with pytest.raises(InputError, match="represents the newest version, now 8"):
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
    with pytest.raises(InputError, match="broke off 7 times"):
        look_up(server.address, 7, "b")


def test_what_a_record_told_is_not_asked_for_again(look_up):
    with serving(BadServer(CONTENT)) as server:
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
