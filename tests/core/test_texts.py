"""Numbers as people read them, and texts that cross from another process."""

import json
import logging
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from sculptor_app import logs
from sculptor_app.commands.terminal import say
from sculptor_app.core.errors import SculptorError
from sculptor_app.core.texts import MOST_TEMPLATE, Text, from_plain, ratio_text, to_plain, translate, without_secrets


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0, "0"), (math.inf, "∞"), (0.0912, "0.091"), (0.0021, "0.0021"), (1.94, "1.9"), (12.3, "12"), (168, "170"),
     (432.1, "430"), (24000, "24000"), (3e7, "over 30 million"), (2.4e-9, "< 0.0001"), (0.5, "0.50"), (1, "1.0")],
)  # fmt: skip
def test_ratios_have_two_figures(ratio: float, text: str) -> None:
    assert ratio_text(ratio) == text


def test_a_ratio_without_bound_has_the_word_that_is_asked_for() -> None:
    assert ratio_text(math.inf, "infinite") == "infinite"


def test_a_text_keeps_its_template_and_facts_through_json() -> None:
    inner = translate("errors", "{0} and {1} more").format("'a'", 3)
    text = translate("errors", "{0} lacks {1} of {2:,} in {3:.1f}.").format(Path("x"), inner, 4000, 0.25)
    found = from_plain(json.loads(json.dumps(to_plain(text))))
    assert found == "x lacks 'a' and 3 more of 4,000 in 0.2."
    assert isinstance(found, Text)
    assert (found.context, found.template) == ("errors", text.template)
    assert found.facts == ("x", inner, 4000, 0.25)
    assert isinstance(found.facts[1], Text)
    assert from_plain(to_plain("as it is {0}")) == "as it is {0}"
    assert from_plain(to_plain(translate("errors", "no facts"))) == "no facts"


@pytest.mark.parametrize(
    "changed",
    [
        {"template": "{0:>999999999999}"}, {"template": "{0:999999}"}, {"template": "{0.__class__}"},
        {"template": "{0[0]}"}, {"template": "{1}"}, {"template": "{name}"}, {"template": "{}"}, {"template": "{"},
        {"template": "{0:{0}}"}, {"template": "{0!s}"}, {"template": "{0}" * MOST_TEMPLATE}, {"template": 3},
        {"facts": "a"}, {"context": None}, {"more": 1},
    ],
)  # fmt: skip
def test_a_text_of_another_process_can_do_no_more_than_hold_facts(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"it is no text|its template|Single"):
        from_plain({"context": "errors", "template": "{0}", "facts": ["a"]} | changed)


TOKEN = "hf_" + "aB3" * 11


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ada:p@ss:w0rd@hub.example/owner/name", "https://…@hub.example/owner/name"),
        ("cannot reach 'https://ada@hub.example'", "cannot reach 'https://…@hub.example'"),
        ("GET https://cdn.example/a/b?Signature=x&Key=y failed", "GET https://cdn.example/a/b?… failed"),
        ("(url: http://h:8/x?token=1)", "(url: http://h:8/x?…)"),
        ("ada:secret@hub.example:8080 is no proxy", "…@hub.example:8080 is no proxy"),
        (f"401 for {TOKEN}.", "401 for hf_…."),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer …"),
        ("HF_TOKEN=abcdef token=abc, x", "HF_TOKEN=… token=…, x"),
        ("There is no folder /home/ada/a:b@c.", "There is no folder /home/ada/a:b@c."),
        ("Is it so? See https://hub.example/owner/name.", "Is it so? See https://hub.example/owner/name."),
        ("steps=50, max_tokens=77, ratio 16:9@2x", "steps=50, max_tokens=77, ratio 16:9@2x"),
    ],
)
def test_passwords_and_tokens_are_left_out(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_the_persons_own_token_is_left_out_however_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "my own words")
    assert without_secrets("it said my own words, and more") == "it said …, and more"


def test_a_text_stays_one_without_its_secrets() -> None:
    plain = translate("errors", "{0} failed after {1} s ({2}).").format("x", 3, "y")
    assert without_secrets(plain) is plain
    error = ValueError("https://ada:pw@h.example failed")
    told = without_secrets(translate("errors", "{0} failed after {1} s ({2}).").format(TOKEN, 3, error))
    assert isinstance(told, Text)
    assert told == "hf_… failed after 3 s (https://…@h.example failed)."
    assert told.template == "{0} failed after {1} s ({2})."


def test_no_error_line_or_log_tells_a_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"https://ada:pw@h.example/x?token={TOKEN}"
    error = SculptorError(translate("errors", "{0} is full.").format(address), f"Leave {address} out.")
    assert (error.message, error.advice) == ("https://…@h.example/x?… is full.", "Leave https://…@h.example/x?… out.")
    say(f"{address} is full", sys.stderr)
    file = logs.start(tmp_path)
    try:
        try:
            raise ValueError(address)
        except ValueError:
            logging.getLogger("sculptor_app").exception("at %s", address)
    finally:
        logs.stop()
    assert file is not None
    told = capsys.readouterr().err + file.read_text()
    assert told.count("h.example/x?…") == 3
    assert "pw" not in told
    assert TOKEN not in told
