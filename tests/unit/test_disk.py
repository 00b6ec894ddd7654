"""Two writers of one file, killed ones, and disks that are full."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import anndata
import h5py
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from statediff import InputError
from statediff.disk import atomic, create_h5, is_full
from statediff.store import write_arrays

LIBRARY = Path(__file__).resolve().parents[2] / "workflow"


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    path = tmp_path / "result.txt"
    with atomic(path) as first:
        first.write_text("first")
        with atomic(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["result.txt"]


def test_a_writer_removes_what_killed_ones_left(tmp_path):
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from statediff.disk import atomic\n"
        "with atomic(sys.argv[1]) as part:\n"
        "    part.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "a [b] result.txt"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code, path, LIBRARY])
        assert done.returncode == -signal.SIGKILL
        assert len(list(tmp_path.iterdir())) == 1  # the second has removed that of the first
    with atomic(path) as part:
        part.write_text("whole")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_long_names_leave_room_for_the_temporary_one(tmp_path):
    path = tmp_path / ("é" * 120 + ".tsv")
    with atomic(path) as part:
        part.write_text("x")
    assert path.read_text() == "x"


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    path.chmod(0o640)
    with atomic(path) as part:
        part.write_text("new")
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 128 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", folder]).returncode:
        pytest.skip("no right to mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


# Sizes at which HDF5 meets the end of the disk in writing, in flushing and in closing.
@pytest.mark.parametrize("size", [780, 800, 810, 820, 2000, 100_000])
def test_hdf5_on_a_full_disk(small_disk, size):
    # In a process of its own: HDF5 crashes where it closes a file that it can't write.
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "import numpy as np\n"
        "from statediff.store import write_arrays\n"
        "write_arrays(sys.argv[1], {f'a{i}': np.ones(int(sys.argv[3])) for i in range(20)})\n"
    )
    command = [sys.executable, "-c", code, small_disk / "x.h5", LIBRARY, str(size)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1, done.stderr
    assert f"InputError: {small_disk}: no space left (No space left on device); free" in done.stderr
    assert list(small_disk.iterdir()) == []


def write_table(path):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(10_000, 4)), columns=list("abcd"))
    with atomic(path) as part:
        table.to_csv(part, sep="\t")


def write_parquet(path):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(30_000, 4)), columns=list("abcd"))
    with atomic(path) as part:
        table.to_parquet(part)


def write_figure(path, kind):
    figure, axes = plt.subplots()
    axes.imshow(np.random.default_rng(0).uniform(size=(400, 400, 3)), interpolation="none")
    with atomic(path) as part:
        figure.savefig(part, format=kind, dpi=600)
    plt.close(figure)


def write_text(path):
    with atomic(path) as part:
        part.write_text("x" * 200_000)


def write_layer(path):
    with create_h5(path) as file:
        layer = file.create_dataset("layer", (1000, 500), np.float32, chunks=True)
        for start in range(0, 1000, 100):
            layer[start : start + 100] = start


@pytest.mark.parametrize(
    "write",
    [
        write_table,
        write_parquet,
        write_text,
        write_layer,
        lambda path: write_figure(path, "png"),
        lambda path: write_figure(path, "pdf"),
        lambda path: write_arrays(path, {"a": np.ones(100_000)}),
    ],
    ids=["tsv", "parquet", "text", "layer", "png", "pdf", "arrays"],
)
def test_a_full_disk_names_its_folder_and_keeps_nothing(small_disk, write):
    with pytest.raises(InputError, match=rf"^{small_disk}: no space left \(.*--directory"):
        write(small_disk / "result")
    assert list(small_disk.iterdir()) == []


def test_an_error_that_follows_from_a_full_disk(small_disk):
    def fail(part):
        try:
            part.write_bytes(bytes(200_000))
        finally:
            raise AttributeError("of a writer that closes its file")

    refused = pytest.raises(InputError, match=rf"^{small_disk}: no space left")
    with refused, atomic(small_disk / "result") as part:
        fail(part)
    assert list(small_disk.iterdir()) == []
    with pytest.raises(AttributeError), atomic(small_disk / "result") as part:
        raise AttributeError


def test_a_folder_that_cannot_be_made(small_disk):
    (small_disk / "fill").write_bytes(bytes(128 * 1024))
    assert is_full(small_disk)
    with pytest.raises(InputError, match=r"no space left"), atomic(small_disk / "a/b/c") as part:
        part.write_text("x")
    (small_disk / "fill").unlink()
    assert not is_full(small_disk.parent)


def test_other_faults_of_a_disk_stay_what_they_are(tmp_path):
    def fail():
        with atomic(tmp_path / "x") as part:
            part.write_text("half")
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(OSError, match="Input/output error"):
        fail()
    with pytest.raises(KeyError), create_h5(tmp_path / "x") as file:
        file["missing"]
    assert list(tmp_path.iterdir()) == []


def test_written_hdf5_is_what_h5py_reads(tmp_path):
    with create_h5(tmp_path / "x.h5") as file:
        file["a"] = np.arange(1000)
        del file["a"]
        file.create_dataset("b", (10_000,), "f4", chunks=(100,), compression="gzip")[:] = 1
        anndata.io.write_elem(file, "c", pd.DataFrame({"é": ["x", "y"]}))
        np.testing.assert_array_equal(file["b"][:], np.ones(10_000))
    with h5py.File(tmp_path / "x.h5") as file:
        assert set(file) == {"b", "c"}
        np.testing.assert_array_equal(file["b"][:], np.ones(10_000))
        assert anndata.io.read_elem(file["c"])["é"].tolist() == ["x", "y"]
