"""Writing pictures and movies; none of it needs the window, so it runs outside the GUI thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from g3dvit_napari.io.atomic import replacing
from g3dvit_napari.plugin.export.stills import Pixels
from g3dvit_napari.plugin.lane import Report

Movie = Literal["gif", "mp4"]
SHORTEST_MS = 20  # of a frame: browsers show shorter ones of a GIF at a tenth of the pace
_NO_MP4 = "MP4 needs the encoder of the extra 'movie': pip install 'g3dvit-napari[movie]'."


def why_no_mp4() -> str:
    """Say why no MP4 can be written; empty: it can."""
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):  # not installed, or without a program for this machine
        return _NO_MP4
    return ""


def write_png(path: Path, pixels: Pixels, words: Mapping[str, str], report: Report) -> Path:
    """Write a picture that says in its text chunks what it shows."""
    report(0.2, "writing the picture")
    info = PngInfo()
    for key, text in words.items():
        info.add_itxt(key, text)
    with replacing(path) as (temporary,):
        Pillow.fromarray(pixels).save(temporary, format="png", pnginfo=info)
    return path


def write_movie(
    path: Path, kind: Movie, frames: Iterable[Pixels], seconds_per_frame: float, words: str
) -> Path:
    """Write frames as they come; a stop in between leaves no file."""
    write = _write_gif if kind == "gif" else _write_mp4
    with replacing(path) as (temporary,):
        write(temporary, iter(frames), seconds_per_frame, words)
    return path


def _write_gif(path: Path, frames: Iterator[Pixels], seconds: float, words: str) -> None:
    pictures = (_in_256_colours(frame) for frame in frames)
    pause = max(10 * round(100 * seconds), SHORTEST_MS)  # the format counts in hundredths
    first = next(pictures)
    first.save(
        path,
        format="gif",
        save_all=True,
        append_images=pictures,
        duration=pause,
        loop=0,
        comment=words.encode(),
    )


def _in_256_colours(frame: Pixels) -> Pillow.Image:
    return Pillow.fromarray(frame).quantize(256, dither=Pillow.Dither.FLOYDSTEINBERG)


def _write_mp4(path: Path, frames: Iterator[Pixels], seconds: float, words: str) -> None:
    import imageio_ffmpeg

    first = next(frames)
    size = first.shape[1], first.shape[0]
    told = ["-metadata", f"comment={words}", "-movflags", "+faststart", "-crf", "16"]
    encoder: Any = imageio_ffmpeg.write_frames(
        str(path), size, fps=1 / seconds, quality=None, macro_block_size=2, output_params=told
    )
    encoder.send(None)
    try:
        for frame in chain([first], frames):
            encoder.send(frame.tobytes())
    finally:
        encoder.close()
