from neuro2voc.binning import make_window
from neuro2voc.figures.token_patterns import draw_token_patterns
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.token_statistics import find_patterns, pattern_table
from neuro2voc.trials import read_trials, used_trials

with job(snakemake):
    files, tokens = snakemake.input, snakemake.params.tokens
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    trials = used_trials(read_trials(files.trials), recording.name)
    window = make_window(tokens["window"], snakemake.params.windows)
    patterns = find_patterns(recording, trials, window, tokens["tick"])
    pairs = pattern_table(patterns, trials["label"].to_numpy())
    save_figure(draw_token_patterns(pairs, recording, tokens["tick"]), snakemake.output.figure)
    write_csv(pairs, snakemake.output.table)
