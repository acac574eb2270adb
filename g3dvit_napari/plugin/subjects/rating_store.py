"""The ratings of a list, in memory and on disk; what cannot be written is kept and said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.io.ratings import Row, describe_derivative, merge_ratings, read_ratings
from g3dvit_napari.io.subjects import SubjectList
from g3dvit_napari.plugin.settings import Settings

_REMEMBERED = 20  # lists whose ratings lie elsewhere


class RatingStore:
    """Reads the ratings of a list and writes each change at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listed: SubjectList | None = None
        self.path = Path()
        self.rows: dict[str, Row] = {}
        self.unsaved: dict[str, Row] = {}
        self.problem = ""

    def open(self, listed: SubjectList) -> None:
        """Find the ratings of a list again."""
        self._listed = listed
        self.path = Path(self._elsewhere().get(str(listed.place), listed.ratings))
        self.rows, self.unsaved, self.problem = {}, {}, ""
        try:
            self.rows = read_ratings(self.path)
        except VolumeError as error:
            self.problem = str(error)

    def put(self, row: Row) -> bool:
        """Keep a rating and write it; return whether it is on disk."""
        self.unsaved[row["path"]] = self.rows[row["path"]] = row
        return self._write(self.unsaved)

    def save(self) -> bool:
        """Try once more to write what is not on disk."""
        return not self.unsaved or self._write(self.unsaved)

    def move_to(self, path: Path) -> bool:
        """Keep the ratings of this list in another file from now on."""
        if self._listed is None:
            return False
        before, self.path = self.path, path
        if not self._write(self.rows):
            self.path = before
            return False
        places = self._elsewhere()
        places.pop(str(self._listed.place), None)
        lines = [f"{place}\t{file}" for place, file in places.items()]
        lines.insert(0, f"{self._listed.place}\t{path}")
        self._settings.write_list("files", "ratings_elsewhere", lines[:_REMEMBERED])
        return True

    def _write(self, changes: Mapping[str, Row]) -> bool:
        try:
            self.rows = merge_ratings(self.path, changes)
            if self._listed and self._listed.kind == "bids" and self.path == self._listed.ratings:
                describe_derivative(self.path.parent)
        except VolumeError as error:
            self.problem = str(error)
            return False
        self.unsaved, self.problem = {}, ""
        return True

    def _elsewhere(self) -> dict[str, str]:
        lines = self._settings.read_list("files", "ratings_elsewhere")
        return dict(line.split("\t", 1) for line in lines if "\t" in line)
