"""What the form remembers between starts, kept by napari as this plugin's configuration."""

from __future__ import annotations

import logging
from typing import Any

PLUGIN = "g3dvit-napari"
DEFAULTS: dict[str, dict[str, Any]] = {
    "overlay": {
        "threshold": "keep",
        "keep": 5.0,
        "mass": 50.0,
        "value": 0.5,
        "stage": "patches",
        "resolution": "smooth",
        "edge": "hard",
        "unsigned_colours": "inferno",
        "signed_colours": "frost and fire",
    },
    "compute": {"device": "auto", "method": "g3dvit", "follow_changes": True},
    "display": {
        "convention": "neurological",
        "letters": True,
        "colorbar": True,
        "scale_bar": True,
        "caption": True,
        "crosshair": False,
        "peak_mark": True,
        "hint_seen": False,
    },
    "places": {"shows": "peaks"},
    "time": {"frames": "all", "step": 2, "classes": "same", "scale": "common", "lines": "one"},
    "compare": {
        "between": "methods",
        "methods": "",
        "seed": 0,
        "common_scale": "classes\nlayers\ncheckpoints\nrandomised",
    },
    "looks": {"thickness": 20.0, "cut_off": "top", "depth": 0.0, "pace": 12.0},
    "export": {
        "size": "2",
        "background": "window",
        "movie": "gif",
        "seconds": 6,
        "frames": 72,
        "movie_width": 480,
    },
    "qa": {"go_on": True, "rater": ""},
    "files": {
        "recent_checkpoints": "",
        "checkpoint_folder": "",
        "volume_folder": "",
        "picture_folder": "",
        "subject_list": "",
        "ratings_elsewhere": "",
    },
}
_log = logging.getLogger(__name__)


class Settings:
    """Read and write settings; without napari's help they last as long as the process."""

    def __init__(self) -> None:
        self._own = {category: dict(values) for category, values in DEFAULTS.items()}
        self._kept = _kept_by_napari()

    def read(self, category: str, key: str) -> Any:
        """Return a setting, or its default."""
        kept = getattr(self._kept, category, None)
        return getattr(kept, key, self._own[category][key])

    def write(self, category: str, key: str, value: Any) -> None:
        """Remember a setting; a value that napari's page does not allow is not remembered."""
        self._own[category][key] = value
        kept = getattr(self._kept, category, None)
        if kept is None or getattr(kept, key) == value:
            return
        try:
            setattr(kept, key, value)
        except ValueError as error:  # pydantic's ValidationError is one
            _log.info("setting %s.%s not remembered: %s", category, key, error)

    def read_list(self, category: str, key: str) -> list[str]:
        """Return a setting that holds one entry per line."""
        return [line for line in str(self.read(category, key)).splitlines() if line]

    def write_list(self, category: str, key: str, entries: list[str]) -> None:
        """Remember a list; napari's configuration knows none, so it becomes lines."""
        self.write(category, key, "\n".join(entries))


def _kept_by_napari() -> Any:
    """Return napari's settings object of this plugin; None when there is none."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # napari before 0.9
        return None
    try:
        return get_plugin_settings(PLUGIN)
    except KeyError:  # the plugin runs without its manifest, as in a plain script
        return None
