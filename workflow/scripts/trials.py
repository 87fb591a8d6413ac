from neuro2voc.files import write_csv
from neuro2voc.jobs import job
from neuro2voc.recording import Recording
from neuro2voc.sound_clock import check_clock, check_sound_covers
from neuro2voc.trials import make_trials

with job(snakemake) as log:
    recording = Recording.open(snakemake.input.recording)
    trials = make_trials(recording, **snakemake.params.settings)
    if recording.surrogate is None:  # which has its parent's sound
        check_sound_covers(recording)
        check_clock(recording, trials)
    write_csv(trials, snakemake.output.trials)
    log.info("%d syllables, %d to decode", len(trials), trials["used"].sum())
    for note, count in trials.loc[trials["note"] != "", "note"].value_counts().items():
        log.info("%d set aside: %s", count, note)
