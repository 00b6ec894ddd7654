"""Calibration benchmark: every test of the workflow, and others, on simulations with known truth.

`grid` names the simulations and `data` makes them; `published`, `competitors` and `ours` hold the
methods, by name, in the dictionaries EXPRESSION and ABUNDANCE; `scoring` compares their answers
with the truth; `report` draws the tables and figures of docs/calibration.md. The Snakefile runs
all of it (`make calibration`).

A method of EXPRESSION takes a `data.Dataset` and returns three arrays of one value a gene:
p-values (or None), what is called below 0.05 (q-values or local FDR), and the score that ranks
genes, larger for more changed. One of ABUNDANCE returns, per cell, the natural-log fold change, its
z-score (or None), and what is called below 0.05 (or None).
"""
