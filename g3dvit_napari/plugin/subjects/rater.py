"""From a click or a key to a row on disk: ratings and notes of the list that is open."""

from __future__ import annotations

from math import isnan
from pathlib import Path

from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog

from g3dvit_napari.io.ratings import Row, now
from g3dvit_napari.plugin.settings import Settings
from g3dvit_napari.plugin.subjects.columns import note, predicted, rating, status
from g3dvit_napari.plugin.subjects.ledger import Ledger
from g3dvit_napari.plugin.subjects.page import SubjectPage
from g3dvit_napari.plugin.subjects.rating_store import RatingStore


class Rater(QObject):
    """Writes every change at once; where that fails, asks for another file and keeps the rating."""

    rated = Signal(str)  # the key of a subject that got a rating

    def __init__(self, page: SubjectPage, settings: Settings) -> None:
        super().__init__()
        self._page, self._settings = page, settings
        self._ledger = Ledger()
        self.store = RatingStore(settings)
        self._asked = False  # for another file, since this list was opened
        box = page.rating
        box.rater.setText(settings.read("qa", "rater"))
        box.go_on.setChecked(settings.read("qa", "go_on"))
        box.rated.connect(self._on_rated)
        box.noted.connect(self._on_noted)
        box.rater_changed.connect(lambda name: settings.write("qa", "rater", name))
        box.go_on_changed.connect(lambda on: settings.write("qa", "go_on", on))
        box.elsewhere_requested.connect(self._ask_elsewhere)

    def open(self, ledger: Ledger) -> None:
        """Find the ratings of a list again."""
        self._ledger, self._asked = ledger, False
        if ledger.listed is not None:
            self.store.open(ledger.listed)
        ledger.ratings = self.store.rows
        self.show("")
        self._say()

    def show(self, key: str) -> None:
        """Show what is thought of a subject."""
        ledger = self._ledger
        self._page.rating.show_subject(key, rating(ledger, key), note(ledger, key))

    def rescue(self) -> None:
        """Write what could not be written so far, into the home folder if need be."""
        listed = self._ledger.listed
        if listed is None or self.store.save():
            return
        path = Path.home() / f"{listed.place.stem}_g3dvit_ratings.tsv"
        if self.store.move_to(path):
            show_warning(f"The ratings could not be saved beside the list; they are in {path}")
        else:
            show_warning(f"{len(self.store.unsaved)} ratings are lost: {self.store.problem}")

    def _on_rated(self, key: str, value: str) -> None:
        self._put(key, rating=value)
        self.show(key)
        if value:
            self.rated.emit(key)

    def _on_noted(self, key: str, text: str) -> None:
        self._put(key, note=text)

    def _put(self, key: str, **changes: str) -> None:
        """Write down a rating with what was seen when it was given."""
        known = self.store.rows.get(key, {})
        row = {**known, **self._seen(key), **changes, "date": now(after=known.get("date", ""))}
        saved = self.store.put(row)
        self._ledger.ratings = self.store.rows
        self._page.table.rows.refresh_all()
        if not saved and not self._asked:
            self._asked = True
            self._ask_elsewhere()
        self._say()

    def _seen(self, key: str) -> Row:
        ledger = self._ledger
        subject, outcome = ledger.by_key[key], ledger.outcomes.get(key)
        row = {
            "participant_id": subject.participant,
            "session": subject.session,
            "path": key,
            "rater": self._page.rating.rater.text().strip(),
        }
        if outcome is None or outcome.prediction is None:
            return row | ({} if outcome is None else {"status": status(ledger, key)})
        name, value = predicted(ledger, key)
        return row | {
            "model": outcome.model,
            "method": outcome.request.method,
            "predicted": name or f"{value:.6g}",
            "p": "" if not name or isnan(value) else f"{value:.9g}",
            "status": outcome.status,
        }

    def _ask_elsewhere(self) -> None:
        listed = self._ledger.listed
        if listed is None:
            return
        path, _ = QFileDialog.getSaveFileName(
            self._page,
            "Save the ratings in",
            str(Path.home() / f"{listed.place.stem}_ratings.tsv"),
            "Tables (*.tsv)",
            options=QFileDialog.Option.DontConfirmOverwrite,  # rows are merged, never replaced
        )
        if path:
            self.store.move_to(Path(path))
        self._say()

    def _say(self) -> None:
        store, unsaved = self.store, len(self.store.unsaved)
        if unsaved:
            text = f"{unsaved} rating{'s' if unsaved > 1 else ''} not saved yet: {store.problem}"
        elif store.problem:
            text = store.problem
        else:
            text = f"Saved in {_short(store.path)}" if self._ledger.listed else ""
        self._page.rating.show_saved(text, failed=bool(store.problem))


def _short(path: Path) -> str:
    """Return a path that a narrow dock can show."""
    return str(Path(*path.parts[-3:])) if path.parent.name == "g3dvit-qa" else path.name
