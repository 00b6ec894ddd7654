"""Reading cell states: as they are shown, and in the metric of the models."""

from statediff.diffusion import scaled_components
from statediff.store import read_arrays


def read_states(path, metric):
    """States of the cells, and the metric in which they are.

    Components without eigenvalues, of a key of the user, stay as they are."""
    arrays, attributes = read_arrays(path)
    if metric == "diffusion" and "eigenvalues" in arrays:
        return scaled_components(arrays["states"], arrays["eigenvalues"]), "diffusion"
    return arrays["states"][:, : attributes["n_components"]], "euclidean"


def read_components(path):
    """The components that the configuration asks for, and their eigenvalues if they have some."""
    arrays, attributes = read_arrays(path)
    return {name: values[..., : attributes["n_components"]] for name, values in arrays.items()}
