"""How large the data are, known before any job: what jobs ask for follows from it."""

import math
import warnings
from dataclasses import dataclass

from statediff.source import open_source

__all__ = [
    "MAX_BLOCKS",
    "Size",
    "levels_of_column",
    "samples_of_simulation",
    "size_of_download",
    "size_of_file",
    "size_of_simulation",
]

# As statediff.blocks has it, which takes seconds to import.
MAX_BLOCKS = 200
# Of a file that is not there yet: bytes a stored value (all that comes with it counted), stored
# values a cell, genes.
BYTES_PER_VALUE, VALUES_PER_CELL, GENES = 6, 2000, 20_000


@dataclass(frozen=True)
class Size:
    """Cells, genes, and stored values of the expression matrix, and those of its values that
    reading it holds in memory: all of them in a CSC matrix, whose rows can't be read one by one."""

    cells: int
    genes: int
    values: int
    held: int = 0


def size_of_file(path, layer, modality=None):
    """Size of the matrix in a user's file; one that can't be read counts as empty.

    What is wrong with it, whatever that is, is said by the job that reads it.
    """
    try:
        with open_source(path, modality) as source:
            name = layer or "X"
            if name not in ("X", "raw") or source.has("layers", name):
                name = f"layers/{name}"
            matrix = source.matrix(name, "dataset.layer")
            return Size(*matrix.shape, matrix.stored, matrix.stored if matrix.by_columns else 0)
    except Exception:
        return Size(0, 0, 0)


def levels_of_column(path, column, modality=None):
    """Number of levels of an obs column in a user's file; none in one that can't be read."""
    try:
        with warnings.catch_warnings(), open_source(path, modality) as source:
            warnings.simplefilter("ignore")
            return source.levels(column)
    except Exception:
        return 0


def size_of_simulation(fields):
    """Size of a simulation with these fields, about."""
    from statediff.simulate import Simulation

    keys = ("cells", "genes", "counts_per_cell")
    cells, genes, counts = (fields.get(key, getattr(Simulation, key)) for key in keys)
    # Genes of unequal rates are found less often than equal ones would be, hence the half.
    return Size(cells, genes, int(-cells * genes * math.expm1(-counts / genes / 2)))


def samples_of_simulation(fields):
    """Samples of a simulation with these fields."""
    from statediff.simulate import AGES, Simulation

    return len(AGES) * fields.get("samples", Simulation.samples)


def size_of_download(size):
    """Size of the matrix in a file of so many bytes, roughly."""
    values = size // BYTES_PER_VALUE
    return Size(values // VALUES_PER_CELL, GENES, values)
