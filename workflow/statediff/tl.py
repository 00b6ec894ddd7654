"""Analyses for notebooks: functions that take an AnnData, add fields to it and return tables.

Numbers, field names and messages are those of the workflow with ``conventions: standard``,
whose stages call the same functions. Arguments have the names and defaults of the
configuration.
"""

import os

import numpy as np

__all__ = ["abundance", "diffusion_maps", "enrichment", "expression", "smooth"]


def diffusion_maps(adata, *, from_="X_pca", key="DM_EigenVectors", n_components=40, knn=30,
                   seed=0, column=None, sample=None, pair=None, copy=False):  # fmt: skip
    """Compute cell states: Palantir's diffusion maps of coordinates integrated over the samples.

    Parameters
    ----------
    adata : anndata.AnnData
    from_ : str
        Key of obsm with principal components.
    key : str
        Key of obsm under which the components are written.
    n_components : int
        Number of components. At least 40 are computed, or the number of cells minus one.
    knn : int
        Number of neighbours of each cell.
    seed : int
    column, sample, pair : str, optional
        Columns of obs with the condition, the samples and the donors of a comparison. The
        principal components are first integrated over the samples, or over the conditions if
        there are no samples. Without `column` they are not integrated.
    copy : bool
        Whether to write into a copy, which is returned.

    Returns
    -------
    anndata.AnnData or None
        The copy, with `copy`. The function writes ``obsm[key]``, shape (cells, components), and
        ``uns["DM_EigenValues"]``.

    Raises
    ------
    InputError
        If a key or a column is missing, or there are too few cells.

    References
    ----------
    Setty et al. (2019), Nature Biotechnology 37, 451–460.

    Examples
    --------
    >>> sd.tl.diffusion_maps(adata, column="Age", sample="sample")
    """
    from statediff import states
    from statediff.comparison import EIGENVALUES, coordinates_of
    from statediff.design import sample_columns
    from statediff.matching import integrate_samples
    from statediff.observations import FrameObservations, combined_levels

    coordinates = coordinates_of(adata, from_, "from_")
    if column is not None:
        named = sample_columns({"sample": sample, "pair": pair, "column": column}) or [column]
        obs = FrameObservations(adata.obs)
        found = [combined_levels(obs, names, "column") for names in ([column], named)]
        coordinates, _ = integrate_samples(coordinates, [found])
    found, values = states.diffusion_maps(coordinates, n_components, knn, seed, "diffusion", "")
    written = adata.copy() if copy else adata
    written.obsm[key], written.uns[EIGENVALUES] = found, values
    return written if copy else None


