import copy
import json
import re

import pytest
import yaml
from statediff import InputError
from statediff.conventions import PRESETS, TOLERANCES
from statediff.settings import CHOICES, checked, contrasts_of
from support import ROOT

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
GOOD = {
    "dataset": {
        "name": "x",
        "source": {"simulate": {"seed": 1}},
        "cell_states": {"compute": {"from": "X_pca"}},
        "embedding": {},
    },
    "contrasts": {"y": {"column": "Age", "reference": "a", "compared": "b"}},
}


def changed(key, value):
    """The good configuration with one key set."""
    config = copy.deepcopy(GOOD)
    section = config
    *path, last = key.split(".")
    for part in path:
        section = section.setdefault(part, {})
    section[last] = value
    return config


def test_defaults_are_filled_in_and_the_input_is_left_alone():
    before = copy.deepcopy(GOOD)
    full = checked(GOOD, SCHEMA)
    assert before == GOOD
    assert (full["fdr"]["test"], full["fdr"]["gaps"]) == ("residual", "skip")
    assert full["fdr"]["blocks_from"] == "X_pca"
    assert full["fdr"]["external"] == {"distances": None, "genes": [], "shuffled": False}
    assert full["dataset"]["cell_states"]["compute"]["n_components"] == 40
    assert full["dataset"]["embedding"] == {"key": "X_umap", "compute": None}
    assert checked(full, SCHEMA) == full


