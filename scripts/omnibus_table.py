"""Whether genes and cells differ among several levels, and in which contrasts."""

import h5py
import numpy as np
import pandas as pd
from _job import run
from _table import read_types, save_as
from statediff.abundance import in_log2
from statediff.significance import omnibus_test
from statediff.store import read_arrays, read_names


def main(job):
    with h5py.File(job.input.store, "r") as store:
        names = {slot: read_names(store[slot]) for slot in ("obs", "var")}
    genes = pd.DataFrame({"gene": names["var"]})
    found = [read_arrays(path, "pvalue", "adjusted_lfc")[0] for path in job.input.genes]
    genes = tested(genes, found, "adjusted_lfc", job.params.contrasts, job.params.genes)
    save_as(genes.sort_values("pvalue", kind="stable"), job.output.genes, job.output.genes_parquet)
    cells = pd.DataFrame({"cell": names["obs"]})
    if job.input.get("cell_types"):
        cells["cell_type"] = read_types(job.input.cell_types, len(cells))
    found = [in_log2(read_arrays(path, "pvalue", "lfc")[0]) for path in job.input.cells]
    cells = tested(cells, found, "lfc", job.params.contrasts, job.params.cells)
    save_as(cells, job.output.cells, job.output.cells_parquet)


def tested(table, found, change, contrasts, threshold):
    """Table with the omnibus test, and of each contrast its change and whether it differs."""
    result = omnibus_test(np.array([one["pvalue"] for one in found]), threshold)
    differs = result.pop("differs")
    columns = dict(result)
    for name, one, own in zip(contrasts, found, differs, strict=True):
        columns |= {f"{name}_lfc": one[change], f"{name}_pvalue": one["pvalue"]}
        columns[f"{name}_differs"] = own
    return pd.concat([table, pd.DataFrame(columns)], axis=1)


if __name__ == "__main__":
    run(main, snakemake)
