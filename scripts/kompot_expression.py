"""Statistics of one chunk of genes from a file of kompot."""

from _job import run
from _kompot import find_run, read_field
from statediff.source import open_source
from statediff.store import write_arrays


def main(job):
    number, chunks = map(int, job.wildcards.scatteritem.split("-of-"))
    with open_source(job.input.source, job.params.modality) as source:
        found = find_run(source, "de", job.wildcards.contrast, job.params.contrast)
        var = source.var
    genes = slice(len(var) * (number - 1) // chunks, len(var) * number // chunks)
    arrays = {
        "start": genes.start,
        "mahalanobis": read_field(var, found["mahalanobis_key"])[genes],
        "mean_lfc": read_field(var, found["lfc_key"])[genes],
    }
    if found["ptp_key"] in var:
        arrays["neg_log10_ptp"] = read_field(var, found["ptp_key"])[genes]
    write_arrays(job.output[0], arrays)


if __name__ == "__main__":
    run(main, snakemake)
