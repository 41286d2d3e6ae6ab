"""A judge on disk: weights and reference statistics as safetensors, what is known of it as JSON; read strictly."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from sculptor_app.atelier.labels import FORMS, MATERIALS
from sculptor_app.training.errors import JudgeError
from sculptor_app.training.evaluation.frechet import Gaussian
from sculptor_app.training.evaluation.judge import FEATURES, Judge
from sculptor_app.training.evaluation.judge_training import Standard
from sculptor_app.training.files import written_whole

WEIGHTS, FACTS = "judge.safetensors", "judge.json"
MOST_BYTES = 8_000_000
"""More than any judge weighs: a file that is larger is not read into memory."""
_SHARES = ("form_accuracy", "material_accuracy", "form_accuracy_worn", "material_accuracy_worn")
_COUNTS = ("size", "renders", "held_out")
_MEAN, _COVARIANCE = "reference.mean", "reference.covariance"


def write_judge(folder: Path, standard: Standard) -> None:
    """Write a judge: weights in 16 bits, statistics in 32, the weights last, so that a folder with weights is whole.

    Raises:
        NotWritten: The folder or the disk did not take it.
    """
    facts = {name: getattr(standard, name) for name in (*_COUNTS, *_SHARES)}
    facts |= {"forms": list(FORMS), "materials": list(MATERIALS)}
    tensors = {name: tensor.half() for name, tensor in standard.judge.state_dict().items()}
    tensors |= {_MEAN: standard.reference.mean.float(), _COVARIANCE: standard.reference.covariance.float()}
    contents = {FACTS: (json.dumps(facts, indent=2) + "\n").encode(), WEIGHTS: safetensors.torch.save(tensors)}
    for name, content in contents.items():
        with written_whole(folder / name) as file:
            file.write(content)


def read_judge(folder: Path) -> Standard:
    """Read and check a judge's folder.

    Raises:
        JudgeError: A file is missing, damaged, or of a judge of other forms and materials.
    """
    facts, tensors = _read_facts(folder / FACTS), _read_tensors(folder / WEIGHTS)
    reference = Gaussian(tensors.pop(_MEAN).double(), tensors.pop(_COVARIANCE).double())
    judge = Judge()
    judge.load_state_dict(tensors)
    return Standard(judge.eval().requires_grad_(False), reference, **facts)


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        found = {name: facts[name] for name in (*_COUNTS, *_SHARES)}
        labels = (facts["forms"], facts["materials"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise JudgeError(f"{path} cannot be read ({error!r}).") from error
    if labels != (list(FORMS), list(MATERIALS)):
        raise JudgeError(f"{path} is of a judge of other forms or materials.")
    whole = all(type(found[name]) is int and 0 < found[name] < 10**9 for name in _COUNTS)
    if not whole or not all(type(found[name]) is float and 0 <= found[name] <= 1 for name in _SHARES):
        raise JudgeError(f"{path} holds numbers that no judge has.")
    return found


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor that a judge has, in float32; names and shapes are compared before anything is used."""
    with torch.device("meta"):
        wanted = {name: tuple(tensor.shape) for name, tensor in Judge().state_dict().items()}
    wanted |= {_MEAN: (FEATURES,), _COVARIANCE: (FEATURES, FEATURES)}
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
        tensors = safetensors.torch.load(path.read_bytes())
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise JudgeError(f"{path} is missing or damaged ({error}).") from error
    if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != wanted:
        raise JudgeError(f"{path} holds the weights of something else.")
    broken = [name for name, tensor in tensors.items() if not math.isfinite(float(tensor.double().abs().sum()))]
    if broken:
        raise JudgeError(f"{path} has values that are no numbers in {broken[0]!r}.")
    return {name: tensor.float() for name, tensor in tensors.items()}


def describe_judge(folder: Path, standard: Standard) -> dict[str, Any]:
    """What an evaluation tells of its judge; the first half of the name tells its size, the second its weights."""
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    return {
        "judge": f"{folder.name} {digest[:12]}",
        "judge_form_accuracy": round(standard.form_accuracy, 4),
        "judge_material_accuracy": round(standard.material_accuracy, 4),
    }
