"""A pass through any network, hooked at the norm or feature map that is explained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.anatomy import Site
from g3dvit_napari.models.asked import Asked
from g3dvit_napari.models.attention import AttentionLayer
from g3dvit_napari.models.balanced import Balanced
from g3dvit_napari.models.capture import Tick, block_index, capturing
from g3dvit_napari.models.native_attention import Pooling
from g3dvit_napari.models.tail import Behind, without, without_each

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


_NO_ATTENTION = "the attention of this network is not known; choose another method"


class ForeignPass(Asked):
    """The output at a site is cut off from what is below and made a leaf; the graph starts there.

    One site is kept at a time; another one costs a pass.
    """

    def __init__(self, model: ModelHandle, image: Tensor, tick: Tick) -> None:
        super().__init__(model, image, tick)
        self._cuts: dict[int, Cut] = {}
        if model.anatomy.sites:
            self.logits = self._cut(-1).logits.detach()
        else:
            self.logits = model.logits(image)[0]
            tick()

    def _cut(self, block: int) -> Cut:
        index = block_index(block, self.model.blocks)
        if index not in self._cuts:
            self._cuts.clear()
            self._cuts[index] = Cut(self.model, self.image, self.model.site(index))
            self.tick()
        return self._cuts[index]

    def activations(self, block: int = -1) -> Tensor:
        """Return the output (n d) at a site."""
        return self._cut(block).tokens.detach()[0]

    def gradients(self, targets: Sequence[int], block: int = -1) -> Tensor:
        """Return the gradients (k n d) of the explained numbers with respect to that output."""
        cut, starts = self._cut(block), self.starts(targets)
        with capturing(self.model.network):
            gradients = torch.stack([cut.gradient(start) for start in starts[:, 0]])
        if not gradients[:, cut.site.prefix :].any():
            raise MethodError(
                f"the gradient at {cut.site.name} is zero at every patch: the network reads its "
                "answer from other tokens there. Under class-token pooling nothing behind the "
                "last attention reaches the patches; set network.norm to the layer norm in front "
                "of the last attention"
            )
        return gradients

    def scores_without(self, features: Tensor, targets: Sequence[int], block: int = -1) -> Tensor:
        """Return the explained numbers (f k) with one feature of that output at a time at zero."""
        tokens, site = self.activations(block), self.site(block)
        with capturing(self.model.network):
            behind = Behind(self.model, self.image, site, tokens)
            logits = without_each(
                tokens, features, lambda some: behind(without(tokens, some)), self.tick
            )
        return self.objective.scores(logits, targets)

    def mean_gradients(self, targets: Sequence[int], block: int = -1) -> tuple[Tensor, Tensor]:
        """Return their mean over features (k n), and the mean size of its terms."""
        gradients = self.gradients(targets, block)
        return gradients.mean(-1), gradients.abs().mean(-1)

    def attention(self) -> tuple[AttentionLayer, ...]:
        """Refuse: where the network's attention is, nobody looked."""
        raise MethodError(_NO_ATTENTION)

    def attention_gradients(
        self,
        targets: Sequence[int],  # noqa: ARG002 - not offered here
        first: int = 0,  # noqa: ARG002
        *,
        skip_only: bool = False,  # noqa: ARG002
    ) -> tuple[Tensor, ...]:
        """Refuse: where the network's attention is, nobody looked."""
        raise MethodError(_NO_ATTENTION)

    def read_out_gradients(
        self,
        targets: Sequence[int],  # noqa: ARG002 - not offered here
        block: int,  # noqa: ARG002
        pool: Pooling,  # noqa: ARG002
    ) -> Tensor:
        """Refuse: what of a foreign network is its head cannot be known."""
        raise MethodError(
            "the head of this network cannot be put behind another block; choose another method"
        )

    def balanced(self, targets: Sequence[int]) -> Balanced:  # noqa: ARG002 - not offered here
        """Refuse: the rules need the modules of a `ViT3D`."""
        raise MethodError(
            "balanced gradients are known for the vit_3d and simple_vit_3d families only; choose "
            "another method"
        )


class Cut:
    """One run of a network whose graph begins at a site."""

    def __init__(self, model: ModelHandle, image: Tensor, site: Site) -> None:
        self.site = site
        self._leaf: Tensor | None = None
        module = _find(model.network, site.name)
        with capturing(model.network), torch.enable_grad():
            handle = module.register_forward_hook(self._begin)
            try:
                self.logits = model.checked_logits(model.network(image))[0]
            finally:
                handle.remove()

    def _begin(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple) else output
        if not isinstance(first, Tensor) or self._tokens_in(first) != self.site.tokens:
            shape = tuple(first.shape) if isinstance(first, Tensor) else type(first).__name__
            raise MethodError(
                f"{self.site.name} must yield one vector per token, (1, {self.site.tokens}, "
                f"features) by the spec's grid and prefix_tokens, but yields {shape}; correct "
                "network.norm or the grid"
            )
        self._leaf = first.detach().requires_grad_()
        onward = self._leaf.clone()  # the network may go on in place
        return (onward, *output[1:]) if isinstance(output, tuple) else onward

    def _tokens_in(self, output: Tensor) -> int:
        if output.ndim != len(self.site.layout.split()):
            return -1
        return int(self.site.flat(output).shape[1])

    @property
    def leaf(self) -> Tensor:
        """The output at the site, in the module's own layout."""
        if self._leaf is None:
            raise MethodError(
                f"{self.site.name} took no part in the network's answer; set network.norm to the "
                "layer norm in front of the last attention"
            )
        return self._leaf

    @property
    def tokens(self) -> Tensor:
        """The output as tokens (1 n d)."""
        return self.site.flat(self.leaf)

    def gradient(self, start: Tensor) -> Tensor:
        """Return the gradient (n d) at the site, given that at the logits (c)."""
        if not self.logits.requires_grad:
            return torch.zeros_like(self.tokens)[0]
        (found,) = torch.autograd.grad(
            self.logits, self.leaf, start, retain_graph=True, allow_unused=True
        )
        return self.site.flat(torch.zeros_like(self.leaf) if found is None else found)[0]


def _find(network: nn.Module, name: str) -> nn.Module:
    modules: dict[str, nn.Module] = dict(network.named_modules())
    found = modules.get(name) if name else None
    if found is None:
        norms = [n for n, m in network.named_modules() if isinstance(m, nn.LayerNorm)]
        raise MethodError(
            f"the network has no module named {name!r}; set network.norm to the layer norm in "
            f"front of the last attention, one of: {', '.join(norms) or 'none found'}"
        )
    return found
