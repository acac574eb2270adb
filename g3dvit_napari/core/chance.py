"""How a probability is written, wherever one is: in per cent, and never rounded to certainty."""

from __future__ import annotations

LEAST, MOST = 0.0005, 0.9995  # beyond these one decimal would say 0.0 % or 100.0 %


def in_percent(probability: float) -> str:
    """Return a probability (0 to 1) as "99.2 %"; what would round to 0 or 100 as a bound.

    The softmax of finite logits is never 0 or 1, even where its floating-point number is.
    """
    if probability < LEAST:
        return "< 0.1 %"
    if probability >= MOST:
        return "> 99.9 %"
    return f"{100 * probability:.1f} %"


def p_of(probability: float) -> str:
    """Return a probability in a caption: "p = 99.2 %", or "p < 0.1 %" for a bound."""
    words = in_percent(probability)
    return f"p {words}" if words[0] in "<>" else f"p = {words}"
