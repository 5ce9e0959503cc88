# %% [markdown]
# # Exercises 10: limits
#
# For [notebook 10](../notebooks/10_limits.ipynb). **Running time**: seconds. **Data**: none, each check draws its own.

# %%
import numpy as np

from serlib.teach import check, hint, progress

# %% [markdown]
# ## 10.1 Who is misheard
#
# `meant`, `heard` and `group` are lists with one entry a clip. Return a dictionary from each group to its UAR, over the
# emotions that occur in this group.


# %%
def uar_by_group(meant, heard, group):
    ### BEGIN SOLUTION
    meant, heard, group = np.array(meant), np.array(heard), np.array(group)
    result = {}
    for name in np.unique(group):
        own_meant, own_heard = meant[group == name], heard[group == name]
        recalls = [(own_heard[own_meant == label] == label).mean() for label in np.unique(own_meant)]
        result[name] = np.mean(recalls)
    return result
    ### END SOLUTION


check("10.1", uar_by_group)

# %% [markdown]
# ## 10.2 How many alarms are right
#
# A model finds `recall` of all angry callers, and raises an alarm for `false_alarms` of the others (both are shares).
# In life few callers are angry: the share `prevalence`. Return the share of the alarms that are right.


# %%
def right_alarms(recall, false_alarms, prevalence):
    ### BEGIN SOLUTION
    right = prevalence * recall
    wrong = (1 - prevalence) * false_alarms
    return right / (right + wrong)
    ### END SOLUTION


check("10.2", right_alarms)

# %%
if share := right_alarms(0.8, 0.1, 0.02):
    print(
        f"eight of ten angry callers found, one in ten others too; two in a hundred are angry: {share:.0%} of "
        "alarms right"
    )

# %% [markdown]
# ## 10.3 What the law says
#
# An emotion is inferred from the voice of a `person`, for a `reason`, at a `stage` ("in use" or "research only").
# Return what the EU AI Act says, as summarised in notebook 10: "forbidden", "high risk", or "outside" of its scope.
# The people are employee, job applicant, pupil, student, customer and patient; the reasons are marketing, advice for
# lessons, performance review, medical and safety.


# %%
def rule(person, reason, stage):
    ### BEGIN SOLUTION
    if stage == "research only":
        return "outside"
    work_or_education = person in ("employee", "job applicant", "pupil", "student")
    if work_or_education and reason not in ("medical", "safety"):
        return "forbidden"
    return "high risk"
    ### END SOLUTION


check("10.3", rule)

# %% [markdown]
# ## 10.4 A model card
#
# `report` is a dictionary with `corpus`, `split`, `accuracy`, `uar`, `uar_interval`, `validation_uar` and
# `test_speakers`. Write the card: a dictionary with `data`, `split`, `uar`, `interval`, `speakers`, `not_for` (what
# nobody may do with it) and `limits` (what its figures do not cover).


# %%
def model_card(report):
    ### BEGIN SOLUTION
    return {
        "data": f"trained and tested on {report['corpus']}",
        "split": report["split"],
        "uar": report["uar"],
        "interval": report["uar_interval"],
        "speakers": f"{report['test_speakers']} test speakers, none of them in training",
        "not_for": "judging anybody, in particular at work or in education",
        "limits": "acted emotions of few speakers in one language, recorded in a studio",
    }
    ### END SOLUTION


check("10.4", model_card)

# %% [markdown]
# What you have solved so far:

# %% tags=["nbval-ignore-output"]
progress()
