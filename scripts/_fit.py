"""Reading and writing the basis and the fit of a contrast."""

from statediff.basis import Basis
from statediff.expression import Posterior
from statediff.smoothness import SignalToNoise
from statediff.store import read_arrays, write_arrays

ROLES = ("reference", "compared")
# Arrays of a basis, and of the evidence for its length scale.
PARTS = ("pivots", "factor", "rotation", "eigenvalues")
SIGNAL = ("levels", "level", "noise", "mean", "evidence")


def write_basis(path, basis, smoothness, **attributes):
    """Write a basis with the evidence for its length scale, None where this was given."""
    arrays = {name: getattr(basis, name) for name in PARTS}
    arrays["scales"] = basis.ls if isinstance(basis.ls, tuple) else [basis.ls]
    if basis.centre is not None:
        arrays["centre"] = basis.centre
    if smoothness is not None:
        arrays |= {"multiples": smoothness.multiples, "evidence": smoothness.evidence}
        names = ("ls", "extent", "cells", "genes", "at_end", "rho")
        of_evidence = {f"evidence_{name}": getattr(smoothness, name) for name in names[2:]}
        attributes |= {name: getattr(smoothness, name) for name in names[:2]} | of_evidence
    attributes = {"ls": arrays["scales"][0]} | attributes
    write_arrays(
        path,
        arrays,
        learnt=smoothness is not None,
        rank=basis.rank,
        residual_max=basis.residual_max,
        residual_sum=basis.residual_sum,
        dropped=basis.dropped,
        truncated=basis.truncated,
        **attributes,
    )


def read_basis(path):
    """A basis, the arrays that it is made of, and what is known of it."""
    arrays, attributes = read_arrays(path)
    scales = tuple(map(float, arrays["scales"]))
    basis = Basis(
        ls=scales if len(scales) > 1 else scales[0],
        centre=arrays.get("centre"),
        residual_max=attributes["residual_max"],
        residual_sum=attributes["residual_sum"],
        dropped=attributes["dropped"],
        truncated=attributes["truncated"],
        **{name: arrays[name] for name in PARTS},
    )
    return basis, arrays, attributes


def write_posteriors(arrays, posteriors):
    """Put the posteriors of both conditions into arrays."""
    for role, posterior in zip(ROLES, posteriors, strict=True):
        arrays[f"modes_{role}"] = posterior.modes
        arrays[f"spectrum_{role}"] = posterior.eigenvalues


def write_signal(arrays, signal):
    """Put signal-to-noise ratio, noise and mean of genes into arrays."""
    for name in SIGNAL:
        arrays[f"signal_{name}"] = getattr(signal, name)


def read_posteriors(path):
    """Posteriors of both conditions."""
    names = [f"{name}_{role}" for role in ROLES for name in ("modes", "spectrum")]
    found, _ = read_arrays(path, *names)
    return [Posterior(found[f"modes_{role}"], found[f"spectrum_{role}"]) for role in ROLES]


def read_signal(path):
    """Signal-to-noise ratio, noise and mean of all genes."""
    found, _ = read_arrays(path, *(f"signal_{name}" for name in SIGNAL))
    return SignalToNoise(*found.values())


def read_coefficients(fit, genes):
    """Coefficients (r, genes) of reference and compared, and deviations of replicates if any."""
    reference, compared = (
        fit[f"coefficients_{role}"][genes].T for role in ("reference", "compared")
    )
    between = None
    if "between" in fit:
        between = fit["between"][:, genes].swapaxes(1, 2)
    return reference, compared, between
