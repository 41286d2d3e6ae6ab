"""One frame of a GIF before the GIF is made."""

from sculptor_app.exports.animation.film import RunOrGrid, animation_of, states_of
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.gif.container import TRAILER, file_header
from sculptor_app.exports.gif.encoder import SceneEncoder
from sculptor_app.measures.run_measures import RunMeasures


def preview_gif(source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, k: int) -> bytes:
    """A GIF of one frame, made by the same means as the whole: what is seen here is what will be written.

    Args:
        source: the run or runs so far.
        measures: as for `write_gif`.
        options: what is wanted.
        k: the state to show, or else the nearest that the GIF will show.

    Raises:
        ExportError: there is nothing to show.
    """
    states = states_of(source, options)
    nearest = min(states, key=lambda state: abs(state - k))
    scenes = animation_of(source, measures, options).scenes
    frame = SceneEncoder(scenes.colours, scenes.scale).encode(scenes.scene(nearest), options.delay_ms)
    return file_header(scenes.width, scenes.height, False, b"preview") + frame + TRAILER
