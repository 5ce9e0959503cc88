"""Search for settings of a recipe: short trainings, judged on the validation set alone."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from serlib.models.committee import Committee
from serlib.models.probe import LinearProbe
from serlib.models.recipe import Recipe
from serlib.models.recipes import get
from serlib.training.fitting import NotFinite, fit
from serlib.training.state import at_work, content, with_files
from serlib.utils import SerlibError, clip_table, progress, shown

#: What is searched for the highest value of: a loss would not be comparable where the trials differ in it.
METRIC = "val_accuracy"

#: Batch sizes of the usual space.
BATCHES = (16, 32, 64, 128)


@dataclass(frozen=True)
class Search:
    """What `search` found.

    Attributes
    ----------
    best : Recipe
        With the settings of the best trial; train it on a whole table and judge that run.
    value : float
        The best trial's accuracy on the validation set. Being the best of many it is too good to be expected again.
    params : dict
        What the best trial drew.
    trials : pd.DataFrame
        A row a trial: trial (from 0), value (NaN where the training broke off), a column for each setting.
    """

    best: Recipe
    value: float
    params: dict
    trials: pd.DataFrame

    def to_json(self):
        """The result as plain Python values."""
        trials = json.loads(self.trials.to_json(orient="records"))
        return {"recipe": self.best.to_dict(), "value": self.value, "params": self.params, "trials": trials}


def usual_space(recipe):
    """The space (see `search`) that suits every recipe: learning rate and batch size around what it has.

    Raises
    ------
    SerlibError
        The recipe is a committee, which learns as its members do, or a probe, which is solved at once.
    """
    recipe = get(recipe)
    if isinstance(recipe, Committee):
        names = " or ".join(member.name for member in recipe.members)
        raise SerlibError(f"{recipe.name} is a committee and learns as its members do; search {names}.")
    if isinstance(recipe, LinearProbe):
        raise SerlibError(f"{recipe.name} has neither learning rate nor batches; compare values of its C instead.")

    def space(trial):
        rate = trial.suggest_float("learning_rate", recipe.learning_rate / 10, recipe.learning_rate * 10, log=True)
        return replace(recipe, learning_rate=rate, batch_size=trial.suggest_categorical("batch_size", BATCHES))

    return space


def _drawn_from(space):
    """What tells one space from another: the recipe that it makes of one fixed draw, and the ranges it draws from."""
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    recipe = space(trial).to_dict()
    ranges = {name: str(distribution) for name, distribution in trial.distributions.items()}
    return json.loads(json.dumps({"recipe": recipe, "ranges": ranges}))


def search(space, table, *, out, trials=20, seed=0, epochs=None, jobs=None, show=None):
    """Try settings, each in a training of its own, and keep the best on the validation set.

    Parameters
    ----------
    space : callable, str or Recipe
        From an Optuna trial to the Recipe to train, for instance
        `lambda trial: replace(recipe, learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True))`.
        Builders may be replaced, too: `replace(recipe, build=lstm(units=trial.suggest_int("units", 64, 256), ...))`.
        A recipe or its name stands for `usual_space` of it.
    table : pd.DataFrame
        From `serlib.split`. The test set is cut off before anything else: no trial can see it.
    out : str or Path
        Folder of the search: a run for each trial, and Optuna's journal. Called again, it goes on with the interrupted
        trial, from its last epoch; called with more trials, it adds to them.
    trials : int
        How many in all.
    seed : int
        Of the draws and of every training.
    epochs : int, optional
        Instead of the recipe's: short trainings rank settings well enough.
    jobs, show
        As for `serlib.extract`.

    Returns
    -------
    Search

    Raises
    ------
    SerlibError
        The published protocol, whose validation set is the test set; another search in `out`; no training ended.

    Notes
    -----
    Tree-structured Parzen estimator (Bergstra, Bardenet, Bengio & Kégl 2011, NeurIPS) as Optuna has it. What a trial
    draws depends on the seed, its number and the trials before it, so an interrupted search ends where an unbroken
    one does.

    Examples
    --------
    >>> result = search("lstm-256", table, out="checkpoints/search", trials=20)  # doctest: +SKIP
    >>> print(result.params)  # learning rate and batch size  # doctest: +SKIP

    Taught in notebooks/06_compare.
    """
    space = space if callable(space) else usual_space(space)
    if trials < 1:
        raise SerlibError(f"A search needs at least one trial, not {trials}.")
    if table.attrs.get("split", {}).get("protocol") == "published":
        raise SerlibError("Under the published protocol validation is the test set; search with another split.")
    table = clip_table(table, needs=("speech", "label", "role"))
    visible = with_files(table[table.role != "test"].reset_index(drop=True))
    out = Path(out).absolute()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with at_work(out):
        identity = {
            "metric": METRIC,
            "seed": int(seed),  # NumPy's numbers are none for JSON
            "epochs": epochs,
            "clips": content(visible),
            "space": _drawn_from(space),
        }
        study = _study(out, identity)
        finished = len(_over(study))
        with progress(total=trials, desc="trials", unit="trial", show=show) as bar:
            bar.n = bar.initial = min(finished, trials)
            for number in range(finished, trials):
                study.sampler = optuna.samplers.TPESampler(seed=1000 * seed + number)
                trial = study.ask()
                options = {"seed": seed, "epochs": epochs, "resume": True, "jobs": jobs, "show": show}
                try:
                    run = fit(space(trial), visible, out=out / f"trial-{number:03d}", **options)
                    study.tell(trial, run.info["metrics"][METRIC])
                except NotFinite:  # a learning rate too high, say: counts as the worst
                    study.tell(trial, state=TrialState.PRUNED)
                bar.update()
    over = _over(study)[:trials]
    complete = [trial for trial in over if trial.value is not None]
    if not complete:
        raise SerlibError(f"No training in {shown(out)} came to an end; lower the learning rates of the space.")
    best = max(complete, key=lambda trial: trial.value)
    rows = [{"trial": number, "value": trial.value, **trial.params} for number, trial in enumerate(over)]
    recipe = space(optuna.trial.FixedTrial(best.params))
    return Search(recipe, float(best.value), dict(best.params), pd.DataFrame(rows).astype({"value": float}))


def _study(out, identity):
    """The study in a folder, as it was left or new; a trial that was interrupted is the next one to be asked for."""
    journal = str(out / "journal.log")
    lock = JournalFileOpenLock(journal)  # the usual one is a symbolic link, which few may make on Windows
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(journal, lock_obj=lock)),
        study_name="search",
        direction="maximize",
        load_if_exists=True,
    )
    if study.user_attrs.get("what", identity) != identity:
        raise SerlibError(f"{shown(out)} holds a search by other means or of other clips; choose another folder.")
    study.set_user_attr("what", identity)
    for broken in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(broken.number, state=TrialState.FAIL)
        study.enqueue_trial(broken.params)
    return study


def _over(study):
    """The trials of a study that came to an end, good or bad."""
    return study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
