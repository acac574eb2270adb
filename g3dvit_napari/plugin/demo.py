"""The demonstration: the sample brain, explained in a window by the form's own way."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from g3dvit_napari.core.types import Explanation, Threshold

METHOD, THRESHOLD = "g3dvit", Threshold("keep", 5.0, "patches")
SIZE = (1400, 900)
PATIENCE = 300.0  # seconds; PyTorch's first import can be slow on a cold disk
_SETTLE = 0.5

_log = logging.getLogger(__name__)


def run_demo(
    output: Path | None = None, headless: bool = False, say: Callable[[str], object] = _log.info
) -> int:
    """Open napari with the sample brain explained; return an exit code.

    Parameters
    ----------
    output
        Folder for pictures and results; written when `headless`, "demo_output" by default.
    headless
        Write pictures and results and close, instead of leaving the window open.
    say
        Told about every file that was written.
    """
    import napari
    from napari.utils.notifications import notification_manager

    from g3dvit_napari.plugin.widget import open_form

    with warnings.catch_warnings(), notification_manager.notification_ready.blocker():
        # Advice about the Qt binding, which napari would put on the pictures.
        warnings.filterwarnings("ignore", message="System theme detection")
        viewer = napari.Viewer(title="g3dvit-napari: the sample brain")
    viewer.window.resize(*SIZE)
    form = open_form(viewer)
    explanation = _explained(viewer, form)
    if explanation is None:
        viewer.close()
        return 1
    if not headless:
        napari.run()
        return 0
    folder = Path("demo_output") if output is None else output
    for path in [*_pictures(viewer, folder), *_results(explanation, folder)]:
        say(f"wrote {path}")
    viewer.close()
    return 0


def _explained(viewer: Any, form: Any) -> Explanation | None:
    """Load volume and checkpoint and compute, as a user would; None when something failed."""
    from g3dvit_napari.plugin.contributions import sample_files

    controller = form.controller
    failures: list[str] = []
    controller.failed.connect(failures.append)
    form.form.question.wanted_method = METHOD  # whatever was remembered from another day
    form.form.threshold.choose(THRESHOLD)
    volume, checkpoint = sample_files("brain")
    controller.open_volume(volume)
    form.load_checkpoint(checkpoint, spec="")
    _wait(lambda: failures or (viewer.layers and controller.model is not None))
    if not failures:
        form.compute()
        _wait(lambda: failures or controller.explanation is not None)
    if failures or controller.explanation is None:
        _log.error("the demo stopped: %s", failures[0] if failures else "it took too long")
        return None
    controller.jump_to_peak()
    explanation: Explanation = controller.explanation
    return explanation


def _pictures(viewer: Any, folder: Path) -> list[Path]:
    """Write slices.png, volume.png and window.png."""
    from napari.utils.io import imsave

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png" for name in ("slices", "window", "volume")]
    _wait(lambda: False, _SETTLE)
    imsave(str(paths[0]), viewer.screenshot(canvas_only=True, flash=False))
    imsave(str(paths[1]), viewer.screenshot(canvas_only=False, flash=False))
    viewer.dims.ndisplay = 3
    _wait(lambda: False, _SETTLE)
    imsave(str(paths[2]), viewer.screenshot(canvas_only=True, flash=False))
    viewer.dims.ndisplay = 2
    return paths


def _results(explanation: Explanation, folder: Path) -> list[Path]:
    from g3dvit_napari.plugin.jobs import facade

    written: list[Path] = facade().save(explanation, folder)
    return written


def _wait(done: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Let the window live until something is done."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)
