"""Reading the values of which differences between conditions are tested."""

from contextlib import contextmanager

import h5py
from statediff.normalisation import Normalisation


@contextmanager
def open_values(files):
    """The matrix to be tested, and how it becomes counts per 10,000.

    That of the store, or the counts themselves where its layer is not a function of them."""
    with h5py.File(files.store, "r") as store, h5py.File(files.linear, "r") as linear:
        matrix = linear["counts"] if "counts" in linear else store["X"]
        yield matrix, Normalisation.read(linear)
