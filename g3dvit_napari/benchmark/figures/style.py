"""How figures look: colours that colour-blind readers can tell apart, nothing that is not data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from g3dvit_napari.core.errors import ExportError
from g3dvit_napari.io.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito 2008, without yellow, which is too light for lines.
COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
PUBLISHED = "#D55E00"  # the published method, and what is to be seen first
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))
INK, FAINT, GREY = "#1a1a1a", "#d9d9d9", "#7a7a7a"
_SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.linewidth": 0.8,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def drawing(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Iterator[Figure]:
    """Yield an empty figure of so many inches; no window is opened, whatever is set up.

    Raises
    ------
    ExportError
        When matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ExportError(
            "figures need matplotlib, which is not installed; "
            'pip install "g3dvit-napari[benchmark]"'
        ) from error
    with rc_context(_SETTINGS):
        yield Figure(figsize=(width, height), layout=layout)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all; the same figure gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as (part,):
        figure.savefig(part, dpi=160, metadata={"Software": None})
    return path


def looks(rows: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return colour and dashes of lines; what all are held against has its own."""
    own: dict[str, dict[str, Any]] = {
        "oracle": {"color": INK, "linestyle": "-"},
        "g3dvit": {"color": PUBLISHED, "linestyle": "-"},
        "random": {"color": GREY, "linestyle": (0, (1, 1))},
    }
    others = [row for row in rows if row not in own]
    return {
        **{
            row: {
                "color": COLOURS[place % len(COLOURS)],
                "linestyle": DASHES[place // len(COLOURS) % len(DASHES)],
            }
            for place, row in enumerate(others)
        },
        **{row: look for row, look in own.items() if row in rows},
    }


def words(row: str) -> str:
    """Return the name of a row as figures write it."""
    return row.replace("_", " ").replace(" pooling=", ", ")
