"""What stands for "nothing there": the image that a volume is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

Baseline = Literal["background", "zero", "mean", "blur"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
BINS = 256
BLUR = 0.1  # standard deviation of the Gaussian, as a share of the image along each axis


def baseline_of(image: Tensor, kind: Baseline) -> Tensor:
    """Return the baseline (1 c f h w) of an image, in the network's own intensities.

    Parameters
    ----------
    image
        The network's input (1 c f h w), after normalisation.
    kind
        "background": the commonest value on the outer faces, which is air wherever they show any;
        "zero": zero, the average tissue after a z-score; "mean": the mean of the image; "blur":
        the image under a Gaussian whose standard deviation is a tenth of the image along each axis.
    """
    make: dict[Baseline, Callable[[Tensor], Tensor]] = {
        "background": background_value,
        "zero": torch.zeros_like,
        "mean": lambda channel: channel.mean(),
        "blur": _blurred,
    }
    channels = [make[kind](channel).expand_as(channel) for channel in image[0]]
    return torch.stack(channels)[None]


def background_value(channel: Tensor) -> Tensor:
    """Return the commonest value on the six faces of a grid (f h w).

    Of the fullest of 256 bins the median, so that an exact value that fills a bin comes out
    exactly, and values that are all different still have a mode. NaN where no value is finite.
    """
    inside = torch.zeros_like(channel, dtype=torch.bool)
    inside[1:-1, 1:-1, 1:-1] = True
    faces = channel[~inside].cpu().double().numpy()
    faces = faces[np.isfinite(faces)]
    if not faces.size:
        return channel.new_tensor(float("nan"))
    counts, edges = np.histogram(faces, BINS)
    fullest = int(np.argmax(counts))
    within = (faces >= edges[fullest]) & (faces <= edges[fullest + 1])
    return channel.new_tensor(np.quantile(faces[within], 0.5, method="lower"))


def _blurred(channel: Tensor) -> Tensor:
    widths = [BLUR * length for length in channel.shape]
    smooth = ndimage.gaussian_filter(channel.cpu().double().numpy(), widths, mode="nearest")
    return torch.from_numpy(smooth).to(channel)
