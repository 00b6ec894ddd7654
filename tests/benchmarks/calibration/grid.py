"""The simulations of the benchmark: a grid of settings, three seeds each."""

import itertools

__all__ = ["CELLS", "GRID", "SEEDS"]

SEEDS = (1, 2, 3)
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


# Of each cell of the grid: what tells it from the others.
CELLS = {name: labels for name, labels, _ in _settings()}
# Of each data set, `<cell>_s<seed>`: the fields of `statediff.simulate.Simulation`.
GRID = {
    f"{name}_s{seed}": simulated | {"seed": seed}
    for name, _, simulated in _settings()
    for seed in SEEDS
}
