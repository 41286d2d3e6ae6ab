"""How a GIF looks and plays, as it is typed: what the commands that write one share."""

import argparse

from sculptor_app.commands.parsing import whole_number
from sculptor_app.core.requests.request import MAX_STEPS
from sculptor_app.exports.animation.options import MAX_DELAY_MS, MAX_HOLD_MS, MIN_DELAY_MS, AnimationOptions

MAX_SCALE = 256


def scale(text: str) -> int:
    """A converter for argparse: the edge of one pixel, in pixels of the GIF."""
    return whole_number("scale", 1, MAX_SCALE)(text)


def add_gif_look(group: argparse._ArgumentGroup, unit: str, held: str, back_to: str) -> None:
    """Add what does not depend on what the GIF shows.

    Args:
        group: where the options go.
        unit: what follows one another: "step", "layer".
        held: the frames that `--hold-ms` is for.
        back_to: where `--ping-pong` ends.
    """
    every, delay, hold = (
        whole_number(f"distance between shown {unit}s", 1, MAX_STEPS),
        whole_number("time per frame", MIN_DELAY_MS, MAX_DELAY_MS),
        whole_number("hold on the last frame", 0, MAX_HOLD_MS),
    )
    group.add_argument("--every", type=every, default=1, metavar="N", help=f"show every N-th {unit} (1)")
    group.add_argument("--delay-ms", type=delay, default=80, metavar="N", help="per frame, whole 10 ms (80)")
    group.add_argument("--hold-ms", type=hold, default=1500, metavar="N", help=f"for {held} (1500)")
    group.add_argument("--no-loop", action="store_true", help="play once")
    group.add_argument("--ping-pong", action="store_true", help=f"play back to {back_to}")
    group.add_argument("--caption", action="store_true", help=f"write {unit} and phase below")
    group.add_argument("--plot", action="store_true", help="draw the energy per band beside")
    group.add_argument("--dark", action="store_true", help="dark paper for caption and plot")


def gif_options(arguments: argparse.Namespace, frames: str, size_px: int, into_noise: bool = False) -> AnimationOptions:
    """The GIF's options as they were typed.

    Args:
        arguments: with those of `add_gif_look`.
        frames: one of FRAMES.
        size_px: longer side of a picture.
        into_noise: the direction.

    Raises:
        OptionError: a value is outside what is allowed.
    """
    return AnimationOptions(
        frames=frames,
        every=arguments.every,
        size_px=size_px,
        delay_ms=arguments.delay_ms,
        hold_ms=arguments.hold_ms,
        loop=not arguments.no_loop,
        ping_pong=arguments.ping_pong,
        caption=arguments.caption,
        plot=arguments.plot,
        dark=arguments.dark,
        into_noise=into_noise,
    )
