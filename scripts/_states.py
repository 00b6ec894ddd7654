"""Reading cell states in the metric of the models."""

from statediff.diffusion import scaled_components
from statediff.store import read_arrays


def read_states(path, metric):
    """States of the cells, and the metric in which they are.

    Components without eigenvalues, of a key of the user, stay as they are."""
    arrays, _ = read_arrays(path)
    if metric == "diffusion" and "eigenvalues" in arrays:
        return scaled_components(arrays["states"], arrays["eigenvalues"]), "diffusion"
    return arrays["states"], "euclidean"
