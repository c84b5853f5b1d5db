"""Numbers and names as they are written beside images and in tables; free of matplotlib, which the terminal does not need."""

import math


def percent(confidence: float) -> str:
    """A confidence, rounded down to 0.01 % and never up to 100 %: 0.99996 → "> 99.99 %"."""
    return "> 99.99 %" if confidence > 0.9999 else f"{math.floor(confidence * 1e4) / 100:.2f} %"


def whole_percent(share: float) -> str:
    """A share in whole per cent: 0.456 → "46 %"."""
    return f"{100 * share:.0f} %"


def shorten(text: str, letters: int) -> str:
    """A text of at most this many letters, the last one an ellipsis if any were cut."""
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
