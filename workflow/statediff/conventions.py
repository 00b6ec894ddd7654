"""Presets of the choices on which published versions of the method differ."""

__all__ = ["PRESETS", "resolve"]

PRESETS = {
    "kompot-0.8": {"uncertainty": "diagonal", "gaps": "one"},
}


def resolve(preset, **chosen):
    """Choices of a preset, each replaced by the one given unless that is None.

    Parameters
    ----------
    preset : str
        A key of `PRESETS`.
    **chosen
        `uncertainty` and `gaps`; see `statediff.density.fit_density` and
        `statediff.significance.false_discovery_rates`.

    Returns
    -------
    dict
    """
    return PRESETS[preset] | {key: value for key, value in chosen.items() if value is not None}
