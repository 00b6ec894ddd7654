"""Checking a configuration: unknown keys, wrong types, contradictions; filling in defaults."""

import copy
import difflib
import itertools
import json
import math
import re
from contextlib import suppress
from pathlib import Path

import jsonschema

from statediff import InputError
from statediff.conventions import PRESETS, THRESHOLDS, TOLERANCES
from statediff.design import sample_columns
from statediff.fields import safe
from statediff.kernels import KERNELS, LINEAR, base_kernel
from statediff.urls import url_fault

__all__ = ["check_path", "checked", "contrasts_of"]

# Folders of a data set beside those of its contrasts.
FOLDERS = ("data", "logs", "benchmarks", "conditions", "figures", "paper", "smooth", "string")
# Arguments of kompot, and the keys that say the same.
OF_KOMPOT = {
    "groupby": "column",
    "condition1": "reference",
    "condition2": "compared",
    "sample_col": "sample",
    "obsm_key": "dataset.cell_states.key",
    "layer": "dataset.layer",
    "null_genes": "fdr.null_genes",
    "fdr_threshold": "fdr.threshold",
    "log_fold_change_threshold": "abundance.lfc_threshold",
    "ptp_threshold": "abundance.ptp_threshold",
    "ls_factor": "gp.ls_factor",
    "sigma": "gp.sigma",
}
# Of a configuration, with all that its aliases stand for.
MOST_VALUES = 200_000
# Characters of a value in a message.
SHOWN = 200
# Entries of every report's menu.
ENTRIES = ("workflow", "statistics")
# What says which file to download.
DOWNLOADS = (("record", "file"), ("url", "md5", "bytes"))
# What dataset.preprocess makes: a layer, and coordinates before and after an integration.
LAYER, COMPONENTS, INTEGRATED = "logged_counts", "X_pca", "X_pca_harmony"
# Of fdr.test, those by which distances are relative to what is expected.
STANDARDISING = ("residual", "labels")
# Where each choice of the conventions is set.
CHOICES = {
    ("gp", "kernel"): "kernel",
    ("gp", "metric"): "metric",
    ("expression", "covariance"): "covariance",
    ("abundance", "estimator"): "estimator",
    ("abundance", "ptp_sides"): "ptp_sides",
    ("abundance", "uncertainty"): "uncertainty",
    ("fdr", "test"): "test",
    ("fdr", "gaps"): "gaps",
}


def checked(config, schema):
    """Configuration with all defaults filled in, those of the conventions included.

    Parameters
    ----------
    config : dict
        As read from YAML; left as it is.
    schema : dict
        JSON schema of the configuration.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        One line a fault: the key, what was found, what was expected.
    """
    _check_size(config)
    filled = copy.deepcopy(dict(config))
    faults = [_messages(error) for error in _Validator(schema).iter_errors(filled)]
    if faults:
        raise InputError("\n".join(sorted(set(itertools.chain.from_iterable(faults)))))
    if not filled["contrasts"] and not filled["smooth"]:
        raise InputError(
            "contrasts: found nothing, expected at least one entry (or one of smooth, to smooth "
            "expression alone)"
        )
    contrasts, families = contrasts_of(filled)
    _check_contrasts(contrasts)
    _check_names([*contrasts, *families])
    _check_case("smooth", filled["smooth"])
    _check_case("paper", filled["paper"])
    for name, page in filled["paper"].items():
        _check_case(f"paper.{name}.panels", page["panels"])
    if unknown := sorted(set(filled["published"]) - set(contrasts)):
        raise InputError(
            f"published: found {', '.join(unknown)}, expected names of contrasts: "
            f"{', '.join(contrasts) or 'there is none'}"
        )
    _expand_paths(filled)
    check_path("dataset.source.path", filled["dataset"]["source"].get("path", ""))
    _check_download(filled["dataset"]["source"])
    _fill_in_components(filled["dataset"])
    _check_coordinates(filled["dataset"])
    _check_preprocess(filled)
    _check_enrichment(filled["enrichment"])
    for (section, key), choice in CHOICES.items():
        if filled[section][key] is None:
            filled[section][key] = PRESETS[filled["conventions"]][choice]
    _check_kernel(filled["gp"]["kernel"])
    _fill_in_smoothness(filled)
    _fill_in_threshold(filled)
    if filled["contrasts"]:
        _check_null(filled, contrasts)
        _check_design(filled, contrasts, families)
        _check_volcanos(filled)
        _check_results(filled)
    return _canonical(filled)


