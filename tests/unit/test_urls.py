"""Addresses of servers: nobody else may read along, and no two programs read them differently."""

import pytest
from statediff.urls import url_fault


@pytest.mark.parametrize(
    "url",
    [
        "https://version-12-0.string-db.org/api",
        "https://10.0.0.1:8443/api",
        "http://localhost:8000/api",
        "http://127.0.0.1/api",
        "http://127.8.9.1:1/api",
        "http://[::1]:80/api",
    ],
)
def test_safe(url):
    assert url_fault(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://string-db.org/api",
        "http://localhost.example.org/api",
        "http://127.0.0.1.example.org/api",
        "http://127.0.0.1@example.org/api",
        "http://example.org\\@localhost/api",
        "http://localhost\\.example.org/api",
        "https://user:secret@example.org/api",
        "https://exam ple.org/api",
        "https://example.org/a\nb",
        "http://[::2]/api",
        "http://2130706433/api",
        "https://[::1",
        "https://example.org:port/api",
        "https:///api",
        "ftp://example.org/api",
        "file:///etc/passwd",
        "example.org",
        "",
    ],
)
def test_refused(url):
    assert url_fault(url)
