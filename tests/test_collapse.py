"""Which autoencoders have collapsed, and how it is said."""

import pandas as pd

from neuro2voc.collapse import collapses


def test_a_fold_has_collapsed_where_no_latent_varies(tmp_path):
    folder = tmp_path / "blocked"
    folder.mkdir()
    table = {"fold": [0, 0, 1, 1, 2, 2], "latent": [0, 1] * 3}
    spreads = {"good": [0.0, 0.5] * 3, "bad": [0.0, 0.001, 0.0, 0.5, 0.0, 0.01]}
    for name, spread in spreads.items():
        pd.DataFrame({**table, "spread": spread}).to_csv(folder / f"{name}_latents.csv")
    paths = [folder / f"{name}_latents.csv" for name in spreads]
    (said,) = collapses(paths)
    assert said.startswith("The autoencoder of bad has collapsed in folds 0 and 2 of 'blocked':")
    assert collapses([]) == []
