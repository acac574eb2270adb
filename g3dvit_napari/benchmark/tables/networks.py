"""What stands beside every table: how good the networks are, and what was left out."""

from __future__ import annotations

from collections import Counter

from g3dvit_napari.benchmark.tables.board import Board
from g3dvit_napari.benchmark.tables.table import Cell, Table, figure


def network_table(board: Board) -> Table:
    """Return accuracy, share of valid truth and counts of all networks."""
    head = (
        "task", "network", "seed", "accuracy", "truth used (gate)", "volumes judged",
        "named wrongly", "truth not used", "in the main table", "methods not served",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for fact in sorted(board.facts, key=lambda f: (f.cell, f.family != "vit", f.family, f.seed)):
        seen = _volumes(board, (fact.cell, fact.family, fact.seed))
        wrong = sum(not correct for correct, _ in seen.values())
        unused = sum(correct and gate is False for correct, gate in seen.values())
        counts: list[Cell] = [len(seen), wrong, unused, len(seen) - wrong - unused]
        start: list[Cell] = [fact.cell, fact.family, fact.seed, fact.accuracy]
        gate = figure(fact.gate_share) if fact.gate_share == fact.gate_share else "not checked"
        rows.append([*start, gate, *counts, ", ".join(fact.not_served) or "\N{EN DASH}"])
    notes = [
        "Accuracy: share of held-out volumes with the right class; explanations of a network that "
        "does not know the answer cannot be right. Truth used: share of the judged volumes where "
        "taking the signal away changes the answer.",
    ]
    return Table("networks", "Networks", head, rows, notes)


def network_sentence(board: Board, cell: str | None = None, family: str | None = None) -> str:
    """Return accuracy and gate of networks in one line, to stand with every table."""
    parts = []
    for fact in sorted(board.facts, key=lambda f: (f.cell, f.family != "vit", f.family, f.seed)):
        if cell not in (None, fact.cell) or family not in (None, fact.family):
            continue
        gate = figure(fact.gate_share) if fact.gate_share == fact.gate_share else "not checked"
        name = f"{fact.cell} {fact.family} seed {fact.seed}"
        parts.append(f"{name}: accuracy {figure(fact.accuracy)}, truth used {gate}")
    return f"Networks. {'; '.join(parts)}."


def _volumes(board: Board, network: tuple[str, str, int]) -> dict[str, tuple[bool, bool | None]]:
    return {
        one.sample: (one.correct, one.gate)
        for one in board.records
        if (one.cell, one.family, one.seed) == network
    }


def silent_table(board: Board) -> Table:
    """Return how often every method says nothing or fails, over all volumes."""
    maps: dict[str, set[tuple[object, ...]]] = {}
    nothing: dict[str, set[tuple[object, ...]]] = {}
    failed: Counter[str] = Counter()
    words: dict[str, str] = {}
    for one in board.records:
        place = (one.cell, one.family, one.seed, one.sample)
        maps.setdefault(one.method, set()).add(place)
        if "degenerate" in one.flags:
            nothing.setdefault(one.method, set()).add(place)
        if one.reason.startswith("no map"):
            failed[one.method] += 1
            words[one.method] = one.reason
    rows: list[list[Cell]] = [
        [row, len(maps[row]), len(nothing.get(row, ())), failed[row], words.get(row, "")]
        for row in board.rows
        if row in nothing or failed[row]
    ]
    head = ("method", "maps", "say nothing", "scores without a map", "why")
    notes = ["A map that says nothing is constant, zero or rounding noise; it has chance scores."]
    return Table("silent", "Maps that say nothing", head, rows, notes)
