"""Reading the coefficients of some genes from a fit."""


def read_coefficients(fit, genes):
    """Coefficients (r, genes) of reference and compared, and deviations of replicates if any."""
    reference, compared = (
        fit[f"coefficients_{role}"][genes].T for role in ("reference", "compared")
    )
    between = None
    if "between" in fit:
        between = fit["between"][:, genes].swapaxes(1, 2)
    return reference, compared, between
