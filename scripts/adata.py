"""The results of a contrast as an AnnData with Kompot's field names."""

from _job import run
from _smoothed import read_description
from _table import read_localisation
from shareable import without_folders
from statediff.adata_file import write_adata
from statediff.store import create_h5ad


def main(job):
    where = read_localisation(job.input) if job.input.get("localisation") else None
    with create_h5ad(job.output[0]) as out:
        settings = without_folders(job.params.settings)
        write_adata(out, job.input, job.params, settings, read_description(job.input), where)


if __name__ == "__main__":
    run(main, snakemake)
