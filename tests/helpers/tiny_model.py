"""A real pipeline that is small enough for tests: 16×16 pixels, random weights, a few milliseconds a step."""

from pathlib import Path

from sculptor_app.core.requests.request import FORMS, MATERIALS

PICTURE_SIZE = 16
SEED = 20_260_101


def write_tiny_model(folder: Path, forms: tuple[str, ...] = FORMS) -> Path:
    """Write a complete model folder with weights that are random but always the same, of a model that knows forms."""
    import torch
    from diffusers import UNet2DModel

    from sculptor_app.diffusion.label_embedding import LabelEmbedding
    from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
    from sculptor_app.training.network import new_scheduler

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        unet = UNet2DModel(
            sample_size=PICTURE_SIZE // 4,
            in_channels=48,
            out_channels=48,
            layers_per_block=1,
            block_out_channels=(16, 16),
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
            add_attention=False,
            class_embed_type="identity",
        )
        table = LabelEmbedding(len(forms), len(MATERIALS), 64)
    SculptorPipeline(unet, table, new_scheduler(), 4, forms, MATERIALS).save_pretrained(folder)
    return folder
