"""Options that belong to a method: taken from the command line as they come, then made typed.

The registry knows the parameters of each method, but reading it loads torch, and `--help` must not.
So the command keeps every `--name value` pair it does not know, and the registry judges it later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

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
    found = {}
    for option, text in options.items():
        name = option.replace("_", "-")
        if name not in known:
            raise MethodError(unknown_name("option", option, [*known, *sorted(own)]))
        found[known[name].name] = typed(known[name], option, text)
    return found


def typed(parameter: Parameter, option: str, text: str) -> Any:
    """Return the text of an option in the type that a parameter declares."""
    if not text:
        raise MethodError(f"{option} needs a value; write {option} {parameter.default}")
    if isinstance(parameter.default, bool):
        if text.lower() not in TRUTH:
            raise MethodError(f"{option} must be true or false, got {text!r}")
        return TRUTH[text.lower()]
    named = {str(choice): choice for choice in parameter.choices}
    return parameter.check(named.get(text, text))


def cut_from(
    kind: ThresholdKind | None, amounts: Mapping[str, float | None], stage: Stage | None
) -> Cut:
    """Return kind, amount and stage of the cut that a few options describe together.

    `amounts` are the options that set an amount, each for the kind of its own name.
    """
    given = {name: amount for name, amount in amounts.items() if amount is not None}
    if len(given) > 1:
        raise MethodError(f"give only one of {_options(given)}: a map is cut once")
    if not given:
        if kind in ("mass", "value", "absolute"):
            raise MethodError(f"--threshold {kind} needs an amount; give --{kind} instead")
        return kind or "keep", 5.0, stage
    ((name, amount),) = given.items()
    if kind is not None and kind != name:
        raise MethodError(f"--{name} does not go with --threshold {kind}; drop one of them")
    return cast("ThresholdKind", name), amount, stage


def _options(names: Iterable[str]) -> str:
    return ", ".join(f"--{name}" for name in names)


def threshold_for(entry: Entry, cut: Cut) -> Threshold:
    """Return the threshold, at the stage asked for or else the method's own."""
    from g3dvit_napari.core.types import Threshold

    kind, amount, stage = cut
    return Threshold(kind, amount, stage or entry.keep_stage)