def test_the_order_of_keys_does_not_matter():
    a = checked(changed("fdr", {"seed": 1, "threshold": 0.1}), SCHEMA)
    b = checked(changed("fdr", {"threshold": 0.1, "seed": 1}), SCHEMA)
    assert repr(a["fdr"]) == repr(b["fdr"])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("fdr.treshold", 0.1, "fdr: unknown key 'treshold'; did you mean threshold? Known keys"),
        ("color", "red", "configuration: unknown key 'color'"),
        ("a_vs_b", {"column": "x"}, "unknown key 'a_vs_b'; an entry of contrasts or smooth is"),
        ("contrasts.y.groupby", "x", "contrasts.y: unknown key 'groupby'; did you mean column?"),
        ("contrasts.y.layer", "x", "unknown key 'layer'; did you mean dataset.layer?"),
        ("dataset.source", "a.h5ad", "expected object (for a file: source: {path: a.h5ad})"),
        ("fdr.threshold", "x", "fdr.threshold: found 'x', expected number (nested values"),
        ("fdr.threshold", float("nan"), "fdr.threshold: found nan, expected number"),
        ("gp.ls", float("inf"), "gp.ls: found inf, expected number or null"),
        ("fdr.null_genes", 2000.0, "fdr.null_genes: found 2000.0, expected integer"),
        ("fdr.threshold", 2, "fdr.threshold: 2.0 is greater than the maximum of 1"),
        ("gp.ls", -1, "gp.ls: -1.0 is less than or equal to the minimum of 0"),
        ("gp.device", "tpu", "gp.device: found 'tpu', expected one of auto, cpu, gpu"),
        ("abundance.uncertainty", "x", "found 'x', expected one of full, diagonal, null"),
        ("conventions", "x", "conventions: found 'x', expected one of standard, kompot-0.8"),
        ("expression.layers", ["raw"], "expression.layers.0: found 'raw', expected one of"),
        ("dataset.source", {}, "dataset.source: found nothing, expected one of: path, zenodo"),
        ("dataset.source.path", "a", "found simulate, path, expected one of: path, zenodo"),
        (
            "dataset.source",
            {"zenodo": {"url": "https://a.org/b"}},
            "zenodo: found url, expected record and file (Zenodo then tells size and md5), or url",
        ),
        (
            "dataset.source",
            {"zenodo": {"record": 1, "file": "b", "md5": "0" * 32}},
            "zenodo: found record, file, md5, expected record and file",
        ),
        ("dataset.source", {"zenodo": {"mirror": "https://a.org"}}, "zenodo: found nothing, exp"),
        ("dataset.source", {"zenodo": {"record": 0}}, "record: 0 is less than the minimum of 1"),
        ("dataset.name", "../x", "dataset.name: '../x' is no safe folder name"),
        ("dataset.cell_states.compute", 3, "compute: found 3, expected object or null"),
        ("dataset.cell_states.compute", {"knn": 5}, "cell_states.compute.from: found null, expect"),
        ("dataset.embedding.compute", {}, "dataset.embedding.compute.from: found null, expected"),
        (
            "contrasts",
            {},
            "contrasts: found nothing, expected at least one entry (or one of smooth",
        ),
        ("smooth.x", {}, "smooth.x: missing genes"),
        ("smooth.x", {"genes": "A"}, "smooth.x.genes: found 'A', expected array"),
        ("smooth.a/b", {"genes": ["A"]}, "'a/b' is no safe folder name"),
        ("smooth", {"x": {"genes": ["A"]}, "X": {"genes": ["A"]}}, "differ only in case"),
        ("contrasts.smooth", GOOD["contrasts"]["y"], "'smooth' is one of the workflow's own"),
        ("contrasts.y", None, "contrasts.y: found nothing, expected object"),
        (
            "contrasts.y.compared",
            3,
            "contrasts.y.compared: found 3, expected string or null (a level",
        ),
        ("contrasts.y.reference", False, 'write "false" in quotes'),
        ("contrasts.y.compared", "a", "contrasts.y: reference and compared are both 'a'"),
        ("contrasts.y.cells", {"leiden": 3}, "cells.leiden: found 3, expected string or array (a"),
        ("contrasts.y.cells", {"leiden": [3]}, "cells.leiden.0: found 3, expected string (a level"),
        ("contrasts.y.cells", {}, "contrasts.y.cells: found nothing, expected one of: at least"),
        ("contrasts.y.cells", "leiden", "contrasts.y.cells: found 'leiden', expected object or"),
        ("contrasts.y.groups", {1: {"leiden": "3"}}, "contrasts.y.groups: found 1, expected str"),
        ("figures.colors", {"x": {1: "#ff0000", "y": "#00ff00"}}, 'text: write "1" in quotes'),
        ("contrasts.y.groups", {"g": "x"}, "contrasts.y.groups.g: found 'x', expected object"),
        ("contrasts.Y", GOOD["contrasts"]["y"], "'y' and 'Y' differ only in case"),
        ("contrasts.Data", GOOD["contrasts"]["y"], "'Data' is one of the workflow's own folders"),
        ("enrichment.provider", "enrichr", "found 'enrichr', expected one of none, string, local"),
        ("enrichment", {"provider": "string"}, "enrichment.species: found null, expected the NCBI"),
        ("enrichment", {"provider": "local"}, "enrichment.gmt: found nothing, expected GMT files"),
        (
            "enrichment",
            {"provider": "string", "species": 9606, "gmt": ["a.gmt"]},
            "enrichment.gmt: found files, expected",
        ),
        (
            "enrichment",
            {"provider": "local", "gmt": ["a/x.gmt", "b/x.gmt"]},
            "enrichment.gmt: a/x.gmt and b/x.gmt would share a category, 'x'",
        ),
        (
            "enrichment",
            {"provider": "string", "species": 9606, "background": "genome"},
            "enrichment.genome_genes: found null, expected the number of genes",
        ),
        (
            "enrichment",
            {"provider": "local", "gmt": ["a/x.gmt", "y.gmt"], "categories": ["x", "KEGG"]},
            "enrichment.categories: found KEGG, expected names of the files of enrichment.gmt: x,",
        ),
        (
            "enrichment",
            {"provider": "local", "gmt": ["x.gmt", "<script>.gmt"]},
            "enrichment.gmt: found < > in '<script>.gmt', which Snakemake does not take",
        ),
        (
            "enrichment",
            {"provider": "local", "gmt": ["{x}.gmt"]},
            "enrichment.gmt: found { } in '{x}.gmt', which Snakemake does not take",
        ),
        (
            "fdr",
            {"test": "external", "external": {"distances": "<run>/x.tsv"}},
            "fdr.external.distances: found < > in '<run>/x.tsv'",
        ),
        # Checked whether or not anything is sent.
        (
            "enrichment.api_url",
            "http://string-db.org/api",
            "enrichment.api_url: 'http://string-db.org/api' is not safe; expected https",
        ),
        ("contrasts.Workflow", GOOD["contrasts"]["y"], "'Workflow' is an entry of every report"),
        ("contrasts.x\n", GOOD["contrasts"]["y"], "is no safe folder name"),
        ("contrasts.-x", GOOD["contrasts"]["y"], "'-x' is no safe folder name"),
        ("contrasts." + "x" * 65, GOOD["contrasts"]["y"], "is no safe folder name"),
    ],
)
def test_faults_name_the_key_what_was_found_and_what_was_expected(key, value, message):
    with pytest.raises(InputError) as caught:
        checked(changed(key, value), SCHEMA)
    assert message in str(caught.value)


