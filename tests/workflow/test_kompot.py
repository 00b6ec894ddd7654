"""Our AnnData opened with kompot 0.8.0: its functions work, and show the numbers of our tables."""

import json
import subprocess
from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest
from statediff.conventions import LN2
from statediff.store import read_arrays
from support import ROOT

CALLS = ROOT / "tests/kompot_calls.py"


DEMO = SimpleNamespace(
    configfile=ROOT / "config/config.yaml",
    contrast="simulated_bone_marrow/young_vs_old",
    source="results/simulated_bone_marrow/data/simulated.h5ad",
    column="Age",
    levels=("Young", "Old"),
    types="cell_type",
    group="HSC",
    replicates=True,
    groups=0,
    changed="expression: {layers: [smoothed, fold_change]}",
)
# Real data, and with groups.
KANG = SimpleNamespace(
    configfile=ROOT / "tests/config/kang.yaml",
    contrast="kang/ctrl_vs_stim",
    source="shared/data/kang_pbmc.h5ad",
    column="condition",
    levels=("ctrl", "stim"),
    types="leiden",
    group="1",
    replicates=False,
    groups=8,
    changed=DEMO.changed + "\ngp: {tol: 1.0e-6}\ncontrasts: {ctrl_vs_stim: {groups: leiden}}",
)


