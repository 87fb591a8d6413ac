from neuro2voc.curves import Protocol
from neuro2voc.figures.lag import draw_lag
from neuro2voc.files import save_figure, write_csv, write_json
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.lag import lag_table
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    protocol = Protocol(**params.protocol)
    trials, split = read_trials(files.trials), read_split(files.split)
    table, verdict = lag_table(recording, trials, split, params.lag, protocol)
    save_figure(draw_lag(table, verdict, recording, protocol.split), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
    write_json(verdict, snakemake.output.verdict)
