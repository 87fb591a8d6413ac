"""What values are standardised by: the mean and deviation of those that are learnt from."""

import numpy as np

STILL = 1e-6  # of the mean; smaller deviations are what rounding leaves of none


def mean_and_scale(values: np.ndarray, still: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return each column's mean and standard deviation.

    Parameters
    ----------
    values : ndarray (..., columns)
        Of the training part alone; what was not observed, NaN, is left out.
    still : float
        Scale of a column that never varies.

    Returns
    -------
    mean, scale : ndarray (columns,)
        float64; of a column that was never observed, 0 and `still`.
    """
    flat = values.reshape(-1, values.shape[-1])
    seen = np.isfinite(flat)
    number = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, flat, 0).sum(axis=0, dtype=float) / number
    exact = np.result_type(flat, np.float32)  # counts have no halves
    apart = np.where(seen, flat - mean.astype(exact), 0)
    deviation = np.sqrt(np.square(apart).sum(axis=0, dtype=float) / number)
    return mean, np.where(deviation > STILL * np.abs(mean), deviation, still)
