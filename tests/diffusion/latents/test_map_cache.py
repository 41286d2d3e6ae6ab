"""Cache of latent maps: read when they are whole and belong to the model, fitted again otherwise."""

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from sculptor_app import folders
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.trajectory.latent_map import LatentMap
from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.diffusion.latents.map_cache import FOLDER, key_of, load_or_fit_map, read_map, write_map
from tests.diffusion.latents.networks import KnownVae, around, kl, returned


def codec(vae: object | None = None) -> LatentCodec:
    return LatentCodec(around(kl() if vae is None else vae))


def made_map(seed: int = 1) -> LatentMap:
    generator = np.random.default_rng(seed)
    weights = generator.standard_normal((3, 4, 3, 3)).astype(np.float32)
    return LatentMap(weights, generator.standard_normal(3).astype(np.float32), (0.5, 0.25, 0.75), 0.5, 18, 6)


def same(one: LatentMap, other: LatentMap) -> bool:
    arrays = (one.weights == other.weights).all() and (one.bias == other.bias).all()
    facts = [(m.r2, m.r2_overall, m.fitted_pictures, m.held_out_pictures) for m in (one, other)]
    return bool(arrays) and facts[0] == facts[1]


def test_it_is_fitted_once_and_then_read() -> None:
    steps = load_or_fit_map(codec(), threading.Event())
    assert next(steps).done == 1
    first = returned(steps)
    with pytest.raises(StopIteration) as end:  # without any progress
        next(load_or_fit_map(codec(), threading.Event()))
    again = end.value.value
    assert again.r2_overall == pytest.approx(first.r2_overall, abs=1e-6)
    np.testing.assert_array_equal(again.weights, first.weights)
    kept = list((folders.cache() / FOLDER).iterdir())
    assert [path.name for path in kept] == [f"{key_of(codec())}.safetensors"]


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    write_map(tmp_path / "new" / "a.safetensors", "key", made_map())
    found = read_map(tmp_path / "new" / "a.safetensors", "key", 4)
    assert found is not None
    assert same(found, made_map())
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_another_autoencoder_has_another_key() -> None:
    keys = {key_of(codec())}
    changed = kl()
    with torch.no_grad():
        next(changed.decoder.parameters())[0] += 1e-6
    keys.add(key_of(codec(changed)))
    keys.add(key_of(codec(kl(scaling_factor=0.3))))
    keys.add(key_of(codec(kl().to(torch.bfloat16))))
    keys.add(key_of(codec(KnownVae())))
    keys.add(key_of(LatentCodec(SimpleNamespace(movq=kl()))))  # the same weights, but states are scaled otherwise
    assert len(keys) == 6
    assert key_of(codec()) in keys


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def text(path: Path) -> None:
    path.write_text("not a map")


def too_large(path: Path) -> None:
    _save(path, np.zeros((3, 4, 3, 3), np.float32), more=np.zeros(2**18, np.float32))


def foreign_key(path: Path) -> None:
    write_map(path, "another", made_map())


def other_channels(path: Path) -> None:
    _save(path, np.zeros((3, 5, 3, 3), np.float32))


def not_numbers(path: Path) -> None:
    _save(path, np.full((3, 4, 3, 3), np.nan, np.float32))


def other_type(path: Path) -> None:
    _save(path, np.zeros((3, 4, 3, 3), np.float64))


def without_counts(path: Path) -> None:
    _save(path, np.zeros((3, 4, 3, 3), np.float32), {"key": "key"})


def _save(path: Path, weights: np.ndarray, metadata: dict[str, str] | None = None, **more: np.ndarray) -> None:
    arrays = {"weights": weights, "bias": np.zeros(3, np.float32), "r2": np.zeros(4, np.float32), **more}
    save_file(arrays, path, metadata or {"key": "key", "fitted_pictures": "1", "held_out_pictures": "1"})


@pytest.mark.parametrize(
    "harm",
    [nothing, cut_off, text, too_large, foreign_key, other_channels, not_numbers, other_type, without_counts],
    ids=lambda harm: harm.__name__,
)
def test_a_file_that_is_not_as_it_was_written_is_not_used(harm, tmp_path: Path, caplog) -> None:
    path = tmp_path / "map.safetensors"
    write_map(path, "key", made_map())
    assert read_map(path, "key", 4) is not None
    harm(path)
    assert read_map(path, "key", 4) is None
    assert "is not used" in caplog.text


def test_a_broken_file_is_replaced_by_a_new_map(tmp_path: Path) -> None:
    path = tmp_path / f"{key_of(codec())}.safetensors"
    text(path)
    found = returned(load_or_fit_map(codec(), threading.Event(), tmp_path))
    kept = read_map(path, key_of(codec()), 4)
    assert kept is not None
    np.testing.assert_array_equal(kept.weights, found.weights)


def test_where_nothing_can_be_kept_it_is_fitted_all_the_same(tmp_path: Path, caplog) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    found = returned(load_or_fit_map(codec(), threading.Event(), tmp_path / "taken"))
    assert found.channels == 4
    assert "could not be kept" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_fit_that_was_given_up_leaves_no_file(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        next(load_or_fit_map(codec(), stop, tmp_path))
    assert list(tmp_path.iterdir()) == []