def _check_size(config):
    """Refuse what aliases of YAML make of a few lines: each doubles those before it."""
    waiting, n_values = [config], 0
    while waiting:
        value = waiting.pop()
        n_values += 1
        if n_values > MOST_VALUES:
            raise InputError(
                f"configuration: found more than {MOST_VALUES:,} values, expected fewer; look for "
                "aliases (& and *) within others"
            )
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def check_path(key, path):
    """Refuse a path that Snakemake would not take as it is.

    Parameters
    ----------
    key : str
        Option that names it.
    path : str

    Raises
    ------
    InputError
        If it has braces (wildcards) or angle brackets (path variables).
    """
    if found := [character for character in "{}<>" if character in path]:
        raise InputError(
            f"{key}: found {' '.join(found)} in {path!r}, which Snakemake does not take as part "
            "of a name; rename the file, or name a symbolic link to it"
        )


def _expand_paths(config):
    """Write the home folder for `~` in the paths of users' files, as a shell does."""
    source, external = config["dataset"]["source"], config["fdr"]["external"]
    for section, key in ((source, "path"), (external, "distances")):
        if section.get(key):
            section[key] = _expanded(section[key])
    config["enrichment"]["gmt"] = list(map(_expanded, config["enrichment"]["gmt"]))
    if "://" in source.get("path", ""):
        raise InputError(
            f"dataset.source.path: found an address, {source['path']}, expected a file on this "
            "machine; dataset.source.zenodo (url, md5, bytes) downloads one"
        )


def _expanded(path):
    return str(Path(path).expanduser()) if path.startswith("~") else path


def _check_enrichment(enrichment):
    """What each provider of gene sets needs."""
    provider, address = enrichment["provider"], enrichment["api_url"]
    if fault := url_fault(address):
        raise InputError(f"enrichment.api_url: {address!r} {fault}")
    if provider == "none":
        return
    if provider == "string" and enrichment["species"] is None:
        raise InputError(
            "enrichment.species: found null, expected the NCBI taxon of the species (human 9606, "
            "mouse 10090): enrichment.provider 'string' needs it"
        )
    if provider == "string" and enrichment["gmt"]:
        raise InputError(
            "enrichment.gmt: found files, expected []: enrichment.provider 'string' uses STRING's "
            "own gene sets (or set enrichment.provider: local)"
        )
    if provider == "local" and not enrichment["gmt"]:
        raise InputError(
            "enrichment.gmt: found nothing, expected GMT files: enrichment.provider 'local' takes "
            "its gene sets from them"
        )
    if enrichment["background"] == "genome" and enrichment["genome_genes"] is None:
        raise InputError(
            "enrichment.genome_genes: found null, expected the number of genes of the genome: "
            "enrichment.background 'genome' compares with them"
        )
    names = {}
    for path in enrichment["gmt"]:
        check_path("enrichment.gmt", path)
        if (other := names.setdefault(Path(path).stem, path)) != path:
            raise InputError(
                f"enrichment.gmt: {other} and {path} would share a category, {Path(path).stem!r}; "
                "rename one"
            )
    if provider == "local" and (unknown := set(enrichment["categories"]) - set(names)):
        raise InputError(
            f"enrichment.categories: found {', '.join(sorted(unknown))}, expected names of the "
            f"files of enrichment.gmt: {', '.join(names)}"
        )


def _check_download(source):
    if (zenodo := source.get("zenodo")) is None:
        return
    given = [key for keys in DOWNLOADS for key in keys if key in zenodo]
    if tuple(given) not in DOWNLOADS:
        raise InputError(
            f"dataset.source.zenodo: found {', '.join(given) or 'nothing'}, expected record and "
            "file (Zenodo then tells size and md5), or url, md5 and bytes"
        )
    for key in ("api_url", "url", "mirror"):
        if zenodo.get(key) is not None and (fault := url_fault(zenodo[key])):
            raise InputError(f"dataset.source.zenodo.{key}: {zenodo[key]!r} {fault}")


