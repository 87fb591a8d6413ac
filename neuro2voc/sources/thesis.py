"""What is published of the bird of the neuro2voc thesis, as plain numbers.

Sources: the printed outputs and figures of its notebooks (github.com/askrbayern/neuro2voc_thesis,
commit 6f29fbd); what was read off a figure is marked so. Its recording is not public. The numbers
of the simulated bird that takes after it (`preset: thesis`) and that are not published are marked
as chosen; they were chosen before any decoder was compared on it.

Standard library only: the workflow reads it on every start.
"""

# Recording: three sessions of one bird; lengths of the sound, in ticks of 1 ms (2-NLP, 5-VAE).
SESSION_TICKS = (3_197_400, 5_403_600, 4_674_000)  # 53.29, 90.06 and 77.90 min
SPIKES = 13_237_840
SPIKES_IN_SYLLABLES = 813_402

# Song: annotated syllables of types 2 to 8 (2-NLP).
LABELS = ("2", "3", "4", "5", "6", "7", "8")
TRIALS_PER_SESSION = (417, 191, 2851)
TRIALS_PER_LABEL = (472, 638, 626, 623, 541, 554, 5)  # all of type 8 in the third session
# Median and quartiles of each type's duration in ms, read off a box plot (2-NLP/2, cell 19).
DURATIONS = (
    (54, 51, 59),
    (163, 161, 171),
    (76, 68, 77),
    (124, 118, 129),
    (38, 34, 39),
    (197, 194, 200),
    (116, 107, 117),
)
SHORTEST, LONGEST = 13, 224  # ms, over all types

# Syntax: how often each maximal increasing run of types was sung.
RUNS = {
    "234567": 211,
    "34567": 322,
    "345": 73,
    "2345": 11,
    "2": 246,
    "7": 17,
    "3": 12,
    "8": 5,
    "3456": 3,
    "67": 2,
    "34": 2,
    "4567": 2,
    "23": 2,
    "23456": 1,
    "234": 1,
}

# Units: 18 good and 57 multi-unit ones on 51 distinct depths (cluster_info.tsv, idx2depth.json).
UNITS, GOOD, DEPTHS = 75, 18, 51
SHALLOWEST, DEEPEST = 200, 3380  # µm from the tip

# Mean rates in syllables in Hz, highest first. The five highest and the five lowest are printed
# (2_ML: spikes per sample at 20 kHz); the 65 between are chosen to fall geometrically.
RATES_IN_SONG = (
    (278.0, 251.0, 108.0, 100.0, 51.5)
    + tuple(50.0 * (5.0 / 50.0) ** (k / 65) for k in range(65))
    + (5.0, 4.7, 4.66, 3.74, 1.6)
)
# Mean rates over the whole recording in Hz, highest first. The six highest and the lowest are
# printed (cluster_info.tsv); those between fall from one to the other, faster at first, with the
# exponent at which all units together fire as many spikes as published.
RATES_OVERALL = (152.46, 144.4, 72.5, 60.8, 33.1) + tuple(
    29.4 * (1.93 / 29.4) ** ((k / 69) ** 0.671) for k in range(70)
)

# Chosen, of 1, 0.5 and 0.35: what syllables evoke, as a factor on the simulator's other birds. An
# RBF support vector machine under the thesis' own split then gets 0.78 from rates (published: 0.77)
# and 0.57 from 12.5 ms before to 75 ms after onsets (published, of 40 units: 0.48).
EVOKED = 0.5
# Share of the recording within 0.5 s of a syllable, as the simulated songs have it.
SONG_SHARE = 0.0566
