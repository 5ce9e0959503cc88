"""Do two runs differ by more than chance?"""

from scipy import stats

from serlib.utils import SerlibError


def mcnemar(a, b):
    """Do two runs differ on the same clips by more than chance?

    Parameters
    ----------
    a, b : Report
        Of the same clips, in any order. Clips are matched by digest where both know it, else by file.

    Returns
    -------
    dict: n, both (clips that both get right), only_a, only_b, neither, p_exact, p_mid.

    Raises
    ------
    SerlibError
        The clips differ.

    Notes
    -----
    Only the clips on which one is right and the other wrong tell them apart. p_exact is the two-sided binomial test
    (McNemar 1947), p_mid its less cautious mid-p version (Fagerland, Lydersen & Laake 2013, BMC Med. Res. Methodol.
    13:91). Both take clips for independent, which those of one speaker are not: a small p with few speakers speaks
    about these speakers only.

    Examples
    --------
    >>> import pandas as pd
    >>> from serlib.evaluation.report import score
    >>> clips = pd.DataFrame({"label": ["sad"] * 8, "speech": list("abcdefgh")})
    >>> always = score(clips, [[0.9, 0.1]] * 8, ["sad", "happy"])
    >>> never = score(clips, [[0.1, 0.9]] * 8, ["sad", "happy"])
    >>> mcnemar(always, never)["p_exact"]
    0.0078125

    Taught in notebooks/05_evaluate.
    """
    key = _clip_key(a.predictions, b.predictions)
    unmatched = len(set(a.predictions[key]) ^ set(b.predictions[key]))
    if unmatched:
        raise SerlibError(f"the two reports differ in {unmatched} clips; compare runs scored on the same")
    first = a.predictions.set_index(key)
    second = b.predictions.set_index(key).loc[first.index]
    if (first["label"] != second["label"]).any():
        raise SerlibError("the two reports give the same clips different true labels; index the corpus again")
    a_right = (first["label"] == first["predicted"]).to_numpy()
    b_right = (second["label"] == second["predicted"]).to_numpy()
    only_a = int((a_right & ~b_right).sum())
    only_b = int((~a_right & b_right).sum())
    discordant = only_a + only_b
    tail = stats.binom.cdf(min(only_a, only_b), discordant, 0.5)
    point = stats.binom.pmf(min(only_a, only_b), discordant, 0.5)
    return {
        "n": len(first),
        "both": int((a_right & b_right).sum()),
        "only_a": only_a,
        "only_b": only_b,
        "neither": int((~a_right & ~b_right).sum()),
        "p_exact": float(min(1.0, 2 * tail)),
        "p_mid": float(min(1.0, 2 * tail - point)),
    }


def _clip_key(first, second):
    """The column that names each clip in both tables of predictions."""
    for key in ("digest", "speech"):
        if all(key in table and table[key].is_unique for table in (first, second)):
            return key
    raise SerlibError("the clips of the two reports cannot be matched: their files are not named, or named twice")
