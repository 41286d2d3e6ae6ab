"""`sculptor-app explain`: what the terms of the program mean, as Help > What am I seeing? has them."""

import argparse
import shutil
import textwrap

from sculptor_app.commands.terminal import BAD_INPUT, DONE, Parser, say, stderr, stdout

WIDEST = 100


def add_parsers(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "explain",
        help="say what frames, measures, samplers and other terms mean",
        description="Say what frames, measures, samplers and other terms mean: all of them, or those that have WORD in "
        "them.",
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="such as guidance, chips, snr, ddim or hann window")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the terms; returns the exit code."""
    from sculptor_app.measures.glossary import CHAPTERS, matches

    width, found, word = min(WIDEST, shutil.get_terminal_size().columns), 0, " ".join(arguments.words)
    for chapter in CHAPTERS:
        terms = [term for term in chapter.terms if matches(term, word)]
        found += len(terms)
        if terms:
            say(f"{chapter.title}\n", stdout())
        for term in terms:
            text = textwrap.fill(term.text, width, initial_indent="    ", subsequent_indent="    ")
            say(f"  {term.title}\n{text}\n", stdout())
    if not found:
        say(f"No term has {word!r} in it. `sculptor-app explain` lists all.", stderr())
    return DONE if found else BAD_INPUT
