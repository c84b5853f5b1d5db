"""Images moved and scaled within their frame; black comes in."""

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]


def moved(images: Bytes, down: int, right: int) -> Bytes:
    """Images [N, H, W, C] moved by whole pixels; what leaves the frame is lost."""
    height, width = images.shape[1:3]
    result = np.zeros_like(images)
    if abs(down) < height and abs(right) < width:
        to, source = span(down, height), span(-down, height)
        across, before = span(right, width), span(-right, width)
        result[:, to, across] = images[:, source, before]
    return result


def span(by: int, side: int) -> slice:
    """The places of a side that are reached by a move."""
    return slice(max(0, by), side + min(0, by))


def scaled(images: Bytes, factor: float) -> Bytes:
    """Images [N, H, W, C] enlarged about their middle, with anti-aliasing, rounded; what leaves the frame is lost."""
    if factor == 1:
        return images
    down, across = (resampling(side, factor) for side in images.shape[1:3])
    levels = np.einsum("ih,nhwc,jw->nijc", down, images.astype(np.float64), across, optimize=True)
    return np.asarray(np.rint(levels), dtype=np.uint8)


def resampling(side: int, factor: float) -> Doubles:
    """What each of `side` pixels takes from each, [side, side]: a triangle one pixel wide, 1/factor where they shrink."""
    middle, reach = side / 2, max(1.0, 1 / factor)
    weights = np.zeros((side, side))
    for i in range(side):
        at = (i + 0.5 - middle) / factor + middle
        near = np.arange(int(np.floor(at - reach)) - 1, int(np.ceil(at + reach)) + 2)
        share = np.maximum(0, 1 - np.abs(near + 0.5 - at) / reach)
        inside = (near >= 0) & (near < side)
        weights[i, near[inside]] = (share / share.sum())[inside]
    return weights
