"""Options that belong to a method: taken from the command line as they come, then made typed.

The registry knows the parameters of each method, but reading it loads torch, and `--help` must not.
So the command keeps every `--name value` pair it does not know, and the registry judges it later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from g3dvit_napari.core.errors import MethodError, unknown_name

if TYPE_CHECKING:
    from g3dvit_napari.core.registry import Entry, Parameter
    from g3dvit_napari.core.types import Stage, Threshold, ThresholdKind

Cut = tuple["ThresholdKind", float, "Stage | None"]

TRUTH = {"true": True, "yes": True, "on": True, "1": True}
TRUTH |= {"false": False, "no": False, "off": False, "0": False}


class MethodCommand(TyperCommand):
    """A command that leaves the options it does not know in `context.meta["parameters"]`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Set the unknown options aside and parse the rest as usual."""
        own = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        ctx.meta["own options"] = own
        ctx.meta["parameters"], rest = _set_aside(args, own)
        return super().parse_args(ctx, rest)


def _set_aside(words: Iterable[str], own: set[str]) -> tuple[dict[str, str], list[str]]:
    foreign: dict[str, str] = {}
    rest: list[str] = []
    words = iter(words)
    for word in words:
        if word == "--":
            rest += [word, *words]
            break
        option, equals, value = word.partition("=")
        if not option.startswith("--") or option in own:
            rest.append(word)
        else:
            foreign[option] = value if equals else next(words, "")
    return foreign, rest


def typed_parameters(
    entry: Entry, options: Mapping[str, str], own: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the set-aside options as parameters of a method, in the types it declares."""
    known = {f"--{p.name.replace('_', '-')}": p for p in entry.parameters}
    typed = {}
    for option, text in options.items():
        name = option.replace("_", "-")
        if name not in known:
            raise MethodError(unknown_name("option", option, [*known, *sorted(own)]))
        typed[known[name].name] = _typed(known[name], option, text)
    return typed


def _typed(parameter: Parameter, option: str, text: str) -> Any:
    if not text:
        raise MethodError(f"{option} needs a value; write {option} {parameter.default}")
    if isinstance(parameter.default, bool):
        if text.lower() not in TRUTH:
            raise MethodError(f"{option} must be true or false, got {text!r}")
        return TRUTH[text.lower()]
    named = {str(choice): choice for choice in parameter.choices}
    return parameter.check(named.get(text, text))


def cut_from(
    kind: ThresholdKind | None, keep: float | None, value: float | None, stage: Stage | None
) -> Cut:
    """Return kind, amount and stage of the cut that a few options describe together."""
    if keep is not None and value is not None:
        raise MethodError("give --keep or --value, not both: a map is cut once")
    kind = kind or ("keep" if value is None else "value")
    if keep is not None and kind != "keep":
        raise MethodError(f"--keep says how much to keep, but the threshold is {kind!r}; drop one")
    if value is not None and kind != "value":
        raise MethodError(f"--value says where to cut, but the threshold is {kind!r}; drop one")
    if kind == "value" and value is None:
        raise MethodError("--threshold value needs the height to cut at; add --value 0.5")
    amount = value if kind == "value" else keep
    return kind, 5.0 if amount is None else amount, stage


def threshold_for(entry: Entry, cut: Cut) -> Threshold:
    """Return the threshold, at the stage asked for or else the method's own."""
    from g3dvit_napari.core.types import Threshold

    kind, amount, stage = cut
    return Threshold(kind, amount, stage or entry.keep_stage)
