r"""Coordinates in which the distance of two cells is that of a diffusion between them.

Diffusion maps give components :math:`\psi_j` with eigenvalues :math:`\lambda_j`. Left as they are,
each counts as much as any other, and results depend on how many there are. The squared diffusion
distance at time t is :math:`\sum_j \lambda_j^{2t} (\psi_j(x) - \psi_j(y))^2`; summed over times
t = ½, 1, 1½, … it weights a component by :math:`\lambda_j / (1 - \lambda_j)`: later components
count less and less.

References
----------
Coifman & Lafon (2006), Applied and Computational Harmonic Analysis 21, for diffusion distances;
Qiu & Hancock (2007), IEEE TPAMI 29, for their sum over all times, the commute time.
"""

import numpy as np

__all__ = ["scaled_components"]

# Components of disconnected parts have an eigenvalue of 1, and would count without limit.
LARGEST = 0.9999
# A component that varies less, relative to the largest, is constant but for rounding.
CONSTANT = 1e-6


def scaled_components(components, eigenvalues):
    r"""Diffusion components weighted by their diffusion times.

    Parameters
    ----------
    components : array, shape (n, D)
        Components, of any scale; constant ones may be among them.
    eigenvalues : array, shape (D,)
        Of the diffusion operator, at most 1.

    Returns
    -------
    ndarray, shape (n, D')
        Each component with variance :math:`\lambda_j / (1 - \lambda_j)`, without constant ones
        and those whose eigenvalue is not positive.
    """
    components = np.asarray(components, dtype=np.float64)
    eigenvalues = np.minimum(np.asarray(eigenvalues, dtype=np.float64), LARGEST)
    centred = components - components.mean(axis=0)
    spread = centred.std(axis=0)
    kept = (spread > CONSTANT * np.abs(components).max(axis=0)) & (eigenvalues > 0)
    weights = np.sqrt(eigenvalues[kept] / (1.0 - eigenvalues[kept])) / spread[kept]
    return centred[:, kept] * weights
