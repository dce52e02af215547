// Searches for people by any part of a name, regardless of case and accents. Korean names are also found by their initial
// consonants (ㅂㅈㅎ finds 박지훈). This module does not use the DOM.

/** The letters of modern Hangul syllables in the order of their code points (Unicode Standard, section 3.12), as compatibility jamo. */
const INITIALS = [...'ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ'];
const VOWELS = [...'ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ'];
const FINALS = ['', ...'ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ'];

/** Letters that take two keystrokes. Input methods combine two consecutive initials into these consonants. @type {Record<string, string>} */
const TWO_KEYS = {
  ㄳ: 'ㄱㅅ', ㄵ: 'ㄴㅈ', ㄶ: 'ㄴㅎ', ㄺ: 'ㄹㄱ', ㄻ: 'ㄹㅁ', ㄼ: 'ㄹㅂ', ㄽ: 'ㄹㅅ', ㄾ: 'ㄹㅌ', ㄿ: 'ㄹㅍ', ㅀ: 'ㄹㅎ', ㅄ: 'ㅂㅅ',
  ㅘ: 'ㅗㅏ', ㅙ: 'ㅗㅐ', ㅚ: 'ㅗㅣ', ㅝ: 'ㅜㅓ', ㅞ: 'ㅜㅔ', ㅟ: 'ㅜㅣ', ㅢ: 'ㅡㅣ',
};
/** Double consonants, and the plain consonants under which lists file them. @type {Record<string, string>} */
const PLAIN = { ㄲ: 'ㄱ', ㄸ: 'ㄷ', ㅃ: 'ㅂ', ㅆ: 'ㅅ', ㅉ: 'ㅈ' };
/** Letters that do not decompose into a base letter and an accent. @type {Record<string, string>} */
const SPELLED = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ð: 'd', þ: 'th', ı: 'i', ς: 'σ' };

/**
 * Returns a function that tests whether a text contains the search term. Every text contains an empty term.
 * @param {string} typed the search term @returns {(text: string) => boolean}
 */
export function finder(typed) {
  const wanted = folded(typed);
  if (!/[ㄱ-ㅣ가-힣]/u.test(wanted)) return text => folded(text).includes(wanted);
  // Korean names are written with and without spaces.
  const letters = [...wanted.replaceAll(' ', '')].flatMap(letter => [...(TWO_KEYS[letter] ?? letter)]);
  return text => {
    const all = [...folded(text).replaceAll(' ', '')];
    return all.some((_, start) => matches(all, start, letters, 0));
  };
}

/**
 * Whether `all` from index `a` on begins with `wanted` from index `w` on.
 * @param {string[]} all @param {number} a @param {string[]} wanted @param {number} w @returns {boolean}
 */
function matches(all, a, wanted, w) {
  if (w === wanted.length) return true;
  if (a >= all.length) return false;
  const letter = wanted[w];
  if (INITIALS.includes(letter)) {
    const initial = initialOf(all[a]), plain = PLAIN[letter];
    if ((initial === letter || PLAIN[initial] === letter) && matches(all, a + 1, wanted, w + 1)) return true;
    // Some keyboards combine two equal initials into a double consonant.
    return plain !== undefined && initial === plain && a + 1 < all.length && initialOf(all[a + 1]) === plain && matches(all, a + 2, wanted, w + 1);
  }
  // The last syllable may be incomplete, or include the initial of the next one.
  if (w === wanted.length - 1) return (keysOf(all[a]) + keysOf(all[a + 1] ?? '')).startsWith(keysOf(letter));
  return all[a] === letter && matches(all, a + 1, wanted, w + 1);
}

/** @param {string} letter */
const initialOf = letter => jamoOf(letter)?.[0] ?? letter;

/** Returns the keystrokes of a letter. @param {string} letter */
const keysOf = letter => (jamoOf(letter) ?? [letter]).map(jamo => TWO_KEYS[jamo] ?? jamo).join('');

/** Returns the initial, vowel and final of a syllable; null for other letters. @param {string} letter */
function jamoOf(letter) {
  const index = (letter.codePointAt(0) ?? 0) - 0xac00;
  if (index < 0 || index >= INITIALS.length * VOWELS.length * FINALS.length) return null;
  const finals = FINALS.length, vowels = VOWELS.length;
  return [INITIALS[Math.floor(index / (vowels * finals))], VOWELS[Math.floor(index / finals) % vowels], FINALS[index % finals]];
}

/** Folds a text for comparison: NFC, lower case, no accents, single spaces. @param {string} text */
function folded(text) {
  const plain = text.normalize('NFD').toLowerCase().replace(/[\u0300-\u036f]/g, '').replace(/[ßæœøłđðþıς]/g, letter => SPELLED[letter]);
  return plain.normalize('NFC').replace(/[\u1100-\u1112\u1161-\u1175\u11a8-\u11c2]/g, compatible).trim().replace(/\s+/gu, ' ');
}

/** Converts a conjoining jamo to the compatibility jamo, which keyboards type. @param {string} letter */
function compatible(letter) {
  const code = letter.charCodeAt(0);
  if (code >= 0x11a8) return FINALS[code - 0x11a7];
  return code >= 0x1161 ? VOWELS[code - 0x1161] : INITIALS[code - 0x1100];
}
