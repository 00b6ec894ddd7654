"""Write a first configuration for a file, guessed from its layers, coordinates and columns.

python scripts/init.py data.h5ad > my.yaml
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from statediff import InputError
from statediff.proposal import propose
from statediff.source import open_source

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    path = Path(sys.argv[1])
    try:
        with open_source(path) as source:
            print(propose(source, str(path), path.stem), end="")
    except InputError as error:
        sys.exit(f"Error: {error}")