def contrasts_of(config):
    """The contrasts of a checked configuration, each with two names.

    Parameters
    ----------
    config : dict
        From `checked`.

    Returns
    -------
    contrasts : dict of dict
        Entries with `reference` and `compared`: one of each level but the first in place of an
        entry with `levels`; and with `numeric`, whether these are the halves of a column of
        numbers.
    families : dict of list of str
        The names of the contrasts that an entry with `levels` has become.

    Raises
    ------
    InputError
        If names of contrasts coincide, or what a contrast needs is missing.
    """
    contrasts, families = {}, {}
    for name, entry in config["contrasts"].items():
        contrast = {key: value for key, value in entry.items() if key != "levels"}
        contrast["numeric"] = False
        given = [key for key in ("reference", "compared") if entry[key] is not None]
        if entry["levels"] is not None:
            if given:
                raise InputError(
                    f"contrasts.{name}.levels: found beside {given[0]}, expected one or the "
                    "other: the first of levels is the reference of all others"
                )
            families[name] = []
            for level in entry["levels"][1:]:
                one = f"{name}_{re.sub('[^A-Za-z0-9_-]', '_', level)}"
                if len(one) > 64 or one in contrasts or one in config["contrasts"]:
                    raise InputError(
                        f"contrasts.{name}.levels: {level!r} would make a contrast named {one!r}; "
                        "expected a name of up to 64 letters that no other has: rename the contrast"
                    )
                contrasts[one] = contrast | {"reference": entry["levels"][0], "compared": level}
                families[name].append(one)
            continue
        if len(given) == 1:
            missing = {"reference": "compared", "compared": "reference"}[given[0]]
            raise InputError(
                f"contrasts.{name}: missing {missing}; expected reference and compared, two levels "
                "of the column, or neither for a column of numbers"
            )
        if not given:
            contrast["numeric"] = True
            contrast["reference"], contrast["compared"] = (
                f"{half} {entry['column']}" for half in ("low", "high")
            )
        contrasts[name] = contrast
    return contrasts, families


def _check_contrasts(contrasts):
    for name, contrast in contrasts.items():
        reference, compared = contrast["reference"], contrast["compared"]
        if reference == compared:
            raise InputError(
                f"contrasts.{name}: reference and compared are both {reference!r}; "
                "expected two different levels of the column"
            )
        if safe(reference) == safe(compared):
            raise InputError(
                f"contrasts.{name}: {reference!r} and {compared!r} would share the field name "
                f"{safe(reference)!r} in the results; rename one of these levels in the data"
            )


def _check_names(names):
    for name in names:
        if name.lower() in FOLDERS:
            raise InputError(f"contrasts: {name!r} is one of the workflow's own folders; rename it")
        if name.lower() in ENTRIES:
            raise InputError(f"contrasts: {name!r} is an entry of every report; rename it")
    _check_case("contrasts", names)


def _check_volcanos(filled):
    """Only some tests make standardised distances."""
    asked = {"figures.volcano": filled["figures"]["volcano"]}
    for name, page in filled["paper"].items():
        for letter, panel in page["panels"].items():
            asked[f"paper.{name}.panels.{letter}.volcano"] = panel.get("volcano")
    for key, height in asked.items():
        if height == "standardised" and filled["fdr"]["test"] not in STANDARDISING:
            raise InputError(
                f"{key}: found standardised with fdr.test {filled['fdr']['test']}, expected "
                f"mahalanobis or null; standardised distances come of fdr.test "
                f"{' or '.join(STANDARDISING)}"
            )


def _check_case(section, names):
    folded = {}
    for name in names:
        if (other := folded.setdefault(name.lower(), name)) != name:
            raise InputError(
                f"{section}: {other!r} and {name!r} differ only in case and would share files "
                "on some file systems; rename one"
            )


