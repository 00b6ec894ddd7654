import fcntl
import os
import shutil
from pathlib import Path

import pytest

CONFIGS = Path(__file__).resolve().parents[1] / "config"


@pytest.fixture(scope="session")
def small_config():
    return CONFIGS / "small.yaml"


@pytest.fixture(scope="session")
def small_run(tmp_path_factory, snakemake_run, small_config):
    """Directory of a complete run on the small simulated data; not to be changed.

    One for all processes of a parallel test: the first makes it, the others wait."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "small"
    output = directory / "output.txt"
    directory.mkdir(exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not output.exists():
            output.write_text(snakemake_run(directory, configfile=small_config).stdout)
    return directory


@pytest.fixture
def small_copy(small_run, tmp_path):
    """A copy of that run to change and rerun."""
    copy = tmp_path / "run"
    shutil.copytree(small_run, copy, symlinks=True)
    return copy


@pytest.fixture(scope="session")
def kang_config():
    return CONFIGS / "kang.yaml"


@pytest.fixture
def kang_directory(shared, tmp_path):
    (tmp_path / "shared").symlink_to(shared, target_is_directory=True)
    return tmp_path
