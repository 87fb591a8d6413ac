from types import SimpleNamespace

from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.contexts import context_table
from neuro2voc.curves import Protocol
from neuro2voc.figures.contexts import draw_contexts
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.sequence_fit import sequence_settings
from neuro2voc.sources.simulate import read_truth
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    protocol, given = Protocol(**params.protocol), dict(params.items())
    networks = [
        sequence_settings(kind, protocol.split, SimpleNamespace(**{**given, **own}))
        for kind, own in params.networks.items()
    ]
    truth = read_truth(files.truth) if files.truth else None
    trials, split = read_trials(files.trials), read_split(files.split)
    about = (params.lengths, networks, params.tokens, params.reading, protocol, truth)
    table = context_table(recording, trials, split, *about)
    save_figure(draw_contexts(table, recording, protocol), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
    remove_checkpoints(params.checkpoints)
