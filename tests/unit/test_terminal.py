"""The summary of a run on the terminal."""

import pytest
from terminal import as_text

FIT = {
    "rank": 146, "residual_max": 9.9e-4, "ls": 0.25, "learnt": True, "extent": 0.5,
    "freedom_reference": 14.21, "freedom_compared": 12.96, "ranking": "pvalue",
    "genes": 3000, "n_de": 30, "n_de_up": 20, "n_de_down": 10, "fdr_threshold": 0.05,
}  # fmt: skip
ABUNDANCE = {"up": 120, "down": 30, "neutral": 450}
CHOSEN = {"amplitude": 2.0, "evidence": 31.5, "effective_freedom": 6.04}


def lines(fit=FIT, abundance=ABUNDANCE, samples=0, **design):
    cells = dict.fromkeys(("total", "evaluated", "reference", "compared"), 300)
    cells["samples"] = samples
    conditions = {"reference": "Young", "compared": "Old", "pair": None, "adjust": []}
    summary = {
        "dataset": "demo", "contrast": "young_vs_old", "conventions": "standard",
        "conditions": conditions | design,
        "cells": cells,
        "expression": fit, "abundance": abundance,
        **dict.fromkeys(("preprocessed", "blocks", "groups", "truth")),
        "counts": {"transform": "unknown"},
    }  # fmt: skip
    text = as_text(summary, {}, "results/demo")
    return {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines()}


@pytest.mark.parametrize(
    ("changes", "choice"),
    [
        ({}, "½ × the extent of the states, by evidence"),
        ({"extent": 0.125}, "2 × the extent of the states, by evidence"),
        ({"extent": 4.0}, "1/16 × the extent of the states, by evidence"),
        ({"learnt": False}, "as configured"),
    ],
)
def test_smoothness_is_told_in_words(changes, choice):
    assert lines(FIT | changes)["smoothness"] == (
        f"length scale 0.25 ({choice}); effective degrees of freedom 14.2 in Young, 13.0 in Old"
    )


def test_samples_and_their_design_are_told():
    assert "samples" not in lines()
    assert lines(samples=6)["samples"] == "6"
    assert lines(samples=6, pair="donor")["samples"] == "6, paired by donor"
    both = lines(samples=6, pair="donor", adjust=["sex", "age"])
    assert both["samples"] == "6, paired by donor, adjusted for sex and age"


def test_amplitude_of_abundance_is_told_where_it_was_chosen():
    assert lines()["abundance"] == "120 cells up, 30 down, 450 neutral"
    assert lines(abundance=ABUNDANCE | CHOSEN)["abundance"] == (
        "120 cells up, 30 down, 450 neutral (log ratio: amplitude 2 by evidence, 6.0 degrees of "
        "freedom)"
    )
