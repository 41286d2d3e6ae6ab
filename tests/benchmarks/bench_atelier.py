"""How long a rendered picture takes: torch's way beside the compiled kernels, in the same run.

    python -m tests.benchmarks.bench_atelier                     # 64, 128 and 256 pixels, one thread and two
    python -m tests.benchmarks.bench_atelier --sizes 128 --threads 1 --pictures 48

Milliseconds a picture: of the process's own computing time, all threads together, which hardly depends on what else the
machine does, and on the clock. The pictures take the forms in turn. The last column compares the pictures in 8 bits.
"""

import argparse
import time
from collections.abc import Callable

import torch

from sculptor_app.atelier import FORMS, MATERIALS
from sculptor_app.atelier.renderer import render, render_by_torch, to_bytes

CPU = torch.device("cpu")


def measured(make: Callable[[], torch.Tensor], count: int) -> tuple[torch.Tensor, float, float]:
    """Pictures, milliseconds of computing a picture, and those on the clock."""
    computing, clock = time.process_time(), time.perf_counter()
    made = make()
    return made, (time.process_time() - computing) * 1e3 / count, (time.perf_counter() - clock) * 1e3 / count


def print_row(size: int, threads: int, count: int) -> None:
    """Both ways, side by side."""
    torch.set_num_threads(threads)
    labels = [i % len(FORMS) for i in range(count)], [i % len(MATERIALS) for i in range(count)]
    render_by_torch([0], [0], [0], size, CPU)  # torch's first use of an operation is slow
    by_torch, torch_ms, torch_clock_ms = measured(lambda: render_by_torch(range(count), *labels, size, CPU), count)
    compiled, ms, clock_ms = measured(lambda: render(range(count), *labels, size), count)
    apart = abs(to_bytes(by_torch).astype(int) - to_bytes(compiled).astype(int))
    print(
        f"{size:4d}   {threads:7d}   {torch_ms:7.1f}   {ms:8.1f}   {torch_ms / ms:5.1f}   {torch_clock_ms:11.1f}   "
        f"{clock_ms:8.1f}   {torch_clock_ms / clock_ms:5.1f}   mean {apart.mean():.4f}, most {apart.max()}",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256], help="edges in pixels (64 128 256)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads (1 2)")
    parser.add_argument("--pictures", type=int, default=8, help="pictures of each size (8)")
    arguments = parser.parse_args()
    clock = time.perf_counter()
    render([0], [0], [0], 8)
    print(f"the kernels were there after {time.perf_counter() - clock:.1f} s; milliseconds a picture\n")
    print("size   threads     torch   compiled   ratio   torch clock   compiled   ratio   apart, of 255")
    for size in arguments.sizes:
        for threads in arguments.threads:
            print_row(size, threads, arguments.pictures)


if __name__ == "__main__":
    main()
