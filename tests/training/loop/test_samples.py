"""Sample sheets on fixed noise."""

import numpy as np
import torch

from sculptor_app.training.loop.samples import sample_labelled
from tests.training.tiny import tiny_pipeline


def test_a_picture_does_not_depend_on_how_many_are_made_at_once():
    pipeline = tiny_pipeline().to("cpu")
    forms, materials = [0, 1, 0, 1, 1], [0, 1, 2, 0, 1]
    one, many = (sample_labelled(pipeline, forms, materials, steps=2, at_once=count) for count in (2, 48))
    assert one.shape == (5, 16, 16, 3)
    assert np.abs(one.astype(int) - many).max() <= 1


def test_a_sample_is_what_the_pipeline_itself_makes_of_label_and_noise():
    pipeline = tiny_pipeline()
    (found,) = sample_labelled(pipeline, [1], [2], seed=5, steps=4, guidance_scale=3.0)
    made = pipeline(form=1, material=2, num_inference_steps=4, guidance_scale=3.0,
                    generator=torch.Generator().manual_seed(5)).images[0]  # fmt: skip
    assert np.abs(found.astype(int) - (made * 255).round()).max() <= 1


def test_noise_and_labels_make_a_difference():
    pipeline = tiny_pipeline()
    with torch.no_grad():
        pipeline.label_embedding.form.weight.mul_(5)
    base = sample_labelled(pipeline, [0], [0], steps=2)
    assert np.array_equal(base, sample_labelled(pipeline, [0], [0], steps=2))
    assert not np.array_equal(base, sample_labelled(pipeline, [0], [0], seed=1, steps=2))
    assert not np.array_equal(base, sample_labelled(pipeline, [1], [0], steps=2))
