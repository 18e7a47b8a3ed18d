"""The models of the zoo by name. A model's file is loaded when it is asked for."""

from __future__ import annotations

import difflib
import importlib

from rosin.stdlib.zoo.entry import Entry
from rosin.stdlib.zoo.errors import ZooError

MODELS = {
    "silero-vad": "rosin.stdlib.zoo.audio.silero",
    "lenet": "rosin.stdlib.zoo.vision.lenet",
    "resnet18": "rosin.stdlib.zoo.vision.resnet:RESNET18",
    "resnet50": "rosin.stdlib.zoo.vision.resnet:RESNET50",
    "mobilenetv2": "rosin.stdlib.zoo.vision.mobilenet",
    "efficientnet-lite0": "rosin.stdlib.zoo.vision.efficientnet",
    "convmixer": "rosin.stdlib.zoo.vision.convmixer",
    "vit": "rosin.stdlib.zoo.vision.vit",
    "unet": "rosin.stdlib.zoo.vision.unet",
    "char-rnn": "rosin.stdlib.zoo.text.char_rnn",
    "char-gpt": "rosin.stdlib.zoo.text.char_gpt",
    "gpt2": "rosin.stdlib.zoo.text.gpt2",
    "bert": "rosin.stdlib.zoo.text.bert",
    "albert": "rosin.stdlib.zoo.text.albert",
    "minilm": "rosin.stdlib.zoo.text.minilm",
    "vae": "rosin.stdlib.zoo.generative.vae",
    "dcgan": "rosin.stdlib.zoo.generative.dcgan",
    "wgan-gp": "rosin.stdlib.zoo.generative.wgan_gp",
    "diffusion": "rosin.stdlib.zoo.generative.diffusion",
    "realnvp": "rosin.stdlib.zoo.generative.realnvp",
}
"""The module that defines a model: as ENTRY, or under the name after a colon."""


def entry(name: str) -> Entry:
    """What the zoo knows of a model.

    Raises:
        ZooError: there is no such model.
    """
    if name not in MODELS:
        near = difflib.get_close_matches(name, MODELS, n=3, cutoff=0.4)
        told = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(MODELS)}"
        raise ZooError(f"the zoo has no model {name!r}: {told}")
    module, _, attribute = MODELS[name].partition(":")
    return getattr(importlib.import_module(module), attribute or "ENTRY")
