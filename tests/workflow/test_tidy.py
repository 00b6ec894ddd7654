"""Removal of files that can be regenerated: list, removal, and a later run."""

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from statediff.layers import smoothed_genes
from statediff.store import read_arrays

RUN = "results/small"
RESULTS = f"{RUN}/young_vs_old"
STEM = "kompot_de_Young_to_Old"
DENSE = {
    "kompot_de_Young_smoothed": "reference",
    "kompot_de_Old_smoothed": "compared",
    f"{STEM}_fold_change": "fold_change",
}
# Asked for by a target; not of this configuration; not of the workflow.
STAYING = [
    f"{RUN}/data/figure_choices.h5",
    f"{RUN}/data/my_own.h5ad",
    f"{RUN}/data/downloaded.h5ad",
    f"{RESULTS}/stages/notes.txt",
    f"{RUN}/earlier_contrast/stages/fit.h5",
    f"{RUN}/conditions/Mid_0123456789ab/density.h5",
    "results/another/data/store.h5ad",
    "results/downloads/0123.h5ad",
    "results/downloads/0123.h5ad.part",
]


@pytest.fixture
def dense(small_copy):
    """A run whose AnnData holds dense layers, and one of a user, beside files of others."""
    path = small_copy / RESULTS / "adata.h5ad"
    genes = smoothed_genes(path, list(anndata.read_h5ad(path).var_names), "Young", "Old")
    with h5py.File(path, "a") as file:
        for name, role in DENSE.items():
            values = np.column_stack([table[role] for table in genes.values()])
            layer = file["layers"].create_dataset(name, data=values.astype(np.float32), chunks=True)
            layer.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        file.copy(f"layers/{STEM}_fold_change", "layers/of_a_user")
    for name in STAYING[1:]:
        (small_copy / name).parent.mkdir(parents=True, exist_ok=True)
        (small_copy / name).write_text(name)
    return small_copy


@pytest.fixture
def snakemake(snakemake_run, small_config, tmp_path):
    """Run a target with the configuration changed."""

    def run(directory, *arguments, **changes):
        path = tmp_path / "changes.yaml"
        path.write_text(yaml.safe_dump(changes))
        return snakemake_run(directory, *arguments, configfile=[small_config, path]).stdout

    return run


