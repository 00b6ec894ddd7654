import os
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from dense import matern52
from scipy.linalg import solve_triangular
from statediff import device
from statediff.kernels import Kernel
from support import ROOT


@pytest.fixture
def case():
    x = np.random.default_rng(0).normal(size=(100, 3))
    pivots = x[:20]
    factor = np.linalg.cholesky(matern52(pivots, pivots, 1.5))
    return x, pivots, factor, solve_triangular(factor, matern52(pivots, x, 1.5), lower=True)


# One block, several, and a last one that has to be filled up.
@pytest.mark.parametrize("block", [1000, 50, 33])
def test_functions_in_blocks_of_cells(case, block, monkeypatch):
    monkeypatch.setattr(device, "BLOCK", block)
    x, pivots, factor, rows = case
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(20, 7)))[0]
    found = device.evaluate(x, pivots, factor, rotation, Kernel.of(1.5))
    np.testing.assert_allclose(found, rows.T @ rotation, atol=1e-9)
    residual, gram = device.survey(x, pivots, factor, Kernel.of(1.5))
    np.testing.assert_allclose(residual, np.maximum(1 - (rows**2).sum(axis=0), 0), atol=1e-9)
    np.testing.assert_allclose(
        device.unexplained(x, pivots, factor, Kernel.of(1.5)), residual, atol=1e-12
    )
    np.testing.assert_allclose(gram, rows @ rows.T, atol=1e-9)


def test_products():
    rng = np.random.default_rng(2)
    phi, weights, coefficients = rng.normal(size=(9, 4)), rng.random(9), rng.normal(size=(4, 6))
    found = device.weighted_gram(device.on_device(phi), weights)
    np.testing.assert_allclose(found, phi.T @ np.diag(weights) @ phi, rtol=1e-12)
    layer = device.product(phi, coefficients)
    np.testing.assert_allclose(layer, phi @ coefficients, atol=1e-5)
    assert layer.dtype == np.float32
    # Only GPUs heed it.
    assert "HIGHEST" in str(jax.make_jaxpr(device.product)(phi, coefficients))
    assert found.dtype == np.float64


def test_blocks_fill_the_memory_of_a_gpu(monkeypatch):
    def with_memory(stats):
        monkeypatch.setattr(jax, "devices", lambda: [SimpleNamespace(memory_stats=lambda: stats)])

    with_memory(None)  # a CPU
    assert device._block_size(2000) == device.BLOCK
    with_memory({"bytes_limit": 80e9})
    assert device._block_size(2000) * 2000 * 8 * device.ARRAYS == pytest.approx(80e9, rel=1e-4)
    with_memory({"bytes_limit": 1e6})
    assert device._block_size(2000) == device.BLOCK


def test_a_device_that_is_not_there_is_named():
    code = "from statediff.device import place; place('gpu')"
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT / "workflow", env=hidden, text=True, capture_output=True
    )
    assert done.returncode != 0
    assert "gp.device: JAX finds no GPU here" in done.stderr


@pytest.mark.parametrize("where", ["auto", "cpu"])
def test_arrays_are_on_the_device_that_was_chosen(where):
    device.place(where)
    assert device.on_device(np.eye(2)).device == jax.devices()[0]
