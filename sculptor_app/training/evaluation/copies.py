"""Copies of training pictures among samples: those that lie far nearer to one training picture than to any other.

Source: Bonnaire, Urfin, Biroli and Mézard 2025, "Why diffusion models don't memorize", arXiv:2505.17638, its share of
memorised samples with k = 1/3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch

COPY = 1 / 3
"""A sample is a copy where its distance to the nearest training picture is less than so much of that to the second."""
AT_ONCE = 1024
"""Pictures whose distances are computed together."""


def two_nearest(pictures: torch.Tensor, known: Iterable[torch.Tensor]) -> torch.Tensor:
    """Distances of every picture to the nearest and the second nearest of the known ones, each or its mirror image.

    A known picture that is there again, as it is or mirrored, counts once: it would be nearest and second nearest at
    the same time, and hide that it is copied. Pictures that are only alike count each; their copies are not noticed.

    Args:
        pictures: (N, 3, H, W) uint8.
        known: Parts (M, 3, H, W) uint8 of the known pictures; one after the other, so that they need not be in memory
            together.

    Returns:
        (N, 2) float64, the root of the mean squared difference over pixels and channels, where black to white is 1;
        infinite as far as fewer than two different ones are known.
    """
    least = torch.full((len(pictures), 2), torch.inf, dtype=torch.float64)
    met: set[bytes] = set()
    for part in known:
        new = part[[place for place, picture in enumerate(part) if _is_new(picture, met)]]
        if len(new):
            found = torch.cat([_of_part(some, new) for some in torch.split(pictures, AT_ONCE)])
            least = torch.cat([least, found], dim=1).sort(dim=1).values[:, :2]
    return least


def are_copies(distances: torch.Tensor) -> torch.Tensor:
    """Whether pictures of such distances (N, 2) to the two nearest known ones are copies, (N,) bool.

    Nothing is one where fewer than two pictures are known.
    """
    return distances.isfinite().all(dim=1) & (distances[:, 0] < COPY * distances[:, 1])


def _is_new(picture: torch.Tensor, met: set[bytes]) -> bool:
    """Whether neither a picture nor its mirror image was met before; it is noted."""
    plain = picture.cpu()
    digest = min(hashlib.sha256(each.numpy().tobytes()).digest() for each in (plain, plain.flip(2)))
    is_new = digest not in met
    met.add(digest)
    return is_new


def _of_part(pictures: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """The two least distances (N, 2) to (M, 3, H, W), the second infinite if M is 1."""
    lines, plain, mirrored = _lines(pictures), _lines(known), _lines(known.flip(3))
    # |a|² is the same for all of a row.
    squared, is_mirrored = torch.stack([b.square().sum(dim=1) - 2 * lines @ b.T for b in (plain, mirrored)]).min(dim=0)
    places = squared.topk(min(2, len(known)), dim=1, largest=False).indices
    mirrors = is_mirrored.gather(1, places)
    # Once more without the rounding of the large products: a copy is at 0 exactly.
    exact = [
        (lines - torch.where(mirror[:, None] == 1, mirrored[place], plain[place])).double().square().mean(dim=1).sqrt()
        for place, mirror in zip(places.T, mirrors.T, strict=True)
    ]
    if len(exact) == 1:
        exact.append(torch.full_like(exact[0], torch.inf))
    return torch.stack(exact, dim=1)


def _lines(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.reshape(len(pictures), -1).float() / 255
