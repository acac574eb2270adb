"""The form's controls of pictures and movies as files."""

from __future__ import annotations

import re

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QSpinBox, QWidget

from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import Section, allow, explain, side_by_side
from g3dvit_napari.plugin.export.stills import LARGEST

SIZES = {1: "As in the window", 2: "2 × the window", 4: "4 × the window", 8: "8 × the window"}
FIXED = {(1920, 1080): "1920 × 1080", (3840, 2160): "3840 × 2160"}
OWN = "Another size"
BACKGROUNDS = {"window": "as in the window", "black": "black", "white": "white"}
MOVIES = {"gif": "GIF", "mp4": "MP4"}
_SMALLEST = 64
FLAT = "Show the volume or the cut-away first: slices have nothing to turn."


class ExportBox(Section):
    """How large a picture is, what lies behind it, and how long a turn takes."""

    picture_requested = Signal()
    movie_requested = Signal()
    size_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Save what is seen", parent)
        self._screen = (800, 600)
        self.sizes = Choice()
        self.sizes.offer({**SIZES, **FIXED, 0: OWN}, 2)
        self.add_row("Si&ze", self.sizes, "How many pixels the picture has.")
        self.width_px, self.height_px = (_pixels(name) for name in ("Width", "Height"))
        both = side_by_side(self.width_px, self.height_px)
        tip = "Width and height in pixels. All that the window shows is in the picture."
        self.add_row("Pi&xels", both, tip)
        explain(self.height_px, tip)
        self.backgrounds = Choice()
        self.backgrounds.offer(BACKGROUNDS)
        self.add_row("Behin&d", self.backgrounds, "The colour behind the head.")
        self.picture = QPushButton("Save pict&ure …")
        explain(
            self.picture,
            "Write the canvas as a PNG of this size. It says in itself which method, network\n"
            "and threshold made it.",
        )
        self.add_wide(self.picture)
        self.movies = Choice()
        self.movies.offer(MOVIES)
        self.add_row("Mo&vie as", self.movies, "The kind of file: any browser shows a GIF.")
        self.seconds = _whole("Seconds", 1, 60, 6, " s")
        self.frames = _whole("Frames", 8, 720, 72, " fr.")
        tip = "How long one turn takes, and of how many pictures it is made."
        self.add_row("Turn &in", side_by_side(self.seconds, self.frames), tip)
        explain(self.frames, tip)
        self.movie_px = _pixels("Width of the movie")
        self.movie_px.setValue(480)
        self.add_row("&Movie of", self.movie_px, "Width of the movie; its shape is the window's.")
        self.movie = QPushButton("Save turnta&ble …")
        explain(self.movie, "Write one turn of the head as a movie.")
        self.add_wide(self.movie)
        self._wire()
        self.show_screen(self._screen)
        self.offer_movie(FLAT)

    def _wire(self) -> None:
        self.sizes.currentIndexChanged.connect(self._on_size_chosen)
        for box in (self.width_px, self.height_px):
            box.valueChanged.connect(self._on_pixels_changed)
            box.valueChanged.connect(self._on_size_changed)
        self.sizes.currentIndexChanged.connect(self._on_size_changed)
        self.picture.clicked.connect(self.picture_requested)
        self.movie.clicked.connect(self.movie_requested)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the picture."""
        return self.width_px.value(), self.height_px.value()

    @property
    def size(self) -> str:
        """The chosen size as text: how many times the window, or width and height in pixels."""
        chosen = self.sizes.value()
        return str(chosen) if chosen in SIZES else "{} x {}".format(*self.size_px)

    def choose_size(self, size: str) -> None:
        """Choose a size by its text; one that is none changes nothing."""
        sides = tuple(int(side) for side in re.findall(r"\d+", size))
        if len(sides) == 2:
            for box, side in zip((self.width_px, self.height_px), sides, strict=True):
                box.setValue(side)  # then it is another size
            self.sizes.choose(sides if sides in FIXED else 0)
        elif len(sides) == 1 and sides[0] in SIZES:
            self.sizes.choose(sides[0])

    @property
    def movie_size_px(self) -> tuple[int, int]:
        """Width and height of the movie: even, as encoders want them."""
        width = self.movie_px.value()
        height = width * self._screen[1] / self._screen[0]
        return 2 * round(width / 2), 2 * max(round(height / 2), 1)

    def show_screen(self, size: tuple[int, int]) -> None:
        """Take note of the size of the canvas in the window."""
        self._screen = size
        self._on_size_chosen()

    def offer_movie(self, reason: str) -> None:
        """Allow the turntable, or say why not."""
        allow(self.movie, reason)

    def _on_size_chosen(self, *_: object) -> None:
        chosen = self.sizes.value()
        if chosen in SIZES:
            chosen = tuple(min(chosen * side, LARGEST) for side in self._screen)
        if chosen:
            for box, side in zip((self.width_px, self.height_px), chosen, strict=True):
                blocked = box.blockSignals(True)
                box.setValue(side)
                box.blockSignals(blocked)

    def _on_pixels_changed(self, *_: object) -> None:
        blocked = self.sizes.blockSignals(True)
        self.sizes.choose(0)
        self.sizes.blockSignals(blocked)

    def _on_size_changed(self, *_: object) -> None:
        self.size_changed.emit()


def _pixels(name: str) -> QSpinBox:
    return _whole(name, _SMALLEST, LARGEST, 800, " px")


def _whole(name: str, least: int, most: int, value: int, unit: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(least, most)
    box.setValue(value)
    box.setSuffix(unit)
    box.setAccessibleName(name)
    box.setStyleSheet("min-width: 58px;")  # napari asks for more
    box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)  # two stand in a row; arrow keys do it
    return box
