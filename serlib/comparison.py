"""Do two runs differ by more than chance?"""

from scipy import stats

from serlib.base import SerlibError


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

    Taught in notebooks/05_evaluate.
    """
    one, two = a.predictions, b.predictions
    by = next((k for k in ("digest", "speech") if all(k in t and t[k].is_unique for t in (one, two))), None)
    if by is None:
        raise SerlibError("the clips of the two reports cannot be matched: their files are not named, or named twice")
    strangers = len(set(one[by]) ^ set(two[by]))
    if strangers:
        raise SerlibError(f"the two reports differ in {strangers} clips; compare runs scored on the same")
    one, two = one.set_index(by), two.set_index(by).loc[one[by]]
    if (one["label"] != two["label"]).any():
        raise SerlibError("the two reports give the same clips different true labels; index the corpus again")
    right, other = (one["label"] == one["predicted"]).to_numpy(), (two["label"] == two["predicted"]).to_numpy()
    only_a, only_b = int((right & ~other).sum()), int((~right & other).sum())
    less, discordant = min(only_a, only_b), only_a + only_b
    tail, point = stats.binom.cdf(less, discordant, 0.5), stats.binom.pmf(less, discordant, 0.5)
    return {
        "n": len(one),
        "both": int((right & other).sum()),
        "only_a": only_a,
        "only_b": only_b,
        "neither": int((~right & ~other).sum()),
        "p_exact": float(min(1.0, 2 * tail)),
        "p_mid": float(min(1.0, 2 * tail - point)),
    }
