"""The list of methods: grouped by cost, those that the network cannot serve at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import get_args

from qtpy.QtCore import Qt

from g3dvit_napari.core.registry import Cost, Entry
from g3dvit_napari.plugin.controls.choice import Choice

FIRST, RECOMMENDED = "g3dvit", "libra_grad"
UNSERVED = "Not for this network"


class MethodList(Choice):
    """A drop-down list of methods under headings that cannot be chosen."""

    def offer_methods(
        self, entries: Iterable[Entry], reasons: Mapping[str, str], chosen: str
    ) -> bool:
        """Replace the methods; return whether any can be served.

        Parameters
        ----------
        entries
            All methods.
        reasons
            Of those that the network cannot serve: why.
        chosen
            The method to choose; where it cannot be served, the recommended or the first one is.
        """
        blocked = self.blockSignals(True)
        self.clear()
        groups = grouped(entries, reasons)
        for title, members in groups.items():
            self._add_heading(title)
            for entry in members:
                self._add(entry, reasons.get(entry.name, ""))
        served = [e.name for title, group in groups.items() if title != UNSERVED for e in group]
        proposed = [name for name in (chosen, RECOMMENDED, *served) if name in served]
        self.choose(proposed[0] if proposed else chosen)
        self.blockSignals(blocked)
        return bool(served)

    def _add_heading(self, title: str) -> None:
        self.addItem(title, None)
        item = self.model().item(self.count() - 1)
        item.setFlags(Qt.ItemFlag.NoItemFlags)
        font = item.font()
        font.setBold(True)
        item.setFont(font)

    def _add(self, entry: Entry, reason: str) -> None:
        self.addItem(titled(entry), entry.name)  # no indent: typing finds it by its start
        item = self.model().item(self.count() - 1)
        item.setEnabled(not reason)
        item.setToolTip(tip_of(entry, reason))


def grouped(entries: Iterable[Entry], reasons: Mapping[str, str]) -> dict[str, Sequence[Entry]]:
    """Return the methods by cost, then those that cannot be served; no group is empty."""
    ordered = sorted(entries, key=lambda entry: (entry.name != FIRST, entry.title.lower()))
    groups: dict[str, Sequence[Entry]] = {}
    for cost in get_args(Cost):
        served = [e for e in ordered if e.cost == cost and e.name not in reasons]
        groups[f"{cost[0].upper()}{cost[1:]}"] = served
    groups[UNSERVED] = [entry for entry in ordered if entry.name in reasons]
    return {title: members for title, members in groups.items() if members}


def titled(entry: Entry) -> str:
    """Return a method's title, the recommended one's with a star."""
    return f"{entry.title} ★" if entry.name == RECOMMENDED else entry.title


def tip_of(entry: Entry, reason: str = "") -> str:
    """Return what a method is, in a few lines that wrap; a reason for its place comes first."""
    facts = "One map per class" if entry.class_specific else "The same map for every class"
    facts += ", signed." if entry.signed else "."
    lines = [reason, entry.summary, facts, entry.reference]
    return "<qt>" + "<br>".join(escape(line) for line in lines if line) + "</qt>"
