from neuro2voc.curves import Protocol
from neuro2voc.figures.growing_windows import draw_growing_windows
from neuro2voc.files import save_figure, write_csv
from neuro2voc.growing import growing_table
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    protocol = Protocol(**params.protocol)
    trials, split = read_trials(files.trials), read_split(files.split)
    table = growing_table(recording, trials, split, params.growing, protocol)
    figure = draw_growing_windows(table, recording, protocol.split)
    save_figure(figure, snakemake.output.figure)
    write_csv(table, snakemake.output.table)
