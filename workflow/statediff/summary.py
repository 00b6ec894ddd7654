"""The main numbers of a contrast, for its summary."""

import numpy as np

from statediff.fields import DIRECTIONS

__all__ = ["describe_abundance", "describe_cells", "describe_expression", "describe_groups",
           "describe_halves"]  # fmt: skip

ROLES = ("reference", "compared")


def describe_cells(members, described):
    """Numbers of cells and samples.

    Parameters
    ----------
    members, described : dict
        Arrays and attributes from `statediff.contrast.find_cells`.
    """
    found = {key: described[f"n_{key}"] for key in ("cells", "evaluated", *ROLES, "samples")}
    of_role = {f"samples_{role}": len(members.get(f"samples_{role}", ())) for role in ROLES}
    return {"total": found.pop("cells")} | found | of_role


def describe_halves(described):
    """Mean and range of the values of both halves of a numeric condition; empty for levels.

    Parameters
    ----------
    described : dict
        Attributes from `statediff.contrast.find_cells`.
    """
    if "mean_reference" not in described:
        return {}
    return {
        "values": {
            role: {what: described[f"{what}_{role}"] for what in ("mean", "min", "max")}
            for role in ROLES
        }
    }


def describe_abundance(codes):
    """Number of cells with each direction of the change of abundance, from its codes."""
    counts = np.bincount(codes, minlength=len(DIRECTIONS))
    return dict(zip(DIRECTIONS, map(int, counts), strict=True))


def describe_expression(genes, fdr):
    """Numbers of genes, and how they were called.

    Parameters
    ----------
    genes : dict of ndarray, shape (genes,)
        ``mean_lfc`` and ``is_de``.
    fdr : dict
        Test, ranking, thresholds and number of called genes.
    """
    called = genes["mean_lfc"][genes["is_de"]]
    return {
        "genes": len(genes["is_de"]),
        "n_de": fdr["n_de"],
        "n_de_up": int((called > 0).sum()),
        "n_de_down": int((called <= 0).sum()),
        "test": fdr["test"],
        "ranking": fdr["ranking"],
        "fdr_threshold": fdr["threshold"],
        "fdr_gaps": fdr["gaps"],
        "mahalanobis_threshold": fdr["mahalanobis_threshold"] if fdr["n_de"] else None,
    }


def describe_groups(groups, rates):
    """Cells of each group, whether it was evaluated, and its differential genes.

    Parameters
    ----------
    groups : dict of ndarray
        From `statediff.contrast.group_masks`.
    rates : dict of ndarray
        ``names`` and ``is_de`` (groups, genes) of the groups that were evaluated.
    """
    n_de = dict(zip(rates["names"], rates["is_de"].sum(axis=1).tolist(), strict=True))
    keys = ("cells", *ROLES, "underrepresented", "left_out")
    return {
        name: {key: groups[key][i].item() for key in keys} | {"n_de": n_de.get(name)}
        for i, name in enumerate(groups["names"])
    }
