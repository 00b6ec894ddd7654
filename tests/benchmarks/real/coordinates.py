"""Evidence of expression for each metric of the cell states and number of components."""

import h5py
import numpy as np
from statediff.diffusion import scaled_components
from statediff.smoothness import choose_cells, learn_scale
from statediff.store import read_arrays, read_rows

__all__ = ["COMPONENTS", "evidence"]

COMPONENTS = (5, 10, 20, 40)


def evidence(folder, contrast):
    """Largest log evidence over a constant, summed over genes, and its length scale.

    Parameters
    ----------
    folder : pathlib.Path
        Results of a data set, computed under the conventions `standard`.
    contrast : str

    Returns
    -------
    list of dict
        `metric`, `components`, `evidence` (nats) and `multiple`, the length scale relative to the
        extent of the states.
    """
    members, _ = read_arrays(folder / contrast / "stages/cells.h5", "reference", "compared")
    arrays, _ = read_arrays(folder / "data/cell_states.h5")
    cells = choose_cells(members["reference"] | members["compared"])
    with h5py.File(folder / "data/store.h5ad") as store:
        expression = read_rows(store["X"], cells)
    scaled = scaled_components(arrays["states"], arrays["eigenvalues"])[cells]
    # Components of unit variance, without the constant one.
    plain = scaled / scaled.std(axis=0)
    found = []
    for metric, states in (("euclidean", plain), ("diffusion", scaled)):
        for count in COMPONENTS:
            learnt = learn_scale(states[:, :count], expression)
            best = int(np.argmax(learnt.evidence))
            found.append(
                {
                    "metric": metric,
                    "components": min(count, states.shape[1]),
                    "evidence": float(learnt.evidence[best]),
                    "multiple": float(learnt.multiples[best]),
                }
            )
    return found
