"""Statistics of the genes against their null."""

from _figure import run
from statediff.plots import null_comparison, pvalue_calibration
from statediff.store import read_arrays


def draw(job):
    genes, fdr = read_arrays(job.input.fdr)
    if fdr["ranking"] == "mahalanobis":
        figure = null_comparison(
            genes["mahalanobis"],
            genes["null_distances"],
            genes["local_fdr"],
            rate="local FDR",
            threshold=fdr["threshold"],
            is_de=genes["is_de"],
        )
    else:
        figure = pvalue_calibration(
            genes["pvalue"],
            genes["qvalue"],
            threshold=fdr["threshold"],
            is_de=genes["is_de"],
            null=genes.get("null_pvalue"),
        )
    return figure


if __name__ == "__main__":
    run(draw, snakemake)