@pytest.mark.parametrize("contrasts", [{}, {"contrasts": {}}], ids=["absent", "empty"])
def test_contrasts_are_not_needed_to_smooth(contrasts):
    config = {"dataset": GOOD["dataset"], "smooth": {"x": {"genes": ["A"]}}} | contrasts
    full = checked(config, SCHEMA)
    assert full["contrasts"] == {}
    assert full["smooth"] == {"x": {"genes": ["A"], "cells": None}}


def test_levels_that_would_share_a_field_are_refused():
    contrast = {"column": "Age", "reference": "3 m", "compared": "3_m"}
    with pytest.raises(InputError, match="share the field name '3_m'"):
        checked(changed("contrasts.y", contrast), SCHEMA)


@pytest.mark.parametrize("key", ["url", "mirror", "api_url"])
def test_insecure_addresses_are_refused(key):
    for url, good in {
        "https://zenodo.org/x": True,
        "https://zenodo.org:8443/a%20b%0d": True,
        "http://127.0.0.1:80/x": True,
        "http://127.8.9.10/x": True,
        "http://[::1]:80/x": True,
        "http://localhost/x": True,
        "http://zenodo.org/x": False,
        "http://10.0.0.1/x": False,
        "http://0.0.0.0/x": False,
        "ftp://zenodo.org/x": False,
        "http://localhost.evil.org/x": False,
        "http://127.0.0.1:80@evil.org/x": False,
        "http://127.0.0.1\\@evil.org/x": False,
        "https://user:secret@zenodo.org/x": False,
        "https://zenodo.org/a b": False,
        "https://zenodo.org/a\r\nX: y": False,
        "https://zenodo.org:port/x": False,
        "https://[::1/x": False,
        "https:///x": False,
        "//zenodo.org/x": False,
        "file:///etc/passwd": False,
        "": False,
    }.items():
        zenodo = {"record": 1, "file": "x"}
        if key == "url":
            zenodo = {"md5": "0" * 32, "bytes": 1}
        config = changed("dataset.source", {"zenodo": zenodo | {key: url}})
        if good:
            checked(config, SCHEMA)
        else:
            with pytest.raises(InputError, match=rf"zenodo\.{key}: "):
                checked(config, SCHEMA)


