"""Smoothed expression without a contrast."""

import anndata
import dense
import numpy as np
import pytest
import yaml
from scipy import sparse
from statediff import EPS
from statediff.neighbours import length_scale, nearest_distances
from support import CONFIG, tiny

ALONE = {key: value for key, value in CONFIG.items() if key not in ("contrasts", "conventions")}
GIVEN = {"metric": "euclidean", "ls_factor": 10.0, "sigma": 1.0}


@pytest.fixture
def attempt(tmp_path, snakemake_run):
    """Run on the tiny data with entries of smooth, and no contrast unless there are none."""

    def run(target, smooth, source=None, **sections):
        (tmp_path / "config.yaml").write_text(
            yaml.safe_dump(ALONE | {"smooth": smooth} | sections if smooth else CONFIG)
        )
        (tiny() if source is None else source).write_h5ad(tmp_path / "data.h5ad")
        return snakemake_run(tmp_path, target, configfile=tmp_path / "config.yaml", check=False)

    return run


def test_smoothed_expression_is_that_of_the_dense_process(attempt, tmp_path):
    """By default all that is configured is made, here without a contrast."""
    cells = {"group": ["a", "b"], "cell_type": "x"}
    entries = {
        "some": {"genes": ["gene7", "gene2"], "cells": cells},
        "every": {"genes": ["gene0"]},
    }
    done = attempt("all", entries, gp=GIVEN)
    assert done.returncode == 0, done.stdout
    source = tiny()
    chosen = {
        "some": (source.obs["group"] != "c") & (source.obs["cell_type"] == "x"),
        "every": np.ones(60, dtype=bool),
    }
    for name, population in chosen.items():
        found = anndata.read_h5ad(tmp_path / f"results/tiny/smooth/{name}/smoothed.h5ad")
        genes = entries[name]["genes"]
        assert list(found.var_names) == genes
        assert found.obs_names.equals(source.obs_names)
        np.testing.assert_array_equal(found.obs["in_population"], population)
        measured = source[:, genes].layers["logged"].toarray()
        np.testing.assert_allclose(found.layers["expression"].toarray(), measured, rtol=1e-6)
        np.testing.assert_array_equal(found.obsm["X_umap"], source.obsm["X_umap"])
        x = source.obsm["DM"]
        ls = length_scale(nearest_distances(x[population]))
        gp = dense.GaussianProcess(x[population], measured[population], 1.0, ls)
        np.testing.assert_allclose(found.X, gp.mean(x), atol=1e-5)
        std = np.sqrt(np.diag(gp.covariance(x)) + EPS)
        np.testing.assert_allclose(found.obs["smoothed_std"], std, atol=1e-5)
        assert found.uns["smooth"]["ls"] == pytest.approx(ls)


def test_by_default_genes_without_structure_are_smoothed_to_their_means(attempt, tmp_path):
    """Counts of the tiny data are independent of the states; one gene is made to follow them."""
    source = tiny()
    states = source.obsm["DM"][:, 0]
    expression = source.layers["logged"].toarray()
    expression[:, 0] = 5.0 + states + 0.3 * expression[:, 0]
    source.layers["logged"] = sparse.csr_matrix(expression)
    done = attempt("smooth", {"x": {"genes": ["gene0", "gene1", "gene2", "gene3"]}}, source)
    assert done.returncode == 0, done.stdout
    smoothed = anndata.read_h5ad(tmp_path / "results/tiny/smooth/x/smoothed.h5ad").X
    assert np.corrcoef(smoothed[:, 0], states)[0, 1] > 0.95
    assert np.abs(smoothed[:, 1:] - expression[:, 1:4].mean(axis=0)).max() < 0.1
    assert expression[:, 1:4].std(axis=0).min() > 0.4


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"genes": ["GENE13", "gene2", "Actb"]},
         "smooth.x.genes: not among the 20 genes: 'GENE13' (did you mean gene13, "),
        ({"genes": ["gene1"], "cells": {"batch": "x"}},
         "smooth.x.cells: no obs column 'batch'; there are: group, cell_type"),
        ({"genes": ["gene1"], "cells": {"group": ["a", "z"]}},
         "smooth.x.cells.group: 'z' does not occur in obs column 'group'; its levels are: a, b, c"),
        ({"genes": ["gene1"], "cells": {"group": "c"}},
         "smooth.x.cells: 8 cells are left, expected at least 10"),
    ],
)  # fmt: skip
def test_what_is_not_in_the_data_is_said_before_anything_is_fitted(attempt, entry, message):
    done = attempt("smooth", {"x": entry})
    assert done.returncode != 0
    assert message in done.stdout
    assert "rule smooth_expression:" not in done.stdout


@pytest.mark.parametrize(
    ("target", "smooth", "missing"),
    [
        ("smooth", {}, "smooth"),
        ("abundance", {"x": {"genes": ["gene1"]}}, "contrasts"),
        ("expression", {"x": {"genes": ["gene1"]}}, "contrasts"),
        ("results", {"x": {"genes": ["gene1"]}}, "contrasts"),
        ("figures", {"x": {"genes": ["gene1"]}}, "contrasts"),
    ],
)
def test_a_target_without_entries_names_the_key(attempt, target, smooth, missing):
    done = attempt(target, smooth)
    assert done.returncode != 0
    assert f"{missing}: found no entry, and this target needs at least one" in done.stdout
