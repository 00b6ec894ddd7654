"""Reading the fit of a contrast."""

import h5py
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


def read_noise(path, genes):
    """Noise of some genes along the states, in both conditions; None without a file."""
    if not path:
        return None
    with h5py.File(path, "r") as file:
        return [file[f"noise_{role}"][genes].T for role in ROLES]


def read_parts(files, size):
    """Of some genes at a time: differences of coefficients, those of samples, signal and noise."""
    signal = read_signal(files.fit)
    with h5py.File(files.fit, "r") as fit:
        for start in range(0, len(fit["coefficients_reference"]), size):
            genes = slice(start, start + size)
            reference, compared, between = read_coefficients(fit, genes)
            noise = read_noise(files.get("noise"), genes)
            yield compared - reference, between, signal.of_genes(genes), noise


def read_coefficients(fit, genes):
    """Coefficients (r, genes) of reference and compared, and deviations of replicates if any."""
    reference, compared = (
        fit[f"coefficients_{role}"][genes].T for role in ("reference", "compared")
    )
    between = None
    if "between" in fit:
        between = fit["between"][:, genes].swapaxes(1, 2)
    return reference, compared, between