def test_the_documented_downloads_are_the_published_file(shared):
    known = json.loads((shared / "reference/published_tutorial.json").read_text())["dataset"]
    text = (ROOT / "config/README.md").read_text()
    examples = [yaml.safe_load(part) for part in re.findall(r"```yaml\n(.*?)```", text, re.S)]
    examples.append(yaml.safe_load((ROOT / "config/bone_marrow_aging.yaml").read_text()))
    by_record, by_url = (
        checked(changed("dataset.source", example["dataset"]["source"]), SCHEMA)["dataset"][
            "source"
        ]["zenodo"]
        for example in examples
        if "zenodo" in example.get("dataset", {}).get("source", {})
    )
    assert (by_record["record"], by_record["file"]) == (known["zenodo_record"], known["file"])
    assert (by_url["bytes"], by_url["md5"]) == (known["bytes"], known["md5"])
    address = f"{by_record['api_url']}/{by_record['record']}/files/{by_record['file']}/content"
    assert by_url["url"] == address


def test_all_faults_are_told_at_once():
    config = changed("fdr", {"threshold": "x", "sed": 1})
    with pytest.raises(InputError) as caught:
        checked(config, SCHEMA)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("kernel", [None, "matern52", "matern52+linear"])
@pytest.mark.parametrize("given", [{}, {"ls": 2.0}, {"ls_factor": 5.0}])
def test_the_tolerance_is_that_of_the_kernel(preset, kernel, given):
    """Where the length scale is learnt, the tolerance is too."""
    used = kernel or PRESETS[preset]["kernel"]
    config = changed("conventions", preset) | {"gp": {"kernel": kernel} | given}
    gp = checked(config, SCHEMA)["gp"]
    learnt = not given and PRESETS[preset]["ls_factor"] is None
    assert gp["tol"] == (None if learnt else TOLERANCES[used.endswith("+linear")])
    own = checked(changed("gp", {"kernel": kernel, "tol": 1e-5} | given), SCHEMA)["gp"]
    assert own["tol"] == 1e-5


