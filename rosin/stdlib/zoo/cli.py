"""The command `rosin zoo`: list | info NAME | train NAME | eval NAME."""

from __future__ import annotations

import argparse
import ast
from typing import Any

import rosin
from rosin.stdlib import nn, zoo
from rosin.stdlib.zoo.errors import ZooError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Tell a parser what the command takes."""
    commands = parser.add_subparsers(dest="zoo_command", required=True)
    listing = commands.add_parser("list", help="all models, a line each")
    listing.set_defaults(run=lambda options: list_text())
    info = commands.add_parser("info", help="the card of a model and the table of its layers")
    info.set_defaults(run=lambda options: info_text(options.name, _options(options.set)))
    training = commands.add_parser("train", help="train a model; the same command goes on after a stop")
    training.set_defaults(run=_train)
    evaluation = commands.add_parser("eval", help="evaluate what was trained, or the pretrained weights")
    evaluation.set_defaults(run=_evaluate)
    for command in (info, training, evaluation):
        command.add_argument("name", help="the name of a model, as in `rosin zoo list`")
        how = "an option of the model or of its recipe"
        command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=how)
    for command in (training, evaluation):
        command.add_argument("--out", metavar="FOLDER", help="the training's folder (runs/NAME)")
        command.add_argument("--data", help="the name of a data set that the recipe knows, or a path")
        command.add_argument("--quiet", action="store_true", help="no progress bar")
    training.add_argument("--epochs", type=int, help="how many epochs, those of earlier runs in the folder included")
    training.add_argument("--batch", type=int, help="how many examples are in a batch")
    training.add_argument("--seed", type=int, default=0, help="what all random numbers come from (0)")
    training.add_argument("--quick", action="store_true", help="a training of seconds, to see that it works")


def list_text() -> str:
    """All models, a line each."""
    cards = [zoo.card(name) for name in zoo.names()]
    widths = [max(len(card.name) for card in cards), max(len(card.task) for card in cards)]
    return "\n".join(
        f"{card.name:<{widths[0]}}  {card.task:<{widths[1]}}  {card.parameters:>13,}  {card.title}"
        + (f"; weights: {card.weights}" if card.weights else "")
        for card in cards
    )


def info_text(name: str, options: dict[str, Any]) -> str:
    """The card of a model and the table of its layers."""
    entry = zoo.entry(name)
    model = rosin.eval_shape(lambda: zoo.make(name, **options))
    return f"{entry.card}\n\n{nn.summary(model, *entry.inputs(1, **options))}"


def _train(options: argparse.Namespace) -> str:
    result = zoo.train(
        options.name,
        options.out,
        epochs=options.epochs,
        batch=options.batch,
        seed=options.seed,
        data=options.data,
        quick=options.quick,
        quiet=options.quiet,
        options=_options(options.set),
    )
    return str(result)


def _evaluate(options: argparse.Namespace) -> str:
    given = _options(options.set)
    return str(zoo.evaluate(options.name, options.out, data=options.data, quiet=options.quiet, options=given))


def _options(pairs: list[str]) -> dict[str, Any]:
    """`key=value` pairs; a value that reads as a Python literal is that, and a text otherwise."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equal, value = pair.partition("=")
        if not equal or not key:
            raise ZooError(f"--set: {pair!r} is no option, as width=64 is one")
        try:
            found[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[key] = value
    return found
