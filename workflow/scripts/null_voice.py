from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.files import write_csv
from neuro2voc.frames import read_frames
from neuro2voc.generated import write_generated
from neuro2voc.inclusion import read_inclusion
from neuro2voc.jobs import job
from neuro2voc.recording import Recording
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials
from neuro2voc.voice_null import makers, read_chosen, read_vaes, voice_null

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    frames, trials = read_frames(files.frames), read_trials(files.trials)
    split = read_split(files.split)
    null, song = voice_null(
        Recording.open(files.recording),
        read_inclusion(files.inclusion),
        *(trials, split, frames),
        read_split(files.kept) if files.kept else None,
        *(params.kind, params.seeds, params.surrogates),
        makers(
            *(frames, trials, split, params.around),
            read_chosen(files.chosen, params.surrogates),
            read_vaes(files.models, params),
            params.seed,
        ),
    )
    write_csv(null, snakemake.output.null)
    write_generated(snakemake.output.song, song)
    remove_checkpoints(params.checkpoints)