# Of each preset, what is done about smoothness: length scale, noise, metric.
SMOOTHNESS = {
    "standard": (None, None, "diffusion"),
    "kompot-0.8": (10.0, 1.0, "euclidean"),
    "tutorial": (10.0, 1.0, "euclidean"),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_fill_in_what_is_not_chosen(preset):
    full = checked(changed("conventions", preset), SCHEMA)
    for (section, key), choice in CHOICES.items():
        assert full[section][key] == PRESETS[preset][choice]
    chosen = checked(changed("conventions", preset) | {"fdr": {"gaps": "skip"}}, SCHEMA)
    assert chosen["fdr"]["gaps"] == "skip"
    smoothness = {"integrate", "ls_factor", "sigma"}
    assert {*CHOICES.values(), *smoothness} == set(PRESETS[preset])
    gp = full["gp"]
    assert (gp["ls_factor"], gp["sigma"], gp["metric"]) == SMOOTHNESS[preset]
    assert gp["ls"] is None


@pytest.mark.parametrize("preset", PRESETS)
def test_smoothness_that_is_given_wins(preset):
    given = {"ls": 3.0, "sigma": 0.7, "metric": "diffusion"}
    for gp in (given, {"ls_factor": 4.0, "sigma": 2.0, "metric": "euclidean"}):
        full = checked(changed("conventions", preset) | {"gp": gp}, SCHEMA)["gp"]
        assert {key: full[key] for key in gp} == gp
    # A length scale leaves nothing to the rule of its factor.
    full = checked(changed("conventions", preset) | {"gp": given}, SCHEMA)["gp"]
    assert full["ls_factor"] is None


@pytest.mark.parametrize("preset", PRESETS)
def test_noise_along_the_states_implies_the_noise_of_the_fit(preset):
    config = changed("conventions", preset)
    assert checked(config | {"gp": {"noise": "empirical"}}, SCHEMA)["gp"]["sigma"] == 1.0
    own = {"noise": "empirical", "sigma": 0.5}
    assert checked(config | {"gp": own}, SCHEMA)["gp"]["sigma"] == 0.5


@pytest.mark.parametrize("preset", PRESETS)
def test_samples_are_integrated_by_convention(preset):
    config = changed("conventions", preset)
    for own in ({}, {"integrate": "samples"}, {"integrate": "none"}):
        states = {"compute": {"from": "X_pca"} | own}
        config["dataset"] = GOOD["dataset"] | {"cell_states": states}
        found = checked(config, SCHEMA)["dataset"]["cell_states"]["compute"]["integrate"]
        by_convention = "samples" if preset == "standard" else "none"
        assert found == own.get("integrate", by_convention)


@pytest.mark.parametrize(
    ("states", "embedding", "key"),
    [
        ({"key": "X_pca", "compute": {"from": "X_pca"}}, {}, "cell_states"),
        ({"key": "X_umap", "compute": {"from": "X_pca"}}, {}, "cell_states"),
        ({}, {"key": "DM_EigenVectors", "compute": {"from": "X_pca"}}, "embedding"),
        ({"compute": {"from": "X_pca"}}, {"key": "X_pca", "compute": {"from": "X"}}, "embedding"),
    ],
)
def test_computed_coordinates_overwrite_nothing(states, embedding, key):
    config = copy.deepcopy(GOOD)
    config["dataset"] |= {"cell_states": states, "embedding": embedding}
    with pytest.raises(InputError, match=rf"dataset\.{key}\.key: .* other coordinates"):
        checked(config, SCHEMA)


def test_the_same_coordinates_may_serve_twice():
    config = copy.deepcopy(GOOD)
    config["dataset"] |= {"cell_states": {"key": "X_pca"}, "embedding": {"key": "X_pca"}}
    config["fdr"] = {"blocks_from": "X_pca"}
    checked(config, SCHEMA)


@pytest.mark.parametrize(
    ("preprocess", "wanted"),
    [({}, "X_pca"), ({"harmony": {"batch": ["a", "b"]}}, "X_pca_harmony")],
)
def test_what_preprocessing_makes_is_used(preprocess, wanted):
    config = copy.deepcopy(GOOD)
    config["dataset"] |= {"cell_states": {"compute": {}}, "embedding": {"compute": {}}}
    config["dataset"]["preprocess"] = preprocess
    full = checked(config, SCHEMA)
    for name in ("cell_states", "embedding"):
        assert full["dataset"][name]["compute"]["from"] == wanted
    # The blocks allow for shifts of samples themselves.
    assert full["fdr"]["blocks_from"] == "X_pca"
    assert full["dataset"]["preprocess"]["n_components"] == 50
    assert checked(full, SCHEMA) == full


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dataset.preprocess.harmony", {}, "dataset.preprocess.harmony: missing batch"),
        ("dataset.preprocess.harmony", "sample", "harmony: found 'sample', expected object or"),
        ("dataset.preprocess.target", 1, "unknown key 'target'; did you mean target_sum?"),
        ("dataset.layer", None, "dataset.layer: found None, expected logged_counts (the default)"),
        ("dataset.results", "from_file", "dataset.preprocess: expected null with dataset.results"),
        ("dataset.counts", "raw", "dataset.counts: found 'raw', expected null with"),
        (
            "dataset.cell_states.compute.from",
            "X_pca_harmony",
            "dataset.cell_states.compute.from: found X_pca_harmony, which needs dataset.pre",
        ),
        ("dataset.embedding.key", "X_pca_harmony", "embedding.key: found X_pca_harmony, which nee"),
        ("fdr.blocks_from", "X_pca_harmony", "fdr.blocks_from: found X_pca_harmony, which needs"),
        (
            "dataset.embedding",
            {"key": "X_pca_harmony", "compute": {"from": "X_pca"}},
            "dataset.embedding.key: 'X_pca_harmony' is what dataset.preprocess makes",
        ),
    ],
)
def test_what_preprocessing_makes_has_its_names(key, value, message):
    config = changed(key, value)
    config["dataset"].setdefault("preprocess", {})
    with pytest.raises(InputError, match=re.escape(message)):
        checked(config, SCHEMA)


