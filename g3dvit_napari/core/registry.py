"""A folder is a list: every file below it registers one function with its declared facts."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

from g3dvit_napari.core.errors import MethodError, unknown_name
from g3dvit_napari.core.score import Direction
from g3dvit_napari.core.types import Threshold

Cost = Literal["instant", "one pass", "many passes"]


@dataclass(frozen=True)
class Parameter:
    """One keyword-only parameter of a registered function, as a form or a flag needs it."""

    name: str
    default: Any
    annotation: Any  # str, int, float, bool or Literal[...]
    limits: Mapping[str, float] = field(default_factory=dict)  # "min", "max", "step"
    help: str = ""

    @property
    def choices(self) -> tuple[Any, ...]:
        """The allowed values when there is a closed list, else an empty tuple."""
        return get_args(self.annotation) if get_origin(self.annotation) is Literal else ()

    def check(self, value: Any) -> Any:
        """Return `value` converted to the parameter's type, or raise `MethodError`."""
        if self.choices:
            if value in self.choices:
                return value
            raise MethodError(unknown_name(f"{self.name} option", value, map(str, self.choices)))
        kind = self.annotation if self.annotation in (int, float, str, bool) else type(self.default)
        try:
            value = kind(value)
        except (TypeError, ValueError) as error:
            message = f"{self.name} must be a {kind.__name__}, got {value!r}"
            raise MethodError(message) from error
        low, high = self.limits.get("min", value), self.limits.get("max", value)
        if kind in (int, float) and not low <= value <= high:
            raise MethodError(f"{self.name} must be between {low} and {high}, got {value}")
        return value


@dataclass(frozen=True)
class Registered:
    """A registered function and what it declares about itself."""

    name: str
    title: str
    function: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    needs: frozenset[str] = frozenset()
    reference: str = ""

    @property
    def family(self) -> str:
        """The folder its file is in, in words."""
        return self.function.__module__.split(".")[-2].replace("_", " ")

    @property
    def summary(self) -> str:
        """The first sentence of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return every parameter with its checked value; unknown names raise `MethodError`."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise MethodError(unknown_name(f"parameter of {self.name}", name, known))
        return {name: p.check(given.get(name, p.default)) for name, p in known.items()}


@dataclass(frozen=True)
class Entry(Registered):
    """An explanation method; `needs` is what the network must offer, see ModelHandle.offers."""

    signed: bool = False  # negative values mean something: diverging colours, no ReLU
    class_specific: bool = True
    cost: Cost = "instant"
    keep_stage: Literal["patches", "voxels"] = "voxels"  # where "keep top t %" acts by default

    def cut_at(self, threshold: Threshold | None, keep: float | None = None) -> Threshold:
        """Return where to cut: as given or by default, keeping so many per cent."""
        cut_at = threshold or Threshold(stage=self.keep_stage)
        return cut_at if keep is None else replace(cut_at, kind="keep", amount=keep)


@dataclass(frozen=True)
class MetricEntry(Registered):
    """A metric; `needs` names what it asks of.

    These are "truth", "distractor", "brain", "valid", "network" and "explainer".
    """

    direction: Direction = "higher"
    cost: Cost = "instant"


E = TypeVar("E", bound=Registered)


class Registry(Mapping[str, E], Generic[E]):
    """The functions that the files of one package register, in the order of their names."""

    def __init__(self, kind: str, package: str, entry: type[E]) -> None:
        self._kind, self._package, self._entry = kind, package, entry
        self._entries: dict[str, E] = {}
        self._scanned = False

    def register(self, title: str, **facts: Any) -> Callable[[Callable[..., Any]], Any]:
        """Register the decorated function under its own name; a name may be taken only once."""

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            name = function.__name__
            if name in self._entries:
                raise ValueError(f"two {self._kind}s are named {name!r}")
            if "needs" in facts:
                facts["needs"] = frozenset(facts["needs"])
            parameters = _parameters_of(function)
            self._entries[name] = self._entry(name, title, function, parameters, **facts)
            return function

        return decorate

    def _scan(self) -> None:
        """Import every file below the folder once; an error in one of them is not swallowed."""
        if self._scanned:
            return
        package = importlib.import_module(self._package)
        for module in pkgutil.walk_packages(package.__path__, f"{self._package}."):
            importlib.import_module(module.name)
        self._scanned = True

    def __getitem__(self, name: str) -> E:
        self._scan()
        if name not in self._entries:
            raise MethodError(unknown_name(self._kind, name, sorted(self._entries)))
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        self._scan()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._scan()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        self._scan()
        return len(self._entries)


def _parameters_of(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    hints = get_type_hints(function, include_extras=True)
    keyword_only = [
        p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY
    ]
    return tuple(_parameter(function, p, hints[p.name]) for p in keyword_only)


def _parameter(function: Callable[..., Any], found: inspect.Parameter, hint: Any) -> Parameter:
    limits: Mapping[str, float] = {}
    if get_origin(hint) is Annotated:
        hint, limits = get_args(hint)[:2]
    text = _documented(inspect.getdoc(function) or "", found.name)
    return Parameter(found.name, found.default, hint, limits, text)


def _documented(docstring: str, name: str) -> str:
    """Return the description of one parameter from a numpy-style docstring."""
    lines = docstring.splitlines()
    for number, line in enumerate(lines):
        if line.partition(":")[0].rstrip() == name:
            text = []
            for following in lines[number + 1 :]:
                if not following.startswith("    "):
                    break
                text.append(following.strip())
            return " ".join(text)
    return ""
