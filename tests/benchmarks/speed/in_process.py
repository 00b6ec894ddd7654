"""Both analyses in one process, from the open store, again and again."""

import json
import sys
import time

import h5py
from statediff.abundance import differential_abundance
from statediff.basis import build_basis
from statediff.basis_values import triangular_factor
from statediff.density import fit_density
from statediff.expression import (
    Posterior,
    cross_products,
    mahalanobis,
    whitener,
)
from statediff.neighbours import length_scale, nearest_distances
from statediff.store import read_arrays, row_blocks

ROLES = ("reference", "compared")
# Signal-to-noise ratio of the published model.
RHO = 1.0


def distances(store, members, states):
    """Mahalanobis distance of every gene, by kompot's conventions."""
    roles = [members[role] for role in ROLES]
    trained = roles[0] | roles[1]
    basis = build_basis(states[trained], length_scale(nearest_distances(states[roles[0]])))
    phi = basis(states)
    crosses, _ = cross_products(row_blocks(store["X"]), phi, roles)
    posteriors = [Posterior.fit(phi[role].T @ phi[role]) for role in roles]
    reference, compared = (p.weights(c, RHO) for p, c in zip(posteriors, crosses, strict=True))
    whiten = whitener(triangular_factor(phi[trained]), posteriors, RHO)
    return mahalanobis(whiten, compared - reference)


def abundance(_, members, states):
    """Change of abundance at every cell, by kompot's conventions."""
    fits = [fit_density(states[members[role]], uncertainty="diagonal") for role in ROLES]
    values = [fit.basis(states) for fit in fits]
    densities = [fit(phi) for fit, phi in zip(fits, values, strict=True)]
    variance = sum(fit.variance(phi) for fit, phi in zip(fits, values, strict=True))
    return differential_abundance(*densities, variance)


def main(store, cells, states, repeats):
    seconds = {}
    for analysis in (abundance, distances):
        seconds[analysis.__name__] = taken = []
        for _ in range(int(repeats) + 1):
            start = time.perf_counter()
            members, _ = read_arrays(cells)
            with h5py.File(store, "r") as file:
                analysis(file, members, read_arrays(states, "states")[0]["states"])
            taken.append(time.perf_counter() - start)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
