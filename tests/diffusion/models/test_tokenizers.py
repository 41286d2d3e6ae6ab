"""SentencePiece models read without protobuf: what sentencepiece itself says of them, and what is none."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import sentencepiece
import transformers

from sculptor_app.diffusion.models.tokenizers import read_model, sentencepiece_models
from sculptor_app.diffusion.models.verdict import Unfit
from tests.helpers.model_repository import sentencepiece_model

TEXTS = ("a bust of marble", " the  quick\tbrown fox", "\N{LATIN SMALL LIGATURE FI} a vase!")


def test_pieces_and_settings_are_those_that_sentencepiece_reads() -> None:
    content = sentencepiece_model()
    theirs = sentencepiece.SentencePieceProcessor(model_proto=content)
    ours = read_model(content)
    numbers = range(theirs.get_piece_size())
    assert [(each.piece, each.score) for each in ours.pieces] == [
        (theirs.id_to_piece(number), theirs.get_score(number)) for number in numbers
    ]
    assert [each.type == 3 for each in ours.pieces] == [theirs.is_control(number) for number in numbers]
    spec = ours.trainer_spec
    assert (spec.model_type, spec.unk_id, spec.pad_id, spec.bos_id) == (1, theirs.unk_id(), theirs.pad_id(), -1)
    assert ours.normalizer_spec.name == "nmt_nfkc"
    assert len(ours.normalizer_spec.precompiled_charsmap) > 100_000


def test_defaults_are_the_formats_own() -> None:
    """One piece, `a`, and nothing else: all other fields are absent."""
    model = read_model(b"\x0a\x03\x0a\x01a")
    assert model.pieces == [SimpleNamespace(piece="a", score=0.0, type=1)]
    assert (model.trainer_spec.bos_id, model.trainer_spec.pad_id, model.trainer_spec.unk_piece) == (1, -1, "<unk>")
    assert model.normalizer_spec.add_dummy_prefix is True


def test_a_tokenizer_splits_as_sentencepiece_does(tmp_path: Path) -> None:
    (tmp_path / "spiece.model").write_bytes(sentencepiece_model())
    with sentencepiece_models(tmp_path):
        tokenizer = transformers.T5Tokenizer.from_pretrained(tmp_path, extra_ids=0, local_files_only=True)
    theirs = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model())
    for text in TEXTS:
        assert tokenizer(text).input_ids == [*theirs.encode(text), theirs.eos_id()]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1",
        b"\x0a\x7f\x0a\x01a",  # a piece of 127 bytes in a file of 5
        b"\x08\x01",  # a number for a piece
        b"\x0a\x02\x08\x01",  # a number for the letters of one
        b"\x0a\x03\x0a\x01\xff",  # letters that are no UTF-8
        b"\xff" * 20,  # a number without end
        b"\x0a",
    ],
)
def test_what_is_no_model_is_told_as_that(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "spiece.model").write_bytes(content)
    with pytest.raises(Unfit, match=r"spiece\.model is no SentencePiece model"), sentencepiece_models(tmp_path):
        pass
