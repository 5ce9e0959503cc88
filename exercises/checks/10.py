"""What the answers to the exercises of notebook 10 must do."""

import numpy as np

from serlib.teach import exercise, expect, numbers


@exercise(
    "10.1",
    "Who is misheard",
    goal=2,
    hints=[
        "Take the clips of one group at a time, and compute the UAR as in exercise 5.1.",
        "A loop over the groups; in it, a recall for each emotion that this group has, and their mean.",
    ],
)
def uar_by_group(answer, rng):
    from sklearn.metrics import recall_score

    for _ in range(4):
        n = 160
        group = rng.choice(["women", "men", "no answer"], n, p=[0.5, 0.4, 0.1])
        meant = np.where(
            group == "men", rng.choice(["angry", "neutral"], n, p=[0.1, 0.9]), rng.choice(["angry", "sad"], n)
        )
        heard = np.where(rng.random(n) < np.where(meant == "angry", 0.4, 0.85), meant, "fear")
        given = answer(list(meant), list(heard), list(group))
        try:
            given = {str(name): float(value) for name, value in dict(given).items()}
        except (TypeError, ValueError):
            expect(False, "return a dictionary from each group to one number")
        expect(set(given) == set(group), f"one number for each group: {', '.join(sorted(set(group)))}")
        overall = recall_score(meant, heard, average=None, labels=sorted(set(meant)), zero_division=0).mean()
        expect(
            len({round(value, 9) for value in given.values()}) > 1 or len(set(group)) == 1,
            f"all groups got the same number; {overall:.2f} is that of all clips together",
        )
        accuracy = {name: (heard == meant)[group == name].mean() for name in given}
        expect(
            any(abs(given[name] - accuracy[name]) > 1e-9 for name in given),
            "this is the accuracy of each group; a group with many neutral clips looks better than it is",
        )
        for name in given:
            own = group == name
            recalls = recall_score(
                meant[own], heard[own], average=None, labels=sorted(set(meant[own])), zero_division=0
            )
            expect(
                abs(given[name] - recalls.mean()) < 1e-9,
                f"{name}: over the emotions that this group showed, the mean recall "
                f"is {recalls.mean():.3f}, you say {given[name]:.3f}",
            )


@exercise(
    "10.2",
    "How many alarms are right",
    goal=1,
    hints=[
        "Think of 10,000 people. How many are angry? For how many of these is there an alarm, and for how many of "
        "the others?",
        "Right alarms divided by all alarms: prevalence * recall / (prevalence * recall + (1 - prevalence) * "
        "false_alarms).",
    ],
)
def right_alarms(answer, rng):
    for _ in range(5):
        recall, false_alarms = float(rng.uniform(0.6, 0.95)), float(rng.uniform(0.03, 0.3))
        prevalence = float(rng.uniform(0.005, 0.1))
        given = float(numbers(answer(recall, false_alarms, prevalence), (), "return one number, a share"))
        angry = rng.random(400_000) < prevalence
        alarm = rng.random(len(angry)) < np.where(angry, recall, false_alarms)
        wanted = angry[alarm].mean()
        expect(0 <= given <= 1, "a share lies between 0 and 1")
        expect(
            abs(given - recall) > 1e-6,
            "this is the recall: of the angry, how many raise an alarm. Asked is the other way round",
        )
        expect(
            abs(given - recall / (recall + false_alarms)) > 1e-6,
            "you count as many angry people as others; they are rare",
        )
        expect(
            abs(given - recall * prevalence) > 1e-6,
            "this is the share of all people who are angry and raise an alarm; divide it "
            "by the share of all who raise one",
        )
        expect(abs(given - (1 - wanted)) > 0.02 or abs(wanted - 0.5) < 0.02, "this is the share of the false alarms")
        expect(
            abs(given - wanted) < 0.03,
            f"of 400,000 simulated people {wanted:.3f} of the alarms are right, you say {given:.3f}",
        )


