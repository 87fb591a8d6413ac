from pathlib import Path

from neuro2voc.binning import make_window
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.tokens import write_corpora
from neuro2voc.trials import read_trials, used_trials

with job(snakemake) as log:
    files, tokens = snakemake.input, snakemake.params.tokens
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    trials = used_trials(read_trials(files.trials), recording.name)
    window = make_window(tokens["window"], snakemake.params.windows)
    paths = {Path(path).stem: path for path in snakemake.output.corpora}
    written = write_corpora(recording, trials, window, tokens["tick"], tokens["aggregate"], paths)
    for scheme, symbols in written.items():
        log.info("%s: %d symbols of %d trials", scheme, symbols, len(trials))
