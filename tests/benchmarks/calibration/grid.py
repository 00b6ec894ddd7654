"""The simulations of the benchmark: a grid of settings, nuisances and changes of one cell type."""

import itertools

__all__ = [
    "CELLS",
    "FEWER_SEEDS",
    "GRID",
    "NUISANCES",
    "PEER_SEEDS",
    "POWER",
    "POWER_SEEDS",
    "REFERENCE",
    "SEEDS",
    "modules",
    "tasks",
]

SEEDS = (1, 2, 3)
# Of the nuisances; and of all data sets, for slow methods.
FEWER_SEEDS, PEER_SEEDS = (1, 2), (1,)
# Of the changes of one cell type, for which only abundance is tested: fast, and few large samples,
# so that whether a change is found depends on the seed.
POWER_SEEDS = tuple(range(1, 11))
BASE = {"cells": 4000, "shares": (1, 0, 1), "genes": 4000, "samples": 3, "changed": 0.05}
# Everywhere: samples of equal depth, each with the same effect in all cell types.
BASE |= {"sample_type_sd": 0.0, "depth_sd": 0.0}
# 50, 100 and 150 young cells; 833, 1,667 and 2,500 old ones.
UNEQUAL = {"cells": 5300, "shares": (300, 0, 5000), "sample_ratio": 3}
# Natural-log fold changes with which the best methods find half of the genes, or fewer.
STRENGTH = {"strong": 0.6, "weak": 0.4}
ABUNDANCE = (0.0, 2.0)


def _settings():
    for sizes, strength, lfc, sd in itertools.chain(
        itertools.product(["equal"], STRENGTH, ABUNDANCE, (0.0, 0.05, 0.1, 0.2)),
        itertools.product(["unequal"], ["strong"], ABUNDANCE, (0.0, 0.1)),
        itertools.product(["equal"], ["none"], [0.0], (0.0, 0.1)),
    ):
        simulated = BASE | {"abundance_lfc": lfc, "sample_sd": sd}
        simulated |= {"expression_lfc": STRENGTH[strength]} if strength in STRENGTH else {}
        simulated |= {"changed": 0.0} if strength == "none" else {}
        simulated |= UNEQUAL if sizes == "unequal" else {}
        name = f"{sizes}_{strength}_ab{lfc:g}_sd{sd:g}"
        labels = {"sizes": sizes, "strength": strength, "abundance": lfc, "sample_sd": sd}
        yield name, labels, simulated


# Without a nuisance: the cell of the grid that each nuisance is compared with.
REFERENCE = "equal_strong_ab0_sd0.1"
UNCHANGED = BASE | {"abundance_lfc": 0.0, "sample_sd": 0.1, "expression_lfc": STRENGTH["strong"]}
# Of each nuisance: the fields that differ from the reference (`calibration.data.Recipe`).
NUISANCES = {
    "depth_by_condition": {"nuisance": "depth_by_condition"},
    "depth_by_sample": {"depth_sd": 0.5},
    "global_shift": {"nuisance": "global_shift", "changed": 0.0},
    "ambient_by_sample": {"nuisance": "ambient_by_sample"},
    "ambient_by_condition": {"nuisance": "ambient_by_condition"},
    "doublets": {"nuisance": "doublets"},
    "doublets_by_condition": {"nuisance": "doublets_by_condition"},
    "sample_by_type": {"sample_type_sd": 0.15},
    "heavy_tails": {"nuisance": "heavy_tails"},
    "shared_factor": {"nuisance": "shared_factor"},
    "dominant_gene": {"nuisance": "dominant_gene"},
    "cell_cycle": {"nuisance": "cell_cycle"},
    "pairs": {"donor_sd": 0.2, "paired": True},
    "batches": {"nuisance": "batches", "samples": 4},
    "compositions": {"concentration": 50.0, "cells": 8000, "sizes": (1, 2, 6)},
}
# Fold changes of the abundance of one cell type in the compared condition.
POWER = {
    f"{name.lower()}_x{fold}": {"fewer": (name, 1.0 / fold)}
    for name, fold in itertools.product(("HSC", "Monocyte"), (2, 4))
}

# Of each cell of the grid: what tells it from the others.
CELLS = {name: labels for name, labels, _ in _settings()}
# Of each data set, `<setting>_s<seed>`: the fields of `statediff.simulate.Simulation` and
# `calibration.data.Recipe`.
GRID = {
    f"{name}_s{seed}": simulated | {"seed": seed}
    for name, _, simulated in _settings()
    for seed in SEEDS
}
GRID |= {
    f"{name}_s{seed}": UNCHANGED | changes | {"seed": seed}
    for settings, seeds in ((NUISANCES, FEWER_SEEDS), (POWER, POWER_SEEDS))
    for name, changes in settings.items()
    for seed in seeds
}


def modules(dataset):
    """Modules of methods that are scored on a data set: the slower, the fewer data sets."""
    name, _, seed = dataset.rpartition("_s")
    if name in POWER:
        return ["ours", "competitors"]
    few = int(seed) in PEER_SEEDS
    if name in NUISANCES:
        return ["ours", "competitors", "deseq2"] if few else ["ours"]
    slow = ["deseq2"] if name.endswith("sd0.1") and CELLS[name]["strength"] == "strong" else []
    return ["ours", "competitors", *(["published", "nulls", *slow] if few else [])]


def tasks(dataset):
    """Tasks that are scored on a data set: only abundance where one cell type changes."""
    return ["abundance"] if dataset.rpartition("_s")[0] in POWER else ["expression", "abundance"]
