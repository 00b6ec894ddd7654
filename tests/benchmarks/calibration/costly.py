"""Peers that take long: tests of all cells together, on fewer data sets."""

from calibration.competitors import pseudobulk_deseq2, wilcoxon

__all__ = ["ABUNDANCE", "EXPRESSION"]

EXPRESSION = {"wilcoxon": wilcoxon, "pseudobulk_deseq2": pseudobulk_deseq2}
ABUNDANCE = {}
