from neuro2voc.artefacts import check_artefacts
from neuro2voc.figures.artefacts import artefact_table, draw_artefacts
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.trials import read_trials

with job(snakemake):
    files = snakemake.input
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    artefacts = check_artefacts(recording, read_trials(files.trials), snakemake.params.seed)
    save_figure(draw_artefacts(artefacts, recording), snakemake.output.figure)
    write_csv(artefact_table(artefacts), snakemake.output.table)
