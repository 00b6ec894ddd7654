"""Shared by all tests."""

import pytest
from support import SHARED, run_snakemake


@pytest.fixture(scope="session")
def shared():
    """Folder of the real data set and its reference values, which are not part of the project."""
    if not (SHARED / "data" / "kang_pbmc.h5ad").is_file():
        pytest.skip(f"no reference data: {SHARED} is absent (set STATEDIFF_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def snakemake_run():
    return run_snakemake
