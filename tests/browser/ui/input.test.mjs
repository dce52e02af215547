// Typing with an input method, and the language of screens, in headless Chromium: node --test input.test.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { calls, until } from './page.mjs';
import { base, board, scenes } from './scenes.mjs';
import { open, pause, press } from './window.mjs';

let harness;
before(async () => { harness = await open(); });
after(() => harness.close());

const value = (page, selector) => page.$eval(selector, field => field.value);

/** Simulates an input method in the focused field. */
async function inputMethod(page) {
  const session = await page.createCDPSession();
  return {
    /** Sets the text that is being composed, underlined in the field. */
    compose: text => session.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length }),
    /** Completes the composition. */
    commit: text => session.send('Input.insertText', { text }),
    /** Sends a key to the page during composition, like some systems do. */
    async key(key, code) {
      await page.evaluate((key, code) => {
        document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, code, keyCode: 229, isComposing: true, bubbles: true, cancelable: true, composed: true }));
        // The default actions of an engine that also handles the key.
        const form = document.activeElement.closest('form');
        if (key === 'Enter' && form) form.requestSubmit();
        if (key === 'Escape') document.querySelector('dialog[open]')?.dispatchEvent(new Event('cancel', { cancelable: true }));
        document.activeElement.dispatchEvent(new KeyboardEvent('keyup', { key, code, bubbles: true, composed: true }));
      }, key, code);
    },
  };
}

const noBoard = { ...base(), board: null, session: { kind: 'open', server: 'wss://lunch.example.org/' } };
const people = [...Array(20).keys()].map(n => ({ id: `p${n}`, name: { 3: '박지훈', 7: '배준호', 9: '박하은' }[n] ?? `Person ${n}`, presence: 'free' }));
const settings = ['#board-more', '.menu:popover-open button:last-child'];

/** Every text field of the window: the steps that open it, and the commands that Enter in it causes. */
const fields = {
  'the name of the first run': { state: scenes['first-run'].state, field: 'form.welcome input[autocomplete=name]', commands: ['save_settings', 'connect'] },
  'the address of the first run': { state: scenes['first-run'].state, field: 'form.welcome input[inputmode=url]', commands: ['save_settings', 'connect'] },
  'the topic of a table': { state: scenes.board.state, steps: ['#lay-table'], field: '.lay .lay-words .field:nth-child(1) input', commands: ['lay_table'] },
  'the place of a table': { state: scenes.board.state, steps: ['#lay-table'], field: '.lay .lay-words .field:nth-child(2) input', commands: ['lay_table'] },
  'the dialog for a link': { state: scenes.board.state, steps: ['#board-more', '.menu:popover-open button:first-child'], field: 'dialog input', commands: ['open_link'] },
  'the name of a room': { state: noBoard, field: 'lr-room-field input', commands: [], closes: 'lr-board' },
  'the passphrase': { state: noBoard, steps: ['#give-secret'], field: 'dialog input', commands: ['save_settings', 'connect'] },
  'the name in the settings': { state: scenes.settings.state, steps: settings, field: '#settings-name', commands: [] },
  'a server in the settings': { state: scenes.settings.state, steps: settings, field: '#settings-server', commands: ['save_settings', 'connect'] },
  'the search for people': { state: { ...base(), board: board([], people) }, field: '#find-people', commands: [] },
  'the chat': { state: scenes['call-2'].state, steps: ['#call-chat'], field: '#chat-input', commands: ['send_chat'] },
};
const submitting = ['save_settings', 'connect', 'lay_table', 'open_link', 'send_chat', 'eat_now', 'join', 'take_seat'];

