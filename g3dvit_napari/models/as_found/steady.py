"""A network that answers the same every time, and says what its answer was before an activation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from g3dvit_napari.models.probing.notes import Notes
from g3dvit_napari.models.rules.operations import Operation, composed, name_of

_DROPOUTS = {"dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"}
_ACTIVATIONS = {
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
}


class Steady(TorchFunctionMode):
    """Inside, dropout does nothing, even where a network asks for it in evaluation mode.

    Functions of torch that are written in Python are entered, `multi_head_attention_forward` among
    them, so that modes around this one see the parts. No fused path of `nn.Transformer` is taken.
    """

    def __init__(self) -> None:
        super().__init__()
        self._entered: Notes[tuple[str, Tensor]] = Notes()

    def __torch_function__(
        self,
        func: Operation,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run one operation."""
        named = dict(kwargs or {})
        if body := composed(func):
            with self:
                return body(*args, **named)
        name = name_of(func)
        if name in _DROPOUTS:
            return args[0] if args else named["input"]
        if name == "scaled_dot_product_attention":
            args, named = (*args[:4], *(0.0 for _ in args[4:5]), *args[5:]), _undropped(named)
        out = func(*args, **named)
        if name in _ACTIVATIONS and args and out is not args[0]:
            self._entered[out] = (_ACTIVATIONS[name], args[0])
        return out

    def before(self, logits: Tensor) -> tuple[Tensor, str]:
        """Return what entered the activation that made these logits, and its name.

        The logits themselves and "" when no activation made them.
        """
        name, entered = self._entered.get(logits) or ("", logits)
        return entered, name


def _undropped(named: dict[str, Any]) -> dict[str, Any]:
    return {**named, "dropout_p": 0.0} if "dropout_p" in named else named
