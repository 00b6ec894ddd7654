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
# The same of figures with a panel for each gene.
MOST_PANELS = 4
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

    def pattern(self):
        """Pattern of each gene's change; None for genes that were not localised."""
        found = self["pattern"].astype(object)
        return np.where([isinstance(name, str) for name in found], found, None)

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

    @property
    def layer(self):
        """Layer of the expression that was analysed; None for X."""
        return self.info["layer"]

    def require(self, *roles):
        """Stop if the AnnData lacks results of some roles."""
        for slot, name, *_ in (self._fields[role] for role in roles):
            if name not in getattr(self._adata, slot):
                raise InputError(
                    f"found no {slot} {name!r}; sd.tl.expression and the workflow write it where "
                    "the results have it: repeat an analysis by an earlier version"
                )

    def fit(self):
        """Numbers of the fit: see `statediff.curves.describe_fit`."""
        key = f"{stem_of(self.conditions)}_fit"
        if key not in self._adata.uns:
            raise InputError(
                f"found no uns {key!r}; sd.tl.expression and the workflow write it: repeat an "
                "analysis by an earlier version"
            )
        return self._adata.uns[key]

    def members(self):
        """Masks of the cells of the reference and of the compared condition."""
        self.require("condition")
        return [self["condition"] == name for name in self.conditions]

    def samples(self):
        """Number of the sample of each cell (−1: none), and the condition of each sample (0, 1)."""
        self.require("sample")
        known, (_, compared) = self.column_of("sample").cat, self.members()
        codes = known.codes.to_numpy()
        of_sample = [int(compared[codes == code].any()) for code in range(len(known.categories))]
        return codes, np.array(of_sample)

    def column_of(self, role):
        """The column of obs of a role."""
        return self._adata.obs[self._fields[role][1]]

    def curves(self, genes):
        """Curves of some genes (columns): see `statediff.curves.curves_of_genes`."""
        from scipy import sparse

        from statediff.basis_values import prior_of
        from statediff.curves import curves_of_genes, sample_deviations
        from statediff.expression import relative_eps
        from statediff.smoothness import SignalToNoise

        names = ("noise", "signal_to_noise", *(f"relative_std_{role}" for role in ROLES))
        self.require(*names, "phi", "coefficients_reference", "coefficients_compared")
        phi, sigma = np.asarray(self["phi"], dtype=np.float64), self.info["gp"].get("sigma")
        coefficients = [self[f"coefficients_{role}"][genes].T for role in ROLES]
        levels, level = np.unique(self["signal_to_noise"], return_inverse=True)
        learnt, blank = sigma is None, np.zeros(len(genes))
        mean = coefficients[0][-1] if learnt else blank
        signal = SignalToNoise(levels, level[genes], self["noise"][genes], mean, blank)
        relative = [self[f"relative_std_{role}"] for role in ROLES]
        between = None
        if self.sample is not None:
            codes, of_sample = self.samples()
            samples = [[codes == i for i in np.flatnonzero(of_sample == role)] for role in (0, 1)]
            rank = len(self.fit()["spectrum"])
            functions = phi.shape[1] - learnt
            linear = [phi[cells, rank : functions - 1] for cells in self.members()]
            priors = [prior_of(rank, of_role if functions > rank else None) for of_role in linear]
            priors = [np.pad(prior, ((0, 0), (0, int(learnt)))) for prior in priors]
            names = self._adata.var_names[genes]
            expression = sparse.csr_matrix(measured(self._adata, names, self.layer))
            between = sample_deviations(phi, expression, samples, priors, signal)
        return curves_of_genes(phi, coefficients, relative, signal, relative_eps(sigma), between)

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


def panels_of(adata, run, genes):
    """Columns of some genes, or of a few of each pattern of change: see `first_genes`."""
    from statediff.localisation import first_genes

    if genes is not None:
        return columns_of(adata, run, genes)
    return first_genes(run.order(), run.pattern() if run.has("pattern") else None, MOST_PANELS)


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
    from statediff.plots.style import resolution, style

    if save is not None:
        with style():
            figure.savefig(save, dpi=resolution(save))
    if show:
        from IPython.display import display

        display(figure)
    return figure
