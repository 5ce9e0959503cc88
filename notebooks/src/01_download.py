# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] tags=["slide"]
# # 01 Download a corpus
#
# We download a [corpus](../teaching/glossary.md#corpus) of [acted speech](../teaching/glossary.md#acted-speech), make a
# table of its clips, and look for what is wrong with it.
#
# **Running time**: under half a minute on the [sample corpus](../teaching/glossary.md#sample-corpus); a first download
# takes as long as your network does. **Data**: TESS where it is present, otherwise the sample corpus, which needs no
# account and no network; `SERLIB_CORPUS` chooses.
#
# After this notebook you can
#
# 1. say which corpora there are, and what their licences let you do;
# 2. download a corpus completely and check it, even if the connection breaks;
# 3. sign in to Kaggle, where you must, without showing your credentials to anybody;
# 4. make the index of its clips, and compare what was found with what there should be;
# 5. say why copies in an archive make a test worthless, and keep them out.

# %% [markdown]
# On Google Colab the next cell installs the packages that Colab does not have; anywhere else it does nothing. Clone or
# upload the repository to Colab first, and set `CHECKOUT` to its folder.

# %%
import sys

if "google.colab" in sys.modules:
    CHECKOUT = "/content/serlib"
    sys.path.insert(0, CHECKOUT)
    # %cd {CHECKOUT}
    # %pip install -q av espeakng-loader onnxruntime optuna

# %% [markdown]
# We need `serlib.download` for the download, and `serlib.corpora` for what is known about each corpus.

# %%
import shutil
import tempfile
from pathlib import Path

import pandas as pd

import serlib
from serlib import plots
from serlib.corpora import CORPORA, expected, kaggle, present
from serlib.utils import shown

# %% [markdown]
# All settings:

# %%
CORPUS = serlib.default()  # sample, tess, ravdess, ...
TEST_SHARE = 0.2  # how much of a table is set aside as a test at the end
SEED = 0  # another seed sets other clips aside

# %% [markdown]
# Which corpus we use:

# %%
print(serlib.notice(CORPUS))

# %% [markdown] tags=["slide"]
# ## Which corpora there are
#
# Each corpus is one entry of a registry: whose it is, under which licence, what it should hold, and how its file names
# are read.

# %%
rows = [(corpus.name, corpus.title, corpus.licence, corpus.clips or "any number") for corpus in CORPORA.values()]
pd.options.display.max_colwidth = 100
pd.DataFrame(rows, columns=["corpus", "title", "licence", "clips"]).set_index("corpus")

# %% [markdown]
# Most of them may be used for research, some only after registration; where no licence is named, ask the authors. NC in
# a licence forbids commercial use, SA asks you to pass changed versions on under the same licence, ND forbids passing
# changed versions on at all; so no notebook here contains the sound of a real corpus. If you publish results on a
# corpus, cite it:

# %%
print(CORPORA[CORPUS].citation)

# %% [markdown]
# Which of them are on this machine (`folder` stands for recordings of your own):

# %% tags=["nbval-ignore-output"]
for name in CORPORA:
    print(f"{name:10}", "is here" if present(name) else "-")

# %% [markdown] tags=["slide"]
# ## The download
#
# One call downloads a corpus, and no account is needed: RAVDESS comes from [Zenodo](https://zenodo.org), where its
# authors have published it; TESS and others come from Kaggle, whose client `kagglehub` gives public data sets to
# anybody. A corpus that is there already is not downloaded again; the sample corpus is made on your machine. An
# interrupted download from Kaggle continues where it stopped. The checksums of the archive and of each file are
# compared with what they should be, and the folder appears only when it is complete. If anything fails, one sentence
# says what to do.

# %%
folder = serlib.download(CORPUS)
print(CORPUS, "is in", shown(folder))

# %% [markdown]
# From a terminal, the same is `python -m serlib download tess`; `download ravdess --from kaggle` chooses between two
# sources. On Kaggle itself nothing is downloaded: there you add the data set to the notebook, and it is found in the
# input folder. An archive that you have downloaded with the browser and saved as `data/tess.zip` is used as well.
#
# An archive from the network can do harm: an entry called `../../.bashrc` would be written outside the folder, and an
# entry of a few bytes can unpack to a file that fills the disk. Each entry is checked first, and such archives are
# refused.

# %% [markdown] tags=["slide"]
# ## Signing in to Kaggle
#
# You need an account only where Kaggle asks who you are. Most tutorials sign in with a file `kaggle.json`, which
# looks like `kaggle.json.example` in this repository and lies in the folder `~/.kaggle`, and call the client like this:
#
#     import kaggle
#     kaggle.api.dataset_download_files("ejlok1/toronto-emotional-speech-set-tess", path="data", unzip=True)
#
# If there is a `kaggle.json`, `serlib.download` makes this call and unpacks the archive itself. You get the file on
# [kaggle.com/settings](https://www.kaggle.com/settings), in the section Legacy API Credentials. The newer API token
# (`KGAT_...`) goes into the file `~/.kaggle/access_token`, with nothing else in it, or into the environment variable
# `KAGGLE_API_TOKEN`.
#
# Keep credentials to yourself: after `chmod 600 ~/.kaggle/kaggle.json` no other user of the computer can read them.
# Never type them into a notebook: its outputs are saved, and sooner or later shared. The next cell says where
# credentials were found on this machine, not what they are.

