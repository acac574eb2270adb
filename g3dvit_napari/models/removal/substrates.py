"""What stands where a part of the image was, when that is one image for all parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.removal import Substrate
from g3dvit_napari.models.sampling.baselines import derived_baseline


@dataclass(frozen=True, eq=False)
class Ground:
    """An image (1 c f h w) and what else its substrates are made of.

    valid
        The voxels (f h w) that the mean runs over.
    twin
        The same image without the signal (1 c f h w), where one exists.
    seed
        Of the noise.
    """

    image: Tensor
    valid: Tensor
    twin: Tensor | None = None
    seed: int = 0

    @property
    def mean(self) -> Tensor:
        """The mean of each channel (c 1 1 1) over the valid voxels; over all if none is."""
        inside = self.valid if self.valid.any() else torch.ones_like(self.valid)
        means = self.image[0].flatten(1)[:, inside.flatten()].mean(1)
        return means[:, None, None, None]

    def drawn(self) -> Tensor:
        """Return standard Gaussian noise (c f h w), the same on every device."""
        generator = torch.Generator().manual_seed(self.seed)
        noise = torch.randn(self.image.shape[1:], generator=generator, dtype=torch.float64)
        return noise.to(self.image)

    def substrate(self, kind: Substrate) -> Tensor:
        """Return the image (1 c f h w) that shows wherever something was removed.

        Parameters
        ----------
        kind
            "zero" in the network's input space; "mean" of each channel; "blur" under a Gaussian of
            a tenth of the image along each axis; "noise": every voxel drawn anew from those of the
            image's six faces, where its background is; "twin".

        Raises
        ------
        MethodError
            When there is no twin, or what stands there depends on what else is removed ("road").
        """
        make: dict[str, Callable[[], Tensor]] = {
            "zero": lambda: torch.zeros_like(self.image),
            "mean": lambda: self.mean.expand_as(self.image[0])[None].clone(),
            "blur": lambda: derived_baseline(self.image, "blur"),
            "noise": self._resampled,
            "twin": self._twin,
        }
        if kind not in make:
            raise MethodError(f"{kind!r} is no single image; it depends on what is removed")
        return make[kind]()

    def _twin(self) -> Tensor:
        if self.twin is None:
            raise MethodError("this volume has no twin without the signal; choose another baseline")
        return self.twin

    def _resampled(self) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        inside = torch.zeros(self.image.shape[2:], dtype=torch.bool)
        inside[1:-1, 1:-1, 1:-1] = True
        channels = self.image[0].cpu()
        faces = channels[:, ~inside]
        chosen = torch.randint(faces.shape[1], channels.shape, generator=generator)
        drawn = faces.gather(1, chosen.flatten(1)).reshape(channels.shape)
        return drawn[None].to(self.image)
