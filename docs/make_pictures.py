"""Make the pictures of the documentation from the sample data: `python docs/make_pictures.py`.

Opens real napari windows, so it needs a display; `xvfb-run` will do. Writes docs/images. Each
file in docs/pictures that has `NAMES` makes the pictures of these names by `make()`.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import pkgutil
import shutil
import tempfile
import warnings
from pathlib import Path

# Pictures show what a new user has: not what somebody chose on this machine.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")

import numpy as np
import pictures
from pictures.stage import Picture
from PIL import Image

FOLDER = Path(__file__).parent / "images"
LARGEST = 400_000  # bytes per picture
GIF_COLOURS, GIF_MS = 128, 130
_log = logging.getLogger("make_pictures")


def main() -> None:
    """Make all pictures, or those asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of the pictures to write")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the pictures")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    warnings.filterwarnings("ignore", message=".*(PyQt5|System theme).*")
    given.out.mkdir(parents=True, exist_ok=True)
    found = pkgutil.iter_modules(pictures.__path__, "pictures.")
    modules = [importlib.import_module(one.name) for one in found]
    known = {name for module in modules for name in getattr(module, "NAMES", ())}
    asked = known if given.only is None else set(given.only)
    if asked - known:
        parser.error(f"no picture named {min(asked - known)}; there are {', '.join(sorted(known))}")
    for module in modules:
        wanted = asked & set(getattr(module, "NAMES", ()))
        if not wanted:
            continue
        for name, picture in module.make().items():
            if name in wanted:
                write = save if picture.ndim == 3 else save_turn
                write(picture, given.out / name)
    shutil.rmtree(Path(os.environ["NAPARI_CONFIG"]).parent, ignore_errors=True)


def save(picture: Picture, path: Path) -> None:
    """Write a PNG below 400 kB; in 256 dithered colours only where full ones take more."""
    path = path.with_suffix(".png")
    image = Image.fromarray(picture)
    image.save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        image = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.FLOYDSTEINBERG)
        image.save(path, optimize=True)
    _log.info("%s: %d kB, %d x %d", path.name, path.stat().st_size // 1000, *image.size)


def save_turn(frames: Picture, path: Path) -> None:
    """Write frames (n h w c) as a GIF that goes round for ever."""
    path = path.with_suffix(".gif")
    some = Image.fromarray(np.hstack(list(frames[:: max(len(frames) // 6, 1)])))
    palette = some.quantize(GIF_COLOURS, kmeans=3)  # one for all, or the colours would flicker
    first, *rest = (Image.fromarray(frame).quantize(palette=palette) for frame in frames)
    first.save(path, save_all=True, append_images=rest, duration=GIF_MS, loop=0)
    _log.info("%s: %d kB, %d frames", path.name, path.stat().st_size // 1000, len(frames))


if __name__ == "__main__":
    main()
