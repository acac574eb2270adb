"""One file, one metric: is the map true? The folders are the list."""

from __future__ import annotations

from g3dvit_napari.core.registry import MetricEntry, Registry

METRICS = Registry("metric", __name__, MetricEntry)
