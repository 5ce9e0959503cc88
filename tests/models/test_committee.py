"""A committee: members trained one after the other, one model that answers as they do together."""

from dataclasses import replace

import numpy as np
import pytest

from serlib import Recognizer, SerlibError, evaluate, extract, features, training
from serlib.experiments.searching import usual_space
from serlib.features import FeatureSpec, projection
from serlib.models import dense, layer, recipes, stack
from serlib.models.committee import Committee
from serlib.plots.page import write
from serlib.training.run import Run

FRAMES = FeatureSpec(rate_hz=16000, frame=512, hop=256, kinds=("mfcc", "pitch", "voiced"), n_mfcc=8, duration_s=2)


@pytest.fixture(scope="module")
def committee(tiny_recipe):
    sums = replace(FRAMES, summary=("mean", "p95", "voiced_std"))
    one = replace(tiny_recipe, name="functionals", features=sums, build=stack(dense(8)), epochs=2)
    two = replace(one, name="two", features=FRAMES, build=stack(layer("StatisticsPooling"), dense(8)), epochs=3)
    return Committee(name="both", title="both", source="tests", features=FRAMES, members=(one, two), shares=(0.7, 0.3))


@pytest.fixture(scope="module")
def run(committee, tone_table, session_home):
    return training.fit(committee, tone_table, out=session_home / "checkpoints" / "both", show=False)


def test_one_model_answers_as_the_members_together(run, committee, tone_table):
    values = extract(tone_table, FRAMES, show=False).values
    logs = 0
    for member, share in zip(committee.members, committee.shares, strict=True):
        alone = Run.load(run.folder / "members" / member.name)
        theirs = values if member.features == FRAMES else extract(tone_table, member.features, show=False).values
        logs = logs + share * np.log(alone.probabilities(theirs, calibrated=False))
    expected = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run.probabilities(values, calibrated=False), expected, atol=1e-4)


def test_members_are_trained_as_if_alone(run, committee, tone_table, tmp_path):
    alone = training.fit(committee.members[1], tone_table, out=tmp_path / "two", show=False)
    seen = ["loss", "accuracy", "val_loss", "val_accuracy"]
    together = run.history[run.history.member == "two"][seen].to_numpy()
    np.testing.assert_allclose(together, alone.history[seen].to_numpy(), rtol=1e-6)  # the last digit may round away
    assert run.history.epoch.tolist() == [1, 2, 3, 4, 5]


def test_what_run_json_says(run, tone_table):
    assert run.info["parameters"] == run.model.count_params()
    assert [member["name"] for member in run.info["recipe"]["members"]] == ["functionals", "two"]
    guess = run.probabilities(extract(tone_table, FRAMES, show=False).values).argmax(axis=1)
    validation = (tone_table.role == "validation").to_numpy()
    right = np.array(run.labels)[guess] == tone_table.label
    assert run.info["metrics"]["val_accuracy"] == pytest.approx(right[validation].mean(), abs=1e-6)


def test_epochs_are_shared_out_in_proportion(committee):
    assert committee.epochs_of_members(5) == [2, 3]
    assert committee.epochs_of_members(50) == [20, 30]
    assert sum(committee.epochs_of_members(7)) == 7
    with pytest.raises(SerlibError, match="1 epochs are too few for the 2 members of both"):
        committee.epochs_of_members(1)


def test_other_epochs_are_trained_as_they_are_planned(committee, tone_table, tmp_path):
    run = training.fit(committee, tone_table, out=tmp_path / "both", epochs=2, show=False)
    assert run.info["epochs"] == len(run.history) == 2
    assert run.history.member.tolist() == ["functionals", "two"]


def test_too_few_epochs_overwrite_nothing(run, committee, tone_table):
    """The run was thrown away first."""
    with pytest.raises(SerlibError, match="1 epochs are too few"):
        training.fit(committee, tone_table, out=run.folder, epochs=1, overwrite=True)
    assert (run.folder / "run.json").is_file()


def test_it_is_a_run_like_any_other(run, tone_table):
    report = evaluate(run, show=False)
    assert report.n_test == (tone_table.role == "test").sum()
    answer = Recognizer(run, threshold=0).predict(tone_table.speech.iloc[0])
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    values = extract(tone_table, FRAMES, show=False).values
    assert projection.last_layer(run.model, values).shape == (len(tone_table), 16)  # 8 units of each member


def test_goes_on_where_it_was_stopped(run, committee, tone_table, tmp_path):
    def stop(history):
        if len(history) == 2 and (tmp_path / "both.partial" / "members" / "functionals").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.fit(committee, tone_table, out=tmp_path / "both", after_epoch=stop, show=False)
    assert (tmp_path / "both.partial" / "members" / "two.partial").exists()
    again = training.fit(committee, tone_table, out=tmp_path / "both", resume=True, show=False)
    assert again.history.drop(columns="seconds").equals(run.history.drop(columns="seconds"))


def test_members_hear_the_same_frames(committee, tiny_recipe):
    with pytest.raises(SerlibError, match="tiny cannot sit in both"):
        replace(committee, members=(tiny_recipe, committee.members[1]))
    with pytest.raises(SerlibError, match="cannot sit"):
        replace(committee, members=(replace(committee.members[0], normalise="speaker"), committee.members[1]))


def test_each_member_has_one_share(committee):
    """Too few shares were told after all members were trained, two of one name as another training in their place."""
    for options in ({"shares": (1,)}, {"members": committee.members[:1] * 2}, {"members": (), "shares": ()}):
        with pytest.raises(SerlibError, match="name each member once, and give each a share"):
            replace(committee, **options)


def test_summaries_without_a_voice_can_be_joined(committee, rng):
    """Features that have no column `voiced` ended in a ValueError after all members were trained."""
    frames = replace(FRAMES, kinds=("mfcc",))
    summary = replace(frames, summary=("mean", "p95"))
    member = replace(committee.members[0], features=summary, normalise="none")
    alone = member.model(3, shape=(16,))
    joined = replace(committee, features=frames, members=(member,), shares=(1,)).join([alone])
    clip = rng.normal(size=(20, 8)).astype(np.float32)
    expected = alone(features.summarise(clip, summary)[np.newaxis])
    np.testing.assert_allclose(joined(clip[np.newaxis]), expected, atol=1e-5)


def test_members_are_searched_one_by_one(committee):
    with pytest.raises(SerlibError, match="search functionals or two"):
        usual_space(committee)


def test_the_project_s_own():
    own = recipes.get("committee")
    assert [member.name for member in own.members] == ["functionals", "conv-gru"]
    assert own.epochs == own.to_dict()["epochs"] == 60 + 40
    assert sum(own.shares) == pytest.approx(1)


def test_its_report_draws_each_member_s_training(run, tmp_path):
    page = write(evaluate(run, resamples=10, show=False), tmp_path, history=run.history)
    drawn = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert {"curves-functionals", "curves-two"} <= drawn and "curves" not in drawn
    assert page.read_text(encoding="utf-8").count("Training curves over ") == 2


def test_it_takes_no_other_features():
    with pytest.raises(SerlibError, match="takes the features of its members"):
        recipes.get("committee", features="mfcc-frames")
