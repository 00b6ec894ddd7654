"""Two conditions in an AnnData: input and output of `statediff.tl`."""

import numpy as np
from scipy import sparse

from statediff import InputError
from statediff.contrast import find_cells
from statediff.expression_fit import choose_basis
from statediff.expression_layer import LayerCheck, find_normalisation, non_negative
from statediff.fields import group_column
from statediff.messages import close_matches, listed
from statediff.observations import UNKNOWN, FrameObservations
from statediff.states import known_eigenvalues, states_in_metric
from statediff.store import labels_of, read_rows, row_blocks
from statediff.tables import with_fields

__all__ = [
    "Comparison",
    "coordinates_of",
    "expression_of",
    "genes_of",
    "states_of",
    "write_results",
]

#: Key of uns with the eigenvalues of the diffusion components, as Palantir leaves them.
EIGENVALUES = "DM_EigenValues"
ROLES = ("reference", "compared")


class Comparison:
    """Two conditions of the cells of an AnnData.

    Parameters
    ----------
    adata : anndata.AnnData
        May be backed.
    contrast : dict
        Entry of `contrasts` in the configuration, with all keys; `cells` may also be a mask.
    layer : str or None
        Layer of log-normalised expression; X by default.

    Attributes
    ----------
    obs : statediff.observations.FrameObservations
    contrast : dict
        With `reference` and `compared` of a numeric condition: its lower and its upper half.
    members, described : dict
        Arrays and attributes from `statediff.contrast.find_cells`.
    matrix : h5py.Group or scipy.sparse.csr_matrix, shape (cells, genes)
        Expression in single precision.
    """

    def __init__(self, adata, contrast, layer):
        for axis, names in (("obs", adata.obs_names), ("var", adata.var_names)):
            if not names.is_unique:
                raise InputError(f"{axis}_names: some occur more than once; expected unique names")
        self._adata, self._layer = adata, layer
        self.obs, self.contrast = FrameObservations(adata.obs), _completed(contrast)
        self.members, self.described = find_cells(
            self.obs, self.contrast, "", lambda: coordinates_of(adata, next(iter(adata.obsm)), "")
        )
        self.matrix, self._check = expression_of(adata, layer)

    @property
    def conditions(self):
        """Names of the reference and of the compared condition."""
        return tuple(self.contrast[role] for role in ROLES)

    @property
    def has_samples(self):
        """Whether the cells are of samples."""
        return "sample" in self.members

    def values(self, counts):
        """The matrix to be tested, and how it becomes counts per 10,000.

        Parameters
        ----------
        counts : str or None
            Layer of raw counts, "X" or "raw".

        Returns
        -------
        matrix : scipy.sparse.csr_matrix or h5py.Group
        normalisation : statediff.normalisation.Normalisation
        """
        blocks = None
        if counts is not None:
            matrix, columns = self._counts(counts)

            def blocks():
                return non_negative(row_blocks(matrix), columns)

        normalisation, of_counts = find_normalisation(self.matrix, blocks)
        self._check.warn(normalisation.transform is None)
        if not of_counts:
            return self.matrix, normalisation
        return sparse.vstack([part for _, part, _ in blocks()], format="csr"), normalisation

    def basis(self, states, metric, gp):
        """States in the metric of the models, the metric, and what `choose_basis` returns."""
        points, metric = states_of(self._adata, states, metric)
        chosen = choose_basis(points, self.members, lambda cells: read_rows(self.matrix, cells), gp)
        return points, metric, chosen

    def labels(self):
        """Condition of each cell, as a categorical."""
        return self._adata.obs[self.contrast["column"]].astype("category").array

    def types(self, column):
        """Cell type of each cell as a categorical, one for all without a column."""
        import pandas as pd

        if column is None:
            return pd.Categorical(["all cells"] * self.obs.n_cells)
        if column not in self._adata.obs:
            raise InputError(
                f"cell_type: no obs column {column!r}; there are: {listed(self.obs.columns)}"
            )
        types = self._adata.obs[column].astype("category").cat.remove_unused_categories().array
        missing = types.isna().any()
        return types.add_categories(UNKNOWN).fillna(UNKNOWN) if missing else types

    def genes(self):
        """Names of the genes, and the names by which they are shown."""
        names = self._adata.var_names.to_numpy(dtype=object)
        if "feature_name" not in self._adata.var:
            return names, names
        return names, labels_of(names, *FrameObservations(self._adata.var).levels("feature_name"))

    def settings(self, states, gp, used):
        """Settings for the record of a run: of the contrast, and those that were chosen."""
        cells = self.contrast["cells"]
        gp = {key: value for key, value in (gp | used).items() if value is not None}
        named = {"cells": "a mask" if isinstance(cells, np.ndarray) else cells}
        shared = {"states": states, "gp": gp, "conventions": "standard", "groups": None}
        return self.contrast | named | shared

    def _counts(self, name):
        """Matrix of raw counts, and its columns of the genes."""
        adata = self._adata
        if name == "raw" and adata.raw is not None:
            columns = adata.raw.var_names.get_indexer(adata.var_names)
            if (columns < 0).any():
                missing = listed(adata.var_names[columns < 0])
                raise InputError(f"counts: raw has no genes {missing}; expected all of var")
            return _as_csr(adata.raw.X), columns
        layer = None if name == "X" else name
        return _layer_of(adata, layer, "counts"), np.arange(adata.n_vars)


