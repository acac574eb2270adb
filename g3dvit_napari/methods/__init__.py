"""One file, one explanation method; the folders are the list."""

from __future__ import annotations

from g3dvit_napari.core.registry import Entry, Registry

METHODS = Registry("explanation method", __name__, Entry)
