from neuro2voc.curves import Protocol
from neuro2voc.densities import densities
from neuro2voc.figures.densities import draw_densities
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.trials import read_trials

with job(snakemake):
    files = snakemake.input
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    trials, protocol = read_trials(files.trials), Protocol(**snakemake.params.protocol)
    table = densities(recording, trials, protocol)
    save_figure(draw_densities(table, trials, recording, protocol), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