def abundance(adata, column, reference=None, compared=None, *, sample=None, pair=None, adjust=(),
              cells=None, layer=None, states="DM_EigenVectors", kernel="matern52",
              metric="diffusion", ls=None, ls_factor=None, tol=None, max_rank=2000,
              lfc_threshold=None, fdr_threshold=0.05, min_cells=10, cell_type=None,
              copy=False):  # fmt: skip
    """Test differential abundance: the log ratio of the densities of two conditions at every cell.

    Parameters
    ----------
    adata : anndata.AnnData
        Can be backed.
    column : str
        Column of obs with the condition: levels, or numbers such as an age or a dose.
    reference, compared : str, optional
        Levels of the column. Without them the column must be numeric, and `sample` or `pair` is
        needed.
    sample : str, optional
        Column of obs with the sample (replicate) of each cell.
    pair : str, optional
        Column of obs with the donor, if donors have cells in both conditions.
    adjust : sequence of str
        Columns of obs, constant within each sample, for which the comparison is adjusted.
    cells : dict or array of bool, optional
        Cells to use: ``{column: level or levels}``, or a mask. All cells by default.
    layer : str, optional
        Layer of log-normalised expression, from which the length scale is learnt; X by default.
    states : str
        Key of obsm with the cell states.
    kernel : str
        Name in `statediff.kernels.KERNELS`.
    metric : {"diffusion", "euclidean"}
        With "diffusion", components are weighted by their eigenvalues, which are read from
        ``uns["DM_EigenValues"]``.
    ls, ls_factor : float, optional
        Length scale in units of the states, or the factor of the published rule; learnt by
        default.
    tol : float, optional
        Prior variance that the basis may leave unexplained at a cell.
    max_rank : int
        Largest number of basis functions.
    lfc_threshold : float, optional
        log2 fold change that must be exceeded; 0.289 by default (22 % more, or 18 % fewer, cells).
    fdr_threshold : float
        False discovery rate over the cells.
    min_cells : int
        Smallest number of cells of a sample for estimates of variance.
    cell_type : str, optional
        Column of obs with cell types, for the table.
    copy : bool
        Whether to write into a copy, which is returned with the table.

    Returns
    -------
    table : pandas.DataFrame
        A row for each cell, with the columns of the workflow's ``tables/cells.tsv`` (log2).
    adata : anndata.AnnData
        Only with `copy`. The fields are those of the workflow's AnnData, in natural logarithms as
        Kompot's, such as ``obs["kompot_da_Young_to_Old_lfc"]``, with a record of the run in
        ``uns["kompot_da"]``.

    Raises
    ------
    InputError
        If something in the data or the arguments has to be changed; the message says what.

    Examples
    --------
    >>> cells = sd.tl.abundance(adata, "Age", "Young", "Old", sample="sample")
    """
    from statediff.abundance import calibrated_changes
    from statediff.abundance_fit import fit_abundance
    from statediff.comparison import Comparison, write_results
    from statediff.conventions import LN2, THRESHOLDS
    from statediff.fields import abundance_fields, direction_colors
    from statediff.provenance import abundance_run, run_record
    from statediff.tables import cell_table

    contrast = {"column": column, "reference": reference, "compared": compared, "sample": sample,
                "pair": pair, "adjust": list(adjust), "cells": cells, "min_cells": min_cells,
                "allow_single_condition_variance": False}  # fmt: skip
    gp = {"kernel": kernel, "sigma": None, "ls": ls, "ls_factor": ls_factor, "tol": tol,
          "max_rank": max_rank}  # fmt: skip
    if lfc_threshold is None:
        lfc_threshold = THRESHOLDS["ratio"]
    data = Comparison(adata, contrast, layer)
    types = None if cell_type is None else data.types(cell_type)
    points, metric, (basis, smoothness, tol) = data.basis(states, metric, gp)
    arrays, fitted = fit_abundance(points, data.members, data.described, basis, gp)
    arrays |= calibrated_changes(
        arrays["log_density_compared"] - arrays["log_density_reference"], arrays["log_ratio"],
        arrays["variance"], arrays["freedom"], lfc_threshold * LN2, fdr_threshold,
    )  # fmt: skip
    if "span" in fitted:
        arrays["lfc_per_unit"] = arrays["lfc"] / fitted["span"]
    fields = {
        role: field
        for role, field in abundance_fields(*data.conditions, data.has_samples).items()
        if role in arrays
    }
    written = adata.copy() if copy else adata
    write_results(written, arrays, fields)
    scales = {key: fitted[key] for key in ("ls", "amplitude") if key in fitted}
    chosen = scales | {"metric": metric, "tol": tol, "learnt": smoothness is not None}
    settings = data.settings(states, gp, chosen)
    settings["abundance"] = {"lfc_threshold": lfc_threshold, "fdr_threshold": fdr_threshold}
    entry, key = abundance_run(fields, settings), "kompot_da"
    written.uns[key] = run_record(fields, entry, written.uns.get(key))
    written.uns[f"{fields['lfc_direction'][1]}_colors"] = direction_colors()
    table = cell_table(data.obs.names(), data.labels(), arrays, types)
    return (table, written) if copy else table


