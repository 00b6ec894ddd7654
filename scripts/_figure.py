"""What figures read, and saving them as PDF and PNG."""

import h5py
from statediff.plots.style import styled
from statediff.provenance import DIRECTIONS
from statediff.store import atomic, read_arrays


def conditions(job):
    return job.params.contrast["reference"], job.params.contrast["compared"]


def coordinates(job):
    """Two coordinates of each cell, and their names."""
    name = job.params.embedding.removeprefix("X_").upper()
    xy = read_arrays(job.input.embedding, "embedding")[0]["embedding"][:, :2]
    return xy, [f"{name} {i}" for i in (1, 2)]


def abundance(job):
    """Change of abundance at each cell, directions by name."""
    arrays, _ = read_arrays(job.input.abundance)
    return arrays | {"lfc_direction": [DIRECTIONS[code] for code in arrays["lfc_direction"]]}


def own_colors(store, column, n):
    """The data set's own colours of a categorical column, if it has one for each category."""
    with h5py.File(store, "r") as file:
        key = f"uns/{column}_colors"
        colors = list(file[key].asstr()[:]) if key in file else []
    return colors if len(colors) >= n else None


@styled
def save(job, figure):
    for path in (job.output.pdf, job.output.png):
        with atomic(path) as part:
            figure.savefig(part, format=path.rsplit(".", 1)[1], dpi=300)
