"""Pictures of docs/figures.md and of the first page, from figures of the demo (`make gallery`)."""

from pathlib import Path

from PIL import Image

IMAGES = Path(__file__).parent / "images"
# Pixels: widest and highest of a figure, height of the row on the first page, space in it.
MOST, ROW, GAP = 1100, 620, 24
ROW_OF = ("cell_type", "abundance_change", "expression_volcano")
# By published conventions, whose null is one of distances.
RUNS = {"simulated_bone_marrow": "", "demo_by_kompot": "_of_distances"}


def picture(path):
    """A figure on white."""
    with Image.open(path) as image:
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
    return white


def main():
    found = {}
    for run, suffix in RUNS.items():
        for path in sorted(Path("results", run).rglob("figures/*.png")):
            found[path.stem + suffix] = figure = picture(path)
            small = figure.copy()
            small.thumbnail((MOST, MOST), Image.Resampling.LANCZOS)
            small.save(IMAGES / "figures" / f"{path.stem}{suffix}.png", optimize=True)
    row = [found[name].resize((found[name].width * ROW // found[name].height, ROW),
                              Image.Resampling.LANCZOS) for name in ROW_OF]  # fmt: skip
    width = sum(image.width for image in row) + GAP * (len(row) - 1)
    whole, start = Image.new("RGB", (width, ROW), "white"), 0
    for image in row:
        whole.paste(image, (start, 0))
        start += image.width + GAP
    whole.save(IMAGES / "demo.png", optimize=True)


if __name__ == "__main__":
    main()