def coordinates_of(adata, key, option):
    """Coordinates of the cells in obsm, as a dense array of finite numbers.

    Parameters
    ----------
    adata : anndata.AnnData
    key, option : str
        Key of obsm, and the argument that names it.

    Returns
    -------
    ndarray, shape (cells, D)

    Raises
    ------
    InputError
        If there is no such key, or it does not hold finite numbers.
    """
    if key not in adata.obsm:
        raise InputError(f"{option}: no obsm key {key!r}; there are: {listed(adata.obsm)}")
    values = adata.obsm[key]
    try:
        values = np.asarray(values.toarray() if sparse.issparse(values) else values, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{option}: obsm {key!r} is not a numeric matrix ({error})") from None
    if bad := int((~np.isfinite(values).all(axis=1)).sum()):
        raise InputError(
            f"{option}: obsm {key!r} holds NaN or infinite values in {bad} cells; expected finite "
            "numbers"
        )
    return values


def states_of(adata, key, metric):
    """Cell states in obsm, in the metric of the models, and the metric.

    Parameters and errors are those of `coordinates_of` and `statediff.states.states_in_metric`.
    """
    components = coordinates_of(adata, key, "states")
    values = known_eigenvalues(adata.uns.get(EIGENVALUES), components.shape[1])
    return states_in_metric(components, values, metric)


def expression_of(adata, layer):
    """Expression in single precision, and what its values look like.

    Parameters
    ----------
    adata : anndata.AnnData
    layer : str or None
        X by default.

    Returns
    -------
    matrix : h5py.Group or scipy.sparse.csr_matrix, shape (cells, genes)
    check : statediff.expression_layer.LayerCheck

    Raises
    ------
    InputError
        If there is no such layer, or a value is not finite.
    """
    matrix, check = _layer_of(adata, layer, "layer"), LayerCheck(layer or "X")
    blocks = check.checked(row_blocks(matrix), adata.var_names)
    single = sparse.issparse(matrix) and matrix.dtype == np.float32
    if not sparse.issparse(matrix) or (single and matrix.has_canonical_format):
        for _ in blocks:
            pass
        return matrix, check
    return sparse.vstack(list(blocks), format="csr"), check


def genes_of(adata, genes):
    """Columns of genes, by their names.

    Raises
    ------
    InputError
        If a gene is not in var_names; the message has similar names.
    """
    columns = adata.var_names.get_indexer(list(genes))
    if (columns < 0).any():
        unknown = np.array(list(genes), dtype=object)[columns < 0]
        missing = "; ".join(
            f"{gene!r}{close_matches(gene, [*adata.var_names])}" for gene in unknown
        )
        raise InputError(f"genes: not among the {adata.n_vars} genes: {missing}")
    return columns


def write_results(adata, arrays, fields, groups=None):
    """Write results into the slots of an AnnData.

    Parameters
    ----------
    adata : anndata.AnnData
    arrays : dict of ndarray
        By role.
    fields : dict
        Of each role the slot and the name: see `statediff.fields`.
    groups : list of str, optional
        Names of the groups, of roles that end in ``_groups``.

    Returns
    -------
    list of str or None
        Columns of the groups.
    """
    import pandas as pd

    of_slot = {
        slot: {role: field for role, field in fields.items() if field[0] == slot}
        for slot in ("obs", "var", "obsm", "varm")
    }
    adata.obs = with_fields(adata.obs, arrays, of_slot["obs"])
    adata.var = with_fields(adata.var, arrays, of_slot["var"])
    columns = None if groups is None else [group_column(name) for name in groups]
    for role, field in (of_slot["obsm"] | of_slot["varm"]).items():
        values = arrays[role]
        if role.endswith("_groups"):
            values = pd.DataFrame(values.T, index=adata.var_names, columns=columns)
        else:
            values = values.astype(np.float32)
        getattr(adata, field[0])[field[1]] = values
    return columns


def _completed(contrast):
    """A contrast with the names of the halves of a numeric condition."""
    given = [role for role in ROLES if contrast[role] is not None]
    if len(given) == 1:
        raise InputError(
            f"{given[0]}: found alone; expected reference and compared, two levels of the column, "
            "or neither for a column of numbers"
        )
    if given:
        if contrast["reference"] == contrast["compared"]:
            raise InputError(
                f"reference and compared are both {contrast['reference']!r}; expected two "
                "different levels of the column"
            )
        return contrast | {"numeric": False} | {role: str(contrast[role]) for role in ROLES}
    if contrast["sample"] is None and contrast["pair"] is None:
        raise InputError(
            "reference and compared: found neither; expected two levels of the column, or for a "
            "column of numbers its samples (sample)"
        )
    halves = {role: f"{half} {contrast['column']}" for role, half in zip(ROLES, ("low", "high"))}
    return contrast | {"numeric": True} | halves


def _layer_of(adata, layer, option):
    """A layer, or X, as a CSR matrix in memory or in the file of a backed AnnData."""
    if layer is not None and layer not in adata.layers:
        raise InputError(
            f"{option}: no layer {layer!r}; there are: {listed(adata.layers)} (None: X)"
        )
    matrix = adata.X if layer is None else adata.layers[layer]
    if matrix is None:
        raise InputError(
            f"{option}: None stands for X, but there is no X; the layers are: "
            f"{listed(adata.layers)}"
        )
    return _as_csr(matrix)


def _as_csr(matrix):
    """A CSR matrix of any that an AnnData may hold; that of a file stays there."""
    group = getattr(matrix, "group", None)
    if group is not None and getattr(matrix, "format", "") == "csr":
        return group
    if group is not None:
        matrix = matrix.to_memory()
    return sparse.csr_matrix(matrix if sparse.issparse(matrix) else np.asarray(matrix))