for (const [name, { state, steps, field, commands, closes }] of Object.entries(fields)) {
  test(`Enter and Escape of the input method have no effect in ${name}`, async () => {
    const { page } = await harness.page({ state, language: 'ko' });
    await press(page, steps);
    await page.waitForSelector(field, { visible: true });
    await page.$eval(field, input => { input.focus(); input.select(); });
    const method = await inputMethod(page), screen = await page.$eval('lunch-room > *', one => one.localName);
    const done = async () => (await page.evaluate(() => window.mock.calls.map(one => one.command))).filter(one => submitting.includes(one));
    await method.compose('박');
    assert.equal(await value(page, field), '박');
    for (const [key, code] of [['Enter', 'Enter'], ['Escape', 'Escape']]) await method.key(key, code);
    await pause(50);
    assert.deepEqual(await done(), [], 'nothing is sent or saved');
    assert.equal(await value(page, field), '박', 'the composition stays');
    assert.equal(await page.$eval('lunch-room > *', one => one.localName), screen);
    assert.equal(await page.$('dialog[open]') !== null, (steps ?? []).length > 0 && field !== '#chat-input', 'no dialog is closed');
    assert.equal(await page.$('.trouble[role=alert]:not([hidden])'), null, 'nothing was submitted and rejected');
    await method.commit('박');
    if (!commands.length && !closes) return void await page.close();
    // The same Enter after the composition has ended.
    await page.evaluate(() => {
      for (const input of document.querySelectorAll('form.welcome input[autocomplete=name]')) if (!input.value) input.value = '박지훈';
      for (const input of document.querySelectorAll('form.welcome input[inputmode=url], #settings-server, lr-room-field input')) input.value = 'lunch.example.org';
    });
    await page.keyboard.press('Enter');
    if (closes) await until(page, gone => !document.querySelector(gone), closes);
    else await until(page, wanted => wanted.every(one => window.mock.calls.some(call => call.command === one)), commands);
    await page.close();
  });
}

test('the search finds people during a composition', async () => {
  const { page } = await harness.page({ state: { ...base(), board: board([], people) }, language: 'ko' });
  await page.waitForSelector('#find-people', { visible: true });
  await page.focus('#find-people');
  const method = await inputMethod(page);
  const names = () => page.$$eval('lr-free-people .person .name', all => all.map(one => one.textContent).sort());
  for (const [text, seen] of [['ㅂ', ['박지훈', '박하은', '배준호']], ['바', ['박지훈', '박하은']], ['박', ['박지훈', '박하은']]]) {
    await method.compose(text);
    await until(page, count => document.querySelectorAll('lr-free-people .person').length === count, seen.length);
    assert.deepEqual(await names(), seen, text);
  }
  await method.commit('박');
  await method.compose('ㅈ');
  await until(page, () => document.querySelectorAll('lr-free-people .person').length === 1);
  assert.deepEqual(await names(), ['박지훈']);
  assert.equal(await value(page, '#find-people'), '박ㅈ');
  await page.close();
});

test('a limit does not affect a composition, and counts as the server does', async () => {
  const { page } = await harness.page({ state: scenes['first-run'].state, language: 'ko' });
  const field = 'form.welcome input[autocomplete=name]', full = '가'.repeat(63);
  await page.focus(field);
  const method = await inputMethod(page);
  await method.commit(full);
  for (const text of ['ㄱ', '기', '김']) {
    await method.compose(text);
    assert.equal(await value(page, field), full + text);
  }
  await method.commit('김');
  await method.compose('민');
  assert.equal(await value(page, field), `${full}김민`, 'not cut while it is being composed');
  await method.commit('민');
  assert.equal(await value(page, field), `${full}김`, 'whole syllables only');
  assert.equal(await page.$eval(field, input => input.selectionStart), 64, 'the caret does not move');
  await page.evaluate(selector => { document.querySelector(selector).value = ''; }, field);
  await method.commit('😀'.repeat(48));
  assert.equal(await value(page, field), '😀'.repeat(48), '48 characters in 96 UTF-16 units');
  await page.close();
});

test('a long text pasted into the chat is truncated and can be sent', async () => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language: 'en' });
  await press(page, ['#call-chat']);
  const method = await inputMethod(page);
  await method.commit('😀'.repeat(4100));
  assert.equal(await value(page, '#chat-input'), '😀'.repeat(4000));
  await page.keyboard.press('Enter');
  assert.equal((await calls(page, 'send_chat'))[0].text, '😀'.repeat(4000));
  await page.close();
});

