"""Downloads that are killed, that meet another one, and that find no more space."""

import errno
import os
import random
import subprocess
import sys
import threading
import time

import pytest
from fetched import CONTENT, SIZE, md5
from statediff import InputError, download
from support import ROOT

pytestmark = pytest.mark.usefixtures("hurry")

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
            with pytest.raises(InputError, match="another process, which downloads the same"):
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
        with pytest.raises(InputError, match=r"not enough space: needs \d+,\d+ bytes"):
            get()
        (tmp_path / "other").unlink()
        server.asked.clear()
        assert get() == CONTENT
        assert not server.ranges_asked()[0].startswith("bytes=0-")
    finally:
        subprocess.run(["umount", tmp_path], check=True)
