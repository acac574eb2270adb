"""Make the list of methods, docs/methods.md, from the registry: `python docs/make_methods.py`.

`--text` writes the page alone. The pictures show every method with its defaults on the sample
brain; those of many passes take a while.
"""

from __future__ import annotations

import argparse
import inspect
import io
import re
import textwrap
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray
from PIL import Image

from g3dvit_napari import api
from g3dvit_napari.cli.terminal import facts_of
from g3dvit_napari.core.registry import Entry
from g3dvit_napari.core.types import Explanation, Threshold
from g3dvit_napari.io.samples import sample_path

FOLDER = Path(__file__).parent
PICTURES = FOLDER / "images" / "methods"
PLANES = ("axial", "coronal", "sagittal")
COLOURS = 256  # of a picture's palette
COLD = mpl.colormaps["GnBu"](np.linspace(0.15, 1, 128))
WARM = mpl.colormaps["inferno"](np.linspace(0, 1, 128))
SIGNED = LinearSegmentedColormap.from_list("signed", np.vstack([COLD, WARM]))
HEAD = """# Methods

{count} methods, one file each, in the folders below `g3dvit_napari/methods/`. This page is made
from what they declare about themselves (`python docs/make_methods.py`); in the shell,
`g3dvit methods --model CKPT` prints the same and says which of them a network of yours cannot
serve, and why. How to [add a method in one file](add_a_method.md).

Cost: *instant* needs about one forward pass without a graph and then serves other classes from what
it kept; *one pass* goes back through the whole network as well; *many passes* runs it again and
again ([measured](cost.md)). *Signed* maps have a meaning below zero: evidence against the class.

The pictures show each method with its defaults on the sample brain, for the predicted class ("left
lesion"): the whole map over the anatomy, the more opaque the stronger, cold colours for evidence
against the class; the green line is the lesion. One volume of one network is an illustration and no
ranking: [do the maps lie where the truth is?](sample_data.md) counts.
"""
LRP_NOTE = """
Licences and patents: the formulas are those of the papers, and the code is written from them. The
authors of one LRP implementation (LXT) state that LRP is patented and free for personal and
scientific use only. This concerns the methods whose descriptions say so. It is no legal advice: ask
before commercial use.
"""


def page() -> str:
    """Return the page."""
    entries = sorted(api.METHODS.values(), key=lambda e: (e.family, e.title.lower()))
    parts = [HEAD.format(count=len(entries))]
    for family, members in groupby(entries, key=lambda e: e.family):
        some = list(members)
        parts.append(f"## {family[0].upper()}{family[1:]}\n")
        parts.append(table(some))
        parts += [section(entry) for entry in some]
    return "\n".join(parts) + LRP_NOTE


def table(entries: list[Entry]) -> str:
    """Return one line per method."""
    lines = ["| method | name | cost | facts |", "|---|---|---|---|"]
    for entry in entries:
        link = re.sub(r"[^\w -]", "", entry.title.lower()).replace(" ", "-")
        facts = ", ".join(facts_of(entry))
        lines.append(f"| [{entry.title}](#{link}) | `{entry.name}` | {entry.cost} | {facts} |")
    return "\n".join(lines) + "\n"


def section(entry: Entry) -> str:
    """Return what is said of one method."""
    options = [f"`{p.name}={p.default}`" for p in entry.parameters]
    picture = f"images/methods/{entry.name}.png"
    lines = [f"### {entry.title}", "", entry.summary, "", f"    {formula_of(entry)}", ""]
    lines += [f"`{entry.name}`, {entry.cost}. {entry.reference}."]
    lines += [f"Parameters: {', '.join(options)}."] if options else []
    network = "" if network_for(entry) == "brain_vit" else " (by the sample ResNet)"
    lines += ["", f"![{entry.title} on the sample brain{network}]({picture})", ""]
    return "\n".join(lines)


def formula_of(entry: Entry) -> str:
    """Return the formula of the docstring, in one line."""
    text = " ".join((inspect.getdoc(entry.function) or "").split())
    found = re.search(r"r_n = .*?(?=[.;:](?: |$)|,? where |, with |, summed | over all )", text)
    return found[0] if found else ""


def network_for(entry: Entry) -> str:
    """Return the sample network that a method is shown with."""
    return "brain_resnet" if entry.needs & {"convolutions", "linear head"} else "brain_vit"


def make_pictures(names: list[str]) -> None:
    """Write one picture per method."""
    volume = api.load_volume(sample_path("brain.nii.gz"))
    lesion = api.load_volume(sample_path("brain_lesion.nii.gz")).data > 0
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name in names:
        model = api.load_model(sample_path(f"{network_for(api.METHODS[name])}.pth"))
        found = api.explain(volume, model, name, threshold=Threshold("none"))
        print(f"{name}: {found.status}, {found.seconds:.1f} s", flush=True)  # noqa: T201
        picture(found, lesion).save(PICTURES / f"{name}.png", optimize=True)


def picture(found: Explanation, lesion: NDArray[Any]) -> Image.Image:
    """Return three planes through the lesion, the patient's left on the left."""
    anatomy = found.scaled.placement.volume
    centre = [round(c) for c in np.argwhere(lesion).mean(axis=0)]
    figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.7), facecolor="black")
    for axis, normal in zip(axes, (2, 1, 0), strict=True):
        planes = [np.take(v, centre[normal], normal).T for v in
                  (anatomy.data, np.nan_to_num(found.relevance.data), lesion)]  # fmt: skip
        first, second = (a for a in range(3) if a != normal)
        aspect = anatomy.spacing_mm[second] / anatomy.spacing_mm[first]
        draw(axis, planes, aspect, signed=found.signed)
    if found.status != "ok":
        sentence = textwrap.fill(f"{found.status}: {found.message}", 90)
        figure.text(0.5, 0.03, sentence, color="white", ha="center", fontsize=7)
    figure.subplots_adjust(0, 0, 1, 1, 0.02, 0)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=100, facecolor="black")
    plt.close(figure)
    return Image.open(buffer).convert("RGB").quantize(COLOURS)


def draw(axis: Any, planes: list[NDArray[Any]], aspect: float, *, signed: bool) -> None:
    """Draw one plane: anatomy, relevance, outline of the lesion."""
    grey, relevance, truth = planes
    look = {"origin": "lower", "aspect": aspect, "interpolation": "nearest"}
    axis.imshow(grey, cmap="gray", **look)
    colours = (SIGNED if signed else mpl.colormaps["inferno"])(
        (relevance + 1) / 2 if signed else relevance
    )
    colours[..., 3] = np.clip(1.4 * np.abs(relevance), 0, 0.9)
    axis.imshow(colours, **look)
    if truth.any():
        axis.contour(truth.astype(float), [0.5], colors="#30ff60", linewidths=1)
    axis.set_axis_off()


def main() -> None:
    """Make the page and the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--text", action="store_true", help="the page alone")
    parser.add_argument("--methods", nargs="*", default=None, help="pictures of these alone")
    given = parser.parse_args()
    (FOLDER / "methods.md").write_text(page(), encoding="utf-8")
    if not given.text:
        make_pictures(given.methods or list(api.METHODS))


if __name__ == "__main__":
    main()
