"""A first configuration for a file, guessed from its slots and columns."""

import re

import numpy as np
import yaml
from scipy import sparse

from statediff.annotation import resembles_samples
from statediff.linear import infer_transform
from statediff.messages import listed
from statediff.observations import FrameObservations

__all__ = ["propose"]

# Cells whose expression, and whose annotation, is looked at.
ROWS, CELLS = 300, 20_000
# Levels of a column that may be a condition or cell types.
MOST_CONDITIONS, MOST_TYPES = 12, 100
# Words in the names of columns, the likeliest first.
CONDITION = (
    r"condition|treat|stim|genotype|knock|tumou?r|perturb",
    r"disease|diagnosis|status|group",
    r"\bage\b|^age|time|stage|dose|sex",
)
CELL_TYPE = (
    r"cell[._ ]?type|celltype",
    r"annot|identity|subtype|lineage",
    r"cluster|leiden|louvain",
)
BATCH = (r"batch|lane|pool|run|library|chemistry|plate",)
COMPONENTS = ("X_pca_harmony", "X_scVI", "X_scvi", "X_pca", "X_PCA", "PCA", "pca")
EMBEDDINGS = ("X_umap", "X_UMAP", "UMAP", "umap", "X_tsne", "X_TSNE", "X_fdg", "X_draw_graph_fa")
STATES = "DM_EigenVectors"


def propose(source, path, name):
    """Propose a configuration for a user's file.

    Parameters
    ----------
    source : statediff.h5ad.Source
    path : str
        As it goes into the configuration.
    name : str
        Folder of the results.

    Returns
    -------
    str
        YAML with comments: contents of the file, alternatives, and entries to fill in.
    """
    obs = FrameObservations(source.obs)
    coordinates = _first(COMPONENTS, source.keys("obsm"))
    lines = ["dataset:", f"  name: {_safe(name)}", f"  source: {{path: {_quoted(path)}}}"]
    lines += _expression(source)
    types = _column(obs, CELL_TYPE, MOST_TYPES)
    others = [f"; or {listed(types[1:4])}" if len(types) > 1 else ""]
    lines.append(f"  cell_type: {_quoted(types[0]) if types else 'null'}  # obs column{others[0]}")
    lines += _coordinates(source.keys("obsm"), coordinates, "preprocess: {" in "\n".join(lines))
    lines += _contrasts(source, obs, coordinates)
    if any("key: DM_EigenVectors" in line for line in lines):
        lines.append(f"fdr: {{blocks_from: {coordinates or 'FILL_IN'}}}  # principal components")
    return "\n".join(lines) + "\n"


def _expression(source):
    """Layer of log expression, or the counts to make it from."""
    found = {}
    for layer in [*source.keys("layers"), *(["X"] if source.has_x else [])]:
        key = "X" if layer == "X" else f"layers/{layer}"
        transform = infer_transform(_rows(source.matrix(key, f"layer {layer}")))
        found[layer] = "unknown" if transform is None else transform.name
    seen = "; ".join(f"{layer}: {kind}" for layer, kind in found.items())
    logs = [layer for layer, kind in found.items() if kind.startswith("logarithm")]
    counts = [layer for layer, kind in found.items() if kind == "counts"]
    lines = [f"  # Expression in the file: {seen or 'none'}"]
    if logs:
        lines.append(f"  layer: {'null  # X' if logs[0] == 'X' else _quoted(logs[0])}")
        if counts:
            lines.append(f"  counts: {_quoted(counts[0])}")
    elif counts or source.has_raw:
        name = "null" if counts[:1] == ["X"] else _quoted(counts[0]) if counts else "raw"
        lines.append(f"  preprocess: {{counts: {name}}}  # computes log expression and components")
    else:
        lines.append("  layer: FILL_IN  # log-normalised expression; raw counts: preprocess: {}")
    return lines


def _coordinates(keys, components, preprocessed):
    """Cell states and embedding."""
    start = "" if preprocessed else f"from: {components or 'FILL_IN'}"
    has_states = STATES in keys and not preprocessed
    states = f"{{key: {STATES}}}" if has_states else f"{{compute: {{{start}}}}}"
    drawn = _first(EMBEDDINGS, keys)
    embedding = f"{{key: {drawn}}}" if drawn else f"{{compute: {{{start}}}}}"
    lines = [f"  cell_states: {states}  # obsm of the file: {listed(keys)}"]
    return [*lines, f"  embedding: {embedding}"]


