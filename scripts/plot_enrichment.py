"""Enriched terms of the called genes, and of the ends of their ranking."""

import json

import pandas as pd
from _figure import conditions, run
from statediff.plots import enrichment
from statediff.plots.style import short


def draw(job):
    with open(job.input.enrichment, encoding="utf-8") as file:
        info = json.load(file)
    compared = short(conditions(job)[1])
    titles = {"all": "Called genes", "up": f"Higher in {compared}", "down": f"Lower in {compared}"}
    for name, members in info["gene_sets"].items():
        titles[name] += f" ({members['genes']:,})"
    if info["provider"] == "local":
        titles |= {
            "ranked_up": f"All genes, ranked: at the end higher in {compared}",
            "ranked_down": f"All genes, ranked: at the end lower in {compared}",
        }
    return enrichment(
        pd.read_parquet(job.input.enriched_terms), titles=titles, **job.params.enrichment
    )


if __name__ == "__main__":
    run(draw, snakemake)
