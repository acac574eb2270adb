"""A pass through a network of the user's own, hooked at the layer norm that its spec names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.balanced import Balanced
from g3dvit_napari.models.capture import Tick, capturing, one_hot

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


class ForeignPass:
    """The norm's output is cut off from what is below and made a leaf; the graph starts there."""

    def __init__(self, model: ModelHandle, image: Tensor, tick: Tick) -> None:
        self.model, self.tick = model, tick
        self._name = model.spec.network.norm or ""
        self._leaf: Tensor | None = None
        norm = self._find(model.network)
        with capturing(model.network), torch.enable_grad():
            handle = norm.register_forward_hook(self._cut)
            try:
                self._logits = model.checked_logits(model.network(image))[0]
            finally:
                handle.remove()
        tick()
        self.logits = self._logits.detach()

    def _find(self, network: nn.Module) -> nn.Module:
        modules: dict[str, nn.Module] = dict(network.named_modules())
        found = modules.get(self._name) if self._name else None
        if found is None:
            norms = [n for n, m in modules.items() if isinstance(m, nn.LayerNorm)]
            raise MethodError(
                f"the network has no module named {self._name!r}; set network.norm to the layer "
                f"norm in front of the last attention, one of: {', '.join(norms) or 'none found'}"
            )
        return found

    def _cut(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple) else output
        tokens = self._tokens
        if not isinstance(first, Tensor) or first.ndim != 3 or first.shape[1] != tokens:
            shape = tuple(first.shape) if isinstance(first, Tensor) else type(first).__name__
            raise MethodError(
                f"{self._name} must yield one vector per token, (1, {tokens}, features) by the "
                f"spec's grid and prefix_tokens, but yields {shape}; correct network.norm or the "
                "grid"
            )
        self._leaf = first.detach().requires_grad_()
        onward = self._leaf.clone()  # the network may go on in place
        return (onward, *output[1:]) if isinstance(output, tuple) else onward

    @property
    def _tokens(self) -> int:
        f, h, w = self.model.spec.network.token_grid
        return self.model.prefix_tokens + f * h * w

    @property
    def _captured(self) -> Tensor:
        if self._leaf is None:
            raise MethodError(
                f"{self._name} took no part in the network's answer; set network.norm to the "
                "layer norm in front of the last attention"
            )
        return self._leaf

    def activations(self, block: int = -1) -> Tensor:
        """Return the output (n d) of the named norm."""
        _only_last(block)
        return self._captured.detach()[0]

    def gradients(self, targets: Sequence[int], block: int = -1) -> Tensor:
        """Return the gradients (k n d) of the targets' logits with respect to that output."""
        _only_last(block)
        starts = one_hot(targets, self.logits)[:, 0]
        with capturing(self.model.network):
            gradients = torch.stack([self._gradient(start) for start in starts])
        if not gradients[:, self.model.prefix_tokens :].any():
            raise MethodError(
                f"the gradient at {self._name} is zero at every patch: the network reads its "
                "answer from other tokens there. Under class-token pooling nothing behind the "
                "last attention reaches the patches; set network.norm to the layer norm in front "
                "of the last attention"
            )
        return gradients

    def _gradient(self, start: Tensor) -> Tensor:
        leaf = self._captured
        if not self._logits.requires_grad:
            return torch.zeros_like(leaf)[0]
        (found,) = torch.autograd.grad(
            self._logits, leaf, start, retain_graph=True, allow_unused=True
        )
        return torch.zeros_like(leaf)[0] if found is None else found[0]

    def mean_gradients(self, targets: Sequence[int], block: int = -1) -> tuple[Tensor, Tensor]:
        """Return their mean over features (k n), and the mean size of its terms."""
        gradients = self.gradients(targets, block)
        return gradients.mean(-1), gradients.abs().mean(-1)

    def balanced(self, targets: Sequence[int]) -> Balanced:  # noqa: ARG002 - not offered here
        """Refuse: the rules need the modules of a `ViT3D`."""
        raise MethodError(
            "balanced gradients are known for the vit_3d and simple_vit_3d families only; choose "
            "another method"
        )


def _only_last(block: int) -> None:
    if block != -1:
        raise MethodError(
            f"of a network of your own only the block of network.norm can be explained: leave "
            f"block at -1, got {block}"
        )
