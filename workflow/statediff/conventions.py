"""Presets of the choices on which published versions of the method differ.

kernel: see `statediff.basis.Basis.prior`; covariance: `statediff.expression.whitener`; ptp_sides:
`statediff.density.differential_abundance`; uncertainty: `statediff.density.fit_density`; gaps:
`statediff.significance.false_discovery_rates`; estimator: `statediff.density` or `statediff.ratio`.
"""

__all__ = ["PRESETS"]

PRESETS = {
    "kompot-0.8": {
        "kernel": "matern52",
        "covariance": "sum",
        "ptp_sides": 1,
        "estimator": "densities",
        "uncertainty": "diagonal",
        "gaps": "one",
    },
    # The published tutorial's tables: an unreleased state of kompot 0.7.
    "tutorial": {
        "kernel": "matern52+linear",
        "covariance": "mean",
        "ptp_sides": 2,
        "estimator": "densities",
        "uncertainty": "diagonal",
        "gaps": "one",
    },
}
