# %% [markdown]
# # Exercises 01: names, copies and archives
#
# For [notebook 01](../notebooks/01_download.ipynb). **Running time**: seconds. **Data**: none, each check draws its
# own.
#
# Write your lines where it says so and run the cell. `check` tries your function on new input at every call and says
# what is wrong; `hint("1.1")` helps, and helps more when you call it again.

# %%
import hashlib
from pathlib import Path

from serlib.teach import check, hint, progress

# %% [markdown]
# ## 1.1 What a file name says
#
# Read a file name of TESS, for instance `YAF_back_angry.wav`. Return the speaker, the word and the label, in small
# letters. Mind what notebook 01 says about one speaker's prefix.


# %%
def read_name(name):
    ### BEGIN SOLUTION
    speaker, word, label = Path(name).stem.split("_")
    if speaker == "OA":
        speaker = "OAF"
    return speaker, word, label.lower()
    ### END SOLUTION


check("1.1", read_name)

# %% [markdown]
# ## 1.2 Each recording once
#
# `files` is a dictionary from a name to the bytes of the file. Return the names in their order, each recording once:
# the first of several copies stays.


# %%
def unique_files(files):
    ### BEGIN SOLUTION
    seen = set()
    kept = []
    for name, content in files.items():
        key = hashlib.sha256(content).digest()
        if key not in seen:
            kept.append(name)
        seen.add(key)
    return kept
    ### END SOLUTION


check("1.2", unique_files)

# %% [markdown]
# ## 1.3 How much of a test is known
#
# Two tables have a column `digest`. Which share of the test clips is in the training, byte for byte?


# %%
def known_share(training, test):
    ### BEGIN SOLUTION
    return test.digest.isin(training.digest).mean()
    ### END SOLUTION


check("1.3", known_share)

# %% [markdown]
# ## 1.4 An archive that wants out
#
# An entry of an archive is a path that others have written. Return True where unpacking it stays inside of the folder,
# at every step of the way, and False where it leaves it.


# %%
def stays_inside(path):
    ### BEGIN SOLUTION
    path = path.replace("\\", "/")
    if path.startswith("/") or path[1:2] == ":":
        return False
    depth = 0
    for part in path.split("/"):
        if part == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            return False
    return True
    ### END SOLUTION


check("1.4", stays_inside)

# %% [markdown]
# What you have solved so far, in all notebooks:

# %% tags=["nbval-ignore-output"]
progress()
