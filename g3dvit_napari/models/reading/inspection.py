"""What a checkpoint holds, in words and as a spec to edit."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec, preset_names, read_spec
from g3dvit_napari.models.reading.infer import complete
from g3dvit_napari.models.reading.layout import Found, canonical, read_off
from g3dvit_napari.models.reading.readings import Question, Reading, in_words
from g3dvit_napari.models.reading.strangers import State

_FIELDS = {*NetworkSpec.model_fields, *InputSpec.model_fields}
_LISTED = 12  # readings of a question that are written out
_TELLING = ("head", "dim", "pool", "patch", "image", "frame", "channel", "size", "crop", "norm")
_INPUT_QUESTIONS = (
    Question(
        "input.orientation",
        "axis codes the array had in training; weights cannot tell",
        (
            Reading({"orientation": "LAS"}, "SPM, CONN, FSL: x runs to the left"),
            Reading({"orientation": "RAS"}, "nibabel canonical, fMRIPrep"),
            Reading({"orientation": "LPS"}, "ITK, DICOM"),
            Reading({"orientation": "stored"}, "the order of the file, whatever it is"),
        ),
    ),
    Question(
        "input.intensity",
        "how values were scaled in training",
        tuple(
            Reading({"intensity": kind})
            for kind in ("zscore", "zscore-masked", "minmax", "percentile", "none")
        ),
    ),
    Question(
        "input.tensor_axes",
        "which array axis is the tensor's first, second and third",
        (
            Reading({"tensor_axes": "xyz"}, "the array as it is"),
            Reading({"tensor_axes": "zxy"}, "slices first, as NeuroViT does"),
            *(Reading({"tensor_axes": axes}) for axes in ("zyx", "xzy", "yxz", "yzx")),
        ),
    ),
)


@dataclass(frozen=True)
class Inspection:
    """What was found in a checkpoint, what is still open, and a spec with all that is known.

    facts
        The file: name, bytes, sha256, format, prefix, left_out, stored settings.
    found
        What the weights decide.
    presets
        The presets that do not contradict the weights.
    """

    facts: Mapping[str, Any]
    found: Mapping[str, Any]
    notes: tuple[str, ...]
    questions: tuple[Question, ...]
    presets: tuple[str, ...]
    spec: ModelSpec

    @property
    def complete(self) -> bool:
        """Whether the network can be built and fed without another word."""
        return not self.questions

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        return {
            "file": dict(self.facts),
            "found": dict(self.found),
            "notes": list(self.notes),
            "complete": self.complete,
            "questions": [asdict(question) for question in self.questions],
            "presets": list(self.presets),
            "spec": self.spec.model_dump(mode="json", exclude_none=True),
        }

    def to_yaml(self) -> str:
        """Return the spec as YAML to edit: what is open stands as comments with its readings."""
        notes = [f"Model spec for {self.facts.get('name', 'a checkpoint')}", *self.notes]
        if self.questions:
            notes.append(
                "DECIDE marks what the weights leave open: take the # off one of the lines below "
                "it, or write your own."
            )
        lines = [line for note in notes for line in _comment(note)]
        fields = self.spec.model_dump(mode="json", exclude_none=True)
        for section in ("network", "input"):
            fields.setdefault(section, {})
        for name, value in fields.items():
            if name in ("network", "input"):
                lines += [f"{name}:", *(f"  {line}" for line in self._section(name, value))]
            else:
                lines.append(_line({name: value}))
        return "\n".join(lines) + "\n"

    def _section(self, section: str, fields: Mapping[str, Any]) -> Iterator[str]:
        for name, value in fields.items():
            yield _line({name: value})
        for question in self.questions:
            if question.name.startswith(f"{section}."):
                yield from _comment(f"DECIDE {question.name.partition('.')[2]}: {question.why}")
                yield from map(_choice, question.readings[:_LISTED])
                if len(question.readings) > _LISTED:
                    yield f"# and {len(question.readings) - _LISTED} less likely ones"


def inspect_state(
    state: State, facts: Mapping[str, Any], spec: ModelSpec | None = None
) -> Inspection:
    """Return what a state dict holds, completed with a spec where one is given.

    Raises
    ------
    CheckpointError
        When it is another kind of network.
    SpecError
        When the spec contradicts the weights.
    """
    name = str(facts.get("name", "the checkpoint"))
    state, notes = canonical(state)
    found = read_off(state, name)
    given = spec or ModelSpec(name=name.partition(".")[0] or "model")
    draft = complete(found, given.network)
    whole = given.merged(draft.spec)
    return Inspection(
        facts={key: value for key, value in facts.items() if key != "notes"},
        found=found.words(),
        notes=(*facts.get("notes", ()), *notes, *draft.notes, *_told(facts)),
        questions=(*draft.questions, *open_input(whole)),
        presets=tuple(name for name in preset_names() if _suits(name, found)),
        spec=whole,
    )


def open_input(spec: ModelSpec) -> list[Question]:
    """Return what is still to be said about the way of a volume into the network."""
    return [question for question in _INPUT_QUESTIONS if question.name in spec.missing]


def _suits(preset: str, found: Found) -> bool:
    try:
        return not complete(found, read_spec(preset).network).questions
    except SpecError:
        return False


def _told(facts: Mapping[str, Any]) -> list[str]:
    """Return the settings stored beside the weights that may answer a question."""
    stored = facts.get("stored", {})
    telling = [f"{k} = {v}" for k, v in stored.items() if any(w in k.lower() for w in _TELLING)]
    return [f"the file also says {', '.join(telling[:12])}"] if telling else []


def _line(fields: Mapping[str, Any]) -> str:
    """Return one field as a line of YAML."""
    ((name, value),) = fields.items()
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return f"{name}: {text.removesuffix('...' + chr(10)).strip()}"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, 96)]


def _choice(reading: Reading) -> str:
    """Return a reading as a line that counts once its # is removed; the rest follows from it."""
    (name, value), *others = reading.fields.items()
    said = [f"{key} {in_words(other)}" for key, other in others]
    remark = ", ".join([*said, *filter(None, [reading.remark])])
    if name not in _FIELDS:
        return f"# {reading}"
    value = list(value) if isinstance(value, tuple) else value
    return f"#{_line({name: value})}" + (f"  # {remark}" if remark else "")
