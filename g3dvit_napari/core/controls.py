"""Maps that no method made: what a metric must praise, what it must not, and what knows nothing.

Each returns tokens (f h w) on the patches of a scene. A method that does not beat noise, the middle
of the image and an edge filter has explained nothing (Adebayo et al. 2018, Clark et al. 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.evaluation import Evaluation, Floats, Scene
from g3dvit_napari.core.units import averaged


def oracle(scene: Scene) -> Floats:
    """Return the share of each patch's voxels, of those that count, that the target fills.

    Raises
    ------
    ValueError
        When the scene has no truth.
    """
    share = scene.share_of_patches(scene.mask("truth") & scene.counted)
    return np.nan_to_num(share).reshape(scene.patches.shape)


def inverted_oracle(scene: Scene) -> Floats:
    """Return what the oracle leaves out: one outside the target, zero in patches filled by it."""
    return 1.0 - oracle(scene)


def random(scene: Scene, draw: int = 0) -> Floats:
    """Return uniform noise; `draw` numbers the maps of one scene, whose seed decides the rest."""
    return np.random.default_rng((scene.seed, draw)).random(scene.patches.shape)


def constant(scene: Scene) -> Floats:
    """Return the same value everywhere."""
    return np.ones(scene.patches.shape)


def centre_gaussian(scene: Scene, width: float = 0.2) -> Floats:
    """Return a bell around the middle of the input; `width` is its sigma as a share of each side.

    Objects tend to be in the middle, and so do the maps of many methods.
    """
    along = [
        np.exp(-0.5 * (((np.arange(n) + 0.5) / n - 0.5) / width) ** 2) for n in scene.patches.shape
    ]
    bell: Floats = along[0][:, None, None] * along[1][None, :, None] * along[2]
    return bell


def mean_map(maps: Iterable[NDArray[Any]]) -> Floats:
    """Return the mean of maps (f h w) of other volumes: where relevance lies on the whole.

    Each counts by its positive part, divided by the sum of that; maps without any are left out.

    Raises
    ------
    ValueError
        When no map has a positive value.
    """
    positive = [np.maximum(np.asarray(each, dtype=np.float64), 0.0) for each in maps]
    shares = [each / each.sum() for each in positive if each.sum() > 0]
    if not shares:
        raise ValueError("a mean map needs at least one map with a positive value")
    mean: Floats = np.mean(shares, axis=0)
    return mean


def sobel(scene: Scene) -> Floats:
    """Return the size of the input's gradient by Sobel's filter in 3D, averaged over patches."""
    return _of_input(scene, lambda x: ndimage.generic_gradient_magnitude(x, ndimage.sobel))


def laplace(scene: Scene) -> Floats:
    """Return the size of the input's Laplacian, averaged over patches."""
    return _of_input(scene, lambda x: np.abs(ndimage.laplace(x)))


def magnitude(scene: Scene) -> Floats:
    """Return the size of the input's values, averaged over patches."""
    return _of_input(scene, np.abs)


CONTROLS: Mapping[str, Callable[[Scene], Floats]] = {
    made.__name__: made
    for made in (
        oracle,
        inverted_oracle,
        random,
        constant,
        centre_gaussian,
        sobel,
        laplace,
        magnitude,
    )
}


def control(name: str, scene: Scene) -> Evaluation:
    """Return a control map, ready to be judged.

    Raises
    ------
    KeyError
        When there is no such control.
    ValueError
        When it needs a truth and there is none.
    """
    return judged(CONTROLS[name](scene), scene)


def judged(tokens: NDArray[Any], scene: Scene) -> Evaluation:
    """Return a map (f h w) on the patches of a scene, ready to be judged."""
    return Evaluation(np.asarray(tokens, dtype=np.float64), scene, scene.placement.map_cells)


def _of_input(scene: Scene, filtered: Callable[[Floats], Floats]) -> Floats:
    """Return a filter's answer to the network's input, averaged over channels and patches."""
    image = scene.placement.to_tensor().astype(np.float64)
    answer = np.mean([filtered(channel) for channel in image], axis=0)
    return averaged(answer, Cells.voxels(answer.shape), scene.patches)
