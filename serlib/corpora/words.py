"""Emotion words: what people write for the labels of `serlib.utils.LABELS`, in the languages that corpora come in."""

import functools
import re
import unicodedata

#: Label -> other words for it: English, short codes, then other languages (German, French, Italian, Spanish,
#: Portuguese, Polish, Turkish, Greek, Russian, Persian, Urdu, Bangla, Indonesian, Chinese, Japanese, Korean, Arabic).
#: Case, accents, hyphens and underscores do not count. A word for two of the labels stands nowhere.
WORDS = {
    "angry": """
        anger ang wut wütend ärger zorn colère en_colère fâché rabbia arrabbiato enojo enojado enfado ira raiva
        zangado złość gniew zły kızgın kızgınlık öfke öfkeli θυμός гнев злость злой خشم عصبانیت غصہ রাগ marah 生气 愤怒
        怒 怒り 화남 분노 غضب غاضب
    """,
    "disgust": """
        disgusted dis disg ekel dégoût dégoûté disgusto disgustato asco nojo wstręt obrzydzenie iğrenme tiksinti
        αηδία отвращение تنفر ঘৃণা jijik 厌恶 嫌悪 혐오 اشمئزاز
    """,
    "fear": """
        fearful fea afraid scared anxiety frightened angst furcht ängstlich peur paura miedo medo strach korku φόβος
        страх ترس خوف ভয় takut 害怕 恐惧 恐れ 恐怖 두려움 공포
    """,
    "happy": """
        happiness hap joy joyful freude fröhlich glücklich joie joyeux heureux gioia felice felicità alegría alegre
        feliz felicidad felicidade alegria radość szczęście wesoły mutlu mutluluk χαρά радость счастье شادی خوشحال
        خوش সুখ senang bahagia gembira 高兴 快乐 开心 喜び 幸せ 행복 기쁨 سعادة سعيد
    """,
    "neutral": """
        neu neut neutre neutrale neutralny neutro nötr ουδέτερο нейтральный нейтрально خنثی নিরপেক্ষ netral
        中性 中立 중립         محايد
    """,
    "ps": """
        surprise surprised sur surp pleasant_surprise pleasant_surprised pleasantly_surprised überraschung
        überrascht étonnement sorpresa sorpreso sorprendido surpresa zaskoczenie zdziwienie şaşkın şaşkınlık έκπληξη
        удивление تعجب বিস্ময় terkejut 惊讶 惊喜 驚き 놀람 مفاجأة
    """,
    "sad": """
        sadness trauer traurig traurigkeit tristesse triste tristezza tristeza smutek smutny üzgün üzüntü λύπη
        грусть печаль грустный غم اداس দুঃখ sedih 悲伤 难过 悲しみ 悲しい 슬픔 حزن حزين
    """,
    "calm": """
        calmness cal ruhig ruhe calme calmo tranquilo spokój spokojny sakin sakinlik спокойствие tenang 平静 冷静
    """,
    "boredom": """
        bored bor langeweile gelangweilt ennui noia aburrimiento tédio nuda znudzenie sıkıntı скука bosan 无聊
    """,
}


@functools.lru_cache(4096)
def spelling(word):
    """The letters of a word without what spellings differ in: case, accents, hyphens and underscores for spaces.

    Examples
    --------
    >>> spelling(" Colère_Froide "), spelling("ANGER")
    ('colere froide', 'anger')
    """
    letters = unicodedata.normalize("NFKD", word.casefold().replace("ı", "i").replace("ł", "l"))
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[\s_-]+", " ", letters).strip()


#: Spelling -> label.
SYNONYMS = {spelling(word): label for label, words in WORDS.items() for word in (label, *words.split())}


@functools.lru_cache(4096)
def normal_label(word):
    """A label as a person writes it, in the one vocabulary; a word of one's own stays, in lower case.

    Parameters
    ----------
    word : str

    Returns
    -------
    str

    Examples
    --------
    >>> normal_label(" Pleasant_Surprise"), normal_label("ANG"), normal_label("Wütend"), normal_label("Excited")
    ('ps', 'angry', 'angry', 'excited')
    >>> normal_label("02 - happy"), normal_label("sad2"), normal_label("Happy 😀"), normal_label("take 2")
    ('happy', 'sad', 'happy', 'take 2')
    """
    text = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFC", word)).strip().lower()
    return SYNONYMS.get(spelling(text)) or SYNONYMS.get(_without_number(text), text)


def is_emotion(word):
    """Whether a word names one of `LABELS` in some language.

    Examples
    --------
    >>> is_emotion("Trauer"), is_emotion("01_angry"), is_emotion("anna")
    (True, True, False)
    """
    return spelling(word) in SYNONYMS or _without_number(word) in SYNONYMS


def _without_number(word):
    """The spelling of a word without a number before or behind it, and without signs, as folders often have them."""
    match = re.fullmatch(r"(?:\d{1,2}[ .)]+)?(\D+?)(?: ?\d{1,2}| ?\(\d+\))?", spelling(word))
    return re.sub(r"^\W+|\W+$", "", match[1]) if match else ""
