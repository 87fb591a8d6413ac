from neuro2voc.collapse import collapses
from neuro2voc.figures.voice import draw_voice, voice_table
from neuro2voc.files import save_figure, write_csv
from neuro2voc.frames import read_frames
from neuro2voc.generated import read_generated
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.sound_report import first_baseline
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    frames, trials = read_frames(files.frames), read_trials(files.trials)
    made = read_generated([files.song])[params.shown]
    null = read_generated(files.null)[params.shown] if files.null else None
    plain = read_generated([files.plain])
    name = first_baseline(plain)
    baseline = name if name != params.shown else ""
    song = (frames, made, null, trials, read_split(files.split))
    table = voice_table(*song, plain.get(baseline), params.resamples, params.seed)
    words = (params.shown, params.split, params.surrogate, collapses(files.latents), baseline)
    save_figure(draw_voice(recording, *song, table, *words), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