@exercise(
    "10.3",
    "What the law says",
    goal=3,
    hints=[
        "First question: is it only research that nobody is subjected to in practice? Then the regulation does not "
        "apply.",
        "Second: is it used on people at work or in education (applicants belong to work), and for neither medical "
        "nor safety "
        "reasons? Then Article 5 forbids it.",
        "All other emotion recognition is high risk by Annex III, and those who are exposed to it must be told "
        "(Article 50).",
    ],
)
def rule(answer, rng):
    people = ["employee", "job applicant", "pupil", "student", "customer", "patient"]
    reasons = ["marketing", "advice for lessons", "performance review", "medical", "safety"]
    for _ in range(60):
        person, reason = str(rng.choice(people)), str(rng.choice(reasons))
        stage = str(rng.choice(["in use", "research only"], p=[0.8, 0.2]))
        given = answer(person, reason, stage)
        case = f"{person}, {reason}, {stage}"
        expect(given in ("forbidden", "high risk", "outside"), "say forbidden, high risk or outside")
        if stage != "in use":
            expect(given == "outside", f"{case}: what is made solely for scientific research is outside (Article 2)")
            continue
        expect(given != "outside", f"{case}: recognising emotions from a voice is never outside once it is in use")
        excused = reason in ("medical", "safety")
        if person in ("customer", "patient"):
            expect(
                given == "high risk", f"{case}: Article 5 speaks of work and education only; elsewhere it is high risk"
            )
        elif excused:
            expect(
                given == "high risk",
                f"{case}: medical and safety reasons are excepted from the ban, and still high risk",
            )
        elif person == "job applicant":
            expect(given == "forbidden", f"{case}: choosing people for work belongs to the workplace")
        else:
            expect(given == "forbidden", f"{case}: at work and in education it is forbidden")


@exercise(
    "10.4",
    "A model card",
    goal=5,
    hints=[
        "The card repeats nothing from memory: read the figures from `report`.",
        "Its limits name the voices: acted speech, how many speakers, which language; and what nobody may do with it.",
    ],
)
def model_card(answer, rng):
    fields = ("data", "split", "uar", "interval", "speakers", "not_for", "limits")
    for _ in range(3):
        low = float(rng.uniform(0.3, 0.5))
        report = {
            "corpus": str(rng.choice(["RAVDESS", "TESS", "EmoDB"])),
            "split": str(rng.choice(["speaker", "speaker+text"])),
            "accuracy": float(rng.uniform(0.86, 0.95)),
            "uar": float(rng.uniform(0.52, 0.6)),
            "uar_interval": (low, float(rng.uniform(0.65, 0.8))),
            "validation_uar": float(rng.uniform(0.81, 0.85)),
            "test_speakers": int(rng.integers(2, 25)),
        }
        card = answer(dict(report))
        expect(isinstance(card, dict), "return a dictionary")
        missing = [name for name in fields if not str(card.get(name, "")).strip()]
        expect(not missing, f"the card says nothing under: {', '.join(missing)}")
        expect(
            card["uar"] != report["validation_uar"],
            "the figure of the validation role chose the model, so it flatters: take the one of the test role",
        )
        expect(card["uar"] != report["accuracy"], "the accuracy is not the UAR")
        expect(card["uar"] == report["uar"], "the UAR of the card is not that of the report: read it, do not type it")
        expect(tuple(card["interval"]) == report["uar_interval"], "the interval is not that of the report")
        expect(str(report["test_speakers"]) in str(card["speakers"]), "how many speakers was it tested on? Read it")
        expect(
            report["corpus"] in card["data"] and report["split"] in card["split"],
            "name the corpus and the split of the report",
        )
        limits = str(card["limits"]).lower()
        expect("act" in limits, "the limits do not say that the emotions were acted")
        not_for = str(card["not_for"]).lower()
        expect(
            any(word in not_for for word in ("work", "school", "education", "employ", "pupil", "student")),
            "under not_for name what Article 5 forbids: work and education",
        )
