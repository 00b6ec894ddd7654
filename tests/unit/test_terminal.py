"""The summary of a run on the terminal."""

import pytest
from terminal import as_text, read_warnings

FIT = {
    "rank": 146, "residual_max": 9.9e-4, "ls": 0.25, "learnt": True, "extent": 0.5,
    "freedom_reference": 14.21, "freedom_compared": 12.96, "ranking": "pvalue",
    "genes": 3000, "n_de": 30, "n_de_up": 20, "n_de_down": 10, "fdr_threshold": 0.05,
}  # fmt: skip
ABUNDANCE = {"up": 120, "down": 30, "neutral": 450}
CHOSEN = {"amplitude": 2.0, "evidence": 31.5, "effective_freedom": 6.04}


def lines(fit=FIT, abundance=ABUNDANCE, samples=0, stages=(), warnings=(), **design):
    cells = dict.fromkeys(("total", "evaluated", "reference", "compared"), 300)
    cells["samples"] = samples
    conditions = {"reference": "Young", "compared": "Old", "pair": None, "adjust": []}
    summary = {
        "dataset": "demo", "contrast": "young_vs_old", "conventions": "standard",
        "conditions": conditions | design,
        "cells": cells,
        "expression": fit, "abundance": abundance,
        **dict.fromkeys(("preprocessed", "blocks", "groups", "truth")),
        "counts": {"transform": "unknown"}, "warnings": warnings,
    }  # fmt: skip
    text = as_text(summary, dict(stages), "results/demo")
    return {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines()}


@pytest.mark.parametrize(
    ("changes", "choice"),
    [
        ({}, "length scale chosen from the data: ½ × the extent of the cell states"),
        (
            {"extent": 0.125},
            "length scale chosen from the data: 2 × the extent of the cell states",
        ),
        (
            {"extent": 4.0},
            "length scale chosen from the data: 1/16 × the extent of the cell states",
        ),
        ({"learnt": False}, "length scale 0.25 as configured"),
    ],
)
def test_smoothness_is_said_in_words(changes, choice):
    assert lines(FIT | changes)["smoothness"] == (
        f"{choice}; 14 and 13 effective degrees of freedom of expression"
    )


def test_samples_and_their_design_are_named():
    assert "samples" not in lines()
    assert lines(samples=6)["samples"] == "6"
    assert lines(samples=6, pair="donor")["samples"] == "6, paired by donor"
    both = lines(samples=6, pair="donor", adjust=["sex", "age"])
    assert both["samples"] == "6, paired by donor, adjusted for sex and age"


def test_genes_and_cells_are_counted_in_words():
    found = lines()
    assert found["genes"] == (
        "30 of 3,000 change, FDR < 0.05: 20 higher and 10 lower in Old on average"
    )
    assert found["abundance"] == (
        "120 cells lie in states more frequent in Old, 30 in less frequent states"
    )


def test_freedom_of_abundance_is_given_where_its_amplitude_was_chosen():
    assert "abundance" not in lines()["smoothness"]
    chosen = lines(abundance=ABUNDANCE | CHOSEN)["smoothness"]
    assert chosen.endswith("effective degrees of freedom of expression, 6 of abundance")


def test_time_and_memory_are_those_of_all_jobs():
    stages = {
        "store": {"seconds": 2.4, "peak_mb": 347},
        "embedding": {"seconds": 20.0, "peak_mb": 472},
        "plot_fit": {"seconds": 1.2, "peak_mb": None},
    }
    assert "took" not in lines()
    assert lines(stages=stages)["took"] == (
        "24 s over all jobs, 20 s of them embedding; no job more than 472 MB of memory"
    )


def test_warnings_are_repeated_at_the_end(tmp_path):
    log = tmp_path / "store.log"
    log.write_text("Reading\nWarning (store): the layer looks like counts\nstore: 1.2 s\n")
    found = read_warnings([log, log])
    assert found == [{"rule": "store", "text": "the layer looks like counts"}]
    assert lines(warnings=found)["warning"] == "the layer looks like counts"
