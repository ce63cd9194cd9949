// Which words of a search a text has, by the rule of the server (src/domain/search_text.rs): case, accents and vowel signs, the forms of
// Arabic letters, the article and the style of digits do not matter. `tests/corpus/search_words.json` holds both to it.

/** Marks that change the sound of a letter, and what nobody sees. */
const IGNORED =
  // eslint-disable-next-line no-misleading-character-class -- each mark is meant by itself
  /[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0674\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u08ca-\u08ff\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u0640\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;
/** A letter, and its other forms. @type {[string, RegExp][]} */
const FORMS = [
  ['ا', /[ٱٲٳ]/g],
  ['ي', /[ىیېے]/g],
  ['ه', /[ةۃہھە]/g],
  ['ك', /[کڪ]/g],
  ['i', /ı/g],
  ['σ', /ς/g],
  ['ss', /ß/g],
];

/** @param {string} text */
export function fold(text) {
  let folded = text.normalize('NFKD').toLowerCase().replace(IGNORED, '');
  for (const [letter, forms] of FORMS) folded = folded.replace(forms, letter);
  return folded.replace(/[٠-٩۰-۹]/g, (digit) => String(digit.charCodeAt(0) & 15));
}

/** @param {string} text */
const words = (text) => fold(text).match(/[\p{Alphabetic}\p{N}]+/gu) ?? [];
/** A word without the Arabic article. @param {string} word */
const bare = (word) => word.replace(/^ال(?=...)/u, '');

/**
 * Whether a text has all words of a search, or words that begin with them or have them inside; a number has no other number inside.
 * @param {string} search
 * @returns {(text: string) => boolean}
 */
export function finder(search) {
  const wanted = words(search).map(bare);
  return (text) => {
    const known = words(text);
    /** @param {string} word @param {string} one */
    const isPart = (word, one) => word.length > 2 && one.includes(word) && !/\p{N}/u.test(word + one);
    return wanted.every((word) =>
      known.some((one) => one.startsWith(word) || bare(one).startsWith(word) || isPart(word, one)),
    );
  };
}
