"""Resources are found, and only resources."""

import pytest

from sculptor_app import resources


def test_the_root_of_a_checkout_holds_the_icons():
    assert (resources.root() / "icons").is_dir()
    assert resources.path("icons") == (resources.root() / "icons").resolve()


def test_a_missing_file_is_named_with_what_to_do():
    with pytest.raises(resources.ResourceError, match=r"no-such-thing\.svg is missing.*Install it again"):
        resources.path("icons/no-such-thing.svg")


@pytest.mark.parametrize("outside", ["../pyproject.toml", "icons/../../LICENSE", "/etc/passwd"])
def test_nothing_outside_of_the_folder_is_handed_out(outside):
    with pytest.raises(ValueError, match="leads out of the resources folder"):
        resources.path(outside)


def test_the_tiny_model_is_complete(tiny_model):
    from sculptor_app.diffusion.models.builder import load_sculptor

    pipeline = load_sculptor(tiny_model)
    picture = pipeline(form=0, num_inference_steps=2).images
    assert picture.shape == (1, 16, 16, 3)
