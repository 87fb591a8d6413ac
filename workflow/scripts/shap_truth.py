from neuro2voc.curves import Protocol
from neuro2voc.figures.recovery import draw_recovery
from neuro2voc.files import save_figure, write_csv
from neuro2voc.jobs import job
from neuro2voc.recovery import recovery
from neuro2voc.sources.settings import bird_settings

with job(snakemake):
    bird, params = snakemake.wildcards.bird, snakemake.params
    protocol = Protocol(**params.protocol)
    settings = bird_settings(params.settings, bird)
    table = recovery(settings, params.grid, params.windows, protocol)
    save_figure(draw_recovery(table, bird, protocol.feature), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
