"""Fetching a file from a server on this machine."""

import pytest
from bad_server import BadServer
from fetched import CONTENT, SIZE, md5
from statediff import download, web
from statediff.download import fetch
from support import serving


@pytest.fixture
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
    with serving(BadServer(CONTENT)) as server:
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
