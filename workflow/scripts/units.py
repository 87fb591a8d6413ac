from dataclasses import replace

from neuro2voc.figures.units import draw_units, unit_table
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import read_inclusion
from neuro2voc.jobs import job
from neuro2voc.recording import Recording

with job(snakemake):
    # All units, since those that are left out are shown too.
    recording = Recording.open(snakemake.input.recording)
    table = unit_table(recording, read_inclusion(snakemake.input.inclusion))
    recording = replace(recording, name=snakemake.wildcards.bird)
    save_figure(draw_units(table, recording), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
