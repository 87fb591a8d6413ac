from neuro2voc.curves import Protocol
from neuro2voc.figures.predecessors import draw_predecessors
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.predecessors import predecessor_table
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    protocol = Protocol(**params.protocol)
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    table = predecessor_table(
        recording,
        read_trials(files.trials),
        read_split(files.split),
        list(dict.fromkeys([*params.features, protocol.feature])),
        params.windows,
        protocol,
    )
    save_figure(draw_predecessors(table, recording, protocol), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
