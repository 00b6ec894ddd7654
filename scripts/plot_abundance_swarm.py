"""Change of abundance of blocks of cells, a swarm for each cell type."""

import numpy as np
import pandas as pd
from _figure import abundance, conditions, run
from _table import read_types
from statediff.plots import abundance_swarm
from statediff.store import read_arrays

# Fewer cells of a type in a block are no point, but for the largest part of a type.
LEAST = 5


def draw(job):
    cells = abundance(job)
    code = read_arrays(job.input.blocks, "code")[0]["code"][0]
    types = read_types(job.input.cell_types, len(code))
    each = pd.DataFrame(
        {"block": code, "cell_type": types, "lfc": cells["lfc"]}
        | {name: np.array(cells["lfc_direction"]) == name for name in ("up", "down")}
    )
    groups = each[code >= 0].groupby(["block", "cell_type"], observed=True)
    table = groups.mean().assign(cells=groups.size()).reset_index()
    largest = table.groupby("cell_type", observed=True)["cells"].transform("max")
    table = table[(table["cells"] >= LEAST) | (table["cells"] == largest)]
    # As most of its cells are called.
    called = [table["up"] > 0.5, table["down"] > 0.5]
    table["direction"] = np.select(called, ["up", "down"], "neutral")
    shown = [name for name in types.categories if (table["cell_type"] == name).any()]
    return abundance_swarm(
        table,
        shown,
        conditions=conditions(job),
        lfc_threshold=job.params.thresholds["lfc_threshold"],
    )


run(draw, snakemake)
