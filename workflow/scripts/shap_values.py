from neuro2voc.attribution_files import read_explanation, write_explanation
from neuro2voc.attribution_tables import explanation_tables
from neuro2voc.curves import Protocol
from neuro2voc.figures.attribution import draw_attribution
from neuro2voc.files import save_figure, write_csv
from neuro2voc.hubs import AttributionNull, explain_bird, independent_null, shifted_null
from neuro2voc.inclusion import open_bird, read_inclusion
from neuro2voc.jobs import job
from neuro2voc.recording import Recording
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params, output = snakemake.input, snakemake.params, snakemake.output
    bird = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    inclusion, protocol = read_inclusion(files.inclusion), Protocol(**params.protocol)
    given = (read_trials(files.trials), read_split(files.split), params.windows, protocol)
    explanation = explain_bird(bird, *given)
    if files.null:
        shifted = read_explanation(files.null)[1].shifted.without(params.itself)
    else:
        shifted = shifted_null(Recording.open(files.recording), *given, inclusion)
    null = AttributionNull(shifted, *independent_null(bird, *given, params.independent_seeds))
    tables = explanation_tables(bird, explanation, null, given[0], inclusion, *given[2:])
    write_explanation(explanation, null, tables["table"], output.values, feature=protocol.feature)
    for name, table in tables.items():
        write_csv(table, output[name])
    save_figure(draw_attribution(tables, bird, protocol), output.figure)
