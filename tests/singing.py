"""Simulated birds with sound, without files."""

from dataclasses import replace

import numpy as np

from neuro2voc.sources.settings import Settings
from neuro2voc.sources.simulate import simulate
from neuro2voc.trials import make_trials

SMALL = Settings(units=12, pairs=0, bouts=6, sessions=1, syllable_types=4)


class Sound:
    """Sound as `Audio` gives it, without a file."""

    start_time = 0.0

    def __init__(self, rate, samples):
        self.rate, self.samples, self.stop_time = rate, samples, len(samples) / rate

    def read(self, start, stop):
        return self.samples[round(start * self.rate) : round(stop * self.rate)]


def make_bird(seed, settings=SMALL):
    recording, _, (rate, samples) = simulate("bird", settings, seed)
    recording = replace(recording, audio=Sound(rate, (samples / 32768).astype(np.float32)))
    return recording, make_trials(recording, 0.5, [], 2)
