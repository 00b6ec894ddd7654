"""Names of the results in an AnnData: Kompot's where it has the same."""

import re

__all__ = [
    "DIRECTIONS",
    "abundance_fields",
    "direction_colors",
    "expression_fields",
    "group_column",
    "safe",
    "stem_of",
]

#: Directions of the change of abundance at a cell, in the order of the codes.
DIRECTIONS = ("down", "neutral", "up")
DIRECTION_COLORS = {"down": "#2166ac", "neutral": "#c4c4c4", "up": "#b2182b"}

# Suffix of the fields that include the variance between replicates.
SUFFIX = "_sample_var"

# Not in Kompot, whose tools would otherwise report a missing basis and remove the coefficients.
COMPRESSED = ("phi", "coefficients_reference", "coefficients_compared", "relative_std_reference",
              "relative_std_compared")  # fmt: skip


def safe(name):
    """Condition name as it appears in field names: ``_`` for all outside ``[A-Za-z0-9_.-]``."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def group_column(name):
    """Group name as a column of the AnnData, where HDF5 has no slashes in names."""
    return name.replace("/", "_")


def direction_colors():
    """Colours of the directions, in their order, as AnnData keeps those of categories."""
    return [DIRECTION_COLORS[name] for name in DIRECTIONS]


def abundance_fields(reference, compared, replicates=False):
    """Field of each differential-abundance result: {role: (slot, name, type, description)}."""
    a, b = safe(reference), safe(compared)
    suffix = SUFFIX if replicates else ""
    stem = f"kompot_da_{a}_to_{b}"
    lfc = "log fold change of cell density"
    return {
        "lfc": ("obs", f"{stem}_lfc", "log_fold_change", f"natural-{lfc}"),
        "lfc_per_unit": (
            "obs",
            f"{stem}_lfc_per_unit",
            "log_fold_change_per_unit",
            f"natural-{lfc} for an increase of a numeric condition by 1",
        ),
        "lfc_zscore": (
            "obs",
            f"{stem}_lfc_zscore{suffix}",
            "log_fold_change_zscore",
            f"z-score of the {lfc}",
        ),
        "neg_log10_lfc_ptp": (
            "obs",
            f"{stem}_neg_log10_lfc_ptp{suffix}",
            "ptp",
            f"-log10 tail probability of the {lfc}",
        ),
        "pvalue": (
            "obs",
            f"{stem}_lfc_pvalue{suffix}",
            "lfc_pvalue",
            f"two-sided p-value of the {lfc}",
        ),
        "qvalue": (
            "obs",
            f"{stem}_lfc_qvalue{suffix}",
            "lfc_qvalue",
            f"false discovery rate (Benjamini-Hochberg, over the cells) of the {lfc}",
        ),
        "lfc_direction": (
            "obs",
            f"{stem}_lfc_direction{suffix}",
            "direction",
            "direction of the change: up, down or neutral",
        ),
        "log_density_reference": (
            "obs",
            f"kompot_da_{a}_log_density",
            "density",
            f"natural log of the density of {reference} cells",
        ),
        "log_density_compared": (
            "obs",
            f"kompot_da_{b}_log_density",
            "density",
            f"natural log of the density of {compared} cells",
        ),
    }


def stem_of(conditions):
    """Beginning of the names of the fields of expression of two conditions."""
    return f"kompot_de_{'_to_'.join(map(safe, conditions))}"


def expression_fields(reference, compared, replicates=False, calibrated=False):
    """Field of each differential-expression result: {role: (slot, name, type, description)}.

    A calibrated test gives q-values; a null of genes the local FDR of the distance.
    """
    a, b = safe(reference), safe(compared)
    suffix = SUFFIX if replicates else ""
    stem = f"kompot_de_{a}_to_{b}"
    distance = "Mahalanobis distance of the fold change"
    uncalibrated = {
        "local_fdr": (
            "var",
            f"{stem}_mahalanobis_local_fdr{suffix}",
            "mahalanobis_local_fdr",
            f"local false discovery rate of the {distance}",
        ),
        "pvalue": (
            "var",
            f"{stem}_mahalanobis_pvalue{suffix}",
            "mahalanobis_pvalue",
            "share of null distances at least as large",
        ),
        "tail_fdr": (
            "var",
            f"{stem}_mahalanobis_tail_fdr{suffix}",
            "mahalanobis_tail_fdr",
            f"tail false discovery rate of the {distance}",
        ),
    }
    tested = {
        "standardised": (
            "var",
            f"{stem}_standardised_distance{suffix}",
            "standardised_distance",
            "size of the change, about 1 for unchanged genes",
        ),
        "adjusted_lfc": (
            "var",
            f"{stem}_adjusted_lfc{suffix}",
            "adjusted_log_fold_change",
            "log2 fold change of normalised counts between cells of the same state, adjusted as in "
            "the test",
        ),
        "lfc_per_unit": (
            "var",
            f"{stem}_lfc_per_unit{suffix}",
            "log_fold_change_per_unit",
            "adjusted log2 fold change for an increase of a numeric condition by 1",
        ),
        "pvalue": ("var", f"{stem}_pvalue{suffix}", "pvalue", "p-value of the change"),
        "qvalue": (
            "var",
            f"{stem}_qvalue{suffix}",
            "qvalue",
            "false discovery rate (Benjamini-Hochberg)",
        ),
    }
    located = {
        "changed_share": (
            "var",
            f"{stem}_changed_share{suffix}",
            "changed_share",
            "share of the cells in states where the called gene changes",
        ),
        "pattern": (
            "var",
            f"{stem}_pattern{suffix}",
            "pattern",
            "where the gene changes: everywhere, in a region, or in opposite directions",
        ),
        "strongest_type": (
            "var",
            f"{stem}_strongest_type{suffix}",
            "strongest_type",
            "cell type in which the gene changes most",
        ),
        "strongest_type_lfc": (
            "var",
            f"{stem}_strongest_type_lfc{suffix}",
            "strongest_type_lfc",
            "log2 fold change in that type",
        ),
    }
    return (tested | located if calibrated else uncalibrated) | {
        "mahalanobis": ("var", f"{stem}_mahalanobis{suffix}", "mahalanobis", distance),
        "mean_lfc": (
            "var",
            f"{stem}_mean_lfc",
            "mean_log_fold_change",
            "mean fold change over the evaluated cells, in units of the expression layer",
        ),
        "is_de": (
            "var",
            f"{stem}_is_de{suffix}",
            "is_de",
            "whether the q-value (or the local FDR, with null genes) is below the threshold",
        ),
        "neg_log10_ptp": (
            "var",
            f"{stem}_neg_log10_ptp{suffix}",
            "ptp",
            "-log10 posterior tail probability of the squared distance (chi-squared)",
        ),
        "block": (
            "obs",
            f"{stem}_block",
            "block",
            "block of cells with similar states, of those that the test compares (-1: none)",
        ),
        "condition": (
            "obs",
            f"{stem}_condition",
            "condition",
            "condition to whose model the cell contributes",
        ),
        "sample": (
            "obs",
            f"{stem}_sample",
            "sample",
            "sample of the cell, of those that count (the condition, without samples)",
        ),
        "size_factor": (
            "obs",
            f"{stem}_size_factor",
            "size_factor",
            "by which normalised counts of the cell are multiplied for counts per 10,000 that the "
            "samples have in common",
        ),
        "noise": (
            "var",
            f"{stem}_noise",
            "noise",
            "standard deviation of the noise, in units of the expression layer",
        ),
        "signal_to_noise": (
            "var",
            f"{stem}_signal_to_noise",
            "signal_to_noise",
            "prior variance of the smoothed expression relative to the variance of the noise",
        ),
        "std_reference": (
            "obs",
            f"kompot_de_{a}_std",
            "std",
            f"posterior standard deviation of smoothed expression in {reference}, root mean square "
            "over the genes (the same for all of them where gp.sigma is given)",
        ),
        "std_compared": (
            "obs",
            f"kompot_de_{b}_std",
            "std",
            f"posterior standard deviation of smoothed expression in {compared}, root mean square "
            "over the genes (the same for all of them where gp.sigma is given)",
        ),
        "smoothed_reference": (
            "layers",
            f"kompot_de_{a}_smoothed",
            "smoothed",
            f"smoothed expression in {reference}",
        ),
        "smoothed_compared": (
            "layers",
            f"kompot_de_{b}_smoothed",
            "smoothed",
            f"smoothed expression in {compared}",
        ),
        "fold_change": (
            "layers",
            f"{stem}_fold_change",
            "fold_change",
            f"smoothed expression in {compared} minus that in {reference}",
        ),
        "fold_change_zscores": (
            "layers",
            f"{stem}_fold_change_zscores{suffix}",
            "fold_change_zscores",
            "fold change divided by its posterior standard deviation",
        ),
        "phi": ("obsm", f"{stem}_basis", "basis", "basis functions at each cell"),
        "relative_std_reference": (
            "obsm",
            f"kompot_de_{a}_relative_std",
            "std",
            f"posterior standard deviation of smoothed expression in {reference}, relative to the "
            "noise of a gene: a column for each signal-to-noise ratio of the genes, increasing",
        ),
        "relative_std_compared": (
            "obsm",
            f"kompot_de_{b}_relative_std",
            "std",
            f"posterior standard deviation of smoothed expression in {compared}, relative to the "
            "noise of a gene: a column for each signal-to-noise ratio of the genes, increasing",
        ),
        "coefficients_reference": (
            "varm",
            f"kompot_de_{a}_coefficients",
            "coefficients",
            f"weights of the basis in {reference}: basis @ weights' is the smoothed layer",
        ),
        "coefficients_compared": (
            "varm",
            f"kompot_de_{b}_coefficients",
            "coefficients",
            f"weights of the basis in {compared}: basis @ weights' is the smoothed layer",
        ),
        "mean_lfc_groups": (
            "varm",
            f"{stem}_mean_lfc_groups",
            "mean_log_fold_change",
            "mean fold change over the cells of each group",
        ),
        "adjusted_lfc_groups": (
            "varm",
            f"{stem}_adjusted_lfc_groups{suffix}",
            "adjusted_log_fold_change",
            "log2 fold change of normalised counts between cells of the same state in each group, "
            "adjusted as in the test",
        ),
        "mahalanobis_groups": (
            "varm",
            f"{stem}_mahalanobis_groups{suffix}",
            "mahalanobis",
            f"{distance} over the cells of each group",
        ),
        "local_fdr_groups": (
            "varm",
            f"{stem}_mahalanobis_local_fdr_groups",
            "mahalanobis_local_fdr",
            f"local false discovery rate of the {distance} over the cells of each group",
        ),
        "pvalue_groups": (
            "varm",
            f"{stem}_pvalue_groups{suffix}",
            "pvalue",
            "p-value of the change within the cells of each group",
        ),
        "qvalue_groups": (
            "varm",
            f"{stem}_qvalue_groups{suffix}",
            "qvalue",
            "false discovery rate (Benjamini-Hochberg over genes and groups together)",
        ),
        "is_de_groups": (
            "varm",
            f"{stem}_is_de_groups",
            "is_de",
            "whether the q-value (or the local FDR, with null genes) is below the threshold in "
            "each group",
        ),
    }
