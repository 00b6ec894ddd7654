"""What the workflow keeps of a user's file: annotation, coordinates and expression."""

from anndata.io import write_elem

from statediff.expression_layer import LayerCheck, find_normalisation, non_negative
from statediff.inputs import check_names, find_counts, find_genes, find_matrix, read_obsm
from statediff.normalisation import normalise
from statediff.preprocess import EXPRESSION
from statediff.store import write_csr

__all__ = ["store_expression", "store_normalisation"]


def store_expression(source, store, layer, coordinates):
    """Write annotation, coordinates and expression, which are checked on the way.

    Parameters
    ----------
    source : statediff.source.Source
    store : h5py.File
        New, to which obs, var, obsm, uns and X are written.
    layer : str or None
        Layer of expression; X by default.
    coordinates : dict of str
        Keys of obsm, with the option that names each.

    Returns
    -------
    statediff.expression_layer.LayerCheck
        What the expression looks like.

    Raises
    ------
    InputError
        For what is absent or can't be used.
    """
    obs, var = source.obs, source.var
    check_names(obs, var)
    arrays = {key: read_obsm(source, key, option) for key, option in coordinates.items()}
    matrix = find_matrix(source, layer, "dataset.layer")
    unread = [key for key in source.keys("uns") if not _kept(key)]
    for slot, values in (
        ("obs", _with_categories(obs)),
        ("var", _with_categories(var)),
        ("obsm", arrays),
        ("uns", source.readable("uns", unread)),
    ):
        write_elem(store, slot, values)
    values = LayerCheck(layer or "X")
    write_csr(store.create_group("X"), values.checked(matrix.blocks(), var.index), len(var))
    return values


def store_normalisation(source, file, matrix, counts, genes, preprocessed):
    """Write how the stored layer becomes counts per 10,000, or the counts where it does not.

    Parameters
    ----------
    source : statediff.source.Source
    file : h5py.File
        New, to which ``factors``, ``depth`` and, if they are needed, ``counts`` are written.
    matrix : h5py.Group
        The stored expression.
    counts : str or None
        Layer of raw counts, "X" or "raw".
    genes : sequence of str
    preprocessed : bool
        Whether the layer was made from raw counts here, so that its transform is known.

    Returns
    -------
    transform, origin : str
        What the layer is, and what says so.
    """
    origin, blocks = "dataset.layer", None
    if preprocessed:
        found, of_counts, origin = normalise(matrix, EXPRESSION), False, "dataset.preprocess"
    else:
        if counts is not None:
            origin = "dataset.counts"
            values, annotation = find_counts(source, counts, origin)
            columns = find_genes(annotation.index, list(genes), f"{origin} ({counts})")

            def blocks():
                return non_negative(values.blocks(), columns)

        found, of_counts = find_normalisation(matrix, blocks)
    if of_counts:
        write_csr(file.create_group("counts"), (part for _, part, _ in blocks()), len(genes))
    file["factors"], file["depth"] = found.factors, found.depth
    file.attrs.update(found.attributes | {"origin": origin})
    return file.attrs["transform"], origin


def _kept(key):
    """Whether an element of uns is read later: colours, and eigenvalues of diffusion maps."""
    return key.endswith("_colors") or key == "DM_EigenValues"


def _with_categories(table):
    """Table with its text as categories: scanpy draws by them, cellxgene takes nothing else."""
    text = table.select_dtypes(["object", "string"]).astype(object)
    return table.assign(**{name: text[name].astype("category") for name in text})
