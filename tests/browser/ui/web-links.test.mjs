// Web addresses in the chat: node --test web-links.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageModule } from './fakes.mjs';

const { partsOf, webAddress } = await pageModule('shared/web-links.js');
const { EMOJI_GROUPS } = await pageModule('shared/emoji.js');

/** The addresses of a text, as they are seen. */
const seen = text => partsOf(text).filter(part => part.url).map(part => part.text);

test('addresses are found, and the rest of the text is kept', () => {
  for (const [text, ...addresses] of [
    ['soup?'], ['see https://example.org', 'https://example.org'], ['https://a.example/x https://b.example/y', 'https://a.example/x', 'https://b.example/y'],
    ['(https://example.org/a).', 'https://example.org/a'], ['https://en.wikipedia.org/wiki/Soup_(food)!', 'https://en.wikipedia.org/wiki/Soup_(food)'],
    ['HTTPS://Example.org/A?b=c&d#e, and', 'HTTPS://Example.org/A?b=c&d#e'], ['메뉴는 https://example.org/메뉴。', 'https://example.org/메뉴'],
    ['“https://example.org”', 'https://example.org'], ['<a href="https://example.org">x</a>', 'https://example.org'], ['http://192.168.0.4:8080/x\nnext', 'http://192.168.0.4:8080/x'],
  ]) {
    assert.deepEqual(seen(text), addresses, text);
    assert.equal(partsOf(text).map(part => part.text).join(''), text);
  }
});

test('what is no web address stays text', () => {
  for (const text of ['javascript:alert(1)', 'file:///etc/passwd', 'data:text/html,x', 'https://', 'https:///', 'lunchroom://join/soup', 'xhttps:/example.org', 'www.example.org', 'https://good.example@bad.example/', 'https://user:word@bad.example/', `https://example.org/${'a'.repeat(3000)}`, 'https://[bad']) {
    assert.deepEqual(seen(text), [], text.slice(0, 60));
    assert.equal(partsOf(text).map(part => part.text).join(''), text);
  }
});

test('where an address leads is written in letters that look like no others', () => {

  assert.match(new URL(webAddress('https://аррle.example/')).hostname, /^xn--/);
  // A directional mark ends an address, so that nothing of it is drawn in another order.
  assert.deepEqual(seen('https://example.org/\u200fgpj.exe'), ['https://example.org/']);
});

test('a long line of addresses is divided in a moment', () => {
  const line = 'https://'.repeat(500), brackets = `https://example.org/${')'.repeat(1900)}`;
  assert.equal(partsOf(line).map(part => part.text).join(''), line);
  assert.deepEqual(seen(brackets), ['https://example.org/']);
});

test('the emoji are different from each other', () => {
  const all = EMOJI_GROUPS.flatMap(one => one.emoji);
  assert.ok(all.length > 150);
  assert.equal(new Set(all).size, all.length);
  for (const emoji of all) assert.match(emoji, /^\p{Emoji}/u, emoji);
});
