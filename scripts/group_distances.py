"""Mean fold change and Mahalanobis distance of all genes in each group; of null genes, if any."""

import h5py
import numpy as np
from _fit import ROLES, read_parts, read_posteriors, read_signal
from _job import run
from statediff.basis_values import phi_means, triangular_factors
from statediff.expression_statistics import distances_in_group
from statediff.store import read_arrays, take_rows, write_arrays

# Genes whose coefficients are read at a time.
GENES = 1024


def main(job):
    groups, _ = read_arrays(job.input.groups, "names", "masks", "left_out")
    names, masks = (groups[name][~groups["left_out"]] for name in ("names", "masks"))
    _, described = read_arrays(job.input.fit, "phi_mean")
    model, found, null = (read_posteriors(job.input.fit), described), {"mahalanobis": []}, None
    if job.input.get("null"):
        null, found["null"] = read_arrays(job.input.null)[0], []
        noise = [null[f"noise_{role}"] for role in ROLES] if job.input.get("noise") else None
        null = null["difference"], null.get("between"), read_signal(job.input.null), noise
    with h5py.File(job.input.fit, "r") as fit:
        means = phi_means(fit["phi"], masks)
        found["mean_lfc"] = np.hstack([means @ part[0] for part in read_parts(job.input, GENES)])
        # A group at a time: its matrices are as large as the basis, for each signal-to-noise ratio.
        for mask, factor in zip(masks, triangular_factors(fit["phi"], masks), strict=True):
            cells = factor, lambda mask=mask: take_rows(fit["phi"], np.flatnonzero(mask))
            parts = read_parts(job.input, GENES)
            found["mahalanobis"].append(distances_in_group(*cells, *model, parts))
            if null:
                found["null"].append(distances_in_group(*cells, *model, [null]))
    arrays = {name: np.array(values) for name, values in found.items() if len(values)}
    write_arrays(job.output[0], {"names": names} | arrays)


if __name__ == "__main__":
    run(main, snakemake)