def _check_results(config):
    """What results from the source file leave to choose."""
    if config["dataset"]["results"] == "computed":
        return
    if "path" not in config["dataset"]["source"]:
        raise InputError("dataset.results: from_file expects dataset.source.path")
    fdr = config["fdr"]
    if fdr["test"] not in ("residual", "external") or fdr["external"]["shuffled"]:
        raise InputError(
            f"fdr.test: found {fdr['test']!r}; dataset.results: from_file expects residual, or "
            "external without shuffled genes: other nulls need the models"
        )
    for name, contrast in config["contrasts"].items():
        if contrast["groups"] is not None:
            raise InputError(
                f"contrasts.{name}.groups: expected null with dataset.results: from_file: groups "
                "need the models"
            )


def _check_design(config, contrasts, families):
    """What pairs and covariates need: samples, and tests that count them."""
    tests = {"fdr.test": ("residual", config["fdr"]["test"])}
    tests["abundance.estimator"] = "ratio", config["abundance"]["estimator"]
    for name, contrast in contrasts.items():
        option = f"contrasts.{name}"
        asked = [key for key in ("pair", "adjust") if contrast[key]]
        asked += ["column"] if contrast["numeric"] else []
        if not asked:
            continue
        key = f"{option}.{asked[0]}"
        for setting, (expected, found) in tests.items():
            if found != expected:
                raise InputError(
                    f"{key}: {setting} {found!r} knows nothing of pairs, covariates and numeric "
                    f"conditions; expected {expected}, that of conventions: standard"
                )
        if not sample_columns(contrast) and contrast["numeric"]:
            raise InputError(
                f"{option}: missing reference and compared (or levels); expected levels of the "
                "column, or for a column of numbers its samples (sample)"
            )
        if not sample_columns(contrast):
            raise InputError(
                f"{option}.sample: found null, expected the obs column of the samples, whose "
                f"means are adjusted ({key})"
            )
        if contrast["allow_single_condition_variance"]:
            raise InputError(
                f"{option}.allow_single_condition_variance: found true, expected false with "
                f"{asked[0]}: each condition needs samples"
            )
        used = [contrast["column"], contrast["sample"], contrast["pair"], *contrast["adjust"]]
        if contrast["numeric"] and contrast["sample"] == contrast["column"]:
            # A sample at each value.
            used.pop(0)
        used = [column for column in used if column is not None]
        if twice := [column for i, column in enumerate(used) if column in used[:i]]:
            raise InputError(
                f"{key}: obs column {twice[0]!r} is named twice in {option}; expected different "
                "columns as column, sample, pair and adjust"
            )

    for name in families:
        for setting, (expected, found) in tests.items():
            if found != expected:
                raise InputError(
                    f"contrasts.{name}.levels: {setting} {found!r} has no p-values to combine; "
                    f"expected {expected}, that of conventions: standard"
                )


def _check_null(config, contrasts):
    """What the source of the null distribution needs."""
    fdr, states = config["fdr"], config["dataset"]["cell_states"]
    null = fdr["test"]
    if null in ("residual", "labels") and fdr["blocks_from"] is None:
        if config["dataset"]["preprocess"] is not None:
            fdr["blocks_from"] = COMPONENTS
        elif states["compute"] is None:
            raise InputError(
                f"fdr.blocks_from: found null, expected the obsm key of principal components: "
                f"fdr.test {null!r} finds blocks of cells in them (or set fdr.test: genes, the "
                "published null)"
            )
        else:
            fdr["blocks_from"] = states["compute"]["from"]
    if fdr["lfc"] and null != "residual":
        raise InputError(
            f"fdr.lfc: found {fdr['lfc']:g} with fdr.test {null!r}, expected 0: only the residual "
            "test asks for changes beyond a threshold"
        )
    if null == "labels":
        sampled = [name for name, one in contrasts.items() if sample_columns(one)]
        if sampled:
            raise InputError(
                f"fdr.test: 'labels' permutes cells, which are not independent where there are "
                f"samples (contrasts.{sampled[0]}.sample or .pair); expected residual"
            )
        if config["gp"]["noise"] != "constant":
            raise InputError("fdr.test: 'labels' expects gp.noise: constant")
    external = fdr["external"]
    check_path("fdr.external.distances", external["distances"] or "")
    if null == "external" and external["distances"] is None and not external["genes"]:
        raise InputError(
            "fdr.external: fdr.test 'external' expects distances (a table) or genes, or both"
        )


