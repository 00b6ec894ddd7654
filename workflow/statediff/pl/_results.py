"""What the figures read: the results that an AnnData holds and records."""

import json

import numpy as np

from statediff import InputError
from statediff.abundance import in_log2
from statediff.conventions import LN2
from statediff.fields import abundance_fields, expression_fields, stem_of
from statediff.messages import listed

# Number of genes shown by default.
MOST_GENES = 20
ROLES = ("reference", "compared")


class Run:
    """The results of an analysis in an AnnData, by role."""

    def __init__(self, adata, reference, compared):
        self._adata = adata
        record = adata.uns.get(self.key)
        if record is None:
            raise InputError(
                f"uns[{self.key!r}]: found nothing; sd.tl.{self.function}, or the workflow, "
                "writes it"
            )
        self.analyses = [entry["params"] for entry in json.loads(record["run_history"])]
        for info in reversed(self.analyses):
            found = info["condition1"], info["condition2"]
            if (reference or found[0], compared or found[1]) == found:
                break
        else:
            pairs = "; ".join(f"{run['condition1']}, {run['condition2']}" for run in self.analyses)
            raise InputError(
                f"reference and compared: found {reference!r} and {compared!r}; expected the "
                f"conditions of an analysis in uns[{self.key!r}]: {pairs}"
            )
        self.info, self.conditions = info, found
        self.column, self.sample = info["groupby"], info["sample_col"]
        self._fields = self.fields_of(*found, self.sample is not None)

    def has(self, role):
        """Whether the AnnData has results of this role."""
        slot, name, *_ = self._fields.get(role, ("obs", ""))
        return name in getattr(self._adata, slot)

    def __getitem__(self, role):
        slot, name, *_ = self._fields[role]
        return np.asarray(getattr(self._adata, slot)[name])

    def labels(self):
        """Condition of each cell, as text."""
        return self._adata.obs[self.column].astype(str).to_numpy()


class Abundance(Run):
    """The results of differential abundance, in log2."""

    key, function = "kompot_da", "abundance"
    fields_of = staticmethod(abundance_fields)

    def __getitem__(self, role):
        return in_log2({role: super().__getitem__(role)})[role]

    def significance(self):
        """−log10 of the statistic by which cells are called, its name, and the thresholds."""
        thresholds, tested = self.info["threshold"], self.has("qvalue")
        tiny = np.finfo(float).tiny
        return {
            "significance": -np.log10(np.maximum(self["qvalue"], tiny))
            if tested
            else self["neg_log10_lfc_ptp"],
            "measure": "q-value" if tested else "posterior tail probability",
            "lfc_threshold": thresholds["lfc_threshold"] / LN2,
            "threshold": thresholds["fdr_threshold" if tested else "ptp_threshold"],
        }


class Expression(Run):
    """The results of differential expression."""

    key, function = "kompot_de", "expression"

    def __init__(self, adata, reference, compared):
        super().__init__(adata, reference, compared)
        self.threshold = self.info["fdr"]["threshold"]
        self.ranking = "pvalue" if self.has("qvalue") else "mahalanobis"

    @staticmethod
    def fields_of(reference, compared, has_samples):
        calibrated = expression_fields(reference, compared, has_samples, True)
        return expression_fields(reference, compared, has_samples) | calibrated

    def order(self):
        """Columns of the genes, those with the strongest evidence of change first."""
        from statediff.significance import rank_genes

        names = [name for name in ("pvalue", "standardised", "mahalanobis") if self.has(name)]
        return rank_genes({name: self[name] for name in names}, self.ranking)

    def regions(self):
        """Cell types in which each called gene changes; None if this is unknown."""
        table = self._adata.uns.get(f"{stem_of(self.conditions)}_gene_regions")
        return None if table is None or "cell_type" not in table else table

    def changed(self, genes, types):
        """Whether genes change significantly in some cells of types; None if it is unknown."""
        import pandas as pd

        table = self.regions()
        if table is None:
            return None
        known = pd.crosstab(table["gene"].astype(str), table["cell_type"].astype(str)) > 0
        return known.reindex(index=list(genes), columns=list(types), fill_value=False)

    def difference(self, genes):
        """Difference of the coefficients of some genes, shape (r, genes)."""
        reference, compared = (self[f"coefficients_{role}"][genes] for role in ROLES)
        return (compared - reference).T


def coordinates(adata, basis):
    """Two coordinates of each cell, and their names."""
    from statediff.comparison import coordinates_of

    name = basis.removeprefix("X_").upper()
    return coordinates_of(adata, basis, "basis")[:, :2], [f"{name} {i}" for i in (1, 2)]


def types_of(adata, column):
    """Cell type of each cell, as a categorical."""
    if column not in adata.obs:
        raise InputError(f"cell_type: no obs column {column!r}; there are: {listed(adata.obs)}")
    return adata.obs[column].astype("category").cat.remove_unused_categories().array


def labels_of(adata):
    """Names of the genes."""
    return adata.var_names.to_numpy(dtype=object)


def columns_of(adata, run, genes):
    """Columns of some genes, or of those with the strongest evidence of change."""
    from statediff.comparison import genes_of

    if genes is None:
        return run.order()[:MOST_GENES]
    return genes_of(adata, genes)


def fold_changes_of(adata, run, genes, cell_type):
    """Mean log fold change of genes over the cells of each type."""
    from statediff.tables import fold_changes_by_type

    columns = columns_of(adata, run, genes)
    return fold_changes_by_type(
        run["phi"], run.difference(columns), adata.var_names[columns], types_of(adata, cell_type)
    )


def measured(adata, genes, layer):
    """Measured expression of genes at all cells, dense."""
    part = adata[:, list(genes)]
    values = part.X if layer is None else part.layers[layer]
    return values.toarray() if hasattr(values, "toarray") else np.asarray(values)


def colors_of(adata, column, shown):
    """Colours of the data set for some levels of a column, as an argument; empty without any."""
    colors, levels = adata.uns.get(f"{column}_colors"), adata.obs[column].astype("category").cat
    if colors is None or len(colors) != len(levels.categories):
        return {}
    palette = dict(zip(map(str, levels.categories), colors, strict=True))
    known = all(name in palette for name in shown)
    return {"colors": [palette[name] for name in shown]} if known else {}


def finished(figure, save, show):
    """Write the figure to a file, and display it, if requested."""
    from statediff.plots.style import style

    if save is not None:
        with style():
            figure.savefig(save, dpi=300)
    if show:
        from IPython.display import display

        display(figure)
    return figure
