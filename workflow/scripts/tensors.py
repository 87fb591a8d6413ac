from pathlib import Path

from neuro2voc.binning import make_tensor, make_window, write_tensor
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.trials import read_trials, used_trials

with job(snakemake) as log:
    files = snakemake.input
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    trials = used_trials(read_trials(snakemake.input.trials))
    for path in snakemake.output.tensors:
        window = make_window(Path(path).stem, snakemake.params.windows)
        tensor = make_tensor(recording, trials, window)
        write_tensor(tensor, path)
        log.info("%s: %d trials, %d units, %d bins", window.name, *tensor.counts.shape)
