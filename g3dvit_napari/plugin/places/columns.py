"""What the tables show of a peak or a region: text to read, a value to sort and to save by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from string import ascii_lowercase
from typing import Any

from g3dvit_napari.plugin.controls.column import Column


def _decimals(count: int) -> Callable[[float], str]:
    return lambda value: f"{value + 0.0:.{count}f}"


def _significant(value: float) -> str:
    return f"{value:.3g}"


def _thousands(value: float) -> str:
    return f"{value:,.0f}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _axis(number: int) -> Callable[[Any], float | None]:
    return lambda row: None if place_of(row) is None else place_of(row).world_mm[number]


def _cell(row: Any) -> str | None:
    return None if row.place.cell is None else ", ".join(map(str, row.place.cell))


PEAKS: tuple[Column, ...] = (
    Column(
        "#",
        "cluster_id",
        "The cluster, the strongest first; letters are further peaks in it.",
        lambda row: row.name,
        right=False,
        order=lambda name: (int(name.rstrip(ascii_lowercase)), name),
    ),
    *(
        Column(axis, f"{axis}_mm", f"Where the peak is, in mm ({words}).", _axis(n), _decimals(0))
        for n, (axis, words) in enumerate(
            {"x": "to the right", "y": "to the front", "z": "upwards"}.items()
        )
    ),
    Column(
        "Relevance",
        "peak_relevance",
        "The value of the map at the peak, as scaled.",
        lambda row: row.place.relevance,
        _decimals(2),
    ),
    Column(
        "mm³",
        "cluster_size_mm3",
        "The size of the cluster: all voxels at or above the cut that touch by a face.",
        lambda row: row.size_mm3,
        _thousands,
    ),
    Column(
        "Region",
        "region",
        "The region of the label image that the peak lies in.",
        lambda row: row.place.region or None,
        right=False,
    ),
    Column(
        "Raw",
        "peak_raw",
        "The value at the peak in the method's own units.",
        lambda row: row.place.raw,
        _significant,
    ),
    Column(
        "In head", "in_head", "Whether the peak lies in the head.", lambda r: r.place.in_head, _yes
    ),
    Column(
        "Patch",
        "patch",
        "The patch of the network that the peak lies in, counted along the tensor's axes.",
        _cell,
    ),
)

REGIONS: tuple[Column, ...] = (
    Column("Region", "name", "The region of the label image.", lambda r: r.name, right=False),
    Column(
        "× chance",
        "enrichment",
        "Share of the relevance, divided by the share of the volume:\n"
        "1 is what a map that knows nothing would give.",
        lambda row: row.enrichment,
        _decimals(2),
    ),
    Column(
        "% relev.",
        "share_of_map",
        "How much of all relevance lies in the region, before the cut.",
        lambda row: row.share,
        _percent,
    ),
    Column(
        "% shown",
        "share_of_shown",
        "How much of what is now shown of the map lies in the region.",
        lambda row: row.share_of_shown,
        _percent,
    ),
    Column(
        "Patches",
        "n_cells",
        "How many patches of the network touch the region.",
        lambda row: row.n_cells,
    ),
    Column(
        "Small",
        "smaller_than_a_cell",
        "Whether it is smaller than one patch: the map cannot tell it from its surroundings.",
        lambda row: row.small,
        _yes,
    ),
    Column(
        "% seen",
        "inside_fov_fraction",
        "How much of the region the network sees.",
        lambda row: row.inside_view,
        _percent,
    ),
    Column("mL", "volume_ml", "The size of the region.", lambda r: r.volume_ml, _decimals(1)),
    Column("Mean", "mean", "The mean of the scaled map in it.", lambda r: r.mean, _decimals(3)),
    Column(
        "Peak",
        "peak_relevance",
        "The strongest value in the region; a click goes there.",
        lambda row: None if row.peak is None else row.peak.relevance,
        _decimals(2),
    ),
    *(
        Column(
            axis,
            f"peak_{axis}_mm",
            "Where the region's peak is, in mm.",
            _axis(n),
            _decimals(0),
        )
        for n, axis in enumerate("xyz")
    ),
    Column(
        "≈ patches",
        "effective_cells",
        "How many patches of equal parts the region would be made of.",
        lambda row: row.effective_cells,
        _decimals(1),
    ),
    Column("Label", "index", "Its number in the label image.", lambda row: row.label),
)


def place_of(row: Any) -> Any:
    """Return the place that a row stands for; None where the network sees none of it."""
    return getattr(row, "place", None) or getattr(row, "peak", None)


def saved(columns: Sequence[Column], rows: Sequence[Any]) -> list[list[object]]:
    """Return the full values of rows, for a file."""
    return [[column.value(row) for column in columns] for row in rows]
