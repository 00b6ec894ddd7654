"""Page to explore a contrast in a browser."""

import h5py
import numpy as np
import pandas as pd
from _figure import abundance, condition_colors, conditions, coordinates, obs_column, own_colors
from _job import run
from _table import read_localisation, read_types
from statediff.abundance import in_log2
from statediff.design import sample_columns
from statediff.disk import atomic
from statediff.observations import StoredObservations
from statediff.plots.explore import STATISTICS, explore_page
from statediff.plots.explore_cells import category_column, result_columns, value_column
from statediff.samples import sample_names
from statediff.store import read_arrays, read_labels, read_names
from statediff.tables import where_changed


def main(job):
    config, contrast = job.params, job.params.contrast
    xy, axis_names = coordinates(job)
    statistics, fdr = read_arrays(job.input.fdr)
    genes = {name: statistics[name] for name in STATISTICS if name in statistics}
    where = {}
    if job.input.get("localisation"):
        genes |= where_changed(*read_localisation(job.input), len(genes["is_de"]))
        where["found"] = read_arrays(job.input.localisation)[0]
        where["blocks"] = read_arrays(job.input.blocks, "code")[0]["code"][0]
    with h5py.File(job.input.store, "r") as store, h5py.File(job.input.fit, "r") as fit:
        page = explore_page(
            xy,
            read_names(store["obs"]),
            columns(job, StoredObservations(store)),
            pd.DataFrame(genes, index=read_labels(store["var"])),
            phi=fit["phi"],
            coefficients=[fit[f"coefficients_{role}"][:] for role in ("reference", "compared")],
            expression=store["X"],
            dataset=config.dataset,
            contrast=job.wildcards.contrast,
            conditions=conditions(job),
            column=contrast["column"],
            conventions=config.conventions,
            axis_names=axis_names,
            ranking=fdr["ranking"],
            fdr_threshold=fdr["threshold"],
            size=config.point_size,
            **where,
        )
    with atomic(job.output[0]) as part:
        part.write_text(page, encoding="utf-8")
    print(f"{len(page) / 1e6:.1f} MB")


def columns(job, obs):
    """What the cells can be coloured by."""
    contrast, both = job.params.contrast, conditions(job)
    members, _ = read_arrays(job.input.cells, "reference", "compared")
    inside = np.select([members["reference"], members["compared"]], both, "")
    found = [
        category_column(contrast["column"], inside, both, condition_colors(job), role="condition")
    ]
    if job.input.get("cell_types"):
        types = read_types(job.input.cell_types, len(inside))
        name, levels = job.params.cell_type, list(types.categories)
        colors = own_colors(job, name, levels)
        found.append(category_column(name, types, levels, colors, role="cell_type"))
    sample = " · ".join(sample_columns(contrast))
    if sample:
        samples = pd.Categorical(sample_names(obs, contrast))
        levels = list(samples.categories)
        colors = own_colors(job, sample, levels)
        found.append(category_column(sample, samples, levels, colors, role="sample"))
    for name in job.params.obs:
        if name != sample:
            values, categories = obs_column(job, name)
            found.append(
                value_column(name, values, name)
                if categories is None
                else category_column(name, values, *categories)
            )
    results = abundance(job)
    density = "log_density_reference", "log_density_compared"
    results |= in_log2(read_arrays(job.input.density, *density)[0])
    results |= read_arrays(job.input.fit, "std_reference", "std_compared")[0]
    return found + result_columns(results, both)


if __name__ == "__main__":
    run(main, snakemake)
