"""The values of which differences between conditions are tested."""

from contextlib import contextmanager

import h5py
from statediff.linear import linear_blocks
from statediff.normalisation import AT_ONCE, Normalisation
from statediff.store import row_blocks


@contextmanager
def open_values(files):
    """The matrix to be tested, and how it becomes counts per 10,000.

    That of the store, or the counts themselves where its layer is no function of them."""
    with h5py.File(files.store, "r") as store, h5py.File(files.linear, "r") as linear:
        matrix = linear["counts"] if "counts" in linear else store["X"]
        yield matrix, Normalisation.read(linear)


def with_known_factors(matrix, normalisation, samples, factors):
    """Row blocks of counts per 10,000, divided by size factors of the samples that are known."""
    blocks = row_blocks(matrix, AT_ONCE)
    if normalisation.transform is None:
        return blocks
    return linear_blocks(blocks, normalisation.transform, normalisation.factors / factors[samples])
