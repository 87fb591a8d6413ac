from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.curves import Protocol
from neuro2voc.figures.pretraining import draw_pretraining
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.pretraining import read_pretrained
from neuro2voc.pretraining_curve import learning_settings, pretraining_table
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    protocol, parts = Protocol(**params.protocol), params.parts
    learning = learning_settings(params.decoder, protocol.split, params)
    trials, split = read_trials(files.trials), read_split(files.split)
    other = read_pretrained(files.pretrained) if files.pretrained else None
    table = pretraining_table(recording, trials, split, parts, learning, other, protocol)
    figure = draw_pretraining(table, recording, learning.settings.kind, protocol)
    save_figure(figure, snakemake.output.figure)
    write_csv(table, snakemake.output.table)
    remove_checkpoints(params.checkpoints)