def test_whole_numbers_are_numbers():
    a, b = (checked(changed("gp.sigma", value), SCHEMA) for value in (1, 1.0))
    assert repr(a) == repr(b)


@pytest.mark.parametrize(
    ("fdr", "contrast", "states", "message"),
    [
        ({}, {}, {"key": "DM"}, "fdr.blocks_from: found null, expected the obsm key"),
        ({"test": "labels"}, {"sample": "s"}, None, "fdr.test: 'labels' permutes cells"),
        ({"test": "external"}, {}, None, "fdr.external: fdr.test 'external' expects distances"),
    ],
)
def test_what_a_null_needs(fdr, contrast, states, message):
    config = changed("fdr", fdr)
    next(iter(config["contrasts"].values())).update(contrast)
    if states:
        config["dataset"]["cell_states"] = states
    with pytest.raises(InputError, match=re.escape(message)):
        checked(config, SCHEMA)


@pytest.mark.parametrize(
    ("contrast", "sections", "message"),
    [
        ({"pair": "donor"}, {"fdr": {"test": "genes"}},
         "pair: fdr.test 'genes' knows nothing of pairs, covariates and numeric "
         "conditions; expected residual"),
        ({"adjust": ["sex"], "sample": "s"}, {"abundance": {"estimator": "densities"}},
         "adjust: abundance.estimator 'densities' knows nothing"),
        ({"adjust": ["sex"]}, {}, "sample: found null, expected the obs column of the samples"),
        ({"pair": "s", "sample": "s"}, {}, "pair: obs column 's' is named twice"),
        ({"pair": "donor", "allow_single_condition_variance": True}, {},
         "allow_single_condition_variance: found true, expected false with pair"),
        ({}, {"fdr": {"test": "genes", "lfc": 0.5}}, "fdr.lfc: found 0.5 with fdr.test 'genes'"),
    ],
)  # fmt: skip
def test_what_designs_and_thresholds_need(contrast, sections, message):
    config = changed("conventions", "standard") | sections
    next(iter(config["contrasts"].values())).update(contrast)
    with pytest.raises(InputError, match=re.escape(message)):
        checked(config, SCHEMA)


def test_contrasts_of_numbers_and_of_several_levels():
    config = changed("conventions", "standard")
    y = next(iter(config["contrasts"].values())) | {"reference": None, "compared": None}
    config["contrasts"] = {
        "age": {"column": "years", "sample": "s"},
        "time": y | {"levels": ["d 0", "d 3", "d 7"], "groups": "cell_type"},
    }
    full = checked(config, SCHEMA)
    assert checked(full, SCHEMA) == full
    contrasts, families = contrasts_of(full)
    assert list(contrasts) == ["age", "time_d_3", "time_d_7"]
    assert families == {"time": ["time_d_3", "time_d_7"]}
    assert (contrasts["age"]["reference"], contrasts["age"]["numeric"]) == ("low years", True)
    one = contrasts["time_d_7"]
    assert (one["reference"], one["compared"], one["groups"]) == ("d 0", "d 7", "cell_type")
    assert not one["numeric"]


@pytest.mark.parametrize(
    ("contrasts", "sections", "message"),
    [
        ({"y": {"column": "c", "reference": "a"}}, {}, "contrasts.y: missing compared; expected"),
        ({"y": {"column": "c"}}, {}, "contrasts.y: missing reference and compared (or levels)"),
        ({"y": {"column": "c", "sample": "c"}}, {}, None),
        ({"y": {"column": "c", "sample": "s"}}, {"conventions": "kompot-0.8"},
         "y.column: fdr.test 'genes' knows nothing of pairs, covariates and numeric conditions"),
        ({"y": {"column": "c", "reference": "a", "levels": ["a", "b", "d"]}}, {},
         "contrasts.y.levels: found beside reference, expected one or the other"),
        ({"y": {"column": "c", "levels": ["a", "b", "d"]},
          "y_b": {"column": "c", "reference": "a", "compared": "b"}}, {},
         "contrasts.y.levels: 'b' would make a contrast named 'y_b'"),
        ({"y": {"column": "c", "levels": ["a", "b", "d"]}}, {"conventions": "tutorial"},
         "contrasts.y.levels: fdr.test 'genes' has no p-values to combine; expected residual"),
        ({"data": {"column": "c", "levels": ["a", "b", "d"]}}, {}, "one of the workflow's own"),
    ],
)  # fmt: skip
def test_what_numbers_and_levels_need(contrasts, sections, message):
    config = changed("conventions", "standard") | {"contrasts": contrasts} | sections
    if message is None:
        checked(config, SCHEMA)
        return
    with pytest.raises(InputError, match=re.escape(message)):
        checked(config, SCHEMA)