def expression(adata, column, reference=None, compared=None, *, sample=None, pair=None, adjust=(),
               cells=None, groups=None, layer=None, counts=None, states="DM_EigenVectors",
               blocks_from="X_pca", kernel="matern52", metric="diffusion", ls=None,
               ls_factor=None, tol=None, max_rank=2000, lfc=0.0, threshold=0.05, block_cells=80,
               seed=42, min_cells=10, leave_out_small_groups=False, cell_type=None, copy=False,
               threads=None):  # fmt: skip
    """Test differential expression: which genes change, by how much, and in which cells.

    Parameters
    ----------
    adata, column, reference, compared, sample, pair, adjust, cells, states, kernel, metric
        As for `abundance`.
    groups : str or dict, optional
        Column of obs, or named selections of cells. Every gene is also tested within each group.
    layer : str, optional
        Layer of log-normalised expression; X by default.
    counts : str, optional
        Layer of raw counts, or "X" or "raw". Without it, counts per 10,000 are recovered from
        `layer` if it holds their logarithm.
    blocks_from : str
        Key of obsm with the coordinates, such as principal components, in which blocks of cells
        are computed.
    ls, ls_factor, tol, max_rank
        As for `abundance`.
    lfc : float
        Absolute log2 fold change that must be exceeded.
    threshold : float
        False discovery rate.
    block_cells : int
        Average number of cells in a block.
    seed : int
    min_cells : int
        Smallest number of cells of a sample for estimates of variance, and of a condition in a
        group.
    leave_out_small_groups : bool
        Whether groups with fewer cells of a condition are left out.
    cell_type : str, optional
        Column of obs with cell types, in which the changes of a gene are located.
    copy : bool
        Whether to write into a copy, which is returned with the table.
    threads : int, optional
        Number of threads; all of the machine by default.

    Returns
    -------
    table : pandas.DataFrame
        Genes, those with the strongest evidence of change first, with the columns of the
        workflow's ``tables/genes.tsv``.
    adata : anndata.AnnData
        Only with `copy`. The fields are those of the workflow's AnnData, such as
        ``var["kompot_de_Young_to_Old_mean_lfc"]``, with a record of the run in
        ``uns["kompot_de"]``; ``uns["kompot_de_Young_to_Old_gene_regions"]`` is the table of where
        each called gene changes, and ``uns["kompot_de_Young_to_Old_fit"]`` has the numbers of the
        figure `statediff.pl.fit`.

    Raises
    ------
    InputError
        If something in the data or the arguments has to be changed; the message says what.

    Examples
    --------
    >>> genes = sd.tl.expression(adata, "Age", "Young", "Old", sample="sample")
    """
    from tqdm.auto import tqdm

    from statediff.basis_values import Evaluated
    from statediff.comparison import Comparison, coordinates_of, write_results
    from statediff.contrast import describe_depth, group_masks
    from statediff.contrast_blocks import blocks_of_contrast
    from statediff.curves import describe_fit
    from statediff.expression_fit import fit_conditions
    from statediff.expression_statistics import gene_statistics, group_statistics
    from statediff.fields import expression_fields, stem_of
    from statediff.gene_tests import compare_genes, compare_genes_in_groups, locate_genes
    from statediff.observations import find_groups
    from statediff.provenance import expression_run, run_record
    from statediff.samples import describe_cells
    from statediff.significance import called_genes, rank_genes
    from statediff.store import row_blocks
    from statediff.tables import cells_in_blocks, gene_table, region_table, where_changed

    contrast = {"column": column, "reference": reference, "compared": compared, "sample": sample,
                "pair": pair, "adjust": list(adjust), "cells": cells, "min_cells": min_cells,
                "leave_out_small_groups": leave_out_small_groups,
                "allow_single_condition_variance": False}  # fmt: skip
    gp = {"kernel": kernel, "sigma": None, "ls": ls, "ls_factor": ls_factor, "tol": tol,
          "max_rank": max_rank}  # fmt: skip
    fdr = {"blocks_from": blocks_from, "block_cells": block_cells, "seed": seed, "lfc": lfc,
           "threshold": threshold}  # fmt: skip
    threads = threads or os.cpu_count()
    progress = _Progress(tqdm(total=6, leave=False))

    # The data are checked before long computations.
    data = Comparison(adata, contrast, layer)
    members, types = data.members, data.types(cell_type)
    coordinates = coordinates_of(adata, blocks_from, "blocks_from")
    grouped = None
    if groups is not None:
        masks = find_groups(data.obs, groups, "groups", members["evaluated"])
        grouped = group_masks(masks, members, data.contrast, "")
    values = data.values(counts)
    describe_depth(data.contrast, values[1].depth, members, preprocessed=False)
    blocks = blocks_of_contrast(coordinates, members, data.described, fdr, "")

    progress.next("smoothness")
    points, metric, (basis, smoothness, tol) = data.basis(states, metric, gp)
    progress.next("models of both conditions")
    phi = Evaluated(basis, points, constant=True)[:]
    cells = phi, points, members, row_blocks(data.matrix)
    arrays, attributes = fit_conditions(*cells, basis, data.contrast)
    fit = {"phi": phi} | arrays, attributes
    arrays = fit[0] | gene_statistics(*fit, points.shape[1])
    arrays |= {"noise": arrays["signal_noise"]}
    arrays |= {"signal_to_noise": arrays["signal_levels"][arrays["signal_level"]]}
    progress.next("test of all genes")
    tested, effects = compare_genes(*values, *blocks, lfc, seed, threads)
    arrays |= called_genes(tested, threshold)
    arrays |= describe_cells(data.obs, data.contrast, members)
    if values[0] is data.matrix:
        arrays["size_factor"] = values[1].of_samples(members, tested["sample_factors"])
    progress.next("where genes change")
    factors, is_de = tested["sample_factors"], arrays["is_de"]
    located = locate_genes(
        *values, blocks[0], factors, effects, is_de, threshold, lfc, threads
    )  # fmt: skip
    of_types = None if cell_type is None else types.categories
    located = located, cells_in_blocks(blocks[0]["code"][0], types), of_types
    arrays |= where_changed(*located, adata.n_vars) | {"block": blocks[0]["code"][0]}
    if grouped is not None:
        progress.next("groups")
        settings = grouped, fdr, "", threads
        found = compare_genes_in_groups(*values, *blocks, factors, *settings)
        found = called_genes(found, threshold) | group_statistics(*fit, grouped)
        arrays |= {f"{role}_groups": of_role for role, of_role in found.items()}

    progress.next("results")
    fields = {
        role: field
        for role, field in expression_fields(*data.conditions, data.has_samples, True).items()
        if role in arrays and role != "neg_log10_ptp"
    }
    written = adata.copy() if copy else adata
    columns = write_results(written, arrays, fields, arrays.get("names_groups"))
    stem = stem_of(data.conditions)
    of_basis = {"eigenvalues": basis.eigenvalues}
    chosen = {"ls": basis.ls if smoothness is None else smoothness.ls, "metric": metric,
              "tol": tol, "learnt": smoothness is not None}  # fmt: skip
    described = attributes | chosen | {"residual_max": basis.residual_max}
    if smoothness is not None:
        of_basis |= {"multiples": smoothness.multiples, "evidence": smoothness.evidence}
        described["evidence_genes"] = smoothness.genes
    written.uns[f"{stem}_fit"] = describe_fit(
        fit[0] | of_basis, described, lambda: points[members["reference"]]
    )
    names, labels = data.genes()
    regions = region_table(*located, names, rank_genes(arrays, "pvalue"))
    written.uns[f"{stem}_gene_regions"] = regions
    settings = data.settings(states, gp, chosen)
    settings |= {"layer": layer, "fdr": fdr | {"test": "residual"}, "groups": groups}
    least = float(arrays["mahalanobis"][is_de].min()) if is_de.any() else None
    called = {"n_de": int(is_de.sum()), "n_genes": len(names), "mahalanobis_threshold": least,
              "groups": columns, "layer": layer}  # fmt: skip
    entry, key = expression_run(fields, settings, called), "kompot_de"
    written.uns[key] = run_record(fields, entry, written.uns.get(key))
    table = gene_table(names, labels, arrays, "pvalue")
    progress.close()
    return (table, written) if copy else table


