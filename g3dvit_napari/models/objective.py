"""What is explained of a class: which number, computed from the logits, the map accounts for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.types import ObjectiveKind, Output


@dataclass(frozen=True)
class Objective:
    """A function of the logits, one value per class.

    kind
        "logit"; "probability" and its logarithm, whose gradient vanishes where the network is
        sure; "contrast", the logit minus that of the class `against`.
    output
        What the logits are: one per "classes"; a single one that is positive for class 1 and
        negative for class 0 ("binary"); a "regression" value.
    """

    kind: ObjectiveKind = "logit"
    against: int | None = None
    output: Output = "classes"

    def class_logits(self, logits: Tensor) -> Tensor:
        """Return one logit per class (... c): a single one z stands for the two (-z, z)."""
        return torch.cat([-logits, logits], dim=-1) if self.output == "binary" else logits

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability of every class (... c); NaN for a regression, which has none."""
        if self.output == "regression":
            return torch.full_like(logits, float("nan"))
        if self.output == "binary":
            return self.class_logits(logits).sigmoid()
        return logits.softmax(dim=-1)

    def scores(self, logits: Tensor, targets: Sequence[int]) -> Tensor:
        """Return the explained number (... k) of each target, from logits (... c)."""
        each = self.class_logits(logits)
        chosen = self._checked(targets, each.shape[-1])
        if self.kind == "logit":
            return each[..., chosen]
        if self.output == "regression":
            raise MethodError(
                f"a regression has no {self.kind}; explain its value with the objective 'logit'"
            )
        if self.kind == "contrast":
            return self._contrast(each, chosen)
        log = self._log_probabilities(logits, each)[..., chosen]
        return log if self.kind == "log_probability" else log.exp()

    def starts(self, logits: Tensor, targets: Sequence[int]) -> Tensor:
        """Return the gradient (k 1 c) of each explained number at the logits (c)."""
        with torch.inference_mode(False), torch.enable_grad():
            leaf = logits.detach().clone().requires_grad_()
            scores = self.scores(leaf, targets)
            rows = [torch.autograd.grad(s, leaf, retain_graph=True)[0] for s in scores]
        return torch.stack(rows)[:, None]

    def _log_probabilities(self, logits: Tensor, each: Tensor) -> Tensor:
        log: Callable[[Tensor], Tensor] = torch.nn.functional.logsigmoid
        return log(each) if self.output == "binary" else logits.log_softmax(dim=-1)

    def _contrast(self, each: Tensor, chosen: list[int]) -> Tensor:
        classes = each.shape[-1]
        if self.output == "binary":  # the logit is the contrast of its two classes
            return each[..., chosen]
        if self.against is None:
            raise MethodError("a contrast needs the class to compare with; give against=CLASS")
        (other,) = self._checked([self.against], classes)
        if other in chosen:
            raise MethodError(
                f"class {other} cannot be contrasted with itself; choose another class for against"
            )
        return each[..., chosen] - each[..., [other]]

    @staticmethod
    def _checked(targets: Sequence[int], classes: int) -> list[int]:
        for target in targets:
            if not 0 <= target < classes:
                raise MethodError(
                    f"class {target} asked for, but the network has {classes}: 0 is the first, "
                    f"{classes - 1} the last"
                )
        return list(targets)
