"""Change of abundance of blocks of cells, a swarm for each cell type."""

from _figure import abundance, conditions, run
from _table import read_types
from statediff.plots import abundance_swarm
from statediff.store import read_arrays
from statediff.tables import swarm_table


def draw(job):
    cells = abundance(job)
    code = read_arrays(job.input.blocks, "code")[0]["code"][0]
    types = read_types(job.input.cell_types, len(code))
    table = swarm_table(code, types, cells["lfc"], cells["lfc_direction"])
    return abundance_swarm(
        table,
        [name for name in types.categories if (table["cell_type"] == name).any()],
        conditions=conditions(job),
        lfc_threshold=job.params.thresholds["lfc_threshold"],
    )


if __name__ == "__main__":
    run(draw, snakemake)
