"""How often a model is called: at most so many calls or images a second, and waits that a server asks for."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from fooling.settings.fields import Rate

LONGEST_REQUEST = 120.0  # seconds that a server may ask to wait; longer than that ends the job, which resumes later


class Pace:
    """Spreads calls over time: each begins no earlier than the ones before it allow; there are no bursts."""

    def __init__(self, rate: Rate | None) -> None:
        self.rate, self.free = rate, 0.0  # `free`: when the next call may begin, by time.monotonic()

    def wait(self, images: int) -> None:
        """Waits until a call with so many images may begin."""
        if self.rate is None:
            return
        pause = self.free - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        self.free = max(self.free, time.monotonic()) + (images if self.rate.of_images else 1) / self.rate.a_second

    def paced(self, predict: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A function of inputs [N, …] whose calls keep the pace."""

        def waiting(inputs: Any) -> Any:
            self.wait(len(inputs))
            return predict(inputs)

        return predict if self.rate is None else waiting


def requested_wait(text: str) -> float | None:
    """The seconds in a header Retry-After, a number or a date (RFC 9110, section 10.2.3); None where it holds neither."""
    if text.strip().isascii() and text.strip().isdigit():
        seconds = float(text)
        return seconds if isfinite(seconds) else None
    try:
        when = parsedate_to_datetime(text)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(0.0, (when - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None
