"""The glossary: one or two sentences for everything that is seen, measured or chosen.

Tooltips, Help > What am I seeing? and `sculptor-app explain` read it. Names of frames, samplers and phases are those of
their own tables. Without numpy: tooltips are made before anything is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.texts import ratio_text, translate
from sculptor_app.core.trajectory.levels import BORDERS, LEAST_CORRELATION, PHASES
from sculptor_app.measures.frame_kinds import FrameKind

CONTEXT = "glossary"


@dataclass(frozen=True, slots=True)
class Term:
    """An entry: the word as it stands on screen, and what it means."""

    key: str  # of a frame kind its word, of samplers, phases and bands "sampler-", "phase-", "band-" and theirs
    title: str  # English, shown through translation
    text: str  # one or two sentences, likewise


@dataclass(frozen=True, slots=True)
class Chapter:
    """Terms that belong together, in the order in which they are best read."""

    key: str
    title: str
    terms: tuple[Term, ...]


_IDEA = (
    Term("noise", translate("glossary", "Noise"), translate(
        "glossary", "Random numbers, one for each colour of each pixel, most of them small. A seed always draws the "
        "same ones.")),
    Term("diffusion-model", translate("glossary", "Diffusion model"), translate(
        "glossary", "A network that was shown pictures drowned in noise and learned to tell the noise in them. "
        "So it can take noise off, and begin with nothing but noise.")),
    Term("run", translate("glossary", "Run"), translate(
        "glossary", "The whole way from pure noise to a picture, recorded step by step. It can be played in both "
        "directions without the model.")),
    Term("step", translate("glossary", "Step"), translate(
        "glossary", "One move from a noisier state to a cleaner one: step k leads from state k − 1 to state k. "
        "State 0 is the pure noise, the last one is the picture.")),
    Term("steps", translate("glossary", "Steps"), translate(
        "glossary", "How many moves lead from noise to picture. More of them follow the model more closely, and take "
        "longer.")),
    Term("seed", translate("glossary", "Seed"), translate(
        "glossary", "The number that the noise is drawn from. The same seed starts from the same noise on every "
        "device.")),
    Term("sampler", translate("glossary", "Sampler"), translate(
        "glossary", "The rule by which a step goes from the model's guess to the next, cleaner state. All of them use "
        "the same model.")),
    Term("guidance-weight", translate("glossary", "Guidance"), translate(
        "glossary", "How strongly form and material, or a prompt, pull at the picture: the weight w between the guess "
        "without them and the guess with them. 1 is no pull beyond the model's own.")),
    Term("device", translate("glossary", "Device"), translate(
        "glossary", "Where the model computes: a graphics card or the processor. Noise is always drawn on the "
        "processor, so a seed means the same everywhere.")),
)  # fmt: skip

_FRAME_TEXTS = {
    FrameKind.NOISY_STATE: translate(
        "glossary", "What the run really holds at this step: a mixture of the picture to come and noise. It is all "
        "that the model sees."),
    FrameKind.AFTER_STEP: translate(
        "glossary", "The state as the sampler returned it, where the pipeline then changed it. Inpainting, for one, "
        "lays the known part of the picture over it."),
    FrameKind.CURRENT_GUESS: translate(
        "glossary", "The clean picture that the model has in mind at this step. Early on much is still possible, "
        "and the guess is a blurred mean of it; a shorter run ends in another picture."),
    FrameKind.PREDICTED_NOISE: translate(
        "glossary", "What the model takes for noise in the noisy state. Current guess and predicted noise make up that "
        "state together."),
    FrameKind.STATE_CHIPS: translate(
        "glossary", "What this step took off the block: the difference between two neighbouring states, on a colour "
        "scale centred on zero."),
    FrameKind.GUESS_CHIPS: translate(
        "glossary", "What this step changed in the model's mind: the difference between two neighbouring guesses, on a "
        "colour scale centred on zero."),
    FrameKind.TWIN: translate(
        "glossary", "The finished picture, drowned as deep as the state beside it in the noise that the model saw "
        "there. Where the two differ, the rest of the run decides."),
    FrameKind.UNCONDITIONAL_GUESS: translate(
        "glossary", "What the model guesses when it is told neither form and material nor a prompt."),
    FrameKind.CONDITIONAL_GUESS: translate(
        "glossary", "What the model guesses when it is told form and material, or the prompt. With a guidance of 1 "
        "it is the current guess."),
    FrameKind.GUIDANCE_DIRECTION: translate(
        "glossary", "What the conditional guess has beyond the unconditional one. The current guess is the "
        "unconditional one and w times this."),
}  # fmt: skip

_PHASE = Term("phase", translate("glossary", "Phase"), translate(
    "glossary", "A stretch of the signal-to-noise ratio (SNR) with a sculptor's name. A step belongs to the one that "
    "it starts in, so the steps differ between samplers and are computed for each run."))  # fmt: skip
_PHASE_TEXTS = (
    translate("glossary", "SNR below {0}. As a rule: {1}."),
    translate("glossary", "SNR of {0} to {1}. As a rule: {2}."),
    translate("glossary", "SNR from {0} on. As a rule: {1}."),
)

_NOISE_LEVELS = (
    Term("snr", translate("glossary", "Signal-to-noise ratio (SNR)"), translate(
        "glossary", "How strong the picture is in a state beside its noise, as a ratio of their powers: 0 is pure "
        "noise, 1 as much of the one as of the other. A step has two, where it starts and where it leads.")),
    Term("sigma", translate("glossary", "Noise level σ"), translate(
        "glossary", "How strong the noise is beside the picture, as a ratio of their amplitudes: the SNR is 1 / σ².")),
    Term("log-snr", translate("glossary", "log-SNR"), translate(
        "glossary", "The natural logarithm of the SNR: 0 is as much picture as noise, below it there is more noise.")),
)  # fmt: skip

_BANDS = (
    ("layout", translate("Band", "coarse"), 1, 2),
    ("structure", translate("Band", "medium"), 3, 7),
    ("detail", translate("Band", "fine"), 8, 15),
    ("polish", translate("Band", "finest"), 16, None),
)
_BAND_TEXT = translate("glossary", "Waves of {0} to {1} cycles per image, along its longer side.")
_LAST_BAND_TEXT = translate("glossary", "Waves of {0} cycles per image and more: the finest that there are.")

_MEASURES = (
    Term("band", translate("glossary", "Band"), translate(
        "glossary", "A range of frequencies: how many light and dark waves fit across the picture. Low ones are its "
        "layout, high ones its finest detail.")),
    *(
        Term(f"band-{key}", title, (_LAST_BAND_TEXT.format(low) if high is None else _BAND_TEXT.format(low, high)))
        for key, title, low, high in _BANDS
    ),
    Term("hann", translate("glossary", "Hann window"), translate(
        "glossary", "Fades a picture out towards its edges before its frequencies are measured: the jump from one edge "
        "to the opposite one would else count as fine detail.")),
    Term("energy", translate("glossary", "Energy per band"), translate(
        "glossary", "The mean power of the waves in a band; white noise of variance 1 has 1 in every band. The axis is "
        "logarithmic. What has much of it is plainly seen.")),
    Term("spectrum", translate("glossary", "Spectrum"), translate(
        "glossary", "The power at every frequency, from coarse at the left to fine at the right. Noise is level, "
        "that of variance 1 at 1; pictures fall off.")),
    Term("noise-floor", translate("glossary", "Noise floor"), translate(
        "glossary", "The power that the noise in a state has at each frequency. What of a picture lies below it has "
        "drowned.")),
    Term("settled", translate("glossary", "Settled"), translate(
        "glossary", "Measured when a run is over: the step from which on a band of the guess keeps what it has at the "
        "end, by a correlation of {0} and more. Layout may settle late where the model goes on to shift or relight it."
        ).format(LEAST_CORRELATION)),
    Term("drowns", translate("glossary", "Drowns, comes out of the noise"), translate(
        "glossary", "Where the noise grows stronger than a band of the picture, or the other way round.")),
    Term("distance", translate("glossary", "Distance from the finished picture"), translate(
        "glossary", "How far a guess, or a noisy state, is from the picture at the end, over all its values. It is "
        "known when a run is over: the guess comes near long before the state does.")),
    Term("guidance-norm", translate("glossary", "Strength of the guidance"), translate(
        "glossary", "How long the guidance direction of a step is, over all values: where it is large, form and "
        "material, or the prompt, make a difference.")),
    Term("guidance-cosine", translate("glossary", "Turning of the guidance"), translate(
        "glossary", "Whether the guidance pulls where it pulled in the step before: the cosine of the angle between "
        "the two. 1 is the same direction, 0 has nothing to do with it.")),
    Term("psnr", translate("glossary", "Peak signal-to-noise ratio (dB)"), translate(
        "glossary", "How near one picture comes to another; above 40 dB eyes see hardly any difference, and each 20 dB "
        "are a tenth of the error.")),
    Term("instrument-check", translate("glossary", "Check of the instrument"), translate(
        "glossary", "The best guess of random pictures whose power falls as 1/f² is known by a formula at every noise "
        "level. A model that guesses by it is run and measured as any other: what is measured must be what the formula "
        "says.")),
    Term("whiteness", translate("glossary", "How far the noise is from white"), translate(
        "glossary", "The power of the coarsest waves of a noise that is painted on, beside what 98 of 100 noises have. "
        "Outside of that band it is no noise that the model knows.")),
)  # fmt: skip

_OTHER_RUNS = (
    Term("layer", translate("glossary", "Layer"), translate(
        "glossary", "On the page Drown, one helping of noise: layer 0 is the picture, the last one is pure noise. A "
        "step of a run takes off what a layer lays on.")),
    Term("resculpt", translate("glossary", "Carve it out from here"), translate(
        "glossary", "A run that begins with a drowned picture instead of pure noise. What has drowned is carved anew, "
        "what has not comes back.")),
    Term("inversion", translate("glossary", "Find its noise (DDIM inversion)"), translate(
        "glossary", "The steps of DDIM undone one after the other, from a picture to the noise that the model "
        "carves it out of.")),
    Term("grid", translate("glossary", "Grid of runs"), translate(
        "glossary", "Many runs from related noises under one scrubber: one noise under many labels, many noises under "
        "one, or the noises between two seeds.")),
    Term("painted", translate("glossary", "Painted block"), translate(
        "glossary", "Strokes shift the noise towards light, dark or a colour. The model takes that for a hint of the "
        "picture, and follows it.")),
    Term("fork", translate("glossary", "Fork"), translate(
        "glossary", "A run that shares its first states with another one, bit for bit, and goes on from there with "
        "other settings.")),
    Term("decision-curve", translate("glossary", "Decided by step"), translate(
        "glossary", "Several forks part at one step, each with noise of its own. What their pictures share was decided "
        "by that step, what differs was not. A band counts as decided where its waves are alike to a correlation of "
        "0.95 in all pairs of forks, from that step on.")),
    Term("u-turn", translate("glossary", "U-turn"), translate(
        "glossary", "The finished picture of a run, drowned in other noise to the level of a step and sculpted again "
        "from there. What comes back as it was did not drown in that noise.")),
    Term("settled-or-decided", translate("glossary", "Settled or decided?"), translate(
        "glossary", "Settled is said of the guesses of one run, where a band stays nearly as it is; decided of what "
        "all forks from a step share. Either may come first: other noise can still turn what a guess holds, and what "
        "is decided may not be drawn yet.")),
)  # fmt: skip

_LATENTS = (
    Term("latents", translate("glossary", "Latents"), translate(
        "glossary", "Small pictures in a code of their own, in which large models work. An autoencoder turns them into "
        "pixels and back.")),
    Term("latent-map", translate("glossary", "Linear map, R²"), translate(
        "glossary", "A quick look at latents: each becomes one colour, by a mixture that was fitted to the model's own "
        "decoder. R² says how much of the decoded picture it shows, 1 being all.")),
    Term("decoder", translate("glossary", "Decoder"), translate(
        "glossary", "The part of a model that makes pixels of latents, exactly and slowly.")),
    Term("small-decoder", translate("glossary", "Small decoder"), translate(
        "glossary", "A quick stand-in for a model's decoder, such as TAESD. It is tried against the model's own "
        "before it is used.")),
    Term("lora", translate("glossary", "LoRA"), translate(
        "glossary", "A small file that changes a model, often towards a style or a subject. Its weight says by how "
        "much.")),
)  # fmt: skip

_LEARNING = (
    Term("loss", translate("glossary", "Loss"), translate(
        "glossary", "How wrong the model is on average when it tells noise from picture. It falls as the model learns, "
        "never to 0: some noise cannot be told.")),
    Term("learned", translate("glossary", "Noise told from picture"), translate(
        "glossary", "What the model has learned at each noise level: 0 % says no more than the mean, 100 % tells noise "
        "and picture apart without a fault.")),
    Term("v", translate("glossary", "v"), translate(
        "glossary", "What the embedded model predicts: a mixture of noise and picture, from which the sampler works "
        "out both.")),
    Term("checkpoint", translate("glossary", "Checkpoint"), translate(
        "glossary", "All that a run of learning needs to go on later, kept in its folder.")),
)  # fmt: skip

_KARRAS = translate(
    "glossary", "The same as {0}, with noise levels that lie closer together where there is little noise "
    "(Karras et al. 2022).")  # fmt: skip
_SAMPLER_TEXTS = {
    "ddim": translate(
        "glossary", "Goes from the guess to the next level along the noise that the model predicted, and adds none: "
        "the same noise gives the same picture."),
    "ddpm": translate(
        "glossary", "The oldest: every step takes off noise and lays on a little fresh noise. It wants many steps."),
    "dpmpp-2m": translate(
        "glossary", "Looks back at the guess of the step before to follow the curve between two levels, and so needs "
        "fewer steps. It adds no noise."),
    "dpmpp-2m-sde": translate(
        "glossary", "DPM-Solver++ 2M that lays on fresh noise in every step."),
    "euler": translate(
        "glossary", "The plainest: one straight step in the direction of the guess. It adds no noise."),
    "euler-a": translate(
        "glossary", "Takes off more than the step asks for, and lays on fresh noise: pictures go on changing with the "
        "number of steps."),
    "heun": translate(
        "glossary", "Tries a step, looks again where it led, and takes the mean of both directions: nearer the "
        "curve, at two looks a step."),
    "unipc": translate(
        "glossary", "Predicts a step from those before it, and corrects it by the look that the next step needs "
        "anyway."),
    "model": translate(
        "glossary", "The sampler that the model's folder brings along, with the settings that it has there."),
    "dpmpp-2m-karras": _KARRAS.format(SAMPLERS["dpmpp-2m"].label),
    "dpmpp-2s": translate(
        "glossary", "Takes its steps in pairs, of which the second mends the first; it looks back no further. It "
        "adds no noise."),
    "dpmpp-2s-karras": _KARRAS.format(SAMPLERS["dpmpp-2s"].label),
    "euler-karras": _KARRAS.format(SAMPLERS["euler"].label),
    "kdpm2": translate(
        "glossary", "Goes to a level in between, looks again, and takes the whole step in the direction seen there: "
        "two looks a step."),
    "kdpm2-a": translate(
        "glossary", "DPM2 that takes off more than the step asks for, and lays on fresh noise."),
    "lms": translate(
        "glossary", "Goes on along the curve through the directions of the last four steps. It adds no noise."),
    "pndm": translate(
        "glossary", "DDIM in a direction that is mixed from the last four predictions of noise."),
    "deis": translate(
        "glossary", "Solves the known part of the way exactly, and extrapolates the rest from the steps before."),
    "sa": translate(
        "glossary", "Predicts and corrects from several steps before, with fresh noise in the middle of the run."),
    "lcm": translate(
        "glossary", "For models that were taught to come to the picture in a few steps: takes the whole guess, and "
        "drowns it in fresh noise again for the next step."),
    "tcd": translate(
        "glossary", "For models that were taught to come to the picture in a few steps: jumps ahead along the way, and "
        "back a little with fresh noise."),
    "edm-euler": translate(
        "glossary", "Euler for models of the kind of Karras et al. 2022, which scale what goes in and out themselves."),
    "edm-dpmpp-2m": translate(
        "glossary", "DPM-Solver++ 2M for models of the kind of Karras et al. 2022, which scale what goes in and out "
        "themselves."),
    "flow-euler": translate(
        "glossary", "For models whose way from noise to picture is a straight line: goes along the direction that the "
        "model predicts."),
    "flow-heun": translate(
        "glossary", "For models whose way from noise to picture is a straight line: Heun's two looks a step."),
}  # fmt: skip


def _phases() -> Iterable[Term]:
    first, middle, last = _PHASE_TEXTS
    borders = [ratio_text(border) for border in BORDERS]
    for phase in PHASES:
        if phase.index == 0:
            text = first.format(borders[0], phase.action)
        elif phase.index == len(borders):
            text = last.format(borders[-1], phase.action)
        else:
            text = middle.format(borders[phase.index - 1], borders[phase.index], phase.action)
        yield Term(f"phase-{phase.key}", phase.name, text)


CHAPTERS = (
    Chapter("idea", translate("glossary", "The idea"), _IDEA),
    Chapter("frames", translate("glossary", "The frames"), tuple(
        Term(kind.value, kind.title, text) for kind, text in _FRAME_TEXTS.items())),
    Chapter("levels", translate("glossary", "Noise levels and phases"), (*_NOISE_LEVELS, _PHASE, *_phases())),
    Chapter("measures", translate("glossary", "Frequencies and measures"), _MEASURES),
    Chapter("runs", translate("glossary", "Other runs"), _OTHER_RUNS),
    Chapter("latents", translate("glossary", "Large models"), _LATENTS),
    Chapter("learning", translate("glossary", "Learning"), _LEARNING),
    Chapter("samplers", translate("glossary", "Samplers"), tuple(
        Term(f"sampler-{key}", SAMPLERS[key].label, text) for key, text in _SAMPLER_TEXTS.items())),
)  # fmt: skip
"""The glossary, in the order in which it is read."""

TERMS: Mapping[str, Term] = MappingProxyType({term.key: term for chapter in CHAPTERS for term in chapter.terms})
"""Every term by its key."""


def matches(term: Term, word: str, shown: Callable[[str], str] = str) -> bool:
    """Whether a term has a word in its title, key or text, whatever the case.

    Args:
        shown: translates a text.
    """
    return word.strip().casefold() in f"{term.key} {shown(term.title)} {shown(term.text)}".casefold()
