"""What the data set brings along: other slots, colours, a component that is all but constant."""

import anndata
import h5py
import numpy as np
import pytest
import yaml
from pypdf import PdfReader
from scipy import sparse
from support import CONFIG, tiny

# Each channel a multiple of 1/5, which a PDF holds in short.
COLORS, CHOSEN = ["#3366cc", "#cc6633", "#993300"], "#339933"


@pytest.fixture(scope="module")
def made(tmp_path_factory, snakemake_run):
    """The source as it was, and the folder of a contrast of it."""
    folder, rng = tmp_path_factory.mktemp("slots"), np.random.default_rng(3)
    adata = tiny()
    adata.obs["group"] = adata.obs["group"].astype("category")
    adata.obsm["DM"][:, 0] = 0.1 + 1e-10 * rng.normal(size=60)
    adata.obsm["spatial"] = rng.normal(size=(60, 2))
    adata.obsp["connectivities"] = sparse.random(60, 60, 0.1, "csr", random_state=rng)
    adata.varm["loadings"] = rng.normal(size=(20, 2))
    adata.uns |= {"group_colors": COLORS, "spatial": {"slide": {"scale": 2.0}}}
    adata.write_h5ad(folder / "data.h5ad")
    with h5py.File(folder / "data.h5ad", "a") as file:
        # Names with slashes, as anndata once wrote them; something that no anndata knows.
        file["obsm/of/old"] = adata.obsm["spatial"]
        file.move("obsm/DM", "obsm/states/DM")
        file["uns/strange"] = 1.0
        file["uns/strange"].attrs.update({"encoding-type": "future", "encoding-version": "9"})
    config = CONFIG | {"figures": {"colors": {"group": {"b": CHOSEN}}}}
    config["dataset"] = CONFIG["dataset"] | {"cell_states": {"key": "states/DM"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    run = "results/tiny/a_vs_b"
    figures = [f"{run}/figures/{name}.pdf" for name in ("expression_along", "composition")]
    snakemake_run(folder, f"{run}/adata.h5ad", *figures, configfile=folder / "config.yaml")
    return adata, folder / run


def test_other_slots_stay(made):
    source, folder = made
    adata = anndata.read_h5ad(folder / "adata.h5ad")
    for slot, key in (("obsm", "spatial"), ("obsm", "X_umap"), ("varm", "loadings")):
        np.testing.assert_array_equal(getattr(adata, slot)[key], getattr(source, slot)[key])
    assert (adata.obsp["connectivities"] != source.obsp["connectivities"]).nnz == 0
    assert adata.uns["spatial"]["slide"]["scale"] == 2.0
    assert list(adata.uns["group_colors"]) == COLORS
    assert "kompot_de" in adata.uns
    np.testing.assert_array_equal(adata.obsm["of_old"], source.obsm["spatial"])
    np.testing.assert_array_equal(adata.obsm["states_DM"], source.obsm["DM"])
    assert "strange" not in adata.uns


def test_curves_follow_a_component_that_varies(made):
    (page,) = PdfReader(made[1] / "figures/expression_along.pdf").pages
    assert "DM, component 2" in page.extract_text()


def test_conditions_have_the_data_sets_colours_but_where_one_is_chosen(made):
    (page,) = PdfReader(made[1] / "figures/composition.pdf").pages
    drawn = page.get_contents().get_data().decode("latin-1")
    for color, shown in ((COLORS[0], True), (COLORS[1], False), (CHOSEN, True)):
        levels = " ".join(f"{int(color[i : i + 2], 16) / 255:g}" for i in (1, 3, 5))
        assert (f"{levels} rg" in drawn) == shown


def add_oddities(file):
    """What no run needs, and much of which nobody can read."""
    wrong = {
        "obsm/rows": np.zeros((61, 2)), "obsm/flat": np.zeros(60), "obsm/single": 3.0,
        "obsp/narrow": np.zeros((60, 59)), "varm/rows": np.zeros((3, 2)), "varp/flat": np.zeros(20),
        "obsm/a/b": np.zeros((60, 2)), "obsm/a_b": np.ones((60, 2)),
    }  # fmt: skip
    for key, values in wrong.items():
        file[key] = values
    file["obsm/nowhere"] = file["uns/nowhere"] = h5py.SoftLink("/nowhere")
    file["uns/around"] = h5py.SoftLink("/uns")
    file["uns/reference"] = file["obs"].ref
    file["uns/opaque"] = np.void(b"xx")
    file.create_dataset("uns/ragged", (2,), h5py.vlen_dtype(np.int32))
    file["uns/fine"] = "é"
    # What a run reads where it is as expected.
    file["uns/DM_EigenValues/of"] = file["uns/group_colors"] = np.ones((2, 3))
    file["obs/pairs"] = np.zeros((60, 2))
    file["obs/complex"] = np.zeros(60, complex)
    file["obs"].attrs["column-order"] = [*file["obs"].attrs["column-order"], "pairs", "complex"]


def test_what_no_run_needs_stops_none(tmp_path, snakemake_run):
    tiny().write_h5ad(tmp_path / "data.h5ad")
    with h5py.File(tmp_path / "data.h5ad", "a") as file:
        add_oddities(file)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    path = "results/tiny/a_vs_b/adata.h5ad"
    targets = [path, "results/tiny/a_vs_b/figures/composition.pdf"]
    done = snakemake_run(tmp_path, *targets, configfile=tmp_path / "config.yaml")
    adata = anndata.read_h5ad(tmp_path / path)
    assert {"DM", "X_umap", "a_b"} <= set(adata.obsm)
    assert adata.uns["fine"] == "é"
    assert {"pairs", "complex"}.isdisjoint(adata.obs)
    for slot, key in (
        *(("obsm", key) for key in ("rows", "flat", "single", "nowhere")),
        *(("uns", key) for key in ("nowhere", "around", "reference", "opaque", "ragged")),
        ("obsp", "narrow"), ("varm", "rows"), ("varp", "flat"),
    ):  # fmt: skip
        assert key not in getattr(adata, slot)
        assert done.stdout.count(f"(adata): {slot}[{key!r}] of data.h5ad can't be read") == 1
    assert "another is named 'a_b'" in done.stdout
    for column in ("pairs", "complex"):
        assert f"(store): obs column {column!r} of data.h5ad can't be read" in done.stdout
