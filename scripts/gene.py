"""Print the smoothed expression of a gene at every cell as TSV, and its fold change.

The standard deviations are the root mean square over all genes (`statediff.layers.smoothed_genes`).

python scripts/gene.py results/<dataset>/<contrast>/adata.h5ad <reference> <compared> <gene>
"""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from statediff import InputError
from statediff.layers import smoothed_genes

if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    # A reader that has seen enough, as `head`, ends this without a traceback.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    path, reference, compared, gene = sys.argv[1:]
    try:
        table = smoothed_genes(path, [gene], reference, compared)[gene]
    except InputError as error:
        sys.exit(f"Error: {error}")
    table.to_csv(sys.stdout, sep="\t", float_format="%.6g")
