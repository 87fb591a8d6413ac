"""Mamba-2 on a processor, forward and backward, beside transformers' Mamba2Model.

Both have the same weights, chunk and one thread, and get the same embeddings. The contenders take
turns, each in a process of its own, where after a first step that is not timed the fastest of a few
steps counts, in time of the processor; of several turns the median. Memory is the most that the
process ever held less what it held before the first step. Everything is measured with memory kept
for the next array (`neuro2voc.allocator.keep_memory`) and without.

The run fails where outputs or gradients disagree, never for being slow.
"""

import sys
import warnings

from benchmarks import scale  # sets the number of threads, so it comes first

# isort: split
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import nn

from neuro2voc.allocator import keep_memory
from neuro2voc.networks.mamba2 import Mamba2

BATCH, WIDTH, LAYERS, STATE, HEAD, EXPAND, CONV = 8, 128, 2, 64, 64, 2, 4
CHUNK = 256  # of transformers' own
SMALL_CHUNK = 64  # about the fastest for both
LENGTHS = (256, 1024, 4096)
# Chunk, whether memory is kept, and turns.
CASES = ((CHUNK, True, 3), (CHUNK, False, 1), (SMALL_CHUNK, True, 1))
STEPS = 3
FASTER, LESS_MEMORY, LONGER = 1.5, 25, 20  # bars: times, per cent, per cent
TOLERANCE = 1e-4  # of outputs, and of gradients relative to the largest
WHO = ("ours", "transformers")


def models(chunk: int) -> dict[str, nn.Module]:
    """Return both models with the same weights."""
    transformers.logging.set_verbosity_error()
    torch.manual_seed(1)
    config = transformers.Mamba2Config(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        state_size=STATE,
        head_dim=HEAD,
        num_heads=WIDTH * EXPAND // HEAD,
        expand=EXPAND,
        conv_kernel=CONV,
        n_groups=1,
        chunk_size=chunk,
        vocab_size=1,
        use_cache=False,
    )
    peer = transformers.Mamba2Model(config)
    sizes = {"width": WIDTH, "layers": LAYERS, "state": STATE, "head": HEAD}
    ours = Mamba2(**sizes, expand=EXPAND, conv=CONV, chunk=chunk)
    weights = peer.state_dict()
    del weights["embeddings.weight"]
    ours.load_state_dict(weights)
    return dict(zip(WHO, (ours, peer), strict=True))


def step(model: nn.Module, length: int, batch: int = BATCH) -> tuple[torch.Tensor, ...]:
    """Run forward and backward; return outputs and the gradients of embeddings and weights."""
    random = torch.Generator().manual_seed(2)
    x = torch.randn(batch, length, WIDTH, generator=random, requires_grad=True)
    weighting = torch.randn(batch, length, WIDTH, generator=random)
    out = model(x) if isinstance(model, Mamba2) else model(inputs_embeds=x).last_hidden_state
    model.zero_grad()
    out.backward(weighting)
    named = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return out.detach(), x.grad, *(named[name] for name in sorted(named))


@cache
def disagreement(length: int, chunk: int) -> float:
    """Return the largest difference of the models, relative to each tensor's largest number."""
    found, expected = (step(model, length) for model in models(chunk).values())
    pairs = zip(found, expected, strict=True)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def most_held() -> float:
    """Return the most memory that this process held (VmHWM), in MB.

    `getrusage` would count what the parent held when it started this process.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))


def measured(who: str, length: int, chunk: int, keep: bool) -> tuple[float, float]:
    """Return seconds of the processor for a step, and MB above the base."""
    if keep:
        keep_memory()
    torch.set_num_threads(1)
    model = models(chunk)[who]
    step(model, 2, batch=1)  # what libraries allocate once
    base = most_held()
    times = []
    for _ in range(STEPS + 1):
        begin = time.process_time()
        step(model, length)
        times.append(time.process_time() - begin)
    return min(times[1:]), most_held() - base


def in_turns(length: int, chunk: int, keep: bool, turns: int) -> dict[str, tuple[float, float]]:
    """Return each contender's median seconds and MB over turns of fresh processes."""
    found = {who: [] for who in WHO}
    for _ in range(turns):
        for who in WHO:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                found[who].append(pool.submit(measured, who, length, chunk, keep).result())
    print(f"{length:,} tokens, chunk {chunk}, kept {keep}: done", file=sys.stderr)
    return {who: tuple(np.median(values, axis=0)) for who, values in found.items()}


def main() -> int:
    """Print the table; return 1 where outputs or gradients disagree."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(
        f"Mamba-2: batch {BATCH}, width {WIDTH}, {LAYERS} layers, {WIDTH * EXPAND // HEAD} heads "
        f"of {HEAD}, state {STATE}, forward and backward, OMP_NUM_THREADS=1\n"
    )
    rows, notes, worst = [], [], 0.0
    for chunk, keep, turns in CASES:
        speed = {}
        for length in LENGTHS:
            difference = disagreement(length, chunk)
            worst = max(worst, difference)
            found = in_turns(length, chunk, keep, turns)
            (ours, memory), (theirs, their_memory) = found.values()
            speed[length] = BATCH * length / ours
            rows.append(
                (
                    f"{length:,}",
                    chunk,
                    "yes" if keep else "no",
                    f"{speed[length]:,.0f}",
                    f"{BATCH * length / theirs:,.0f}",
                    f"{theirs / ours:.2f}",
                    f"{memory:,.0f}",
                    f"{their_memory:,.0f}",
                    f"{100 * (1 - memory / their_memory):.0f} %",
                    f"{difference:.0e}" if difference <= TOLERANCE else "DISAGREES",
                )
            )
        notes.append(
            f"Chunk {chunk}, memory {'kept' if keep else 'not kept'}: our tokens/s at 4,096 tokens "
            f"are {speed[4096] / speed[1024]:.2f} of those at 1,024."
        )
    columns = ("tokens", "chunk", "kept", "ours (tokens/s)", "transformers (tokens/s)", "ratio")
    scale.print_table(
        rows, (*columns, "ours (MB)", "transformers (MB)", "less memory", "difference")
    )
    print("\n" + "\n".join(notes))
    print(
        f"Bars at chunk {CHUNK}: ratio {FASTER}, {LESS_MEMORY} % less memory, at least "
        f"{1 - LONGER / 100} of the tokens/s."
    )
    return int(not worst <= TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
