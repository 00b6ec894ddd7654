"""Single genes from the compressed layers."""

import io
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
from statediff import InputError
from statediff.layers import smoothed_genes
from support import ROOT

PATH = "results/small/young_vs_old/adata.h5ad"


def test_smoothed_genes_are_basis_times_coefficients(small_run):
    adata = anndata.read_h5ad(small_run / PATH)
    # Out of order, one of them twice.
    genes = [adata.var_names[i] for i in (200, 3, 200)]
    found = smoothed_genes(small_run / PATH, genes, "Young", "Old")
    assert list(found) == genes[:2]
    for gene, table in found.items():
        basis = adata.obsm["kompot_de_Young_to_Old_basis"]
        young, old = (
            basis @ adata[:, gene].varm[f"kompot_de_{age}_coefficients"][0]
            for age in ("Young", "Old")
        )
        np.testing.assert_allclose(table["reference"], young, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(table["fold_change"], old - young, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(table["std_compared"], adata.obs["kompot_de_Old_std"])
        assert list(table.index) == list(adata.obs_names)


def test_what_is_not_there_is_named(small_run):
    with pytest.raises(InputError, match="no gene named 'nothing'"):
        smoothed_genes(small_run / PATH, ["nothing"], "Young", "Old")
    with pytest.raises(InputError, match="no comparison of 'Mid' with 'Young'"):
        smoothed_genes(small_run / PATH, ["Gene001"], "Young", "Mid")


def test_the_command_prints_a_table(small_run):
    command = [sys.executable, ROOT / "scripts/gene.py", small_run / PATH, "Young", "Old"]
    done = subprocess.run([*command, "Gene007"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(io.StringIO(done.stdout), sep="\t", index_col="cell")
    wanted = smoothed_genes(small_run / PATH, ["Gene007"], "Young", "Old")["Gene007"]
    pd.testing.assert_frame_equal(table, wanted, rtol=1e-4, check_dtype=False)
    done = subprocess.run([*command, "<b>"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("no gene named '<b>'")
