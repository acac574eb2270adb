"""What stands for "nothing there": the image that a volume is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.passes.asked import files_of

if TYPE_CHECKING:
    from g3dvit_napari.models.passes.forward import ForwardPass

Derived = Literal["background", "zero", "mean", "blur"]
Baseline = Literal[Derived, "file"]
DERIVED: tuple[Derived, ...] = get_args(Derived)
BINS = 256
BLUR = 0.1  # standard deviation of the Gaussian, as a share of the image along each axis


def baseline_of(run: ForwardPass, kind: Baseline, file: str = "") -> Tensor:
    """Return the baseline (1 c f h w) of a pass: derived from its image, or from a file.

    Parameters
    ----------
    run
        The pass.
    kind
        One of the derived ones, or "file".
    file
        A volume on the grid of the explained one, prepared for the network as that is.

    Raises
    ------
    MethodError
        When there is a file without its kind, or the other way round.
    """
    if kind == "file":
        if not file:
            raise MethodError('the baseline "file" needs a volume; name it as baseline_file')
        return torch.from_numpy(files_of(run).image(file))[None].to(run.image)
    if file:
        raise MethodError(
            f'baseline_file is {file!r}, but the baseline is "{kind}"; '
            'choose the baseline "file", or leave baseline_file empty'
        )
    return derived_baseline(run.image, kind)


def derived_baseline(image: Tensor, kind: Derived) -> Tensor:
    """Return the baseline (1 c f h w) that an image makes of itself, in its own intensities.

    Parameters
    ----------
    image
        The network's input (1 c f h w), after normalisation.
    kind
        "background": the commonest value on the outer faces, which is air wherever they show any;
        "zero": zero, the average tissue after a z-score; "mean": the mean of the image; "blur":
        the image under a Gaussian whose standard deviation is a tenth of the image along each axis.
    """
    make: dict[Derived, Callable[[Tensor], Tensor]] = {
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