def _fill_in_components(dataset):
    """The principal components to compute from, where it is clear which."""
    preprocess = dataset["preprocess"]
    for name in ("cell_states", "embedding"):
        compute = dataset[name]["compute"]
        if compute is None or compute["from"] is not None:
            continue
        if preprocess is None:
            raise InputError(
                f"dataset.{name}.compute.from: found null, expected the obsm key of the principal "
                "components in the file (dataset.preprocess makes them from raw counts)"
            )
        compute["from"] = COMPONENTS if preprocess["harmony"] is None else INTEGRATED


def _check_kernel(kernel):
    if base_kernel(kernel)[0] not in KERNELS:
        known = [f"{name}{end}" for name in KERNELS for end in ("", LINEAR)]
        raise InputError(f"gp.kernel: found {kernel!r}, expected one of {', '.join(known)}")


def _fill_in_smoothness(config):
    """Length scale and noise by the conventions, unless one is given, and the tolerance."""
    gp, preset = config["gp"], PRESETS[config["conventions"]]
    if gp["ls"] is None and gp["ls_factor"] is None:
        gp["ls_factor"] = preset["ls_factor"]
    if gp["sigma"] is None:
        # The noise along the states is learnt in the units of a model with one for all genes.
        gp["sigma"] = 1.0 if gp["noise"] == "empirical" else preset["sigma"]
    if gp["tol"] is None and (gp["ls"] is not None or gp["ls_factor"] is not None):
        gp["tol"] = TOLERANCES[base_kernel(gp["kernel"])[1]]
    compute = config["dataset"]["cell_states"]["compute"]
    if compute is not None and compute["integrate"] is None:
        compute["integrate"] = preset["integrate"]


def _fill_in_threshold(config):
    """Change of abundance to be exceeded, unless one is given."""
    abundance = config["abundance"]
    if abundance["lfc_threshold"] is None:
        # Files of kompot hold two densities, whatever would be estimated here.
        from_file = config["dataset"]["results"] == "from_file"
        abundance["lfc_threshold"] = THRESHOLDS[
            "densities" if from_file else abundance["estimator"]
        ]


def _check_preprocess(config):
    """What preprocessing makes is there to be used, and nothing else goes by its names."""
    dataset = config["dataset"]
    if dataset["preprocess"] is None:
        return
    if dataset["results"] == "from_file":
        raise InputError(
            "dataset.preprocess: expected null with dataset.results: from_file, whose results are "
            "of the cells and genes of the file"
        )
    if dataset["layer"] != LAYER:
        raise InputError(
            f"dataset.layer: found {dataset['layer']!r}, expected {LAYER} (the default), which "
            "dataset.preprocess makes; the layer of raw counts is dataset.preprocess.counts"
        )
    if dataset["counts"] is not None:
        raise InputError(
            f"dataset.counts: found {dataset['counts']!r}, expected null with dataset.preprocess, "
            "whose key counts names the layer of raw counts"
        )
    used = {"fdr.blocks_from": config["fdr"]["blocks_from"]}
    for name in ("cell_states", "embedding"):
        key, compute = dataset[name]["key"], dataset[name]["compute"]
        used[f"dataset.{name}.key"] = key
        if compute is not None:
            used[f"dataset.{name}.compute.from"] = compute["from"]
            if key in (COMPONENTS, INTEGRATED):
                raise InputError(
                    f"dataset.{name}.key: {key!r} is what dataset.preprocess makes; expected "
                    "a new name for what is computed"
                )
    for option, key in used.items():
        if key == INTEGRATED and dataset["preprocess"]["harmony"] is None:
            raise InputError(
                f"{option}: found {INTEGRATED}, which needs dataset.preprocess.harmony (found "
                f"null); expected {COMPONENTS}, or harmony: {{batch: <obs column>}}"
            )


