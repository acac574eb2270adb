"""g3dvit inspect: what is in a checkpoint, what is open, and a spec to edit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from g3dvit_napari.cli import terminal
from g3dvit_napari.core.errors import SpecError


def inspect_file(
    checkpoint: Path, spec: str | None, write_spec: Path | None, *, as_json: bool
) -> None:
    """Print what a checkpoint holds; write a spec where one is asked for."""
    if write_spec is not None and write_spec.exists():
        raise SpecError(f"{write_spec} exists already; move it away or choose another name")
    from g3dvit_napari import api

    found = api.inspect_checkpoint(checkpoint, spec)
    if write_spec is not None:
        write_spec.write_text(found.to_yaml(), encoding="utf-8")
    if as_json:
        terminal.print_json({**found.to_dict(), "written": str(write_spec) if write_spec else None})
    else:
        _show(found, checkpoint, write_spec)


def _show(found: Any, checkpoint: Path, written: Path | None) -> None:
    terminal.say(str(checkpoint), style="bold")
    terminal.say_pairs({**found.facts, **found.found})
    for note in found.notes:
        terminal.say(f"  note: {note}")
    if found.presets:
        terminal.say(f"  presets that fit: {', '.join(found.presets)}")
    if found.complete:
        terminal.say("Nothing is open: weights and spec say all there is to know.", style="green")
    else:
        terminal.say("Open (the weights do not decide it):", style="yellow")
    for question in found.questions:
        terminal.say(f"  {question}")
    if written:
        terminal.say(f"Spec written to {written}; its DECIDE lines are yours to edit.")
    elif not found.complete:
        beside = checkpoint.with_suffix(".spec.yaml")
        terminal.say(f"To answer: g3dvit inspect {checkpoint} --write-spec {beside}, and edit it.")
