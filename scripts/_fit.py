"""Reading the fit of a contrast."""

from statediff.expression import Posterior
from statediff.smoothness import SignalToNoise
from statediff.store import read_arrays

ROLES = ("reference", "compared")
SIGNAL = [f"signal_{name}" for name in ("levels", "level", "noise", "mean", "evidence")]
# Of a fit, but for the basis and the coefficients, which are large.
PARTS = [*SIGNAL, *(f"{name}_{role}" for role in ROLES for name in ("modes", "spectrum", "prior"))]


def read_posteriors(path):
    """Posteriors of both conditions."""
    names = [f"{name}_{role}" for role in ROLES for name in ("modes", "spectrum")]
    found, _ = read_arrays(path, *names)
    return [Posterior.of_arrays(found, role) for role in ROLES]


def read_signal(path):
    """Signal-to-noise ratio, noise and mean of all genes."""
    return SignalToNoise.of_arrays(read_arrays(path, *SIGNAL)[0])


def read_coefficients(fit, genes):
    """Coefficients (r, genes) of reference and compared, and deviations of replicates if any."""
    reference, compared = (
        fit[f"coefficients_{role}"][genes].T for role in ("reference", "compared")
    )
    between = None
    if "between" in fit:
        between = fit["between"][:, genes].swapaxes(1, 2)
    return reference, compared, between
