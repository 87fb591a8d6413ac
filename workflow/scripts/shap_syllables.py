from neuro2voc.attribution_files import read_explanation
from neuro2voc.curves import Protocol
from neuro2voc.figures.shap_beeswarms import draw_shap_beeswarms
from neuro2voc.figures.shap_syllables import draw_shap_syllables
from neuro2voc.files import read_csv, save_figure
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job

with job(snakemake):
    files, output = snakemake.input, snakemake.output
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    explanation, _ = read_explanation(files.values)
    table = read_csv(files.table, {"unit": str, "location": str})
    cells = read_csv(files.cells, {"unit": str, "syllable": str})
    given = (table, cells, recording, Protocol(**snakemake.params.protocol))
    save_figure(draw_shap_syllables(*given), output.syllables)
    save_figure(draw_shap_beeswarms(explanation, *given), output.beeswarms)
