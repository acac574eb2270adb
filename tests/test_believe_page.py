"""The page on which method to believe says what the kept tables say."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "believe.md").read_text("utf-8")


def kept(name: str) -> list[dict[str, str]]:
    with (DOCS / "believe" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table(name: str) -> list[dict[str, str]]:
    """Return a table of the page by the name of its place."""
    inside = re.search(f"<!-- {name} -->\n(.*?)\n<!-- end -->", PAGE, re.DOTALL)
    assert inside is not None
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in inside[1].split("\n")
    )
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize("metric", ["deletion", "insertion"])
def test_curves_on_the_page_are_those_that_were_kept(metric: str) -> None:
    rows = {row["method"].strip("*"): row for row in kept(f"overview_{metric}_substrate-twin.csv")}
    shown = table(metric)
    assert len(shown) == 7
    for row in shown:
        title, method = next(iter(row.items()))
        assert "substrate=twin" in title
        for task in list(row)[1:]:
            assert rows[method][task].replace("°", "").startswith(row[task])


def test_poolings_on_the_page_are_those_that_were_kept() -> None:
    rows = {row["method"]: row for row in kept("overview_iou.csv")}
    for row in table("pooling"):
        for task in list(row)[1:]:
            share = rows[row["IoU"]][task].rpartition(" · ")[2]
            assert row[task].startswith(share)
    best = [[int(n) for n in list(row.values())[1:]] for row in table("wins")]
    assert [sum(row) for row in best] == [5] * 6
    assert f"best in {sum(row[0] for row in best)} of the 30" in re.sub(r"\s+", " ", PAGE)


def test_networks_on_the_page_are_those_that_were_kept() -> None:
    networks = [row for row in kept("networks.csv") if row["network"] == "vit"]
    for row in table("networks"):
        own = [float(one["accuracy"]) for one in networks if one["task"] == row["task"]]
        assert len(own) == int(row["networks"]) == 5
        assert row["accuracy"].split(" to ")[0] == f"{min(own):.2f}"


def test_what_the_page_shows_and_links_is_there() -> None:
    for place in re.findall(r"\]\((believe/[^)]+)\)", PAGE):
        assert (DOCS / place).is_file(), place
    assert "SUMMARY" not in PAGE
    for name in ("networks", "patches", "noise", "noise networks", "cuts", "sanity"):
        assert len(table(name)) >= 5
