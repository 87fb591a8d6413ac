from neuro2voc.jobs import job
from neuro2voc.nwb_writing import write_recording
from neuro2voc.sources.settings import bird_settings
from neuro2voc.sources.simulate import simulate, write_truth

with job(snakemake) as log:
    bird = snakemake.wildcards.bird
    settings = bird_settings(snakemake.params.settings, bird)
    recording, truth, audio = simulate(bird, settings, snakemake.params.seed)
    write_truth(truth, snakemake.output.truth)
    write_recording(
        recording,
        snakemake.output.recording,
        audio=audio,
        description="A simulated zebra finch: song and neurons drawn from a known model.",
    )
    log.info("%d units, %d syllables", len(recording.units), len(recording.syllables))
