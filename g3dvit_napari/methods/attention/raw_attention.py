"""Raw attention: what the answer's row of one block attends to."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.as_found.capture import block_index
from g3dvit_napari.models.attention.attention_maps import head_rows, same_for_all, to_attention_maps
from g3dvit_napari.models.passes.forward import ForwardPass


@METHODS.register(
    "Raw attention",
    class_specific=False,
    needs={"attention"},
    reference="Vaswani et al., NeurIPS 2017; as a map: Caron et al., ICCV 2021",
)
def raw_attention(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    head: Annotated[int, {"min": -1, "max": 63}] = -1,
    block: Annotated[int, {"min": -64, "max": 63}] = -1,
) -> TokenMaps:
    """Show what the class token attends to in one block; the same map for every class.

    Token n gets r_n = mean_h A_h[cls, n], with A_h the attention of head h. Where the head of the
    network averages tokens there is no such row, and the mean over all query rows takes its place:
    how much token n is attended to.

    Parameters
    ----------
    head
        The attention head that is shown, counted from 0; -1 for the mean of all heads.
    block
        The block whose attention is shown: 0 is the first, -1 the last.
    """
    layers = run.attention()
    rows = head_rows(run, layers[block_index(block, len(layers))])
    if head >= len(rows):
        raise MethodError(f"the block has {len(rows)} heads, 0 to {len(rows) - 1}; got head {head}")
    row = rows.mean(0) if head < 0 else rows[head]
    return to_attention_maps(run, same_for_all(run, targets, row[None]), block=block)
