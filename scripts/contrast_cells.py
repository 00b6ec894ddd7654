"""Find the cells of a contrast: those that pass its filter, and those of each condition."""

import warnings

import h5py
import numpy as np
from _cells import contrast_members, read_column, read_numbers
from _design import find_design
from _job import run
from _samples import written
from statediff import DataWarning, InputError
from statediff.annotation import compare_depth, resembles_samples
from statediff.design import sample_columns
from statediff.elements import paths
from statediff.store import open_h5ad, read_arrays, read_levels, write_arrays

MIN_CELLS = 10
# What a difference in depth does, by whether the components come from dataset.preprocess.
EFFECTS = {
    False: "cell states found from log expression can take a difference in sequencing depth for "
    "one in state or abundance; dataset.preprocess finds components that hardly depend on it",
    True: "components and tests allow for it, but smoothed expression and fold changes come from a "
    "logarithm, in which genes of few counts are higher in the deeper condition",
}


def main(job):
    name, contrast = job.wildcards.contrast, job.params.contrast
    with open_h5ad(job.input.store) as store:
        evaluated, members = contrast_members(store, name, contrast)
        replicates = read_samples(store, name, contrast)
        candidates = {} if replicates else find_candidates(store, contrast, members)
        numbers = read_numbers(store, name, contrast) if contrast["numeric"] else None
    for role, cells in members.items():
        if (n := int(cells.sum())) < MIN_CELLS:
            passing = f" that pass contrasts.{name}.cells" if contrast["cells"] else ""
            raise InputError(
                f"contrasts.{name}.{role}: {contrast[role]!r} has {n} cells{passing}, expected at "
                f"least {MIN_CELLS}"
            )
    samples = find_samples(name, contrast, *replicates, members) if replicates else {}
    if contrast["pair"] or contrast["adjust"] or contrast["numeric"]:
        with open_h5ad(job.input.store) as store:
            samples |= written(find_design(store, name, contrast, samples))
    warn_of_candidates(name, candidates)
    arrays, linear = read_arrays(job.input.linear, "depth")
    preprocessed = linear["origin"] == "dataset.preprocess"
    of_samples = samples.get("sample")
    described = describe_depth(contrast, arrays["depth"], members, of_samples, preprocessed)
    counts = {f"n_{role}": int(cells.sum()) for role, cells in members.items()}
    counts |= {"n_cells": len(evaluated), "n_evaluated": int(evaluated.sum())}
    if numbers is not None:
        described |= describe_numbers(numbers, samples)
    counts["n_samples"] = sum(len(samples.get(f"samples_{role}", ())) for role in members)
    arrays = {"evaluated": evaluated} | members | samples
    write_arrays(job.output[0], arrays, **counts, **described)


def read_samples(store, name, contrast):
    """Sample of every cell (−1: none) and the names of the samples; nothing without samples."""
    columns = sample_columns(contrast)
    if not columns:
        return None
    key = f"contrasts.{name}.{'sample' if len(columns) == 1 else 'pair'}"
    codes, levels = read_column(store, columns[0], key)
    for column in columns[1:]:
        more, of_column = read_column(store, column, key)
        known = (codes >= 0) & (more >= 0)
        codes = np.where(known, codes * len(of_column) + more, -1)
        levels = np.array([f"{one}, {other}" for one in levels for other in of_column], object)
    return codes, levels


def find_candidates(store, contrast, members):
    """Columns of obs that look like samples, which the contrast does not name."""
    cells = np.flatnonzero(members["reference"] | members["compared"])
    labels, found = members["compared"][cells], {}
    coordinates = store["obsm"][next(paths(store["obsm"]))][:][cells]
    for column in store["obs"].attrs["column-order"]:
        values = store["obs"][column]
        if column == contrast["column"] or not has_levels(values):
            continue
        kind = resembles_samples(column, read_levels(values)[0][cells], labels, coordinates)
        if kind is not None:
            found[column] = kind
    return found


