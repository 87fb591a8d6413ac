from neuro2voc.figures.units import draw_units, unit_table
from neuro2voc.files import save_figure, write_csv
from neuro2voc.jobs import job
from neuro2voc.recording import Recording

with job(snakemake.log[0]):
    recording = Recording.open(snakemake.input.recording)
    save_figure(draw_units(recording), snakemake.output.figure)
    write_csv(unit_table(recording), snakemake.output.table)
