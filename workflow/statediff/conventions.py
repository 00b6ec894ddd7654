"""Presets of the choices on which published versions of the method differ."""

__all__ = ["PRESETS", "resolve"]

PRESETS = {
    "kompot-0.8": {"uncertainty": "diagonal", "gaps": "one"},
}


def resolve(preset, key, chosen):
    """Value of a choice: the one given, or the preset's if that is None.

    Parameters
    ----------
    preset : str
        A key of `PRESETS`.
    key : {"uncertainty", "gaps"}
        See `statediff.density.fit_density` and
        `statediff.significance.false_discovery_rates`.
    chosen : str or None
    """
    return PRESETS[preset][key] if chosen is None else chosen
