from neuro2voc.figures.token_schemes import draw_token_schemes
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.token_statistics import scheme_table
from neuro2voc.trials import read_trials, used_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    trials = used_trials(read_trials(files.trials), recording.name)
    table = scheme_table(files.corpora, trials, read_split(files.split), params.vocabulary)
    save_figure(draw_token_schemes(table, recording, params.split), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