def has_levels(values):
    """Whether a column of obs is categorical, text or whole numbers."""
    if isinstance(values, h5py.Group):
        return "codes" in values
    return values.ndim == 1 and values.dtype.kind not in "fb"


def warn_of_candidates(name, candidates):
    """Say which column to name as the samples, at best one whose levels are in one condition."""
    for kind in ("nested", "crossed"):
        columns = [column for column, found in candidates.items() if found == kind]
        if not columns:
            continue
        listed = " or ".join(map(repr, columns[:3]))
        key, what = ("sample", "samples") if kind == "nested" else ("pair", "donors in both")
        warn(
            f"contrasts.{name}.{key}: null, but obs column {listed} looks like the {what}: "
            "without it cells count as independent, and differences between samples as "
            "differences between conditions; see docs/warnings.md#sample"
        )
        return


def describe_depth(contrast, depth, members, samples, preprocessed):
    """Counts of a cell in each condition, with a warning where they differ much."""
    conditions = [members[role] for role in ("reference", "compared")]
    found = compare_depth(depth, conditions, samples)
    if found is None:
        return {}
    if found.large:
        spread = f"; samples of a condition differ by {found.spread:.2f} times"
        warn(
            f"cells of {contrast['compared']!r} have {found.compared:,.0f} counts, those of "
            f"{contrast['reference']!r} {found.reference:,.0f} (medians"
            f"{spread if samples is not None else ''}): {EFFECTS[preprocessed]}; see "
            "docs/warnings.md#depth"
        )
    return {"depth_reference": found.reference, "depth_compared": found.compared}


def describe_numbers(numbers, samples):
    """Values of a numeric condition: mean and range of the samples of either half."""
    described = {}
    for role in ("reference", "compared"):
        first = [np.argmax(samples["sample"] == code) for code in samples[f"samples_{role}"]]
        values = numbers[first]
        for what, value in (("mean", values.mean()), ("min", values.min()), ("max", values.max())):
            described[f"{what}_{role}"] = float(value)
    return described


def find_samples(name, contrast, codes, levels, members):
    """Code of each cell's replicate (−1: none that counts, or the cell is of neither condition),
    and the codes of each condition."""
    column = " and ".join(sample_columns(contrast))
    found = {role: np.unique(codes[cells & (codes >= 0)]) for role, cells in members.items()}
    both = np.intersect1d(found["reference"], found["compared"])
    if both.size:
        raise InputError(
            f"contrasts.{name}.sample: {levels[both[0]]!r} of obs column {column!r} occurs in both "
            f"{contrast['reference']!r} and {contrast['compared']!r}; expected replicates that "
            f"belong to one condition (contrasts.{name}.pair is for donors that are in both)"
        )
    few = []
    for role, cells in members.items():
        sizes = np.array([(cells & (codes == code)).sum() for code in found[role]], dtype=int)
        found[role] = found[role][sizes >= contrast["min_cells"]]
        if len(found[role]) < 2:
            few.append(
                f"{contrast[role]!r} has {len(found[role])} replicates of at least "
                f"{contrast['min_cells']} cells in obs column {column!r}"
            )
    if len(few) == 2 or (few and not contrast["allow_single_condition_variance"]):
        hint = "" if len(few) == 2 else ", or allow_single_condition_variance: true"
        raise InputError(f"contrasts.{name}.sample: {'; '.join(few)}; expected 2 or more{hint}")
    if few:
        warn(f"{few[0]}: the variance between replicates of the other condition stands for both")
    used = np.isin(codes, np.concatenate(list(found.values())))
    used &= members["reference"] | members["compared"]
    return {"sample": np.where(used, codes, -1)} | {
        f"samples_{role}": codes_of for role, codes_of in found.items()
    }


def warn(message):
    warnings.warn(message, DataWarning, stacklevel=1)


run(main, snakemake)