def _contrasts(source, obs, coordinates):
    """The likeliest condition, with its samples, donors and batches."""
    conditions = _column(obs, CONDITION, MOST_CONDITIONS)
    if not conditions:
        return ["contrasts:", "  FILL_IN:", "    column: FILL_IN  # obs column of the conditions",
                "    reference: FILL_IN", "    compared: FILL_IN",
                f"    # obs columns: {listed(obs.columns)}"]  # fmt: skip
    column = conditions[0]
    codes, levels = obs.levels(column)
    sizes = np.bincount(codes[codes >= 0], minlength=len(levels))
    counted = ", ".join(f"{level} ({n:,} cells)" for level, n in zip(levels, sizes) if n)
    reference, compared = _order(dict(zip(levels, sizes)))
    kept = np.isin(codes, [list(levels).index(level) for level in (reference, compared)])
    cells = np.flatnonzero(kept)
    cells = np.sort(np.random.default_rng(0).permutation(cells)[:CELLS])
    labels = codes[cells] == list(levels).index(compared)
    near = np.zeros((len(cells), 1))
    if coordinates is not None:
        near = np.asarray(source.read("obsm", coordinates), dtype=float)[cells]
    samples = {
        one: resembles_samples(one, obs.levels(one)[0][cells], labels, near)
        for one in obs.columns
        if one != column and obs.has_levels(one)
    }
    lines = ["contrasts:", f"  {_safe(compared)}_vs_{_safe(reference)}:",
             f"    column: {_quoted(column)}  # {counted}"]  # fmt: skip
    if len(conditions) > 1:
        lines.append(f"    # other columns that may be conditions: {listed(conditions[1:6])}")
    lines += [f"    reference: {_quoted(reference)}", f"    compared: {_quoted(compared)}"]
    nested = [one for one, kind in samples.items() if kind == "nested"]
    crossed = [one for one, kind in samples.items() if kind == "crossed"]
    if nested:
        lines.append(f"    sample: {_quoted(nested[0])}  # replicates{_alternatives(nested)}")
    if crossed:
        comment = f"  # donors in both conditions{_alternatives(crossed)}"
        lines.append(f"    pair: {_quoted(crossed[0])}{comment}")
    if not nested and not crossed:
        lines.append(
            "    # sample: FILL_IN  # obs column of the animal, donor or library of each cell;"
        )
        lines.append("    #   without replicates, cells are treated as independent")
    batches = [one for one in _column(obs, BATCH, MOST_TYPES) if one not in nested + crossed]
    if batches:
        lines.append(f"    # adjust: [{_quoted(batches[0])}]  # batches, if samples differ in them")
    return lines


def _rows(matrix):
    """Expression of some cells, from the first block of rows."""
    for _, block in matrix.blocks(1 << 22):
        rows = np.random.default_rng(0).permutation(block.shape[0])[:ROWS]
        return sparse.csr_matrix(block[np.sort(rows)])
    return sparse.csr_matrix(matrix.shape)


def _column(obs, patterns, most):
    """Columns with two or more levels and a matching name, the likeliest first."""
    found = []
    for pattern in patterns:
        for column in obs.columns:
            if column in found or not re.search(pattern, column, re.IGNORECASE):
                continue
            if obs.has_levels(column) and 2 <= len(np.unique(obs.levels(column)[0])) <= most:
                found.append(column)
    return found


def _order(sizes):
    """Reference and compared condition: a control, and the largest of the others."""
    control = re.compile(r"ctrl|control|healthy|normal|wild|^wt|untreated|vehicle|young|mock|non",
                         re.IGNORECASE)  # fmt: skip
    levels = [level for level, n in sizes.items() if n]
    reference = min(levels, key=lambda level: not control.search(level))
    return reference, max((level for level in levels if level != reference), key=sizes.get)


def _first(wanted, keys):
    return next((key for key in wanted if key in keys), None)


def _alternatives(columns):
    return f"; or {listed(columns[1:4])}" if len(columns) > 1 else ""


def _safe(name):
    """Name of a folder: the schema allows no other signs."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-")[:30] or "data"


def _quoted(text):
    """Text as YAML, in quotes where it needs some."""
    return yaml.safe_dump(str(text), default_flow_style=True, width=1000).splitlines()[0]
