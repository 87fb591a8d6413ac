from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.files import write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.pretraining import pretrain, whole_stretches, write_pretrained
from neuro2voc.pretraining_curve import learning_settings

with job(snakemake):
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    recording = open_bird(files.recording, files.inclusion, names.bird)
    # No split: nothing is held out of this bird.
    before = learning_settings(names.decoder, "", params).before
    pretrained, trained = pretrain(recording, whole_stretches(recording), *before)
    write_pretrained(pretrained, snakemake.output.weights)
    write_csv(trained.history, snakemake.output.losses)
    remove_checkpoints(params.checkpoints)
