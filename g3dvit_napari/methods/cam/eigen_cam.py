"""EigenCAM (Muhammad and Yeasin, IJCNN 2020), on tokens and feature maps."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.features.features import cell_features, placed
from g3dvit_napari.models.features.principal import projection
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "EigenCAM",
    class_specific=False,
    needs={"features"},
    reference="Muhammad and Yeasin, Eigen-CAM, IJCNN 2020, doi:10.1109/IJCNN48605.2020.9206626",
)
def eigen_cam(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Show where the features vary together most, whatever the class.

    With the features a, the output of a block's attention norm (of a convolutional network: the
    last feature map of a resolution), patch n gets r_n = Σ_d (a_nd - ā_d) · v_d, where ā is their
    mean over the patches and v the first right singular vector of a - ā. The sign of v is
    arbitrary: it is chosen such that the value largest in size is positive. The class plays no
    part.

    Parameters
    ----------
    block
        The block whose features are read: 0 is the first, -1 the last.
    """
    asked = len(run.starts(targets))  # refuses a class that does not exist
    values, magnitude = projection(cell_features(run, block))
    return placed(run.site(block).cells, values.expand(asked, -1), magnitude.expand(asked, -1))
