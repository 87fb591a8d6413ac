from pathlib import Path

from neuro2voc.collapse import read_collapsed, say_collapsed
from neuro2voc.figures.voice_measures import draw_voice_measures
from neuro2voc.files import save_figure, write_csv
from neuro2voc.frames import read_frames
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.sound_report import first_baseline, measured_splits
from neuro2voc.sources.simulate import read_truth
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    judged, each, types = measured_splits(
        read_frames(files.frames),
        read_trials(files.trials),
        read_truth(files.truth) if files.truth else None,
        dict(zip(params.splits, files.splits, strict=True)),
        *(files.songs, files.nulls, params.resamples, params.seed),
    )
    baseline = first_baseline(judged["method"])
    warnings = [
        sentence
        for path in map(Path, files.latents)
        for sentence in say_collapsed(
            path.stem.removesuffix("_latents"), path.parent.name, read_collapsed(path)
        )
    ]
    figure = draw_voice_measures(judged, recording, baseline, params.surrogate, warnings)
    save_figure(figure, snakemake.output.figure)
    write_csv(judged, snakemake.output.table)
    write_csv(each, snakemake.output.each)
    write_csv(types, snakemake.output.types)
