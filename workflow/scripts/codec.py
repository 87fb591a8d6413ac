from neuro2voc.binning import make_window
from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.codec import codec_settings, write_codecs
from neuro2voc.codec_table import codec_result, model_about
from neuro2voc.figures.codec import draw_codec
from neuro2voc.files import save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params, output = snakemake.input, snakemake.params, snakemake.output
    bird = snakemake.wildcards.bird
    recording = open_bird(files.recording, files.inclusion, bird)
    own = {key: params.get(key) for key in ("inner_folds", "seed", "checkpoints", "code")}
    settings = codec_settings(params.codec, params.training, **own)
    window = make_window(params.feature, params.windows)
    tables = read_trials(files.trials), read_split(files.split)
    result = codec_result(
        recording, *tables, settings, window, params.bootstrap, params.permutations
    )
    save_figure(draw_codec(result, recording, settings, params.split), output.figure)
    for name, path in (("table", output.table), ("units", output.units), ("losses", output.losses)):
        write_csv(getattr(result, name), path)
    write_csv(result.books, output.codebooks)
    write_codecs(output.model, result.codecs, model_about(settings, bird, params.split))
    remove_checkpoints(params.checkpoints)
