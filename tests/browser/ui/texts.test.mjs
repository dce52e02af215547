// The texts of both languages, and the modules for typed text: node --test texts.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ui = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../ui');
/** Imports a module without imports by its text, because Node 18 treats a .js file without a package.json beside it as CommonJS. */
const module = async name => import(`data:text/javascript;base64,${Buffer.from(await readFile(path.join(ui, name), 'utf8')).toString('base64')}`);
const { finder } = await module('shared/search.js');
const { fit, LIMITS } = await module('shared/input-limit.js');
const { en } = await module('shared/strings/en.js');
const { ko } = await module('shared/strings/ko.js');

/** Returns the names that a search finds. */
const found = (typed, names) => names.filter(finder(typed));

test('Korean names are found by initial consonants', () => {
  const names = ['박지훈', '박하은', '김민지', '배준호', 'Anna Schmidt'];
  assert.deepEqual(found('ㅂㅈㅎ', names), ['박지훈', '배준호']);
  assert.deepEqual(found('ㅂ', names), ['박지훈', '박하은', '배준호']);
  assert.deepEqual(found('ㅈㅎ', names), ['박지훈', '배준호']);
  assert.deepEqual(found('ㄱㅈ', names), []);
  assert.deepEqual(found('', names), names);
  assert.deepEqual(found('  ', names), names);
});

test('syllables and initial consonants can be mixed', () => {
  const names = ['박지훈', '박재현', '박하은'];
  for (const typed of ['박ㅈㅎ', '박ㅈ']) assert.deepEqual(found(typed, names), ['박지훈', '박재현'], typed);
  for (const typed of ['박지ㅎ', '박지훈', 'ㅂ지ㅎ', '지훈', 'ㅈ훈']) assert.deepEqual(found(typed, names), ['박지훈'], typed);
  assert.deepEqual(found('바ㅈㅎ', names), [], 'only the last syllable may be incomplete');
});

test('a name is found at each step of typing it', () => {
  const others = ['이서준', '최도윤'];
  for (const [name, steps] of [
    ['박지훈', ['ㅂ', '바', '박', '박ㅈ', '박지', '박짛', '박지후', '박지훈']],
    ['곽민수', ['ㄱ', '고', '과', '곽', '곽ㅁ', '곽미', '곽민']],
    ['값진', ['가', '갑', '값', '값ㅈ', '값지', '값진']],
    ['의현', ['으', '의', '읳', '의혀']],
  ]) for (const typed of steps) assert.deepEqual(found(typed, [name, ...others]), [name], typed);
});

test('a compound consonant typed by an input method matches two initials', () => {
  for (const [typed, name] of [['ㄳ', '김수진'], ['ㅄ', '박서연'], ['ㄵ', '나지민'], ['ㄶ', '남하늘'], ['ㄺ', '류기범'], ['ㄻ', '류민아'], ['ㄼ', '라봄'], ['ㅀ', '류현']]) {
    assert.deepEqual(found(typed, [name, '최도윤']), [name], typed);
  }
  assert.deepEqual(found('ㅂㅈㄳ', ['박정규', '박정근서']), ['박정근서']);
});

test('a plain consonant matches its double, and a double matches itself or two plain ones', () => {
  const names = ['꼬마', '김규리', '강민', '빵순이', '박봄'];
  assert.deepEqual(found('ㄲ', names), ['꼬마', '김규리']);
  assert.deepEqual(found('ㄱ', names), ['꼬마', '김규리', '강민']);
  assert.deepEqual(found('ㄱㄱ', names), ['김규리']);
  assert.deepEqual(found('ㅃㅅ', names), ['빵순이']);
  assert.deepEqual(found('ㅃ', names), ['빵순이', '박봄']);
  assert.deepEqual(found('꼬', names), ['꼬마']);
});

test('both normalization forms match, on either side', () => {
  const name = '박지훈', apart = name.normalize('NFD');
  for (const typed of ['ㅂㅈㅎ', '박ㅈ', '박지훈', '박지훈'.normalize('NFD'), ' 박지훈 ', '\u1107\u110c\u1112']) {
    for (const one of [name, apart]) assert.ok(finder(typed)(one), `${typed} in ${one.length} units`);
  }
});

test('Korean names with spaces, Latin parts and lone letters are found', () => {
  assert.deepEqual(found('ㅂㅈㅎ', ['박 지훈', '지훈 박']), ['박 지훈']);
  assert.deepEqual(found('박지훈', ['박 지훈']), ['박 지훈']);
  assert.deepEqual(found('ㅈㅎ kim', ['지훈 Kim']), ['지훈 Kim']);
  assert.deepEqual(found('ㅋㅋ', ['ㅋㅋㅋ', '코끼리', '카카오']), ['ㅋㅋㅋ', '카카오']);
  assert.deepEqual(found('ㅏ', ['ㅏㅏ', '아라']), ['ㅏㅏ']);
});

