"""Presets of the choices on which published versions of the method differ.

integrate: `statediff.matching`; metric: `statediff.diffusion`; ls_factor:
`statediff.neighbours.length_scale`, or None where `statediff.smoothness` learns the length scale;
sigma: the noise of every gene, or None where that is learnt too; kernel:
`statediff.basis.Basis.prior`; covariance: `statediff.expression.whitener`; ptp_sides:
`statediff.abundance.differential_abundance`; estimator: `statediff.density` or `statediff.ratio`;
uncertainty: `statediff.density.fit_density`; test: the residual test of `statediff.residual`, or
the shuffled genes of `statediff.significance`; gaps: its `false_discovery_rates`.
"""

from math import log

__all__ = ["LN2", "PRESETS", "THRESHOLDS", "TOLERANCES"]

#: Models of abundance, and Kompot's fields, are in natural logarithms; tables, figures and the
#: configuration in log2.
LN2 = log(2.0)

#: Of each preset, the value of each choice.
PRESETS = {
    # What holds its level in the calibration benchmark (docs/calibration.md).
    "standard": {
        "integrate": "samples",
        "metric": "diffusion",
        "ls_factor": None,
        "sigma": None,
        "kernel": "matern52",
        "covariance": "sum",
        "ptp_sides": 1,
        "estimator": "ratio",
        "uncertainty": "full",
        "test": "residual",
        "gaps": "skip",
    },
    "kompot-0.8": {
        "integrate": "none",
        "metric": "euclidean",
        "ls_factor": 10.0,
        "sigma": 1.0,
        "kernel": "matern52",
        "covariance": "sum",
        "ptp_sides": 1,
        "estimator": "densities",
        "uncertainty": "diagonal",
        "test": "genes",
        "gaps": "one",
    },
    # The published tutorial's tables: an unreleased state of kompot 0.7.
    "tutorial": {
        "integrate": "none",
        "metric": "euclidean",
        "ls_factor": 10.0,
        "sigma": 1.0,
        "kernel": "matern52+linear",
        "covariance": "mean",
        "ptp_sides": 2,
        "estimator": "densities",
        "uncertainty": "diagonal",
        "test": "genes",
        "gaps": "one",
    },
}
#: What the basis may leave unexplained where the length scale is given, by whether there is a
#: linear part. Where functions all but repeat it, distances depend on the far smaller ones that
#: would tell the two apart.
TOLERANCES = {False: 1e-6, True: 1e-8}
#: Of each estimator of abundance, the log2 fold change to be exceeded: beyond its uncertainty with
#: a ratio (0.2 in natural logarithms), as an estimate with densities (published: 1.0 in natural
#: logarithms).
THRESHOLDS = {"ratio": 0.2 / LN2, "densities": 1.0 / LN2}
