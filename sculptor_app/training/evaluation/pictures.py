"""Pictures that an evaluation compares: samples of the model, fresh renders and training renders, made in parallel."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sculptor_app.atelier import FORMS, MATERIALS
from sculptor_app.atelier.renderer import render, to_bytes
from sculptor_app.core.errors import ModelFolderError
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.diffusion.samplers.schedulers import make_scheduler
from sculptor_app.training.data.shards import SHARD, labels_of, read_shard, shard_name, write_shard
from sculptor_app.training.errors import BadInput


class EvaluationListener(Protocol):
    """A receiver of messages and progress."""

    def message(self, sentence: str) -> None:
        """A sentence about what goes on."""

    def progress(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A context in which pictures are made or compared; it gives a function to call with how many are done."""


def with_progress(
    listener: EvaluationListener, title: str, count: int, parts: Iterable[torch.Tensor]
) -> Iterator[torch.Tensor]:
    """Pass pictures on and show how many have come."""
    done = 0
    with listener.progress(title, count) as show:
        for part in parts:
            yield part
            done += len(part)
            show(done)


Piece = TypeVar("Piece")
Result = TypeVar("Result")


class Stopped(Exception):
    """A piece of work ended early, because nobody waits for it any more."""


def in_parallel(
    work: Callable[[Piece], Result],
    pieces: Iterable[Piece],
    workers: int,
    stopped: threading.Event | None = None,
) -> Iterator[Result]:
    """Do pieces of work at the same time, and give the results in the order of the pieces.

    Torch's own threads share each operation, and wait for each other after it. On the small ones that rendering and
    small networks consist of, two threads are hardly faster than one, and with anything else running on the machine
    many times slower; whole pieces in threads of their own lose nothing, and a result does not depend on the number of
    threads.

    Args:
        work: Does a piece; torch computes it in one thread if there is more than one worker.
        pieces: Taken when there is a worker for them, and few in advance.
        workers: Pieces at a time; 1 does them in this thread.
        stopped: Set when the results are not waited for any more, by Ctrl-C for one; `work` may then raise Stopped.

    Yields:
        The results.
    """
    if workers == 1:
        yield from map(work, pieces)
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for the threads that start from now on, too
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        if stopped is not None:
            stopped.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def workers_on(device: str) -> int:
    """How many pieces at a time a device does best: on a CPU as many as torch would use threads, on a GPU one."""
    return torch.get_num_threads() if device == "cpu" else 1


JUDGE_SEEDS = 2**40
"""First seed of the renders that a judge is made with; training sets use low seeds."""
FRESH_SEEDS = 2**41
"""From here on are the seeds of the renders that samples are compared with; there are 2^40 of them."""
TRAINING_FILE = "training.json"
MOST_PARTS = 100_000

Blocks = list[tuple[int, int]]
"""Runs of consecutive seeds, (first seed, count), each inside one shard."""
Wanted = tuple[list[int], list[int], list[int]]
"""Seeds, forms and materials."""
RENDERED_AT_ONCE_CPU = 48


def fresh_renders(
    seed: int, forms: list[int], materials: list[int], size: int, device: str = "cpu"
) -> Iterator[torch.Tensor]:
    """Renders of these labels, from seeds that belong to no training and to no judge.

    Args:
        seed: Another one gives other pictures.

    Yields:
        (n, 3, size, size) uint8, in the order of the labels.
    """
    first = FRESH_SEEDS + int(np.random.default_rng(seed).integers(2**40 - len(forms)))
    yield from _rendered((list(range(first, first + len(forms))), forms, materials), size, device)


def training_blocks(folder: Path) -> Blocks:
    """Which renders a model was trained on, by its training.json; none if it has no such file.

    The file holds `{"render_seeds": [[first seed, count], …]}`; labels follow `shards.labels_of`.

    Raises:
        ModelFolderError: The file is there and says something else.
    """
    path = folder / TRAINING_FILE
    try:
        ranges = json.loads(path.read_text(encoding="utf-8"))["render_seeds"]
        checked = [(first, count) for first, count in ranges if _is_range(first, count)]
        if len(checked) != len(ranges) or sum(count for _, count in checked) > MOST_PARTS * SHARD:
            raise ValueError("a range is none")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFolderError(
            translate("errors", "{0} does not say which renders the model was trained on ({1}).").format(path, error),
            translate("errors", "Restore the file, or delete it to leave the comparison out."),
        ) from error
    return [(first + skip, min(SHARD, count - skip)) for first, count in checked for skip in range(0, count, SHARD)]