test('Latin and other names are found regardless of case and accents', () => {
  const names = ['Émile Zola', 'Søren Kierkegaard', 'Jürgen Groß', 'İsmet', 'Nguyễn', 'ΝΙΚΟΣ', 'Ada  Lovelace', 'سارة'];
  for (const [typed, name] of [['emile', names[0]], ['ÉMILE', names[0]], ['E\u0301mile z', names[0]], ['soren', names[1]], ['SØREN', names[1]], ['gross', names[2]],
    ['jurgen', names[2]], ['ismet', names[3]], ['nguyen', names[4]], ['νικος', names[5]], ['ada lovelace', names[6]], ['سار', names[7]]]) {
    assert.deepEqual(found(typed, names), [name], typed);
  }
  assert.deepEqual(found('zz', names), []);
});

test('a text that is too long loses the end of the insertion, in whole grapheme clusters', () => {
  const at = (characters, bytes) => ({ characters, bytes });
  assert.equal(fit('', 'abc', at(3)), 'abc');
  assert.equal(fit('abc', 'abcd', at(3)), 'abc');
  assert.equal(fit('abc', 'aXbc', at(3)), 'abc', 'text around the insertion stays');
  assert.equal(fit('abc', 'aXYZ', at(3)), 'aXY', 'replaced text makes room');
  assert.equal(fit('가나', '가나다라', at(3)), '가나다');
  assert.equal(fit('', '👩\u200d🍳👩\u200d🍳', at(5)), '👩\u200d🍳', 'an emoji is not split');
  assert.equal(fit('', '각'.normalize('NFD').repeat(2), at(5)), '각'.normalize('NFD'), 'a syllable is not split');
  assert.equal(fit('', '😀'.repeat(70), LIMITS.name), '😀'.repeat(48), 'bytes count too');
  assert.equal(fit('', '가'.repeat(70), LIMITS.name), '가'.repeat(64));
  assert.equal(fit('abcdef', 'abcde', at(3)), 'abcde', 'a text that was too long can become shorter');
  assert.equal(fit('', 'x'.repeat(1_000_000), LIMITS.chat).length, 4000);
});

/** Every text of a language with its key; placeholders are replaced by @. */
function texts(language, where = '') {
  const lists = ['withPeople', 'theyCame', 'theyLeft', 'theyRaised'];
  return Object.entries(language).flatMap(([key, text]) => {
    const place = `${where}${key}`;
    if (typeof text === 'object') return texts(text, `${place}.`);
    if (typeof text === 'string') return [[place, text]];
    if (lists.includes(key)) return [['@'], ['@', '@'], ['@', '@', '@', '@']].map(names => [place, text(names)]);
    return [[place, text('@', '@')], [place, text('', '')], ...[0, 1, 2].map(n => [place, text(n, n)])];
  });
}

test('English is written with contractions, curly quotes and the usual words', () => {
  for (const [place, text] of texts(en)) {
    assert.doesNotMatch(text, /['"`]/, place);
    assert.doesNotMatch(text, /\b(cannot|(do|does|did|is|are|was|could|has|have|will|would) not|it is|there is)\b|(^|[.:?!] )(You|We|They) (are|will)\b/, `${place}: ${text}`);
    assert.doesNotMatch(text, /\b(some|every|any|no)body\b|\bCome in as\b|\bLook again\b|\bSend out\b|\bmending\b|\bwhom you\b/i, `${place}: ${text}`);
    assert.doesNotMatch(text, /\b(lay|laid)\b/i, `${place}: ${text}`);
  }
});

test('Korean is in 해요체, uses the usual terms, and no particle depends on a name', () => {
  for (const [place, text] of texts(ko)) {
    assert.doesNotMatch(text, /니다|십시오|['"`]/, `${place}: ${text}`);
    assert.doesNotMatch(text, /더하기|들이기|쓰는 중|대답|차려|차리|차린|치우|치웠|치운|우리 말|소식|고치는|닿지|적어 주세요|여는 분|당신|귀하/, `${place}: ${text}`);
    assert.doesNotMatch(text, /@’?(이|가|은|는|을|를|과|와|이나|나|이랑|랑|으로|로|이에요|예요)(?![가-힣])/, `${place}: ${text}`);
  }
});

test('every text is used by a screen', async () => {
  const files = (await readdir(ui, { recursive: true, withFileTypes: true })).filter(one => one.isFile() && one.name.endsWith('.js') && !(one.parentPath ?? one.path).endsWith('strings'));
  const code = (await Promise.all(files.map(one => readFile(path.join(one.parentPath ?? one.path, one.name), 'utf8')))).join('\n');
  // Texts for devices are looked up by kind: t[kind].
  const unused = Object.keys(en).filter(key => !['camera', 'microphone', 'speaker'].includes(key) && !new RegExp(`\\bt\\.${key}\\b`).test(code));
  assert.deepEqual(unused, []);
});

test('every error of the hosted server has a text in both languages', async () => {
  const errors = await readFile(path.join(ui, '../crates/server/src/error.rs'), 'utf8');
  const codes = [...errors.matchAll(/=> "(server_[a-z_]+)"/g)].map(([, code]) => code);
  assert.ok(codes.length >= 8, `${codes}`);
  for (const code of codes) for (const [language, { problems }] of Object.entries({ en, ko })) assert.ok(problems[code], `${language}: ${code}`);
});
