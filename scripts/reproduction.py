"""Compare published numbers of the contrasts with those of this run."""

import pandas as pd
from _job import run
from _table import save
from statediff.reproduction import compare, found_numbers


def main(job):
    tables = {}
    for (name, published), cells, genes in zip(
        job.params.published.items(), job.input.cells, job.input.genes, strict=True
    ):
        found = found_numbers(pd.read_parquet(cells), pd.read_parquet(genes))
        tables[name] = compare(published, found)
    table = pd.concat(tables, names=["contrast", None])
    save(job, table.reset_index("contrast").reset_index(drop=True))


if __name__ == "__main__":
    run(main, snakemake)
