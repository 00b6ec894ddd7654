"""What kompot's own functions make of an AnnData, as JSON; run in kompot's environment.

python kompot_calls.py adata.h5ad <cell types> <embedding> <group> <gene> <field> <out.json>
"""

import json
import logging
import sys

import anndata
import kompot
import matplotlib
import numpy as np

matplotlib.use("Agg")


class Complaints(logging.Handler):
    """Keeps what kompot warns of: it falls back on something else rather than fail."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.found = []

    def emit(self, record):
        self.found.append(record.getMessage())


def drawn(figure):
    """Points of each axes with a title, and the values they are coloured by."""
    return {
        axes.get_title(): [
            {
                "xy": np.asarray(points.get_offsets()).tolist(),
                "values": None if points.get_array() is None else points.get_array().tolist(),
            }
            for points in axes.collections
        ]
        for axes in figure.axes
        if axes.get_title()
    }


def run_info(adata, kind):
    info = kompot.RunInfo(adata, analysis_type=kind)
    fields = info.get_data()["field_data"]
    return {
        "summary": info.get_summary(),
        "html": info._repr_html_(),
        "fdr": info.get_raw_data().get("fdr_results"),
        "fields": {slot: sorted(names) for slot, names in fields.items()},
        "call": {key: str(value) for key, value in info.call_args().items()},
    }


def bars(figure):
    axes = figure.axes[0]
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    return {
        container.get_label(): dict(
            zip(ticks, [bar.get_height() for bar in container], strict=True)
        )
        for container in axes.containers
    }


def slots(adata):
    names = ("obs", "var", "layers", "obsm", "varm", "uns")
    return {slot: sorted(getattr(adata, slot).keys()) for slot in names}


def main(path, types, embedding, group, gene, field, out):
    complaints = Complaints()
    logging.getLogger("kompot").addHandler(complaints)
    adata = anndata.read_h5ad(path)
    plot, found = kompot.plot, {}
    for kind in ("da", "de"):
        found[f"info_{kind}"] = run_info(adata, kind)
    found["volcano_da"] = drawn(plot.volcano_da(adata, return_fig=True))
    found["volcano_de"] = drawn(plot.volcano_de(adata, return_fig=True))
    found["volcano_of_group"] = None
    if kompot.RunInfo(adata, analysis_type="de").get_summary()["has_groups"]:
        found["volcano_of_group"] = drawn(plot.volcano_de(adata, group=group, return_fig=True))
    found["bars"] = bars(plot.direction_barplot(adata, types, return_fig=True))
    selected = {types: [group]}
    found["groups"] = drawn(
        plot.embedding(adata, embedding, groups=selected, color=field, return_fig=True)
    )
    levels = list(adata.obs[types].cat.categories)
    found["mgroups"] = drawn(
        plot.embedding(
            adata,
            embedding,
            mgroups={level: {types: level} for level in levels},
            color=field,
            return_fig=True,
        )
    )
    heatmap = plot.heatmap(
        adata, groupby=types, fold_change_mode=True, standard_scale=None, return_data=True
    )
    found["heatmap"] = heatmap.fold_changes.to_dict()
    found["gene"] = drawn(plot.plot_gene_expression(adata, gene, basis=embedding, return_fig=True))
    found["gene_title"] = [text.get_text() for text in matplotlib.pyplot.gcf().texts]
    before = slots(adata)
    kompot.cleanup(adata)
    after = slots(adata)
    found["kept"] = after
    found["cleaned"] = {slot: sorted({*before[slot]} - {*after[slot]}) for slot in before}
    found["complaints"] = complaints.found
    with open(out, "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