def smooth(adata, genes, *, cells=None, layer=None, states="DM_EigenVectors", kernel="matern52",
           metric="diffusion", sigma=None, ls=None, ls_factor=None, tol=None,
           max_rank=2000):  # fmt: skip
    """Smooth the expression of genes along the cell states, in one population of cells.

    Parameters
    ----------
    adata : anndata.AnnData
    genes : sequence of str
        Names in var_names.
    cells : dict or array of bool, optional
        The population: ``{column: level or levels}``, or a mask. All cells by default.
    layer, states, kernel, metric, ls, ls_factor, tol, max_rank
        As for `abundance`.
    sigma : float, optional
        Standard deviation of the noise, the same for every gene; learnt by default.

    Returns
    -------
    anndata.AnnData, shape (cells, genes)
        X holds the smoothed expression at all cells and ``layers["expression"]`` the measured
        expression. ``obs["in_population"]`` marks the cells of the population,
        ``obs["smoothed_std"]`` is the posterior standard deviation (root mean square over the
        genes), and ``uns["smooth"]`` holds the settings.

    Raises
    ------
    InputError
        If a gene, a column or a key is missing, or fewer than 10 cells are left.

    Examples
    --------
    >>> smoothed = sd.tl.smooth(adata, ["CD34"], cells={"Age": "Old"})
    """
    from anndata import AnnData

    from statediff import InputError
    from statediff.basis_values import values_at
    from statediff.comparison import expression_of, genes_of, states_of
    from statediff.observations import FrameObservations, select_cells
    from statediff.smoothing import fit_population
    from statediff.store import read_columns, read_rows

    population = select_cells(FrameObservations(adata.obs), cells, "cells")
    columns = genes_of(adata, genes)
    if (n := int(population.sum())) < 10:
        raise InputError(f"cells: {n} cells are left, expected at least 10")
    matrix, _ = expression_of(adata, layer)
    measured = read_columns(matrix, columns)
    gp = {"kernel": kernel, "sigma": sigma, "ls": ls, "ls_factor": ls_factor,
          "tol": tol if tol is not None or (ls is None and ls_factor is None) else 1e-6,
          "max_rank": max_rank}  # fmt: skip
    points, _ = states_of(adata, states, metric)
    phi, weights, mean, std, used = fit_population(
        points, population, measured, lambda rows: read_rows(matrix, rows), gp
    )
    obs = adata.obs.assign(in_population=population, smoothed_std=std.astype(np.float32))
    return AnnData(
        (values_at(phi, weights) + mean).astype(np.float32),
        obs=obs,
        var=adata.var.iloc[columns],
        obsm={key: value for key, value in adata.obsm.items() if key.startswith("X_")},
        layers={"expression": measured},
        uns={"smooth": used},
    )


