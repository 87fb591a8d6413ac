from neuro2voc.attribution_files import read_explanation
from neuro2voc.curves import Protocol
from neuro2voc.figures.hubs import draw_hubs
from neuro2voc.figures.shap_interactions import draw_shap_interactions
from neuro2voc.figures.unit_correlations import draw_unit_correlations
from neuro2voc.files import read_csv, save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.unit_correlations import unit_correlations

with job(snakemake):
    files, output = snakemake.input, snakemake.output
    bird = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    protocol = Protocol(**snakemake.params.protocol)
    explanation, null = read_explanation(files.values)
    table = read_csv(files.table, {"unit": str, "depth": float, "location": str})
    pairs = read_csv(files.pairs, {"unit_first": str, "unit_second": str})
    figure = draw_shap_interactions(explanation, null.independent, table, pairs, bird, protocol)
    save_figure(figure, output.interactions)
    save_figure(draw_hubs(table, bird, protocol), output.hubs)
    correlations = unit_correlations(explanation, pairs, protocol.seed)
    save_figure(draw_unit_correlations(correlations, table, bird, protocol), output.correlations)
    write_csv(correlations, output.table)
