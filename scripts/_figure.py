"""Reading what figures show, and saving them as PDF and PNG."""

import h5py
from anndata.io import read_elem
from statediff import provenance
from statediff.store import atomic


class Results:
    """The AnnData of a contrast; reads only what is asked for."""

    def __init__(self, job):
        self.path, self.contrast = job.input.adata, job.params.contrast
        self.conditions = self.contrast["reference"], self.contrast["compared"]

    def read(self, element, default=None):
        with h5py.File(self.path, "r") as file:
            return read_elem(file[element]) if element in file else default

    def result(self, kind, *roles):
        """Result columns (kind abundance or expression), named by their role."""
        replicates = self.contrast["sample"] is not None
        fields = getattr(provenance, f"{kind}_fields")(*self.conditions, replicates)
        slot = fields[roles[0]][0]
        names = {fields[role][1]: role for role in roles}
        return self.read(slot)[list(names)].rename(columns=names)

    def embedding(self, key):
        return self.read(f"obsm/{key}"), [f"{key.removeprefix('X_').upper()} {i}" for i in (1, 2)]

    def colors(self, column, n):
        """The data set's own colours for a categorical column, if it has one for each."""
        found = self.read(f"uns/{column}_colors")
        return list(found) if found is not None and len(found) >= n else None


def save(job, figure):
    for path in (job.output.pdf, job.output.png):
        with atomic(path) as part:
            figure.savefig(part, format=path.rsplit(".", 1)[1], dpi=300)
