"""Evidence on real data: the workflow with its default settings, beside what is commonly used.

`data` holds the data sets, what is known of them, and mock conditions; `runs` says which files and
configurations the workflow gets, and reads its results; `measures` compares these with what is
known, and with the methods of `calibration.competitors`; `targets` says what the numbers should be,
and `report` writes docs/real-data.md. `python -m real` does all of it (`make evidence-real`). Every
run has a folder of its own in results/evidence-real, and an interrupted one is continued.

The workflow is only ever run as a user would: an h5ad file, one YAML file, `snakemake`. So that
many repetitions share preprocessing and cell states, a file has many columns of mock conditions,
each with a contrast.
"""