test('a line that returns to the field does not interrupt a composition', async () => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language: 'ko' });
  await press(page, ['#call-chat']);
  const method = await inputMethod(page);
  await method.compose('바');
  await page.evaluate(() => {
    const { state } = window.mock;
    window.mock.push({ ...state, call: { ...state.call, unsent: [{ number: 1, text: '저도 갈게요', failed: 'chat_unconfirmed' }] } });
  });
  await page.waitForSelector('#chat-wrong:not([hidden])');
  assert.equal(await value(page, '#chat-input'), '바', 'the field is not changed');
  await method.compose('박');
  await method.commit('밥');
  await until(page, () => document.querySelector('#chat-input').value === '저도 갈게요\n밥');
  assert.equal(await page.$eval('#chat-wrong', one => one.hidden), false, 'the error is still shown');
  await page.close();
});

test('the settings’ switch that hides the address works by keyboard and is saved', async () => {
  const { page, complaints } = await harness.page({ state: scenes.settings.state });
  for (const step of settings) await page.click(step);
  await page.waitForSelector('#settings-relay_only:not(:checked)');
  await page.focus('#settings-relay_only');
  await page.keyboard.press('Space');
  await until(page, () => window.mock.calls.some(one => one.command === 'save_settings'));
  assert.deepEqual((await calls(page, 'save_settings')).map(one => one.settings.relay_only), [true]);
  const described = await page.$eval('#settings-relay_only', one => document.getElementById(one.getAttribute('aria-describedby')).textContent);
  assert.match(described, /don’t see your network address/);
  assert.deepEqual(complaints, []);
  await page.close();
});

test('the first run’s language choice works by keyboard, applies immediately and is saved', async () => {
  const { page, complaints } = await harness.page({ state: scenes['first-run'].state });
  const seen = () => page.evaluate(() => ({ heading: document.querySelector('h1').textContent, title: document.title, lang: document.documentElement.lang, focus: document.activeElement.id,
    checked: [...document.querySelectorAll('lr-language input')].filter(one => one.checked).map(one => one.id), name: document.querySelector('form.welcome input[autocomplete=name]').value }));
  assert.deepEqual(await seen(), { heading: 'Welcome to Lunchroom', title: 'Welcome to Lunchroom · Lunchroom', lang: 'en', focus: (await seen()).focus, checked: ['language-system'], name: '' });
  await page.type('form.welcome input[autocomplete=name]', 'Ada');
  await page.keyboard.down('Shift');
  await page.keyboard.press('Tab');
  await page.keyboard.up('Shift');
  assert.equal((await seen()).focus, 'language-system', 'the field before the name');
  await page.keyboard.press('ArrowLeft');
  await until(page, () => document.querySelector('#language-en').checked);
  await page.keyboard.press('ArrowLeft');
  await until(page, () => document.documentElement.lang === 'ko');
  await pause(50);
  assert.deepEqual(await seen(), { heading: '런치룸에 오신 걸 환영해요', title: '런치룸에 오신 걸 환영해요 · Lunchroom', lang: 'ko', focus: 'language-ko', checked: ['language-ko'], name: 'Ada' });
  assert.deepEqual((await calls(page, 'save_settings')).map(one => one.settings.language), ['en', 'ko']);
  await page.click('label[for=language-system]');
  await until(page, () => document.documentElement.lang === 'en');
  assert.equal((await calls(page, 'save_settings')).at(-1).settings.language, null);
  const spoken = [], gather = one => (spoken.push(`${one.role} ${one.name}`), one.children?.forEach(gather));
  gather(await page.accessibility.snapshot());
  assert.deepEqual(spoken.filter(one => /^radio (한국어|English|Same)/.test(one)), ['radio 한국어', 'radio English', 'radio Same as system']);
  assert.equal(await page.$eval('lr-language legend', one => one.textContent), 'Language');
  assert.deepEqual(complaints.filter(one => !/404/.test(one)), []);
  await page.close();
});