def _check_coordinates(dataset):
    """What is computed must not take the name of other coordinates that are in use."""
    for name, other in (("cell_states", "embedding"), ("embedding", "cell_states")):
        section = dataset[name]
        if section["compute"] is not None:
            taken = {section["compute"]["from"], dataset[other]["key"]}
            if dataset[other]["compute"] is not None:
                taken.add(dataset[other]["compute"]["from"])
            if section["key"] in taken:
                raise InputError(
                    f"dataset.{name}.key: {section['key']!r} is the name of other coordinates in "
                    "use; expected a new name for what is computed"
                )


def _canonical(config):
    """Keys in one order, whatever the file's: reruns follow from a comparison as text."""
    ordered = json.loads(json.dumps(config, sort_keys=True))
    return ordered | {
        "contrasts": {name: ordered["contrasts"][name] for name in config["contrasts"]}
    }


def _fill_in(validator, properties, instance, schema):
    """Check the properties of an object after filling in their defaults."""
    if isinstance(instance, dict):
        for name, child in properties.items():
            if "default" in child:
                instance.setdefault(name, copy.deepcopy(child["default"]))
            # 1 and 1.0 are the same setting.
            if "number" in child.get("type", ()) and type(instance.get(name)) is int:
                with suppress(OverflowError):
                    instance[name] = float(instance[name])
    yield from jsonschema.Draft202012Validator.VALIDATORS["properties"](
        validator, properties, instance, schema
    )


def _is_number(_, value):
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:  # beyond float
        return False


# JSON's integers include 2000.0, and its numbers exclude NaN; YAML's don't.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"properties": _fill_in},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: type(value) is int and _is_number(_, value)
    ).redefine("number", _is_number),
)


def _messages(error):
    key = ".".join(str(part) for part in error.absolute_path) or "configuration"
    found, wanted = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            known = list(error.schema["properties"])
            for name in sorted(set(found) - set(known), key=str):
                close = difflib.get_close_matches(str(name), known, n=1)
                same = [OF_KOMPOT[name]] if name in OF_KOMPOT else close
                hint = f"; did you mean {same[0]}?" if same else ""
                if (
                    key == "configuration"
                    and isinstance(found[name], dict)
                    and "column" in found[name]
                ):
                    hint = "; an entry of contrasts or smooth is indented below it."
                yield f"{key}: unknown key {name!r}{hint} Known keys: {', '.join(known)}"
        case "required":
            missing = [name for name in wanted if name not in found]
            yield f"{key}: missing {', '.join(missing)}"
        case "type":
            names = [wanted] if isinstance(wanted, str) else wanted
            hint = ""
            if "string" in names and isinstance(found, bool | int | float):
                hint = f' (a level or name must be text: write "{json.dumps(found)}" in quotes)'
            elif key == "dataset.source" and isinstance(found, str):
                hint = f" (for a file: source: {{path: {found}}})"
            elif isinstance(found, str):
                hint = " (nested values of --config arrive as text: use a file, with --configfile)"
            yield f"{key}: found {_shown(found)}, expected {' or '.join(names)}{hint}"
        case "enum":
            choices = ", ".join("null" if x is None else str(x) for x in wanted)
            yield f"{key}: found {_shown(found)}, expected one of {choices}"
        case "pattern" if "A-Za-z0-9" in wanted:
            yield (
                f"{key}: {_shown(found)} is no safe folder name; expected up to 64 letters, "
                "digits, '_' or '-', not starting with a sign"
            )
        case "pattern":
            yield f"{key}: found {_shown(found)}, expected the form {wanted}"
        case "minProperties" | "maxProperties":
            named = ", ".join(error.schema.get("properties", ["at least one entry"]))
            given = ", ".join(map(str, found)) or "nothing"
            yield f"{key}: found {given}, expected one of: {named}"
        case _:
            yield f"{key}: {error.message[: 2 * SHOWN]}"


def _shown(value):
    if value is None:
        return "nothing"
    # Python writes no larger whole numbers as text.
    if type(value) is int and abs(value) >= 10**SHOWN:
        return f"a number of more than {SHOWN} digits"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