@pytest.fixture(scope="module", params=[DEMO, KANG], ids=["demo", "kang"])
def opened(request, kompot_python, tmp_path_factory, snakemake_run):
    """A run, and what kompot's functions made of its AnnData."""
    folder = tmp_path_factory.mktemp("kompot")
    run = request.param
    if run is KANG:
        (folder / "shared").symlink_to(request.getfixturevalue("shared"), target_is_directory=True)
    changed = folder / "changed.yaml"
    changed.write_text(run.changed)
    run.folder = folder / "results" / run.contrast
    tables = [f"tables/{name}.parquet" for name in ("genes", "cells", "cell_types")]
    targets = [f"results/{run.contrast}/{path}" for path in ("adata.h5ad", *tables)]
    snakemake_run(folder, *targets, configfile=[run.configfile, changed])
    run.genes, run.cells, run.cell_types = (pd.read_parquet(run.folder / name) for name in tables)
    run.cells["lfc"] *= LN2  # Kompot draws natural logarithms
    run.source = anndata.read_h5ad(folder / run.source)
    run.genes = run.genes.set_index("gene").loc[run.source.var_names]
    run.xy = read_arrays(run.folder.parent / "data/embedding.h5")[0]["embedding"][:, :2]
    run.gene = run.genes["mahalanobis"].idxmax()
    pair = "_to_".join(run.levels)
    run.stem = f"kompot_de_{pair}"
    done = subprocess.run(
        [kompot_python, CALLS, run.folder / "adata.h5ad", run.types, "X_umap", run.group, run.gene,
         f"kompot_da_{pair}_lfc", folder / "calls.json"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    run.calls = json.loads((folder / "calls.json").read_text())
    return run


def points(collection):
    """Coordinates and values of drawn points, sorted: kompot draws high values last."""
    rows = np.column_stack([collection["xy"], collection["values"]])
    return rows[np.lexsort(rows.T[:2])]


def expected(xy, values):
    rows = np.column_stack([xy, values])
    return rows[np.lexsort(rows.T[:2])]


def test_kompot_falls_back_on_nothing(opened):
    assert opened.calls["complaints"] == []


@pytest.mark.parametrize("kind", ["da", "de"])
def test_run_info(opened, kind):
    info = opened.calls[f"info_{kind}"]
    summary, html = info["summary"], info["html"]
    assert summary["conditions"] == " to ".join(opened.levels)
    assert summary["uses_sample_variance"] == opened.replicates
    assert summary["missing_fields"] == summary["overwritten_fields"] == []
    assert "All Fields Present" in html
    assert all(name in html for names in info["fields"].values() for name in names)
    # What kompot would be called with to repeat the run, the expression being X of this file.
    assert info["call"]["groupby"] == opened.column
    assert info["call"].get("layer", "None") == "None"
    if kind == "de":
        called = opened.genes["is_de"]
        assert info["fdr"]["n_significant"] == called.sum() > 0
        assert info["fdr"]["n_total"] == len(called)
        least = opened.genes.loc[called, "mahalanobis"].min()
        assert info["fdr"]["min_significant_mahalanobis"] == pytest.approx(least)
        assert summary.get("groups_count", 0) == opened.groups


def test_volcano_of_cells(opened):
    (collections,) = opened.calls["volcano_da"].values()
    wanted = opened.cells[["lfc", "neg_log10_lfc_ptp"]]
    np.testing.assert_allclose(collections[0]["xy"], wanted, rtol=1e-12)


def test_volcano_of_genes(opened):
    (collections,) = opened.calls["volcano_de"].values()
    everything, up, down = (np.array(found["xy"]) for found in collections)
    table = opened.genes[["mean_lfc", "mahalanobis", "is_de"]]
    np.testing.assert_allclose(everything, table[["mean_lfc", "mahalanobis"]], rtol=1e-12)
    for found, sign in ((up, 1), (down, -1)):
        called = table[table["is_de"] & (np.sign(table["mean_lfc"]) == sign)]
        np.testing.assert_allclose(np.sort(found[:, 1]), np.sort(called["mahalanobis"]), rtol=1e-12)


def test_volcano_of_a_group(opened):
    if not opened.groups:
        assert opened.calls["volcano_of_group"] is None
        return
    (collections,) = opened.calls["volcano_of_group"].values()
    groups, _ = read_arrays(opened.folder / "stages/groups.h5", "names")
    at = list(groups["names"]).index(opened.group)
    found, _ = read_arrays(opened.folder / "stages/group_fdr.h5", "mean_lfc", "mahalanobis")
    wanted = np.column_stack([found["mean_lfc"][at], found["mahalanobis"][at]])
    np.testing.assert_allclose(collections[0]["xy"], wanted, rtol=1e-12)


def test_direction_bars(opened):
    table = opened.cell_types.set_index("cell_type")
    assert set(opened.calls["bars"]) == {
        name for name in ("up", "down", "neutral") if table[name].any()
    }
    for direction, heights in opened.calls["bars"].items():
        wanted = 100 * table[f"{direction}_share"]
        assert heights == pytest.approx(wanted.to_dict(), abs=1e-9)


def test_embedding_of_one_group(opened):
    of_type = (opened.cells["cell_type"] == opened.group).to_numpy()
    (collections,) = opened.calls["groups"].values()
    wanted = expected(opened.xy[of_type], opened.cells["lfc"][of_type])
    np.testing.assert_allclose(points(collections[0]), wanted, rtol=1e-12)
    np.testing.assert_array_equal(collections[1]["xy"], opened.xy[~of_type])


def test_embedding_of_many_groups(opened):
    panels = opened.calls["mgroups"]
    assert list(panels) == list(opened.cells["cell_type"].cat.categories)
    for name, collections in panels.items():
        of_type = (opened.cells["cell_type"] == name).to_numpy()
        wanted = expected(opened.xy[of_type], opened.cells["lfc"][of_type])
        np.testing.assert_allclose(points(collections[0]), wanted, rtol=1e-12)


def test_heatmap_of_fold_changes(opened):
    found = pd.DataFrame(opened.calls["heatmap"])
    assert set(found.index) == set(opened.genes["mahalanobis"].nlargest(20).index)
    measured = opened.source[:, found.index].layers["logged_counts"].toarray()
    measured = pd.DataFrame(measured.astype(float), columns=found.index)
    obs = opened.source.obs[[opened.column, opened.types]]
    means = measured.groupby([obs[name].array for name in obs], observed=False).mean()
    reference, compared = (means.loc[level] for level in opened.levels)
    wanted = (compared - reference).T.loc[:, found.columns]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_gene_expression(opened):
    panels = opened.calls["gene"]
    assert len(panels) == 4
    fit, _ = read_arrays(
        opened.folder / "stages/fit.h5", "phi", "coefficients_reference", "coefficients_compared"
    )
    at = opened.source.var_names.get_loc(opened.gene)
    reference, compared = (
        fit["phi"] @ fit[f"coefficients_{role}"][at] for role in ("reference", "compared")
    )
    measured = opened.source[:, opened.gene].layers["logged_counts"].toarray()[:, 0]
    for collections, wanted in zip(
        panels.values(), (measured, reference, compared, compared - reference), strict=True
    ):
        np.testing.assert_allclose(
            points(collections[0]), expected(opened.xy, wanted), rtol=1e-5, atol=1e-5
        )
    numbers = opened.genes.loc[opened.gene]
    assert opened.calls["gene_title"][1] == (
        f"Mean log fold change: {numbers['mean_lfc']:.2f} | "
        f"Mahalanobis distance: {numbers['mahalanobis']:.2f}"
    )


def test_cleanup_takes_the_layers_and_leaves_what_makes_them(opened):
    a, b = opened.levels
    cleaned, kept = opened.calls["cleaned"], opened.calls["kept"]
    assert cleaned.pop("layers") == sorted(
        [f"kompot_de_{a}_smoothed", f"kompot_de_{b}_smoothed", f"{opened.stem}_fold_change"]
    )
    assert all(name.startswith(f"{opened.stem}_") for name in cleaned["varm"])
    assert len(cleaned.pop("varm")) == 4 * bool(opened.groups)
    assert not any(cleaned.values())
    assert f"{opened.stem}_basis" in kept["obsm"]
    assert {f"kompot_de_{a}_coefficients", f"kompot_de_{b}_coefficients"} <= set(kept["varm"])