def test_standardised_distances_come_of_some_nulls():
    config = changed("figures", {"volcano": "standardised"}) | {"fdr": {"test": "genes"}}
    with pytest.raises(InputError, match=r"figures\.volcano: found standardised with fdr\.test"):
        checked(config, SCHEMA)
    config["fdr"] = {"test": "residual", "blocks_from": "X_pca"}
    assert checked(config, SCHEMA)["figures"]["volcano"] == "standardised"


def test_labels_expect_constant_noise():
    config = changed("fdr", {"test": "labels"}) | {"gp": {"noise": "empirical"}}
    with pytest.raises(InputError, match=r"labels.*gp\.noise: constant"):
        checked(config, SCHEMA)


@pytest.mark.parametrize("path", ["<results>/x.h5ad", "{x}.h5ad", "a<b.h5ad", "a}/b.h5ad"])
def test_paths_that_snakemake_reads_otherwise_are_refused(path):
    config = changed("dataset.source", {"path": path})
    with pytest.raises(InputError, match=rf"dataset\.source\.path: found .*{re.escape(path)}"):
        checked(config, SCHEMA)


def test_other_strange_paths_are_taken():
    path = "../é [1]/a;b $(c) %0d&~.h5ad"
    full = checked(changed("dataset.source", {"path": path}), SCHEMA)
    assert full["dataset"]["source"]["path"] == path


def test_the_home_folder_is_written_out(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = changed("dataset.source", {"path": "~/a.h5ad"})
    config |= {"fdr": {"external": {"distances": "~/null.tsv"}}}
    config |= {"enrichment": {"gmt": ["~/sets.gmt", "b~.gmt"]}}
    full = checked(config, SCHEMA)
    assert full["dataset"]["source"]["path"] == str(tmp_path / "a.h5ad")
    assert full["fdr"]["external"]["distances"] == str(tmp_path / "null.tsv")
    assert full["enrichment"]["gmt"] == [str(tmp_path / "sets.gmt"), "b~.gmt"]


def test_an_address_is_no_path():
    with pytest.raises(
        InputError, match=r"dataset\.source\.path: found an address, https://a\.b/c"
    ):
        checked(changed("dataset.source", {"path": "https://a.b/c.h5ad"}), SCHEMA)


def test_numbers_beyond_float_are_refused():
    for key in ("fdr.threshold", "fdr.seed"):
        with pytest.raises(InputError, match=f"^{key}: found a number of more than 200 digits, e"):
            checked(changed(key, 10**400), SCHEMA)


def test_aliases_that_repeat_each_other_end_fast():
    value = ["x"] * 10
    for _ in range(30):
        value = [value] * 10
    with pytest.raises(InputError, match=r"found more than 200,000 values, .*aliases"):
        checked(changed("figures.genes", value), SCHEMA)


def test_a_missing_key_is_named_once_and_no_message_is_long():
    with pytest.raises(InputError) as caught:
        checked({"dataset": {"name": "x" * 10_000}, "contrasts": None}, SCHEMA)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(set(lines))
    assert "contrasts: found nothing, expected object" in lines
    assert all(len(line) < 500 for line in lines)
