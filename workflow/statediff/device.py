"""Dense work that grows with the number of cells, on a CPU or a GPU: all that JAX does here.

JAX takes a GPU where it finds one, unless `place` says otherwise. Importing this module switches it
to float64, which every posterior here relies on.
"""

import os

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import solve_triangular

from statediff import InputError
from statediff.kernels import Kernel

__all__ = ["evaluate", "on_device", "place", "product", "survey", "unexplained", "weighted_gram"]

jax.config.update("jax_enable_x64", True)
# Length scales are numbers to compute with, the name decides what is compiled.
jax.tree_util.register_dataclass(Kernel, data_fields=["scales"], meta_fields=["name"])

# Cells at a time on a CPU; the memory of a GPU allows for more.
BLOCK = 4096
# Arrays of a block that are in a GPU's memory at once, at most.
ARRAYS = 16


def place(device):
    """Choose where to compute, before anything is computed.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}
        `auto`: a GPU, if there is one.

    Raises
    ------
    InputError
        If there is no such device.
    """
    # Several jobs can share a GPU.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    elif device == "gpu":
        try:
            jax.devices("gpu")  # which JAX then prefers
        except RuntimeError as error:
            raise InputError(
                f"gp.device: JAX finds no GPU here ({str(error).splitlines()[0]}); expected one, "
                "and a CUDA build of JAX (envs/requirements-cuda.txt), or gp.device: auto"
            ) from None


def evaluate(states, pivots, factor, rotation, kernel):
    r"""Values :math:`k(X, P) L_P^{-T} V` of the functions of a basis.

    Parameters
    ----------
    states : array, shape (n, D)
    pivots, factor, rotation
        See `statediff.basis.Basis`.
    kernel : statediff.kernels.Kernel

    Returns
    -------
    ndarray, shape (n, q)
    """
    # Solved once for all cells, for which products are left.
    fixed = on_device(pivots), on_device(solve_triangular(factor, rotation, lower=True, trans="T"))
    values = np.empty((len(states), rotation.shape[1]))
    for rows, block, _ in _blocks(states, len(pivots)):
        found = _weighted(block, *fixed, kernel)
        values[rows] = np.asarray(found)[: rows.stop - rows.start]
    return values


def survey(states, pivots, factor, kernel):
    r"""What pivots leave unexplained at every cell, and how their functions overlap there.

    Parameters
    ----------
    states : array, shape (n, D)
    pivots : array, shape (p, D)
    factor : array, shape (p, p)
        Lower Cholesky factor :math:`L_P` of the kernel between the pivots.
    kernel : statediff.kernels.Kernel

    Returns
    -------
    residual : ndarray, shape (n,)
        Prior variance, of 1, that is left.
    gram : ndarray, shape (p, p)
        :math:`L_P^{-1} k(P, X) k(X, P) L_P^{-T}`.
    """
    fixed = on_device(pivots), on_device(factor)
    residual, gram = np.empty(len(states)), jnp.zeros((len(pivots), len(pivots)))
    for rows, block, counts in _blocks(states, len(pivots)):
        gram, left = _surveyed(gram, block, counts, *fixed, kernel)
        residual[rows] = np.asarray(left)[: rows.stop - rows.start]
    return residual, np.asarray(gram)


def unexplained(states, pivots, factor, kernel):
    """The residual that `survey` returns, without the cost of the Gram matrix; shape (n,)."""
    fixed, residual = (on_device(pivots), on_device(factor)), np.empty(len(states))
    for rows, block, _ in _blocks(states, len(pivots)):
        residual[rows] = np.asarray(_left(block, *fixed, kernel)[1])[: rows.stop - rows.start]
    return residual


def on_device(array):
    """The array in the memory of the device, where several calls use it."""
    return jnp.asarray(array, dtype=jnp.float64)


@jax.jit
def weighted_gram(phi, weights):
    """Φ' diag(w) Φ, for Φ of shape (n, r)."""
    return (phi.T * weights) @ phi


@jax.jit
def product(phi, coefficients):
    """Φ C, values at cells of functions with these coefficients, in the single precision that
    layers are kept in."""
    factors = phi.astype(jnp.float32), coefficients.astype(jnp.float32)
    return jnp.matmul(*factors, precision="highest")  # GPUs round them to 10 bits otherwise


def _blocks(states, width):
    """Slices of the cells, their states, and 1 for every one of them. All blocks are filled up
    with zeros to one size, a power of two if there is one block: each new size is compiled."""
    size = min(_block_size(width), 1 << (len(states) - 1).bit_length())
    for start in range(0, len(states), size):
        rows = slice(start, min(start + size, len(states)))
        missing = size - (rows.stop - start)
        counts = np.pad(np.ones(rows.stop - start), (0, missing))
        yield rows, np.pad(states[rows], ((0, missing), (0, 0))), counts


def _block_size(width):
    """Cells at a time, for arrays of this many columns."""
    memory = (jax.devices()[0].memory_stats() or {}).get("bytes_limit")
    return BLOCK if memory is None else max(BLOCK, int(memory / (ARRAYS * 8 * width)))


@jax.jit
def _weighted(states, pivots, weights, kernel):
    return kernel(states, pivots, jnp) @ weights


@jax.jit
def _left(states, pivots, factor, kernel):
    columns = kernel(pivots, states, jnp)
    rows = jax.scipy.linalg.solve_triangular(factor, columns, lower=True)
    return rows, jnp.maximum(1.0 - (rows**2).sum(axis=0), 0.0)


@jax.jit
def _surveyed(gram, states, counts, pivots, factor, kernel):
    rows, left = _left(states, pivots, factor, kernel)
    return gram + (rows * counts) @ rows.T, left
