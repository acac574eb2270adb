"""What a network says without one feature at a site: only what is behind the site runs again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from g3dvit_napari.models.anatomy import Site
from g3dvit_napari.models.capture import Tick, expect

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle

BYTES_AT_ONCE = 32 * 2**20  # of tokens; what is behind them takes several times as much


def without_each(
    tokens: Tensor, features: Tensor, logits_of: Callable[[Tensor], Tensor], tick: Tick
) -> Tensor:
    """Return the logits (f c) without each of some features of the tokens (n d).

    `logits_of` maps the numbers (b) of a few features to logits (b c), each without one of them.
    """
    parts = torch.split(features, max(1, BYTES_AT_ONCE // tokens.nbytes))
    expect(tick, len(parts))
    logits = []
    for part in parts:
        logits.append(logits_of(part))
        tick()
    return torch.cat(logits)


def without(tokens: Tensor, features: Tensor) -> Tensor:
    """Return copies (b n d) of tokens (n d), each with one feature set to zero at every token."""
    copies = tokens.repeat(len(features), 1, 1)
    copies[torch.arange(len(features)), :, features] = 0
    return copies


class Behind:
    """What is behind a site of any network: takes tokens (b n d), returns logits (b c).

    Where the network lets one image meet many tokens (nothing counts the images), what is in front
    of the site runs on a single image; tried on two rows, and otherwise as many images are put in.
    """

    def __init__(self, model: ModelHandle, image: Tensor, site: Site, tokens: Tensor) -> None:
        self._model, self._image, self._site = model, image, site
        self._module = model.network.get_submodule(site.name)
        self._one_image = self._takes_one_image(torch.stack([tokens, tokens / 2]))

    def __call__(self, tokens: Tensor) -> Tensor:
        """Return the logits (b c) of a network that goes on with these tokens."""
        return self._run(tokens, 1 if self._one_image else len(tokens))

    def _takes_one_image(self, pair: Tensor) -> bool:
        wanted = self._run(pair, 2)
        try:
            found = self._run(pair, 1)
        except Exception:  # noqa: BLE001 - whatever a network raises then, it does not
            return False
        return found.shape == wanted.shape and torch.allclose(
            found, wanted, rtol=0, atol=1e-4 * float(wanted.abs().max())
        )

    def _run(self, tokens: Tensor, images: int) -> Tensor:
        def replace(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            onward = self._site.shaped(tokens).clone()  # the network may go on in place
            return (onward, *output[1:]) if isinstance(output, tuple) else onward

        hook = self._module.register_forward_hook(replace)
        try:
            output = self._model.network(self._image.repeat(images, 1, 1, 1, 1))
        finally:
            hook.remove()
        return self._model.checked_logits(output)
