"""Relevance propagation the slow way: every layer by hand, in numpy, one input at a time.

Chefer et al., CVPR 2021, with α = 1; `partial`: the rules of partial LRP (Voita et al., 2019, as
run by Chefer et al.). Nothing here knows of torch's graphs; whole matrices are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, softmax

Array = NDArray[np.float64]


def over(a: Array, b: Array) -> Array:
    """a / b, the size of b raised by 1e-9, and 0 where b is 0."""
    raised = np.where(b >= 0, b + 1e-9, b - 1e-9)
    return np.where(b == 0, 0.0, a / raised)


def of_linear(x: Array, w: Array, r: Array, *, partial: bool = False) -> Array:
    """Relevance of the inputs (n i), given weights (o i) and the relevance of outputs (n o)."""
    result = np.zeros_like(x)
    for n in range(len(x)):
        terms = x[n] * w  # o i
        agree = np.maximum(terms, 0)  # x+ w+ and x- w-: what makes the output larger
        groups = [x[n] > 0, x[n] < 0] if partial else [np.ones(x.shape[1], bool)]
        for group in groups:
            result[n] += ((agree * group) * over(r[n], (agree * group).sum(1))[:, None]).sum(0)
    return result


def of_sum(a: Array, b: Array, r: Array, *, partial: bool = False) -> tuple[Array, Array]:
    """Relevance of both terms of a + b of one sample."""
    to_a, to_b = a * over(r, a + b), b * over(r, a + b)
    if partial:
        return to_a, to_b
    sizes = abs(to_a.sum()), abs(to_b.sum())
    wanted_a = over(sizes[0], sum(sizes)) * r.sum()
    wanted_b = over(sizes[1], sum(sizes)) * r.sum()
    return to_a * over(wanted_a, to_a.sum()), to_b * over(wanted_b, to_b.sum())


def of_product(a: Array, b: Array, r: Array) -> tuple[Array, Array]:
    """Relevance of both factors of a matrix product a b (i k)(k j), halved."""
    to_a, to_b = np.zeros_like(a), np.zeros_like(b)
    t = over(r, a @ b)
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            to_a[i] += a[i] * b[:, j] * t[i, j] / 2
            to_b[:, j] += a[i] * b[:, j] * t[i, j] / 2
    return to_a, to_b


def of_mean(x: Array, r: Array) -> Array:
    """Relevance of the tokens (n d), given that of their mean (d)."""
    return x / len(x) * over(r, x.mean(0))


@dataclass
class Numbers:
    """What a block computes on its way."""

    entering: Array  # n d
    normed: Array
    q: Array  # h n e
    k: Array
    v: Array
    weights: Array  # h n n
    mixed: Array  # n (h e)
    projected: Array
    between: Array  # after the first residual
    normed_again: Array
    active: Array  # after GELU
    out: Array


@dataclass
class PlainRelevance:
    """A ViT3D in numpy, and the relevance R_A (h n n) of the attention of each of its blocks."""

    network: Any
    blocks: list[Numbers] = field(default_factory=list)

    def run(self, tokens: Array) -> Array:
        """Tokens (n d) to logits (c)."""
        self.blocks, x = [], tokens
        for block in self.network.blocks:
            x = self._block(block, x)
        if self.simple:
            self.last = layer_norm(self.network.transformer.norm, x)
        else:
            self.last = x
        self.read = self.last[0] if self.network.cls_pooling else self.last.mean(0)
        if self.simple:
            self.at_head = self.read
        else:
            self.at_head = layer_norm(self.network.mlp_head[0], self.read)
        return self.at_head @ matrix(self.head.weight).T + matrix(self.head.bias)

    @property
    def simple(self) -> bool:
        """Whether it is a SimpleViT: norm, mean, linear; else mean or class token, norm, linear."""
        return self.network.prefix_tokens == 0

    @property
    def head(self) -> Any:
        return self.network.linear_head if self.simple else self.network.mlp_head[1]

    def _block(self, block: Any, x: Array) -> Array:
        attention, (norm, first, *_, second) = block.attention, block.feed_forward.net
        h, n = attention.heads, len(x)
        normed = layer_norm(attention.norm, x)
        q, k, v = (
            part.reshape(n, h, -1).transpose(1, 0, 2)
            for part in np.split(normed @ matrix(attention.to_qkv.weight).T, 3, axis=1)
        )
        weights = softmax(q @ k.transpose(0, 2, 1) * attention.scale, axis=-1)
        mixed = (weights @ v).transpose(1, 0, 2).reshape(n, -1)
        projected = linear(projection(attention), mixed)
        between = x + projected
        again = layer_norm(norm, between)
        hidden = linear(first, again)
        active = hidden * 0.5 * (1 + erf(hidden / np.sqrt(2)))
        out = linear(second, active)
        numbers = (x, normed, q, k, v, weights, mixed, projected, between, again, active, out)
        self.blocks.append(Numbers(*numbers))
        return between + out

    def relevance(self, row: Array, *, partial: bool = False) -> list[Array]:
        """R_A (h n n) of every block, first to last, and `self.at_tokens` (n d).

        `row`: the weights (i) with which the explained number reads what enters the head; its
        relevance is one.
        """
        r = of_linear(self.at_head[None], row[None], np.ones((1, 1)), partial=partial)[0]
        if self.network.cls_pooling:
            at = np.zeros_like(self.last)
            at[0] = r
        else:
            at = of_mean(self.last, r)
        found = []
        for block, numbers in zip(
            reversed(self.network.blocks), reversed(self.blocks), strict=True
        ):
            at, at_weights = self._back(block, numbers, at, partial=partial)
            found.append(at_weights)
        self.at_tokens = at
        return found[::-1]

    def _back(self, block: Any, m: Numbers, r: Array, *, partial: bool) -> tuple[Array, Array]:
        attention, (_, first, *_, second) = block.attention, block.feed_forward.net
        skip, r = of_sum(m.between, m.out, r, partial=partial)
        r = of_linear(m.active, matrix(second.weight), r, partial=partial)
        r = of_linear(m.normed_again, matrix(first.weight), r, partial=partial)
        skip, r = of_sum(m.entering, m.projected, skip + r, partial=partial)
        r = of_linear(m.mixed, matrix(projection(attention).weight), r, partial=partial)
        each = r.reshape(len(r), attention.heads, -1).transpose(1, 0, 2)
        heads = [self._head(m, number, r) for number, r in enumerate(each)]
        at_weights, *at_qkv = (np.stack(part) for part in zip(*heads, strict=True))
        joined = np.concatenate([p.transpose(1, 0, 2).reshape(len(r), -1) for p in at_qkv], axis=1)
        r = of_linear(m.normed, matrix(attention.to_qkv.weight), joined, partial=partial)
        return skip + r, at_weights

    @staticmethod
    def _head(m: Numbers, i: int, r: Array) -> tuple[Array, Array, Array, Array]:
        """R_A (n n), and relevance at q, k, v (n e) of one head."""
        at_weights, at_v = of_product(m.weights[i], m.v[i], r)
        at_q, at_k = of_product(m.q[i], m.k[i].T, at_weights)  # softmax and scale pass it on
        return at_weights, at_q, at_k.T, at_v


def matrix(parameter: Any) -> Array:
    return parameter.detach().numpy()


def linear(layer: Any, x: Array) -> Array:
    bias = 0 if layer.bias is None else matrix(layer.bias)
    return x @ matrix(layer.weight).T + bias


def projection(attention: Any) -> Any:
    return next(m for m in attention.to_out.modules() if hasattr(m, "weight"))


def layer_norm(layer: Any, x: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + layer.eps)
    return centred / deviation * matrix(layer.weight) + matrix(layer.bias)