def enrichment(genes, gmt, *, categories=(), genome_genes=None, seed=42, threads=None):
    """Test gene sets of files for enrichment among the called genes and at the ends of the ranking.

    This needs gseapy, which the extra `workflow` installs.

    Parameters
    ----------
    genes : pandas.DataFrame
        From `expression`.
    gmt : path or sequence of path
        GMT files, such as those of MSigDB, with the gene names of the data.
    categories : sequence of str
        Names of files, without ``.gmt``, whose terms are kept; all by default.
    genome_genes : int, optional
        Number of genes of the genome, if the background is the whole genome; by default the
        background is the tested genes.
    seed : int
        Seed of the permutations of the rank-based test.
    threads : int, optional
        Number of threads; all of the machine by default.

    Returns
    -------
    pandas.DataFrame
        A row for each term and set of genes (`all`, `up`, `down`, and the ends of the ranking),
        with the columns of the workflow's ``tables/enrichment.tsv``.

    Raises
    ------
    InputError
        If a file has another format, or other gene names.

    Examples
    --------
    >>> terms = sd.tl.enrichment(genes, "h.all.v2025.1.Hs.symbols.gmt")
    """
    from statediff.enrichment import finished, local_enrichment, read_gene_sets

    paths = [gmt] if isinstance(gmt, str | os.PathLike) else list(gmt)
    sets = read_gene_sets(paths, set(genes["gene"]))
    tables, _ = local_enrichment(genes, sets, genome_genes, seed, threads or os.cpu_count())
    return finished(tables, categories)


class _Progress:
    """A progress bar that names the current step."""

    def __init__(self, bar):
        self._bar, self._begun = bar, False

    def next(self, step):
        """Begin a step."""
        self._bar.update(int(self._begun))
        self._begun = True
        self._bar.set_description(step)

    def close(self):
        """Remove the bar."""
        self._bar.close()
