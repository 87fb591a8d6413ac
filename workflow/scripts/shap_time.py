from neuro2voc.curves import Protocol
from neuro2voc.figures.shap_time import draw_shap_time
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.shap_time import shap_time
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params, output = snakemake.input, snakemake.params, snakemake.output
    bird = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    trials, protocol = read_trials(files.trials), Protocol(**params.protocol)
    cells, times = shap_time(bird, trials, read_split(files.split), params.windows, protocol)
    write_csv(cells, output.table)
    write_csv(times, output.times)
    save_figure(draw_shap_time(cells, times, bird, protocol), output.figure)
