"""A committee: several recipes that are trained on the same clips and answer as one model."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from serlib.augment.frames import lengths
from serlib.features.spec import frames_of, summarise
from serlib.features.spec import names as column_names
from serlib.models.recipe import BaseRecipe
from serlib.utils import SerlibError


@dataclass(frozen=True, kw_only=True)
class Committee(BaseRecipe):
    """Recipes that are trained one after the other on the same clips and answer together.

    What comes out is one model: frames in, the softmax of the weighted mean of the members' log-probabilities out.
    Settings of the training are those of the members.

    Attributes
    ----------
    members : tuple of Recipe
        Their features are `features`, or a summary of them; none is normalised by speaker.
    shares : tuple of float
        The weight of each member.
    """

    members: tuple
    shares: tuple

    def __post_init__(self):
        super().__post_init__()
        names = [member.name for member in self.members]
        if not names or not len(set(names)) == len(names) == len(self.shares):
            raise SerlibError(
                f"The committee {self.name} has the members {', '.join(names)} and the shares {self.shares}; name each "
                "member once, and give each a share."
            )
        for member in self.members:
            if frames_of(member.features) != self.features or member.normalise == "speaker":
                raise SerlibError(
                    f"{member.name} cannot sit in {self.name}: it needs the same frames, and no clips of the speaker."
                )

    def to_dict(self):
        """Everything as JSON can hold it."""
        members = [member.to_dict() for member in self.members]
        return {**super().to_dict(), "members": members, "shares": list(self.shares)}

    @property
    def epochs(self):
        """Of all members together."""
        return sum(member.epochs for member in self.members)

    def epochs_of_members(self, epochs):
        """The epochs of a training, shared out among the members in proportion to their own.

        Parameters
        ----------
        epochs : int

        Returns
        -------
        list of int, which add up to `epochs`
        """
        ends = [0]
        for member in self.members:
            ends.append(ends[-1] + member.epochs)
        ends = [round(end * epochs / ends[-1]) for end in ends]
        parts = [end - start for start, end in pairwise(ends)]
        if min(parts) < 1:
            raise SerlibError(f"{epochs} epochs are too few for the {len(parts)} members of {self.name}; take more.")
        return parts

    def model(self, n_labels, *, shape, examples=None):
        """Build the members' models, untrained, and join them; parameters as for `Recipe.model`."""
        models = []
        for member in self.members:
            if not member.features.summary:
                models.append(member.model(n_labels, shape=shape, examples=examples))
                continue
            summaries = None
            if examples is not None:
                clips = zip(examples, lengths(examples), strict=True)
                summaries = np.stack([summarise(clip[:n], member.features) for clip, n in clips])
            columns = len(column_names(member.features))
            models.append(member.model(n_labels, shape=(columns,), examples=summaries))
        return self.join(models)

    def join(self, models):
        """One Keras model of the members' models.

        Parameters
        ----------
        models : sequence of keras.Model
            Trained, in the order of the members.

        Returns
        -------
        keras.Model: frames in [shape=(clips, frames, d)], probabilities out.
        """
        import keras

        from serlib.models import layers, pooling

        columns = column_names(self.features)
        inputs = keras.Input((self.features.frames, len(columns)), name="features")
        answers = []
        for member, model in zip(self.members, models, strict=True):
            x = inputs
            if member.features.summary:
                name = f"{member.name}-functionals"
                voiced = columns.index("voiced") if "voiced" in columns else None
                x = pooling.Functionals(member.features.summary, voiced, name=name)(inputs)
            answers.append(model(x))
        answer = layers.Committee(self.shares, name="probabilities")(answers)
        model = keras.Model(inputs, answer, name=self.name.replace("-", "_"))
        model.compile(loss="categorical_crossentropy", metrics=["accuracy"])  # to be judged, not to be trained
        return model
