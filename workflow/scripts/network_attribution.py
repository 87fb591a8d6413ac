from neuro2voc.binning import read_tensor
from neuro2voc.figures.network_attribution import draw_network_attribution
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.network_attribution import attribute, attribution_tables, planted_units
from neuro2voc.network_decoder import read_networks
from neuro2voc.sources.simulate import read_truth
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials, used_trials

with job(snakemake):
    files, params, output = snakemake.input, snakemake.params, snakemake.output
    bird = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    decoders = read_networks(files.model)[0][params.feature]
    tensor, trials = read_tensor(str(files.tensors)), used_trials(read_trials(files.trials))
    found = attribute(decoders, tensor, trials, read_split(files.split))
    planted = planted_units(read_truth(files.truth)) if files.truth else {}
    cells, units = attribution_tables(found, bird, tensor, params.seed, planted)
    write_csv(cells, output.table)
    write_csv(units, output.units)
    about = {**snakemake.wildcards, "feature": params.feature}
    save_figure(draw_network_attribution(cells, units, bird, about), output.figure)