def _is_range(first: object, count: object) -> bool:
    whole = type(first) is int and type(count) is int
    return whole and first >= 0 and count >= 1 and first + count <= 2**63  # type: ignore[operator,return-value]


def choose_blocks(blocks: Blocks, most: int | None) -> Blocks:
    """At most so many pictures (None: all), from shards spread over all; the last shard is cut short."""
    total = sum(count for _, count in blocks)
    if most is None or total <= most:
        return blocks
    needed = -(-most // SHARD)
    while sum(count for _, count in _spread(blocks, needed)) < most:  # a range may end in a part of a shard
        needed += 1
    chosen, left = [], most
    for first, count in _spread(blocks, needed):
        if left:
            chosen.append((first, min(count, left)))
            left -= chosen[-1][1]
    return chosen


def _spread(blocks: Blocks, count: int) -> Blocks:
    return [blocks[i * len(blocks) // count] for i in range(count)]


def training_renders(blocks: Blocks, size: int, store: Path | None, device: str = "cpu") -> Iterator[torch.Tensor]:
    """The training pictures of some blocks, from a store of shards as far as it has them, else rendered again.

    Args:
        store: Folder of shards, as training keeps them; whole shards that it lacks are rendered into it.

    Yields:
        (n, 3, size, size) uint8; those of the store come first.

    Raises:
        BadInput: A shard holds something else than pictures of this size.
        NotWritten: A shard could not be kept.
    """
    kept = [block for block in blocks if store is not None and _is_kept(store, *block)]
    others = [block for block in blocks if block not in kept]
    if store is not None:
        yield from in_parallel(lambda block: _from_store(store, *block, size, device), kept, workers_on(device))
    for first, count in others:
        seeds, forms, materials = labels_of(first)
        yield from _rendered((seeds[:count], forms[:count], materials[:count]), size, device)


def _is_kept(store: Path, first: int, count: int) -> bool:
    return count == SHARD or (store / shard_name(first)).exists()


def _from_store(store: Path, first: int, count: int, size: int, device: str) -> torch.Tensor:
    return pictures_of(write_shard(store, first, size, device), size)[0][:count]


def _rendered(wanted: Wanted, size: int, device: str) -> Iterator[torch.Tensor]:
    """Pictures in parts: a shard's at a time on a GPU, fewer on each core of a CPU."""
    at_once = RENDERED_AT_ONCE_CPU if device == "cpu" else SHARD
    cuts = [slice(i, i + at_once) for i in range(0, len(wanted[0]), at_once)]
    pieces = [(wanted[0][cut], wanted[1][cut], wanted[2][cut]) for cut in cuts]
    yield from in_parallel(lambda piece: _bytes(render(*piece, size, device)), pieces, workers_on(device))


def pictures_of(path: Path, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pictures (480, 3, size, size) uint8, forms and materials (480,) of a shard; `BadInput` if it is no such shard."""
    pictures, forms, materials = read_shard(path)
    if pictures.shape != (SHARD, size, size, 3) or pictures.dtype != np.uint8:
        raise BadInput(
            translate("errors", "{0} holds no {1} pictures of {2} pixels.").format(path, SHARD, size),
            translate("errors", "Choose another folder, or delete it."),
        )
    return torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.from_numpy(forms), torch.from_numpy(materials)


def _bytes(pictures: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(to_bytes(pictures)).permute(0, 3, 1, 2)


PAIRS = len(FORMS) * len(MATERIALS)
BLOCK = 24
"""Pictures whose noise is drawn together; part of what a seed means, so that it is the same on every machine."""
SAMPLED_AT_ONCE_CPU = 8
"""Pictures that one core samples together."""
_ORDER_SEED = 20_261_125


def cycle_labels(count: int) -> tuple[list[int], list[int]]:
    """Forms and materials of samples 0 to count - 1: all 48 pairs in a fixed shuffled order, again and again."""
    order = np.random.default_rng(_ORDER_SEED).permutation(PAIRS)
    pairs = [int(order[i % PAIRS]) for i in range(count)]
    return [pair % len(FORMS) for pair in pairs], [pair // len(FORMS) for pair in pairs]


def draw_samples(
    pipeline: SculptorPipeline,
    forms: list[int],
    materials: list[int],
    seed: int,
    steps: int,
    guidance: float,
    dtype: torch.dtype = torch.float32,
    sampler: str = "ddim",
) -> Iterator[torch.Tensor]:
    """Sample a picture for each pair of labels.

    The first n of many samples are the same as n samples alone.

    Args:
        dtype: What the network's products are computed in; the states are float32 in any case.
        sampler: One of `NOISELESS_SAMPLERS`.

    Yields:
        (n, 3, H, W) uint8, in the order of the labels.
    """
    stopped, device = threading.Event(), pipeline.device.type
    config, base = pipeline.config, dict(pipeline.scheduler.config)

    def work(batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        own = SculptorPipeline(pipeline.unet, pipeline.label_embedding, make_scheduler(sampler, base, steps),
                               config.patch_size, config.form_names, config.material_names)  # fmt: skip
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            return denoise(own, *batch, steps, guidance)

    def look_up(*_: object) -> None:
        if stopped.is_set():
            raise Stopped

    watch = pipeline.unet.register_forward_pre_hook(look_up)
    at_once = SAMPLED_AT_ONCE_CPU if device == "cpu" else BLOCK
    batches = noise_batches(torch.tensor([forms, materials]), seed, pipeline.picture_size, at_once)
    try:
        yield from in_parallel(work, batches, workers_on(device), stopped)
    finally:
        watch.remove()


def noise_batches(
    labels: torch.Tensor, seed: int, size: int, at_once: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Noise (n, 3, size, size) and labels (2, n) of the samples, n up to `at_once`, from labels (2, N)."""
    for start in range(0, labels.shape[1], BLOCK):
        block = labels[:, start : start + BLOCK]
        generator = torch.Generator().manual_seed(int(np.random.default_rng([seed, start]).integers(2**63)))
        noise = torch.randn((block.shape[1], 3, size, size), generator=generator)
        yield from zip(torch.split(noise, at_once), torch.split(block, at_once, dim=1), strict=True)


@torch.no_grad()
def sample_labelled(
    pipeline: SculptorPipeline, forms: list[int], materials: list[int], seed: int = 0, steps: int = 25,
    guidance_scale: float = 2.0, at_once: int = 48,
) -> np.ndarray:  # fmt: skip
    """Pictures of many different labels, which the pipeline's own call does not offer.

    Args:
        seed: Of the noise; a picture's noise does not depend on how many are made at once.
        at_once: Pictures in one batch; less takes less memory.

    Returns:
        (B, H, W, 3) uint8.
    """
    size = pipeline.picture_size
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((len(forms), 3, size, size), generator=generator, dtype=torch.float32)
    labels = torch.tensor([forms, materials])
    parts = [denoise(pipeline, noise[i : i + at_once], labels[:, i : i + at_once], steps, guidance_scale)
             for i in range(0, len(forms), at_once)]  # fmt: skip
    array: np.ndarray = torch.cat(parts).permute(0, 2, 3, 1).numpy()
    return array


def denoise(
    pipeline: SculptorPipeline, noise: torch.Tensor, labels: torch.Tensor, steps: int, guidance_scale: float
) -> torch.Tensor:
    """One batch of pictures.

    Args:
        pipeline: Makes the pictures; its scheduler must be nobody else's meanwhile.
        noise: (B, 3, H, W).
        labels: (2, B) int64, forms and materials.

    Returns:
        (B, 3, H, W) uint8 on the CPU.
    """
    scheduler, table, patch = pipeline.scheduler, pipeline.label_embedding, pipeline.config.patch_size
    null = torch.tensor([[table.null_form], [table.null_material]]).expand_as(labels)
    embedded = table(*torch.cat([null, labels], dim=1).to(pipeline.device))  # (2B, width), the null labels first
    scheduler.set_timesteps(steps, device=pipeline.device)
    x: torch.Tensor = noise.to(pipeline.device) * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        seen = scheduler.scale_model_input(x, t)
        doubled = pixel_unshuffle(torch.cat([seen, seen]), patch)
        uncond, cond = pixel_shuffle(pipeline.unet(doubled, t, class_labels=embedded).sample, patch).float().chunk(2)
        x = scheduler.step(uncond + guidance_scale * (cond - uncond), t, x).prev_sample
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()
