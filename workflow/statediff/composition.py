"""Shares of cell types in two conditions and their samples."""

import numpy as np

__all__ = ["mean_intervals", "type_shares"]

ROLES = ("reference", "compared")


def type_shares(types, members):
    """Share of each cell type in both conditions.

    Parameters
    ----------
    types : pandas.Categorical, shape (cells,)
    members : dict of ndarray
        From `statediff.contrast.find_cells`.

    Returns
    -------
    pandas.DataFrame
        A row for each type: ``reference_share`` and ``compared_share``, the mean over the samples
        with the ends of its 95 % interval (``_low``, ``_high``), or the share among all cells if
        there are no samples.
    """
    import pandas as pd

    def share(cells):
        counts = pd.Series(types[cells]).value_counts(sort=False)
        return (counts / max(counts.sum(), 1)).reindex(types.categories, fill_value=0.0)

    parts = {
        # A condition without samples that count is one of all its cells.
        role: [members["sample"] == code for code in members.get(f"samples_{role}", ())]
        or [members[role]]
        for role in ROLES
    }
    shares = [np.column_stack([share(cells) for cells in parts[role]]) for role in ROLES]
    found = pd.DataFrame(index=types.categories)
    for role, values, ends in zip(ROLES, shares, mean_intervals(shares), strict=True):
        found[f"{role}_share"] = values.mean(axis=1)
        if "sample" in members:
            found[f"{role}_share_low"], found[f"{role}_share_high"] = ends.T
    return found


def mean_intervals(shares, level=0.95):
    r"""Intervals of the mean shares of cell types in two conditions, from their samples.

    On the scale :math:`\arcsin\sqrt{x}` the variance of a share hardly depends on the share. It is
    pooled over both conditions, and the quantile is that of Student's t with the samples less two
    as its degrees of freedom.

    Parameters
    ----------
    shares : pair of array, shape (types, samples)
        Shares in the samples of each condition, from 0 to 1.
    level : float

    Returns
    -------
    pair of ndarray, shape (types, 2)
        Lower and upper ends around the means; NaN without two samples of a condition.
    """
    from scipy.special import stdtrit

    turned = [np.arcsin(np.sqrt(values)) for values in shares]
    freedom = sum(values.shape[1] for values in turned) - 2
    squares = sum(
        ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) for values in turned
    )
    ends = []
    for values in shares:
        middle, n = np.arcsin(np.sqrt(values.mean(axis=1))), values.shape[1]
        if freedom < 1:
            ends.append(np.full((len(values), 2), np.nan))
            continue
        half = stdtrit(freedom, (1 + level) / 2) * np.sqrt(squares / freedom / n)
        limits = np.clip([middle - half, middle + half], 0.0, np.pi / 2)
        ends.append((np.sin(limits) ** 2).T)
    return tuple(ends)
