"""What first calls cost in a new process that finds its programs on the disk, and what they cost without that.

python benches/first_call.py [runs]

CPU milliseconds on one thread from the first call to code that is ready to run, the least of several processes, which
have imported Rosin and made the arguments. A step of ResNet-18 is a training step of the library's model, with momentum
and running statistics.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = """
import json, sys, time
import rosin
from rosin import numpy as rnp

def small():
    return rosin.compile(lambda x: x + 1), (rnp.ones(16),)

def layers():
    def loss(weights, x):
        for w in weights:
            x = rnp.tanh(x @ w)
        return rnp.mean(x * x)
    return rosin.compile(rosin.value_and_grad(loss)), ([rnp.ones((64, 64))] * 10, rnp.ones((32, 64)))

def resnet():
    from rosin.stdlib import losses, optim, train
    from rosin.stdlib.zoo.vision.resnet import resnet18
    def loss(model, batch, run):
        return losses.cross_entropy(model(batch[0], run=run), batch[1])
    optimizer = optim.sgd(0.01, momentum=0.9)
    state = train.TrainState.start(resnet18(key=0, classes=1000), optimizer)
    batch = [rnp.ones((4, 3, 64, 64)), rnp.zeros(4, dtype="int32")]
    return train.make_step(loss, optimizer).compiled, (state, batch)

compiled, arguments = globals()[sys.argv[1]]()
start = time.process_time()
compiled._shown(arguments, {})  # what a call does before it runs the program
print(json.dumps(time.process_time() - start))
"""
PROGRAMS = {"small": "x + 1", "layers": "ten layers with gradient", "resnet": "step of ResNet-18"}


def seconds(program: str, cache: str) -> float:
    """CPU seconds of a first call in a fresh interpreter."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"ROSIN_CACHE_DIR": cache, "ROSIN_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, program]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main(runs: int = 10) -> None:
    print(f"{'':26} {'from the disk':>14} {'compiled':>10}   ms CPU, best of {runs}")
    for program, title in PROGRAMS.items():
        with tempfile.TemporaryDirectory(prefix="rosin-first-call-") as cache:
            compiled = seconds(program, cache)
            found = min(seconds(program, cache) for _ in range(runs))
        print(f"{title:26} {found * 1e3:14.1f} {compiled * 1e3:10.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
