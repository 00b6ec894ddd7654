"""Smoothed expression without a contrast."""

import anndata
import dense
import numpy as np
import pytest
import yaml
from statediff import EPS
from statediff.neighbours import length_scale, nearest_distances
from support import CONFIG, tiny

ALONE = {key: value for key, value in CONFIG.items() if key not in ("contrasts", "conventions")}


@pytest.fixture
def attempt(tmp_path, snakemake_run):
    """Run on the tiny data with entries of smooth, and no contrast unless there are none."""

    def run(target, smooth):
        (tmp_path / "config.yaml").write_text(
            yaml.safe_dump(ALONE | {"smooth": smooth} if smooth else CONFIG)
        )
        tiny().write_h5ad(tmp_path / "data.h5ad")
        return snakemake_run(tmp_path, target, configfile=tmp_path / "config.yaml", check=False)

    return run


def test_smoothed_expression_is_that_of_the_dense_process(attempt, tmp_path):
    """By default all that is configured is made, here without a contrast."""
    cells = {"group": ["a", "b"], "cell_type": "x"}
    entries = {
        "some": {"genes": ["gene7", "gene2"], "cells": cells},
        "every": {"genes": ["gene0"]},
    }
    done = attempt("all", entries)
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
    assert f"{missing}: found no entry, and this target makes something for each" in done.stdout
