"""Reading and writing the basis of a contrast."""

from statediff.basis import Basis
from statediff.kernels import base_kernel
from statediff.store import read_arrays, write_arrays

PARTS = ("pivots", "factor", "rotation", "eigenvalues")
# Of the file of a basis, the arrays that are copied to that of the fit.
COPIED = (*PARTS, "scales", "centre", "multiples", "evidence")


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
        kernel=base_kernel(attributes["kernel"])[0],
        **{name: arrays[name] for name in PARTS},
    )
    return basis, arrays, attributes
