from neuro2voc.collapse import collapses
from neuro2voc.figures.voice_measures import draw_voice_measures
from neuro2voc.files import save_figure, write_csv
from neuro2voc.frames import read_frames
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.sound_report import measured_splits
from neuro2voc.sources.simulate import read_truth
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    judged, each, types, baseline = measured_splits(
        read_frames(files.frames),
        read_trials(files.trials),
        read_truth(files.truth) if files.truth else None,
        dict(zip(params.splits, files.splits, strict=True)),
        *(files.songs, files.nulls, params.resamples, params.seed),
    )
    words = (baseline, params.surrogate, collapses(files.latents))
    figure = draw_voice_measures(judged, recording, *words)
    save_figure(figure, snakemake.output.figure)
    write_csv(judged, snakemake.output.table)
    write_csv(each, snakemake.output.each)
    write_csv(types, snakemake.output.types)
