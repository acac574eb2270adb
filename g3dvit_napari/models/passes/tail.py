"""What a network says without one feature at a site: only what is behind the site runs again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from g3dvit_napari.models.as_found.capture import capturing, expect
from g3dvit_napari.models.passes.hooked import replacing
from g3dvit_napari.models.probing.anatomy import Site
from g3dvit_napari.models.sampling.sampling import asked_in_batches, explained

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle
    from g3dvit_napari.models.passes.forward import ForwardPass

BYTES_AT_ONCE = 32 * 2**20  # of tokens that go on from one image; what is behind takes more


def without(tokens: Tensor, features: Iterable[int]) -> Iterator[Tensor]:
    """Yield tokens (n d) with one feature at a time set to zero at every token."""
    for feature in features:
        left = tokens.clone()
        left[:, feature] = 0
        yield left


class Behind:
    """What is behind a site of any network: takes tokens (b n d), returns logits (b c).

    Where the network lets one image meet many tokens (nothing counts the images), what is in front
    of the site runs on a single image; tried on two rows, and otherwise as many images are put in.
    """

    def __init__(self, model: ModelHandle, image: Tensor, site: Site, tokens: Tensor) -> None:
        self._model, self._image, self._site, self._tokens = model, image, site, tokens
        self._one_image = self._takes_one_image(torch.stack([tokens, tokens / 2]))

    def __call__(self, tokens: Tensor) -> Tensor:
        """Return the logits (b c) of a network that goes on with these tokens."""
        return self._run(tokens, 1 if self._one_image else len(tokens))

    def scores_without(
        self, run: ForwardPass, features: Sequence[int], targets: Sequence[int]
    ) -> Tensor:
        """Return the explained numbers (f k) with one feature at a time at zero."""
        items = without(self._tokens, features)
        if not self._one_image:
            return asked_in_batches(run, self, items, len(features), targets)
        at_once = max(1, BYTES_AT_ONCE // self._tokens.nbytes)
        expect(run.tick, len(features))
        found = []
        while batch := list(islice(items, at_once)):
            with capturing(self._model.network):
                found.append(explained(run, self(torch.stack(batch)), targets))
            for _ in batch:
                run.tick()
        return torch.cat(found)

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
        def replace(_output: Tensor) -> Tensor:
            return self._site.shaped(tokens).clone()  # the network may go on in place

        with replacing(self._model.network, self._site, replace):
            return self._model.answer(self._image.repeat(images, 1, 1, 1, 1))