def files(directory):
    """Checksum of every result."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (directory / "results").rglob("*")
        if path.is_file() and "logs" not in path.parts
    }


def planned(output):
    table = output.split("Job stats:")[-1].split("\n\n")[0]
    return set(re.findall(r"^(\w+) +\d+$", table, re.M)) - {"total"}


def intermediate(name):
    folders = (f"{RUN}/data/", f"{RESULTS}/stages/", f"{RUN}/conditions/")
    return name.startswith(folders) and name not in STAYING


def test_the_list_is_of_all_that_would_go(dense, snakemake):
    before = files(dense)
    output = snakemake(dense, "tidy")
    assert files(dense) == before
    listed = {name: size for size, name in re.findall(r"^ +([\d.]+) MB  (.+)$", output, re.M)}
    total = float(listed.pop("in all"))
    wanted = {name for name in before if intermediate(name)}
    layers = {f"{RESULTS}/adata.h5ad: layer {name}" for name in DENSE}
    assert set(listed) == wanted | layers
    assert float(listed[f"{RUN}/data/store.h5ad"]) == pytest.approx(
        (dense / RUN / "data/store.h5ad").stat().st_size / 1e6, abs=0.006
    )
    assert all(
        float(listed[name]) == pytest.approx(600 * 250 * 4 / 1e6, rel=0.3) for name in layers
    )
    assert total == pytest.approx(sum(map(float, listed.values())), abs=0.005 * len(listed))
    assert "Nothing was removed." in output
    assert "not complete" not in output
    (dense / RESULTS / "figures/condition.png").unlink()
    output = snakemake(dense, "tidy")
    assert "This run is not complete and needs some of them (jobs left: 1)" in output


def test_what_goes_and_what_stays(dense, snakemake):
    before, path = files(dense), dense / RESULTS / "adata.h5ad"
    adata, size = anndata.read_h5ad(path), path.stat().st_size
    wanted = smoothed_genes(path, ["Gene001"], "Young", "Old")["Gene001"]
    (command,) = re.findall("To remove them: (snakemake .*)", snakemake(dense, "tidy"))
    removed = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)], capture_output=True, text=True, check=True
    )
    assert "Removed." in removed.stdout
    after = files(dense)
    assert set(before) - set(after) == {name for name in before if intermediate(name)}
    assert {name for name in after if after[name] != before.get(name)} == {f"{RESULTS}/adata.h5ad"}
    assert set(STAYING) <= set(after)

    assert path.stat().st_size < size - 2 * 600 * 250 * 4
    kept = anndata.read_h5ad(path)
    assert list(kept.layers) == ["of_a_user"]
    for name in DENSE:
        del adata.layers[name]
    same(adata, kept)
    smoothed = smoothed_genes(path, ["Gene001"], "Young", "Old")["Gene001"]
    pd.testing.assert_frame_equal(smoothed, wanted)

    assert "Nothing to be done" in snakemake(dense, "-n")
    assert "nothing to remove" in snakemake(dense, "tidy")


def test_panels_of_a_paper_go_and_the_page_stays(small_copy, snakemake):
    panels = {
        "A": {"figure": "obs_sample"},
        "B": {"figure": "abundance_direction", "contrast": "young_vs_old"},
    }
    paper = {"figure_1": {"width": 150, "height": 60, "mosaic": "ABB", "panels": panels}}
    snakemake(small_copy, "paper", paper=paper)
    made = set((small_copy / RUN / "paper/panels").iterdir())
    assert {path.name for path in made} >= {"figure_1.A.obs_sample.pdf", "figure_1.B.choices.h5"}
    output = snakemake(small_copy, "tidy_now", paper=paper)
    assert all(str(path.relative_to(small_copy)) in output for path in made)
    assert {path.name for path in (small_copy / RUN / "paper").rglob("*.*")} == {
        "figure_1.pdf", "figure_1.png"
    }  # fmt: skip
    assert "Nothing to be done" in snakemake(small_copy, "-n", paper=paper)


def same(a, b):
    """Whether two AnnData hold the same, to the bit."""
    for slot in ("obs", "var"):
        pd.testing.assert_frame_equal(getattr(a, slot), getattr(b, slot), check_exact=True)
    assert (a.X != b.X).nnz == 0
    for slot in ("layers", "obsm", "varm"):
        assert getattr(a, slot).keys() == getattr(b, slot).keys()
        for key, values in getattr(a, slot).items():
            np.testing.assert_array_equal(values, getattr(b, slot)[key])
    assert a.uns.keys() == b.uns.keys()
    for key, value in a.uns.items():
        np.testing.assert_equal(b.uns[key], value)


@pytest.fixture(scope="module")
def tidied(small_run, tmp_path_factory, snakemake_run, small_config):
    """A run that was tidied; not to be changed."""
    directory = tmp_path_factory.mktemp("tidied") / "run"
    shutil.copytree(small_run, directory, symlinks=True)
    snakemake_run(directory, "tidy_now", configfile=small_config)
    return directory


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"fdr": {"threshold": 0.1}}, "false_discovery"),
        ({"gp": {"sigma": 0.9}}, "expression_fit"),
        ({"figures": {"point_size": 3.0}}, "plot_condition"),
    ],
)
def test_a_later_change_is_seen(tidied, snakemake, changes, first):
    """Even where the file that it decides about is gone; what it needs is made again."""
    jobs = planned(snakemake(tidied, "-n", **changes))
    assert {first, "simulate", "store"} <= jobs


def test_a_later_change_for_real(tidied, tmp_path, snakemake):
    directory = shutil.copytree(tidied, tmp_path / "run", symlinks=True)
    genes = pd.read_parquet(directory / RESULTS / "tables/genes.parquet")
    snakemake(directory, "fdr", fdr={"threshold": 0.5})
    rates, attributes = read_arrays(directory / RESULTS / "stages/fdr.h5")
    assert attributes["n_de"] == rates["is_de"].sum() == (genes["local_fdr"] < 0.5).sum()
    np.testing.assert_allclose(np.sort(rates["mahalanobis"])[::-1], genes["mahalanobis"], rtol=1e-9)


def test_a_source_of_the_user_stays(small_copy, snakemake_run, small_config, tmp_path):
    config = yaml.safe_load(small_config.read_text())
    config["dataset"]["source"] = {"path": f"{RUN}/data/simulated.h5ad"}
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(config))
    output = snakemake_run(small_copy, "tidy_now", configfile=path).stdout
    assert f"{RUN}/data/store.h5ad" in output
    assert f"{RUN}/data/simulated.h5ad" not in output
    left = {path.name for path in (small_copy / RUN / "data").iterdir()}
    assert left == {"simulated.h5ad", "figure_choices.h5"}
