"""Presets of the choices on which published versions of the method differ."""

__all__ = ["PRESETS", "resolve"]

PRESETS = {
    "kompot-0.8": {
        "kernel": "matern52",
        "covariance": "sum",
        "ptp_sides": 1,
        "uncertainty": "diagonal",
        "gaps": "one",
    },
    # The published tutorial's tables: an unreleased state of kompot 0.7.
    "tutorial": {
        "kernel": "matern52+linear",
        "covariance": "mean",
        "ptp_sides": 2,
        "uncertainty": "diagonal",
        "gaps": "one",
    },
}


def resolve(preset, key, chosen):
    """Value of a choice: the one given, or the preset's if that is None.

    Parameters
    ----------
    preset : str
        A key of `PRESETS`.
    key : {"kernel", "covariance", "ptp_sides", "uncertainty", "gaps"}
        See `statediff.basis.Basis.prior`, `statediff.expression.whitener`,
        `statediff.density.differential_abundance`, `statediff.density.fit_density` and
        `statediff.significance.false_discovery_rates`.
    chosen : str, int or None
    """
    return PRESETS[preset][key] if chosen is None else chosen
