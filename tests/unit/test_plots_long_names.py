"""Figures with names of conditions of thirty letters, with and without spaces: nothing is cut."""

import numpy as np
import pandas as pd
import pytest
from drawn import AXES, XY, inside, type_names
from statediff.plots import (
    abundance_swarm,
    abundance_volcano,
    abundance_volcanos,
    composition,
    contrast_comparison,
    direction_bars,
    embedding_categories,
    embedding_directions,
    embedding_values,
    expression_along,
    expression_ma,
    expression_volcano,
    fit_overview,
    fold_change_dots,
    gene_heatmap,
    gene_panels,
    gene_regions,
    sample_expression,
)

RNG = np.random.default_rng(0)
LFC = 2 * XY[:, 0]
DIRECTION = np.where(LFC > 1, "up", np.where(LFC < -1, "down", "neutral"))
THRESHOLDS = {"measure": "posterior tail probability", "lfc_threshold": 1.0, "threshold": 0.05}
MEMBERS = [XY[:, 1] < 0, XY[:, 1] >= 0]
TYPES = type_names(2)


def cells(names):
    options = {"conditions": names, **THRESHOLDS}
    significance = 3 * np.abs(LFC)
    yield abundance_volcano(LFC, significance, DIRECTION, **options)
    for n_types in (1, 2, 5):
        types = pd.Categorical(np.resize(type_names(n_types), 200))
        yield abundance_volcanos(LFC, significance, DIRECTION, types, **options)
    table = pd.DataFrame({"cell_type": TYPES, "cells": 9, "up": 4, "neutral": 3, "down": 2})
    yield direction_bars(table, conditions=names)
    swarm = pd.DataFrame({"cell_type": np.resize(TYPES, 200), "lfc": LFC, "cells": 30})
    swarm["direction"] = DIRECTION
    yield abundance_swarm(swarm, TYPES, conditions=names, lfc_threshold=1.0)
    yield embedding_directions(XY, LFC, DIRECTION, conditions=names, axis_names=AXES)
    label = f"log₂ fold change of cell density\n{names[1]:.25} / {names[0]:.25}"
    yield embedding_values(XY, LFC, label=label, axis_names=AXES)
    labels = np.where(MEMBERS[0], *names)
    yield embedding_categories(XY, labels, name="condition", axis_names=AXES, order=names)
    counts = pd.DataFrame({names[0]: [1, 20], names[1]: [9, 10]}, index=TYPES)
    yield composition(counts, conditions=names)
    fit = {
        "residual": 9e-7, "tol": 1e-6, "ls": 1.0, "freedom": [np.full(30, 0.5)] * 2,
        "conditions": names,
    }  # fmt: skip
    yield fit_overview(np.geomspace(100, 1e-5, 30), distances=np.full(50, 0.1), **fit)
    levels = np.geomspace(0.003, 10.0, 8)
    yield fit_overview(
        np.geomspace(100, 1e-5, 30), evidence=(2.0 ** np.arange(-6, 5), np.arange(11.0)),
        signal=(levels, np.arange(8)), **fit,
    )  # fmt: skip


def genes(names):
    table = pd.DataFrame({"mean_lfc": LFC, "is_de": DIRECTION != "neutral"})
    table["pvalue"] = np.exp(-np.abs(LFC))
    table.index = [f"a gene of thirty letters {i:05d}" for i in range(200)]
    yield expression_volcano(table, conditions=names, fdr_threshold=0.05, ranking="pvalue")
    means = table.assign(mean_expression=table["pvalue"], lfc=LFC, rank=range(200))
    change = f"Adjusted log₂ fold change, {names[1]:.25} / {names[0]:.25} (normalised counts)"
    yield expression_ma(means, conditions=names, change=change)
    yield contrast_comparison(dict.fromkeys(names, means), change="Adjusted log₂ fold change")
    for count in (1, 5):
        index = pd.MultiIndex.from_product(
            [table.index[:count], TYPES, range(2)], names=["gene", "cell_type", "sample"]
        ).to_frame(index=False)
        index = index.assign(condition=index["sample"], expression=1.0, cells=5, pair=0)
        yield sample_expression(index, TYPES, conditions=names)
    change = pd.DataFrame(RNG.normal(size=(5, 2)), index=table.index[:5], columns=TYPES)
    pairs = pd.MultiIndex.from_product([TYPES, names])
    levels = pd.DataFrame(RNG.normal(size=(5, 4)), index=change.index, columns=pairs)
    yield gene_heatmap(change, label=f"Mean log fold change\n{names[1]:.25} − {names[0]:.25}")
    yield gene_heatmap(levels, label="z-score", conditions=names)
    yield fold_change_dots(change, np.abs(change), conditions=names)
    for count in (1, 5):
        rows = [(gene, name, "up", 0.5, 1.0) for gene in table.index[:count] for name in TYPES]
        regions = pd.DataFrame(rows, columns=["gene", "cell_type", "direction", "share", "lfc"])
        patterns = pd.Series("region", table.index[:count])
        yield gene_regions(regions, patterns, TYPES, conditions=names)
    for count in (1, 2):
        panels = dict.fromkeys(table.index[:count], (LFC, LFC + 1, np.ones(200)))
        yield gene_panels(XY, panels, conditions=names, axis_names=AXES)
        both = np.column_stack([LFC, LFC + 1])
        curves = dict.fromkeys(table.index[:count], (LFC, both, np.ones((200, 2))))
        yield expression_along(
            XY[:, 0], curves, MEMBERS, name="DM_EigenVectors, component 2", conditions=names
        )


@pytest.mark.parametrize("figures", [cells, genes])
def test_nothing_is_cut(figures):
    for figure in figures(("bone marrow of untreated mice 1", "treated_mice_of_the_second_lot_")):
        titles = [axes.get_title() or axes.get_ylabel() for axes in figure.axes]
        assert inside(figure), titles
        boxes = [axes.title.get_window_extent() for axes in figure.axes if axes.get_title()]
        for i, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[i + 1 :]), titles
