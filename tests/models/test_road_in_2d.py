"""ROAD's imputation of a volume of depth 1 against pytorch-grad-cam's copy of the reference."""

from __future__ import annotations

import importlib

import pytest
import torch
from without_pictures import pytorch_grad_cam

from g3dvit_napari.models.removal.road import filled

pytorch_grad_cam()
REFERENCE = importlib.import_module("pytorch_grad_cam.metrics.road").NoisyLinearImputer


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_a_volume_of_depth_one_is_the_reference(share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(3, 14, 17, generator=generator)
    gone = torch.rand(14, 17, generator=generator) < share
    assert gone.sum() > 10
    expected = REFERENCE(noise=0)(image, (~gone).float())
    no_mean = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    found = filled(image.double()[None, :, None], gone[None, None], no_mean, 1e-12)
    torch.testing.assert_close(found[0, :, 0].float(), expected, rtol=0, atol=2e-6)
