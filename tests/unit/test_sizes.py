"""Sizes that the resources of jobs follow from."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sizes import (
    MAX_BLOCKS,
    Size,
    levels_of_column,
    samples_of_simulation,
    size_of_download,
    size_of_file,
    size_of_simulation,
)
from statediff import blocks
from statediff.simulate import Simulation


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_size_of_a_matrix(tmp_path, form):
    values = np.zeros((5, 4), dtype=np.float32)
    values[0] = 1
    adata = anndata.AnnData(sparse.csr_matrix(values.shape), layers={"logged": form(values)})
    adata.write_h5ad(tmp_path / "a.h5ad")
    stored = 20 if form is np.asarray else 4
    held = 4 if form is sparse.csc_matrix else 0
    assert size_of_file(tmp_path / "a.h5ad", "logged") == Size(5, 4, stored, held)
    assert size_of_file(tmp_path / "a.h5ad", None) == Size(5, 4, 0)


def test_what_cannot_be_read_is_left_to_the_job_that_reads_it(tmp_path):
    (tmp_path / "a.h5ad").write_bytes(b"no HDF5")
    assert size_of_file(tmp_path / "a.h5ad", "X") == Size(0, 0, 0)
    anndata.AnnData(np.ones((2, 2))).write_h5ad(tmp_path / "b.h5ad")
    assert size_of_file(tmp_path / "b.h5ad", "logged") == Size(0, 0, 0)
    for name in ("a.h5ad", "b.h5ad"):
        assert levels_of_column(tmp_path / name, "donor") == 0


@pytest.mark.parametrize("form", [list, pd.Categorical])
def test_levels_of_a_column(tmp_path, form):
    obs = pd.DataFrame({"donor": form(["a", "b", "a", None])}, index=list("wxyz"))
    anndata.AnnData(np.ones((4, 2)), obs=obs).write_h5ad(tmp_path / "a.h5ad")
    assert levels_of_column(tmp_path / "a.h5ad", "donor") == 2


def test_samples_of_a_simulation():
    fields = {"cells": 600, "genes": 50, "samples": 3}
    found = Simulation(seed=1, **fields).obs["sample"]
    assert samples_of_simulation(fields) == found.nunique()
    assert samples_of_simulation({}) == 3 * Simulation.samples


def test_size_of_a_simulation_is_about_right():
    found = size_of_simulation({"seed": 1, "cells": 500, "genes": 1000})
    values = sum(block.nnz for block in Simulation(seed=1, cells=500, genes=1000).counts())
    assert (found.cells, found.genes) == (500, 1000)
    assert 0.5 < found.values / values < 2
    assert size_of_simulation({"seed": 1}).cells == Simulation(seed=1).cells


def test_a_larger_download_is_more_of_everything():
    small, large = size_of_download(10**8), size_of_download(10**9)
    assert 0 < small.cells < large.cells
    assert 0 < small.values < large.values


def test_blocks_are_as_many_as_the_library_makes_at_most():
    assert MAX_BLOCKS == blocks.MAX_BLOCKS
