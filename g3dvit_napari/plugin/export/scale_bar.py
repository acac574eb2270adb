"""The scale bar of a picture larger than the window: napari draws its lines 3 pixels wide always.

Meanwhile napari's own bar keeps its place and is not seen.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from qtpy.QtCore import QBuffer, QIODevice, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen
from qtpy.QtWidgets import QApplication

Pixels = NDArray[np.uint8]
LINE, TICK = 3.0, 11.0  # pixels on the screen: width of the line, length of the ticks at its ends
LETTERS = (96 / 72) ** 2  # pixels per point of napari's letters
CLEAR = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class ScaleBar:
    """What is drawn at the lower right of a picture.

    Attributes
    ----------
    words
        The length with its unit.
    length
        Of the bar, in pixels of the picture.
    factor
        How much larger than the window the picture is.
    points
        The size of the words in the window.
    padding
        Pixels between bar and border in the window, in x and y.
    color
        Red, green and blue, 0 to 1.
    """

    words: str
    length: float
    factor: float
    points: float
    padding: tuple[float, float]
    color: tuple[float, float, float]

    def onto(self, picture: Pixels) -> Pixels:
        """Return a picture (height, width, RGB) with the bar at its lower right."""
        drawn = Pillow.fromarray(picture).convert("RGBA")
        bar = self._drawn()
        right, below = (round(self.factor * part) for part in self.padding)
        corner = drawn.width - right - bar.width, drawn.height - below - bar.height
        drawn.alpha_composite(bar, (max(corner[0], 0), max(corner[1], 0)))
        return np.asarray(drawn.convert("RGB"))

    def _drawn(self) -> Pillow.Image:
        font = QFont(QApplication.font())
        font.setPixelSize(max(round(self.points * LETTERS * self.factor), 1))
        metrics = QFontMetricsF(font)
        line, tick = LINE * self.factor, TICK * self.factor
        width = max(self.length + line, metrics.horizontalAdvance(self.words))
        image = QImage(round(width), round(metrics.height() + tick), QImage.Format.Format_ARGB32)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(QColor.fromRgbF(*self.color), line)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.setFont(font)
        words = QRectF(0, 0, width, metrics.height())
        painter.drawText(words, int(Qt.AlignmentFlag.AlignCenter), self.words)
        middle, left = metrics.height() + tick / 2, (width - self.length) / 2
        right = left + self.length
        painter.drawLine(QPointF(left - line / 2, middle), QPointF(right + line / 2, middle))
        for end in (left, right):
            painter.drawLine(QPointF(end, middle - tick / 2), QPointF(end, middle + tick / 2))
        painter.end()
        return _in_pillow(image)


def of_viewer(viewer: Any, factor: float, length: float) -> ScaleBar | None:
    """Return the bar that a picture needs; None where napari draws what is wanted.

    That is where there is none, where the picture is as large as the window, or where the user
    has put the bar somewhere else, because other words may lie there.

    Parameters
    ----------
    viewer
        The viewer, before anything in it grows.
    factor
        How much larger than the window the picture is.
    length
        Of the bar, in the world's units.
    """
    bar, canvas = viewer.canvas.overlays["scale_bar"], viewer.canvas
    elsewhere = str(bar.position) != "bottom_right"
    if not bar.visible or elsewhere or bar.gridded or abs(factor - 1) < 0.01:
        return None
    units = viewer.layers.units
    unit = units[viewer.dims.displayed[-1]] if units is not None else None
    words = f"{length:g}" if unit is None else f"{length * unit:g~#P}"
    pixels = length * viewer.scene.camera.zoom * factor
    padding = tuple(canvas.overlay_tiling.padding)
    return ScaleBar(words, pixels, factor, bar.font_size, padding, _color(viewer))


def size_in_place(points: float, factor: float) -> float:
    """Return the size of words that makes napari's unseen bar as high as the grown one."""
    letters = points * LETTERS * factor
    return points * factor * (1 + TICK * (factor - 1) / (1.2 * letters))


def _color(viewer: Any) -> tuple[float, float, float]:
    """Return the bar's own colour, or one that stands out from the canvas, as napari chooses it."""
    bar = viewer.canvas.overlays["scale_bar"]
    if bar.colored:
        red, green, blue = (float(part) for part in bar.color[:3])
        return red, green, blue
    behind = np.asarray(viewer.canvas.background_color)[:3]
    red, green, blue = np.clip(0.5 + (0.5 - behind) * 1.2, 0, 1)
    return float(red), float(green), float(blue)


def _in_pillow(image: QImage) -> Pillow.Image:
    """Return a Qt image; by way of a PNG, because each binding has its own kind of memory."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return Pillow.open(io.BytesIO(bytes(buffer.data()))).convert("RGBA")