# %% tags=["nbval-ignore-output"]
print(kaggle.credentials())

# %% [markdown] tags=["slide"]
# ## The index
#
# The index is the table that every other notebook starts from. It has one row for each clip: what the file name says
# (emotion, speaker, text), and what the file itself says (duration, [sampling
# rate](../teaching/glossary.md#sampling-rate), and a *digest*: a fingerprint of its bytes, which two files share only
# if they are identical). One row of each emotion:

# %%
index = serlib.index(CORPUS)
index.drop(columns=["speech", "digest"]).groupby("label", sort=False).head(1).round(1)

# %% [markdown] tags=["slide"]
# How many clips there are of each emotion and speaker:

# %%
plots.show(plots.counts(index))

# %% [markdown]
# Compare what was found with what the corpus should hold. The sample corpus may have any size, so most of its
# expected counts are not known (`<NA>`).

# %%
expected(index).drop(columns="corpus").set_index("what")

# %% [markdown] tags=["slide"]
# ## Faults in an archive
#
# Real archives are never quite as described. A bad file does not stop the index: it is left out, with the reason. In
# TESS, one file name lacks a letter of its speaker (`OA` for `OAF`), some clips are AIFF files called `.wav`, and
# depending on the source one or two clips are missing. The faults of this corpus (the sample corpus has none):

# %%
faults = index.attrs
print("rejected:", len(faults["rejected"]))
for file in faults["rejected"][:5]:
    print("   ", Path(file["file"]).name, file["reason"])
print("repaired:", len(faults["repaired"]))
for file in faults["repaired"][:5]:
    print("   ", Path(file["file"]).name, file["what"])
print("missing:", len(faults["missing"]), *faults["missing"][:5])
print("copies left out:", faults["duplicates"])

# %% [markdown]
# The worst fault is in the archive of TESS on Kaggle: it holds every file twice, in a folder and again in a folder of
# the same name inside it. We build a small archive like that, with one clip for each emotion and speaker.

# %%
scratch = tempfile.TemporaryDirectory()  # goes away with the kernel
archive = Path(scratch.name) / "archive"
few = index.groupby(["speaker", "label"], sort=False).head(1)
for place in (archive, archive / "archive"):
    for file in map(Path, few.speech):
        (place / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place / file.parent.name)

# %% [markdown]
# We damage two of its files: one is now empty, the other one ends in the middle of its header.

# %%
first, second = sorted(archive.glob("*/*.*"))[:2]
first.write_bytes(b"")
second.write_bytes(second.read_bytes()[:20])
print("damaged:", first.name, "and", second.name)

# %% [markdown]
# The index takes each clip once, counts the copies, and gives a reason for each file that it rejects. The copies of the
# two damaged files are still good, so no clip is lost.

# %%
small = serlib.index(CORPUS, archive)
print(len(few), "clips,", len(list(archive.rglob("*.*"))), "files")
print(len(small), "in the index,", small.attrs["duplicates"], "copies left out")
for file in small.attrs["rejected"]:
    print("rejected:", Path(file["file"]).name, file["reason"])
assert sorted(small.digest) == sorted(few.digest)

# %% [markdown] tags=["slide"]
# ## Why copies make a test worthless
#
# Suppose we had kept the copies. Many tutorials do: they list the paths, shuffle them, and set a part aside as a test.
# How many test clips has the model then already seen in training, byte for byte?

# %%
doubled = pd.concat([index, index], ignore_index=True)  # the table of the paths in such an archive


def set_aside(table):
    """(training, test), at random."""
    test = table.sample(frac=TEST_SHARE, random_state=SEED)
    return table.drop(test.index), test


for name, table in {"with copies": doubled, "without": index}.items():
    training, test = set_aside(table)
    print(f"{name:12} {test.digest.isin(training.digest).mean():4.0%} of the test clips were trained on")

# %% [markdown]
# What is such a test worth? Take a model that cannot hear at all. It remembers the digest of each training clip and its
# label, and for any other clip it answers with the most frequent label.


# %%
def remembered(training, test):
    """Accuracy of a model that only remembers files."""
    memory = dict(zip(training.digest, training.label, strict=True))
    answers = test.digest.map(memory).fillna(training.label.mode()[0])
    return (answers == test.label).mean()


scores = {name: remembered(*set_aside(table)) for name, table in (("with copies", doubled), ("without", index))}
for name, score in scores.items():
    print(f"{name:12} accuracy {score:4.0%}")
assert scores["with copies"] > scores["without"] + 0.2

# %% [markdown]
# On the archive with copies, a model that cannot hear looks good. An [accuracy](../teaching/glossary.md#accuracy) that
# was measured like this says more about the copies than about the model. What a test shares with the clips that a model
# was trained on, and should not, is called [leakage](../teaching/glossary.md#leakage). The index leaves copies out, and
# the [audit](../teaching/glossary.md#audit) of notebook 04 looks for what else training and test may share.

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. The registry names each corpus with its licence and citation. Most may be used for research; read the licence
#    before you pass anything on.
# 2. `download("tess")` leaves a complete folder or none: it resumes, checks every file, and refuses a dangerous
#    archive.
# 3. Credentials belong in a file that only you can read, or in the environment; `serlib` never prints them.
# 4. The index has one row for each clip; `index.attrs` lists what was rejected, repaired or missing, and `expected`
#    compares the counts.
# 5. Copies let a model that has learned nothing pass the test; a digest of the bytes finds them.
