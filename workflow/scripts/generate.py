from neuro2voc.audio_codec import generate_by_audio_codec, heard_through
from neuro2voc.files import write_json
from neuro2voc.frames import read_frames
from neuro2voc.generated import check_apart, reach, song_activity, write_generated
from neuro2voc.generators import generate_all
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    frames, trials = read_frames(files.frames), read_trials(files.trials)
    activity = song_activity(recording, frames, params.around)
    split, seen = read_split(files.split), reach(params.around)
    if trials.empty:
        check_apart(frames, split, seen)
    about = (frames, activity, trials, split, params.seed)
    made, chosen = generate_all(params.generators, *about, seen)
    if params.audio_codec:
        folder = params.audio_codec
        of_codec = (recording, frames, split, folder)
        made["codec"] = generate_by_audio_codec(*of_codec, **params.around)
        made["through codec"] = heard_through(recording, frames, folder)
    write_generated(snakemake.output.song, made)
    write_json(chosen, snakemake.output.chosen)
