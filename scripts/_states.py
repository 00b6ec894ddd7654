"""Reading cell states, unweighted or in the metric of the models."""

from statediff.states import states_in_metric
from statediff.store import read_arrays


def read_states(path, metric):
    """States of the cells in the metric of the models, and the metric in which they are."""
    arrays, _ = read_arrays(path)
    return states_in_metric(arrays["states"], arrays.get("eigenvalues"), metric)
