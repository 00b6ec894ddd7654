"""Reading cell states, unweighted or in the metric of the models."""

from statediff.states import states_in_metric
from statediff.store import read_arrays


def read_states(path, metric):
    """States of the cells in the metric of the models, and the metric in which they are."""
    arrays, attributes = read_arrays(path)
    known = arrays["states"], arrays.get("eigenvalues")
    return states_in_metric(*known, metric, attributes["n_components"])


def read_components(path):
    """The components that the configuration asks for, and their eigenvalues if they have some."""
    arrays, attributes = read_arrays(path)
    return {name: values[..., : attributes["n_components"]] for name, values in arrays.items()}
