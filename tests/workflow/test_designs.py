"""Pairs and covariates through the workflow."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from statediff.significance import omnibus_test
from statediff.store import read_arrays
from support import ROOT

CONFIGS = ROOT / "tests/config"


@pytest.fixture(scope="module")
def paired_run(tmp_path_factory, snakemake_run):
    """All designs on one data set, with a column of three levels of which two are the old."""
    directory = tmp_path_factory.mktemp("paired")
    files = [CONFIGS / name for name in ("small.yaml", "standard.yaml", "paired.yaml")]
    found = "results/paired/data/simulated.h5ad"
    snakemake_run(directory, found, configfile=files)
    adata = anndata.read_h5ad(directory / found)
    late = adata.obs["sample"].isin(["Old_3", "Old_4"])
    adata.obs["time"] = np.where(adata.obs["Age"] == "Young", "d 0", np.where(late, "d 7", "d 3"))
    adata.write_h5ad(directory / "data.h5ad")
    own = yaml.safe_load(files[-1].read_text())
    del own["dataset"]["source"]
    own["contrasts"]["time"] = {"column": "time", "levels": ["d 0", "d 3", "d 7"],
                                "sample": "sample"}  # fmt: skip
    config = yaml.safe_load(files[0].read_text())
    for other in (yaml.safe_load(files[1].read_text()), own):
        for section, keys in other.items():
            config[section] = config.get(section, {}) | keys if isinstance(keys, dict) else keys
    config["dataset"]["source"] = {"path": "data.h5ad"}
    (directory / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    pages = [f"results/paired/{name}/methods.html" for name in ("young_vs_old", "by_months")]
    tables = [f"results/paired/by_months/tables/{name}.tsv" for name in ("genes", "cells")]
    targets = ["fdr", "abundance", "omnibus", "groups", *pages, *tables]
    snakemake_run(directory, *targets, configfile=directory / "config.yaml")
    return directory / "results/paired"


def genes_of(folder, contrast):
    return read_arrays(folder / contrast / "stages/fdr.h5")[0]


def truly_changed(folder):
    truth = anndata.read_h5ad(folder / "data/simulated.h5ad", backed="r").var["true_change"]
    return (truth != "none").to_numpy()


def test_pairs_find_what_donors_hide(paired_run):
    changed = truly_changed(paired_run)
    called, alone = (genes_of(paired_run, name)["is_de"] for name in ("young_vs_old", "unpaired"))
    assert called[changed].sum() > alone[changed].sum()
    assert called[changed].mean() >= 0.5
    assert called[~changed].sum() <= 3


def test_a_pair_is_a_covariate_of_donors(paired_run):
    """Whichever way the design is written, p-values are the same."""
    pair, adjusted = (genes_of(paired_run, name) for name in ("young_vs_old", "adjusted"))
    np.testing.assert_allclose(pair["pvalue"], adjusted["pvalue"], rtol=1e-6)
    found = [
        read_arrays(paired_run / name / "stages/abundance.h5", "lfc")[0]["lfc"]
        for name in ("young_vs_old", "adjusted")
    ]
    # The densities of donors have a prior as covariates, and none in pairs.
    assert np.corrcoef(*found)[0, 1] > 0.9


def test_the_design_is_told(paired_run):
    summary = json.loads((paired_run / "young_vs_old/summary.json").read_text())
    assert summary["conditions"]["pair"] == "donor"
    assert summary["cells"]["samples"] == 8
    methods = " ".join((paired_run / "young_vs_old/methods.html").read_text().split())
    assert "samples are the levels of donor in each condition" in methods
    assert "conditions are compared within levels of donor" in methods
    assert "after regression on donor" in methods


def test_numbers_of_samples(paired_run):
    """The old are ten times as old as the young: much the same as two groups, and per month."""
    changed, called = truly_changed(paired_run), genes_of(paired_run, "by_months")["is_de"]
    assert called[changed].mean() >= 0.45
    assert called[~changed].sum() <= 3
    values = json.loads((paired_run / "by_months/summary.json").read_text())["conditions"]["values"]
    assert values["reference"] == {"mean": 4.5, "min": 3.0, "max": 6.0}
    assert values["compared"] == {"mean": 25.0, "min": 22.0, "max": 28.0}
    genes, cells = (
        pd.read_csv(paired_run / f"by_months/tables/{name}.tsv", sep="\t")
        for name in ("genes", "cells")
    )
    np.testing.assert_allclose(genes["lfc_per_unit"] * 20.5, genes["adjusted_lfc"])
    np.testing.assert_allclose(cells["lfc_per_unit"] * 20.5, cells["lfc"])
    assert set(cells["condition"]) == {3.0, 4.0, 5.0, 6.0, 22.0, 24.0, 26.0, 28.0}
    of_groups = genes_of(paired_run, "young_vs_old")["adjusted_lfc"]
    of_genes = genes.set_index("gene")["adjusted_lfc"].sort_index()
    assert np.corrcoef(of_genes, of_groups)[0, 1] > 0.95
    found = [
        read_arrays(paired_run / name / "stages/abundance.h5", "lfc")[0]["lfc"]
        for name in ("young_vs_old", "by_months")
    ]
    assert np.corrcoef(*found)[0, 1] > 0.95
    groups = pd.read_csv(paired_run / "by_months/tables/gene_groups.tsv", sep="\t")
    tested = groups.groupby("group")["pvalue"].min() < 1.0
    assert tested.sum() >= 2
    # Genes that change in all cells do so in every group that could be tested.
    named = genes.set_index("gene")
    largest = named.loc[named["is_de"], "adjusted_lfc"].abs().idxmax()
    of_largest = groups[(groups["gene"] == largest) & groups["group"].map(tested)]
    sign = np.sign(named.loc[largest, "adjusted_lfc"])
    assert (of_largest["adjusted_lfc"] * sign).median() > 0.3
    methods = " ".join((paired_run / "by_months/methods.html").read_text().split())
    assert "months is numeric: both tests are for a linear trend" in methods
    assert "the mean values of the lower half of the samples (up to 6)" in methods


def test_several_levels(paired_run):
    """Genes change from the first level to both others."""
    changed = truly_changed(paired_run)
    genes = pd.read_csv(paired_run / "time/omnibus_genes.tsv", sep="\t")
    assert (genes["pvalue"].diff()[1:] >= 0).all()
    genes = genes.set_index("gene").sort_index()
    pairs = {name: genes_of(paired_run, name) for name in ("time_d_3", "time_d_7")}
    for name, one in pairs.items():
        np.testing.assert_allclose(genes[f"{name}_pvalue"], one["pvalue"])
        np.testing.assert_allclose(genes[f"{name}_lfc"], one["adjusted_lfc"])
        assert not (genes[f"{name}_differs"] & ~genes["called"]).any()
    # Two samples of each later level, and donors that differ.
    assert genes["called"][changed].sum() >= 4
    assert genes["called"][~changed].sum() <= 3
    wanted = omnibus_test(np.array([one["pvalue"] for one in pairs.values()]))
    np.testing.assert_array_equal(genes["called"], wanted["called"])
    cells = pd.read_csv(paired_run / "time/omnibus_cells.tsv", sep="\t")
    assert len(cells) == 1200
    assert {"cell", "cell_type", "pvalue", "qvalue", "called", "time_d_3_lfc"} <= set(cells)
    assert cells["called"].mean() > 0.1
