// Messages about missing devices, errors and ends, in both languages: node --test messages.test.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { calls, until } from './page.mjs';
import { base, blockedUdp, board, scenes, NOON } from './scenes.mjs';
import { open, pause, press, ui } from './window.mjs';

let harness;
const words = {};
before(async () => {
  harness = await open();
  for (const language of ['en', 'ko']) {
    const source = await readFile(path.join(ui, `shared/strings/${language}.js`), 'utf8');
    words[language] = (await import(`data:text/javascript;base64,${Buffer.from(source).toString('base64')}`))[language];
  }
});
after(() => harness.close());

const waitForText = (page, selector, text) => until(page, (where, what) => [...document.querySelectorAll(where)].some(one => one.innerText.includes(what)), selector, text);
const read = (page, selector) => page.$eval(selector, one => one.innerText);
/** A test in each language. @param {string} name @param {(t: any, language: string) => Promise<void>} run */
function both(name, run) {
  for (const language of ['en', 'ko']) test(`${name} (${language})`, () => run(words[language], language));
}

/** Pushes the next state from Rust. @param {any} page @param {(state: any) => any} change */
async function pushState(page, change) {
  const state = await page.evaluate(() => window.mock.state);
  await page.evaluate(next => window.mock.push(next), change(state));
}

both('a waiting line is shown apart from the chat, and a failed line is in the field with the error', async (t, language) => {
  const { page } = await harness.page({ state: scenes['call-unsent'].state, language });
  await press(page, ['#call-chat']);
  await waitForText(page, '.lines.waiting', '저도 갈게요');
  assert.equal(await page.$eval('lr-chat .lines:not(.waiting)', one => one.innerText.includes('저도 갈게요')), false);
  assert.equal(await page.$eval('lr-chat > .visually-hidden[role=status]', one => one.textContent), t.linesWait(2));
  await page.type('#chat-input', 'und noch was');
  await pushState(page, state => ({ ...state, call: { ...state.call, stage: { kind: 'joined' }, unsent: [{ number: 1, text: '저도 갈게요', failed: 'chat_unconfirmed' }] } }));
  await until(page, () => document.querySelector('#chat-input').value === '저도 갈게요\nund noch was');
  assert.equal(await read(page, '#chat-wrong'), t.notSaid(t.problems.chat_unconfirmed));
  assert.deepEqual(await calls(page, 'drop_line'), [{ number: 1 }]);
  // If Rust sends it again before dropping it, it is not inserted twice.
  await pushState(page, state => ({ ...state, version: 'again' }));
  await pause(50);
  assert.equal(await page.$eval('#chat-input', one => one.value), '저도 갈게요\nund noch was');
  await page.close();
});

both('a line that fails while the chat is closed shows an error, and is in the field when it is opened', async (t, language) => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language });
  await pushState(page, state => ({ ...state, call: { ...state.call, unsent: [{ number: 7, text: 'lost?', failed: 'too_large' }] } }));
  await waitForText(page, '.notice.urgent', t.stillInTheField);
  await pushState(page, state => ({ ...state, call: { ...state.call, unsent: [] } }));
  await press(page, ['#call-chat']);
  assert.equal(await page.$eval('#chat-input', one => one.value), 'lost?');
  await page.close();
});

both('a rejected line and a draft stay in the field', async (t, language) => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language });
  await press(page, ['#call-chat']);
  await page.evaluate(() => { window.mock.refuse.send_chat = { code: 'chat_full', message: '' }; });
  await page.type('#chat-input', 'too much');
  await page.keyboard.press('Enter');
  await waitForText(page, '#chat-wrong', t.problems.chat_full);
  assert.equal(await page.$eval('#chat-input', one => one.value), 'too much');
  await press(page, ['#call-chat', '#call-chat']);
  assert.equal(await page.$eval('#chat-input', one => one.value), 'too much', 'closing the panel keeps it');
  await page.close();
});

both('an error while setting up a table is shown in the form, which keeps its input', async (t, language) => {
  const { page } = await harness.page({ state: scenes.board.state, language });
  await page.evaluate(() => { window.mock.refuse.lay_table = { code: 'already_seated', message: '' }; });
  await press(page, ['#lay-table']);
  await page.type('.lay input[type=text]', 'Soup');
  await press(page, ['.chip:nth-child(3)', '.lay button[type=submit]']);
  await waitForText(page, 'dialog .trouble', t.problems.already_seated);
  assert.equal(await page.$eval('.lay input[type=text]', one => one.value), 'Soup');
  assert.equal(await page.$eval('.chip:nth-child(3)', one => one.getAttribute('aria-checked')), 'true');
  await page.evaluate(() => { window.mock.refuse = {}; });
  await press(page, ['.lay button[type=submit]']);
  await until(page, () => !document.querySelector('dialog'));
  await page.close();
});

both('without devices all switches are off, and each missing kind is mentioned once', async (t, language) => {
  const { page } = await harness.page({ state: scenes['check-no-devices'].state, language });
  await page.waitForSelector('lr-check');
  for (const id of ['#self-camera', '#self-microphone']) assert.equal(await page.$eval(id, one => one.getAttribute('aria-pressed')), 'false');
  assert.equal(await read(page, 'lr-meter p'), t.noDevice.microphone);
  for (const kind of ['camera', 'microphone', 'speaker']) assert.equal(await page.$eval('lr-devices', (one, what) => one.innerText.split(what).length - 1, t.noDevice[kind]), 1, kind);
  await press(page, ['#join']);
  assert.deepEqual((await calls(page, 'join'))[0].media, { camera: false, microphone: false });
  assert.equal((await calls(page, 'save_settings'))[0].settings.camera_on, true, 'the setting is kept');
  await page.close();
});

both('synthetic devices do not count as devices, and a failing device shows its problem', async (t, language) => {
  const synthetic = base().devices.filter(one => one.synthetic), link = scenes['check-no-devices'].state.link;
  const problems = ['camera', 'microphone', 'speaker'].map(device => ({ code: `no_${device}`, message: '', device }));
  const { page } = await harness.page({ state: { ...base(), devices: synthetic, link, problems }, language });
  await page.waitForSelector('lr-check');
  assert.equal((await read(page, 'lr-devices')).includes(t.problems.no_camera), false);
  assert.equal(await page.$eval('lr-devices select', one => one.selectedOptions[0].textContent), t.noDevice.camera);
  await pushState(page, state => ({ ...state, devices: base().devices, problems: [{ code: 'device_busy', message: '', device: 'camera' }] }));
  await waitForText(page, 'lr-devices .trouble', t.problems.device_busy);
  assert.equal(await page.$eval('#self-camera', one => one.getAttribute('aria-pressed')), 'false');
  await page.close();
});

both('in a call a missing camera is off, and its problem can be dismissed and is shown again after it recurs', async (t, language) => {
  const { page } = await harness.page({ state: scenes['call-no-devices'].state, language });
  await page.waitForSelector('.call-trouble:not([hidden])');
  const boxes = await page.$$eval('.call-trouble p', all => all.map(one => one.innerText));
  assert.deepEqual(boxes, [t.noDevice.camera, t.noDevice.microphone]);
  for (const id of ['#call-camera', '#call-microphone']) assert.equal(await page.$eval(id, one => one.getAttribute('aria-pressed')), 'false');
  const over = await page.evaluate(() => {
    const box = document.querySelector('.call-trouble').getBoundingClientRect();
    return [...document.querySelectorAll('lr-tile')].some(tile => { const one = tile.getBoundingClientRect(); return one.top < box.bottom && one.bottom > box.top; });
  });
  assert.equal(over, false);
  assert.match(await page.$eval('lr-tile.own', one => one.getAttribute('aria-label')), new RegExp(t.cameraOffShort));
  assert.equal(await page.$('lr-tile.own lr-picture'), null);
  await press(page, ['.call-trouble button:last-child']);
  await page.waitForSelector('.call-trouble[hidden]');
  await pushState(page, state => ({ ...state, problems: [] }));
  await pushState(page, state => ({ ...state, problems: [{ code: 'device_not_found', message: '', device: 'camera' }] }));
  await page.waitForSelector('.call-trouble:not([hidden])');
  await page.close();
});

both('initials are shown until the first picture', async (t, language) => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language });
  // In one step, because the first picture may be drawn at any time.
  const displays = await page.evaluate(() => ['remove', 'add'].map(change => {
    document.querySelector('lr-tile:not(.own) canvas').classList[change]('drawn');
    return getComputedStyle(document.querySelector('lr-tile:not(.own) .face')).display;
  }));
  assert.deepEqual(displays, ['grid', 'none']);
  await page.close();
});

both('names in the strip do not cover the initials', async (t, language) => {
  for (const [width, height, open] of [[1080, 720, false], [390, 760, true]]) {
    const { page } = await harness.page({ state: scenes['call-avatars'].state, language, width, height });
    if (open) await press(page, ['#call-chat']);
    else await press(page, scenes['call-avatars'].press);
    await pause(300);
    const covered = await page.evaluate(() => [...document.querySelectorAll('lr-tile:not(.own)')].filter(tile => {
      const face = tile.querySelector('.avatar').getBoundingClientRect(), plate = tile.querySelector('.plate').getBoundingClientRect();
      return face.bottom > plate.top + 1 || face.top < tile.getBoundingClientRect().top;
    }).length);
    assert.equal(covered, 0, `${width}x${height}`);
    await page.close();
  }
});

both('a participant who lost the connection is shown as disconnected, not as connecting', async (t, language) => {
  const { page } = await harness.page({ state: scenes['call-disconnected'].state, language });
  const troubles = await page.$$eval('lr-tile .why', all => all.map(one => one.innerText));
  assert.deepEqual(troubles.slice(0, 3), [t.disconnectedTile, t.disconnectedTile, '']);
  await press(page, ['#call-people']);
  await waitForText(page, 'lr-people-panel', t.disconnectedShort);
  await page.close();
});

both('somebody whose connection is not signed by their device is said not to be connected', async (t, language) => {
  const { page } = await harness.page({ state: scenes['call-distrust'].state, language });
  const troubles = await page.$$eval('lr-tile .why', all => all.map(one => one.innerText));
  assert.deepEqual(troubles.slice(0, 3), [t.problems.statement_wrong, t.problems.statement_missing, '']);
  await press(page, ['#call-people']);
  await waitForText(page, 'lr-people-panel', t.distrustShort);
  await page.close();
});

both('somebody whose app sends no key for large calls is said not to receive anything', async (t, language) => {
  const { page } = await harness.page({ state: scenes['call-no-frame-key'].state, language });
  const troubles = await page.$$eval('lr-tile .why', all => all.map(one => one.innerText));
  assert.deepEqual(troubles.slice(0, 3), [t.problems.frame_key_missing, '', '']);
  await press(page, ['#call-people']);
  await waitForText(page, 'lr-people-panel', t.lacksKeyShort);
  await page.close();
});

both('code words are compared by keyboard, and the mark tells known people from changed ones', async (t, language) => {
  const { page } = await harness.page({ state: scenes['call-known'].state, language });
  await press(page, ['#call-people']);
  const marks = () => page.$$eval('lr-people-panel .in-call .standing', all => all.map(one => one.hidden ? '' : one.innerText.trim()));
  assert.deepEqual(await marks(), ['', t.compared, t.keyChanged, '']);
  await page.focus('lr-people-panel .in-call li:nth-child(4) button[aria-haspopup]');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog .code');
  const [own, other] = language === 'en' ? ['sweater', '진달래'] : ['진달래', 'sweater'];
  assert.equal(await page.$eval('dialog .code-words > .code li', one => one.innerText), own);
  assert.equal(await page.$eval('dialog details .code li', one => one.textContent), other);
  await page.focus('dialog .actions .primary');
  await page.keyboard.press('Enter');
  await waitForText(page, '.notice[role=status]', t.isKnownNow(await page.$eval('lr-people-panel .in-call li:nth-child(4) .name', one => one.innerText)));
  assert.deepEqual(await marks(), ['', t.compared, t.keyChanged, t.compared]);
  await page.close();
});

both('the connection check shows what to ask for, and copies its report', async (t, language) => {
  const { page } = await harness.page({ ...scenes['connection-check-running'], language });
  await press(page, ['#check-connection']);
  await waitForText(page, 'dialog', t.checkingConnection('lunch.example.org'));
  // Closing and opening the dialog shows the running check. It does not start a second one.
  await page.keyboard.press('Escape');
  await press(page, ['#check-connection']);
  await waitForText(page, 'dialog', t.checkingConnection('lunch.example.org'));
  assert.deepEqual(await calls(page, 'check_connection'), [{ language }]);
  await page.close();
  const { page: checked } = await harness.page({ ...scenes['connection-check'], language });
  await press(checked, ['#check-connection']);
  const [{ what, meaning, ask }] = blockedUdp[language].findings;
  for (const words of [blockedUdp[language].summary, what, meaning, ask]) await waitForText(checked, 'dialog', words);
  await checked.focus('dialog .actions button');
  await checked.keyboard.press('Enter');
  await waitForText(checked, '.notice[role=status]', t.reportCopied);
  const [{ text }] = await calls(checked, 'copy');
  assert.ok(text.startsWith('lunch.example.org:443\n') && text.includes(ask) && text.includes(`STUN  udp lunch.example.org:3478  ${t.hopFailed}  silent`), text);
  await press(checked, ['#check-again']);
  await until(checked, () => window.mock.calls.filter(one => one.command === 'check_connection').length === 2);
  await checked.close();
});

both('in a call the check shows what the others found, and asks them again', async (t, language) => {
  const { page } = await harness.page({ ...scenes['call-check'], language });
  await press(page, scenes['call-check'].press);
  await waitForText(page, 'dialog .verdict', blockedUdp[language].summary);
  const verdicts = () => page.$$eval('.others .verdict', all => all.map(one => one.innerText));
  assert.deepEqual(await verdicts(), [t.theirVerdicts.restricted, t.theirVerdicts.good, t.theirVerdicts.unknown, t.theirCheckRuns]);
  const findings = await page.$$eval('.others li li', all => all.map(one => one.innerText));
  assert.deepEqual(findings, [t.theirFindings.udp_blocked, t.theirFindings.clock_off, t.theirOtherFinding('from_a_later_version')]);
  assert.equal((await calls(page, 'check_others')).length, 1);
  await press(page, ['#check-again']);
  await until(page, () => window.mock.calls.filter(one => one.command === 'check_others').length === 2);
  await pushState(page, state => ({ ...state, call: { ...state.call, participants: state.call.participants.map(one => ({ ...one, report: { verdict: 'blocked', findings: [] } })) } }));
  await waitForText(page, '.others .verdict', t.theirVerdicts.blocked);
  assert.deepEqual(await verdicts(), Array(4).fill(t.theirVerdicts.blocked));
  await page.close();
});

both('a connection check that is refused says why', async (t, language) => {
  const { page } = await harness.page({ ...scenes['connection-check'], language });
  await page.evaluate(() => { window.mock.refuse.check_connection = { code: 'no_server', message: 'words' }; });
  await press(page, ['#check-connection']);
  await waitForText(page, 'dialog .trouble', t.problems.no_server);
  await page.close();
});

both('joining and leaving are announced, and the last participant sees a text of its own', async (t, language) => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language });
  const [anna] = scenes['call-2'].state.call.participants, bo = { ...anna, id: 'q77', key: 'k77', name: 'Bo' };
  await pushState(page, state => ({ ...state, call: { ...state.call, participants: [anna, bo] } }));
  await waitForText(page, '.notice[role=status]', t.theyCame(['Bo']));
  await pushState(page, state => ({ ...state, call: { ...state.call, participants: [] } }));
  await waitForText(page, '.notice[role=status]', t.theyLeft([anna.name, 'Bo']));
  assert.equal(await read(page, '.alone h2'), t.aloneAgain);
  await page.close();
});

test('a participant with a new id after a reconnection is not announced', async () => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language: 'en' });
  await pushState(page, state => ({ ...state, reconnecting_since_ms: 0, call: { ...state.call, stage: { kind: 'reconnecting' }, participants: [] } }));
  await pushState(page, state => ({ ...state, call: { ...state.call, stage: { kind: 'joined' }, participants: [{ ...scenes['call-2'].state.call.participants[0], id: 'new' }] } }));
  await pause(100);
  assert.equal(await page.$eval('.notice[role=status]', one => one.hidden), true);
  await page.close();
});

test('the badge of People is a new element after each change', async () => {
  const { page } = await harness.page({ state: scenes['call-2'].state, language: 'en' });
  const mark = await page.$('#call-people .badge');
  assert.equal(await mark.evaluate(one => one.dataset.count), '2');
  await pushState(page, state => ({ ...state, call: { ...state.call, participants: [] } }));
  assert.equal(await page.$eval('#call-people .badge', one => one.dataset.count), '1');
  assert.equal(await mark.evaluate(one => one.isConnected), false);
  await page.close();
});

test('on a phone with the chat open, tiles and controls are visible', async () => {
  for (const [width, height] of [[390, 760], [480, 360]]) {
    const { page } = await harness.page({ state: scenes['call-3-chat'].state, language: 'ko', width, height });
    await press(page, ['#call-chat']);
    await pause(200);
    const seen = await page.evaluate(() => ['lr-tile', '#leave', '#call-microphone', '#chat-input'].map(selector => {
      const box = document.querySelector(selector).getBoundingClientRect(), at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
      return box.height > 20 && box.bottom <= innerHeight + 1 && at?.closest(selector) !== null;
    }));
    assert.deepEqual(seen, [true, true, true, true], `${width}x${height}`);
    await page.close();
  }
});

both('names and buttons of people who knock are not cut off', async (t, language) => {
  const { state } = scenes['call-people'];
  for (const panel of [true, false]) for (const width of [1080, 480]) {
    const { page } = await harness.page({ state, language, width, height: 720 });
    if (panel) await press(page, ['#call-people']);
    await pause(150);
    const cut = await page.evaluate(where => [...document.querySelectorAll(`${where} button, ${where} .name`)].filter(one =>
      one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 2 || (one.tagName === 'BUTTON' && one.getBoundingClientRect().height > 40)).map(one => one.innerText), panel ? '.lobby' : '.knocks');
    assert.deepEqual(cut, [], `panel ${panel}, ${width}`);
    await page.close();
  }
});

both('each broken link during a call shows an error', async (t, language) => {
  const { page } = await harness.page({ state: scenes['call-no-devices'].state, language });
  for (let n = 0; n < 2; n++) {
    await pushState(page, state => ({ ...state, problems: [...state.problems, { code: 'link_room', message: '', device: null }] }));
    await waitForText(page, '.notice.urgent', t.problems.link_room);
    assert.equal((await calls(page, 'dismiss_notice')).length, n + 1);
    await pushState(page, state => ({ ...state, problems: state.problems.filter(one => one.device !== null) }));
    await press(page, ['.notice.urgent button']);
    await until(page, () => !document.querySelector('.notice.urgent'));
  }
  await page.close();
});

both('a table in the current half hour starts now', async (t, language) => {
  const now = Date.parse('2026-11-23T03:29:00Z'); // 12:29 in Seoul
  const later = { id: 't', room: 'later', topic: 'x', place: '', seats: 4, starts_ms: now + 3_600_000, ends_ms: now + 7_200_000, now: false, weekly: false, host: 'p', door: 'open', locked: false, taken: [], taken_count: 0, waiting_count: 0, mine: 'none', in_call: 0 };
  const { page } = await harness.page({ state: { ...base(), board: { ...board([later], []), now_ms: now, skew_ms: now - Date.now() } }, language });
  await press(page, ['.shelf.is-now .add']);
  assert.equal(await page.$eval('.shelf.is-now .add', one => one.getAttribute('aria-label')), t.layTableNow);
  assert.equal(await page.$eval('.chip[aria-checked=true]', one => one.textContent), t.now);
  await press(page, ['.lay button[type=submit]']);
  const [{ draft }] = await calls(page, 'lay_table');
  assert.equal(draft.now, true);
  assert.ok(draft.starts_ms >= now, 'not in the past');
  await page.close();
});

both('times of another zone are shown with the local time', async (t, language) => {
  for (const [zone, own] of [['Asia/Seoul', null], ['Europe/Berlin', '04:00'], ['America/New_York', '22:00']]) {
    const { page } = await harness.page({ state: scenes.board.state, language, zone });
    const card = (await page.$$eval('lr-card .when', all => all.map(one => one.innerText))).find(text => text.includes('12:00–13:00'));
    const noted = await page.$eval('.day .zone', one => one.hidden);
    assert.equal(noted, own === null, zone);
    if (own) assert.ok(card.includes(t.yourTime(own)) || card.includes(own), `${zone}: ${card}`);
    else assert.ok(!card.includes(t.yourTime('12:00')), card);
    await page.close();
  }
});

both('an unreachable server is reported, with buttons to retry and to host', async (t, language) => {
  const { page } = await harness.page({ state: scenes.unreachable.state, language });
  assert.equal(await read(page, '.offline h2'), t.ends.server_unreachable);
  await press(page, ['#connect-again']);
  assert.deepEqual(await calls(page, 'connect'), [{ server: 'wss://lunch.example.org', fingerprint: null }]);
  await press(page, ['#host-here']);
  await page.waitForSelector('dialog.hosting-sheet');
  await page.close();
});

both('the first hosting link is a web link, which phones can open', async (t, language) => {
  const { page } = await harness.page({ state: scenes.hosting.state, language });
  await press(page, scenes.hosting.press);
  const links = await page.$$eval('.link-row output', all => all.map(one => one.textContent));
  assert.deepEqual(links, [scenes.hosting.state.hosting.web_link, scenes.hosting.state.hosting.link]);
  await press(page, ['.hosting .field:nth-of-type(1) button, .link-row button']);
  assert.deepEqual(await calls(page, 'copy'), [{ text: scenes.hosting.state.hosting.web_link }]);
  await page.close();
});

both('a person has the same colour on all screens', async (t, language) => {
  const hues = async (state, steps, selector) => {
    const { page } = await harness.page({ state, language });
    await press(page, steps);
    await page.waitForSelector(selector);
    const found = await page.$eval(selector, one => /hue-\d/.exec(one.className?.baseVal ?? one.className)[0]);
    await page.close();
    return found;
  };
  const off = { ...base().settings, camera_on: false }, mine = board([{ ...scenes.board.state.board.tables[0], taken: [{ id: 'me', name: '김민지' }], taken_count: 1 }], []);
  const found = [
    await hues({ ...base(), board: mine }, [], 'lr-card .seat.taken'),
    await hues({ ...scenes['check-unknown-server'].state, settings: off }, [], 'lr-self .avatar'),
    await hues({ ...scenes['call-alone'].state, call: { ...scenes['call-alone'].state.call, media: { microphone: false, camera: false } } }, [], 'lr-tile.own .avatar'),
    await hues(scenes.knocking.state, [], '.doorway .avatar'),
  ];
  assert.equal(new Set(found).size, 1, found.join());
});

both('the meter’s text confirms speech only while segments are lit', async (t, language) => {
  const link = scenes['check-no-devices'].state.link;
  const { page } = await harness.page({ state: { ...base(), link }, language, setup: () => { window.level = -100; } });
  await page.waitForSelector('lr-meter');
  await pause(400);
  assert.equal(await read(page, 'lr-meter p'), t.saySomething);
  assert.equal(await page.$$eval('.segments .lit', all => all.length), 0);
  await page.evaluate(() => { window.level = -20; });
  await waitForText(page, 'lr-meter p', t.youAreAudible);
  await page.evaluate(() => { window.level = -100; });
  await waitForText(page, 'lr-meter p', t.saySomething);
  const lit = await page.evaluate(() => new Promise(resolve => {
    window.level = -20;
    const look = setInterval(() => {
      if (!document.querySelector('lr-meter p.good')) return;
      clearInterval(look);
      resolve(document.querySelectorAll('.segments .lit').length);
    }, 5);
  }));
  assert.ok(lit > 0);
  await page.close();
});

test('the page below an open dialog does not scroll', async () => {
  const { page } = await harness.page({ state: scenes['board-full'].state, language: 'en' });
  await press(page, ['#lay-table']);
  assert.equal(await page.$eval('.day', one => getComputedStyle(one).overflowY), 'hidden');
  await page.keyboard.press('Escape');
  await until(page, () => getComputedStyle(document.querySelector('.day')).overflowY === 'auto');
  await page.close();
});

both('a certificate other than the link’s ends the call without a retry', async (t, language) => {
  const { page } = await harness.page({ state: scenes['ended-wrong-certificate'].state, language });
  assert.equal(await read(page, 'h1'), t.ends.wrong_certificate);
  const all = await read(page, 'lr-ended');
  assert.ok(all.includes(t.problems.wrong_certificate) && !all.includes(t.tryingAgain) && !all.includes(t.tryAgain), all);
  await page.close();
});

both('a calendar entry is a file for the system’s calendar, or text on the clipboard if it cannot be written', async (t, language) => {
  const { page } = await harness.page({ state: scenes.board.state, language });
  const calendar = async () => press(page, ['lr-card .more', '.menu:popover-open button:nth-child(2)']);
  await calendar();
  await waitForText(page, '.notice[role=status]', t.calendarOpened('Downloads/lunchroom-Soup.ics'));
  assert.deepEqual(await calls(page, 'copy'), []);
  await page.evaluate(() => { window.mock.refuse.save_calendar = { code: 'calendar_not_written', message: 'disk full' }; });
  await calendar();
  await waitForText(page, '.notice[role=status]', t.calendarCopied);
  assert.deepEqual(await calls(page, 'copy'), [{ text: 'BEGIN:VCALENDAR' }]);
  await page.close();
});

const CALENDAR = ['#board-more', '.menu:popover-open button:nth-last-child(2)'];

both('the address of the own calendar is shown, copied, opened, and kept for the next time', async (t, language) => {
  const { page } = await harness.page({ state: scenes.board.state, language });
  await press(page, CALENDAR);
  const address = 'https://lunch.example.org/calendar/mX2kqT9vR4sW7yB1nC5dF8gH3jL6pZ0a.ics';
  await waitForText(page, '.my-calendar output', address);
  const all = await read(page, '.my-calendar');
  for (const text of [t.myCalendar, t.myCalendarWords, t.calendarIsSecret, t.calendarsAreSlow]) assert.ok(all.includes(text), text);
  assert.ok(!all.includes(t.calendarSelfSigned));
  assert.equal(await page.$eval('.my-calendar', one => document.getElementById(one.getAttribute('aria-describedby')).textContent), t.myCalendarWords);
  await press(page, ['.my-calendar .link-row button', '.my-calendar a.button']);
  assert.deepEqual(await calls(page, 'copy'), [{ text: address }]);
  assert.deepEqual(await calls(page, 'open_web'), [{ url: address.replace('https:', 'webcal:') }]);
  assert.equal(await page.$eval('.my-calendar a.button', one => one.getAttribute('href')), address.replace('https:', 'webcal:'));
  assert.equal((await calls(page, 'save_settings')).at(-1).settings.servers[0].calendar, 'mX2kqT9vR4sW7yB1nC5dF8gH3jL6pZ0a');
  await page.keyboard.press('Escape');
  await press(page, CALENDAR);
  await waitForText(page, '.my-calendar output', address);
  assert.deepEqual(await calls(page, 'calendar_address'), [{ token: null }, { token: 'mX2kqT9vR4sW7yB1nC5dF8gH3jL6pZ0a' }]);
  assert.equal((await calls(page, 'save_settings')).length, 1, 'only what is new is saved');
  await page.close();
});

both('the address is replaced and removed, but not without a question', async (t, language) => {
  const { page } = await harness.page({ state: scenes.board.state, language });
  await press(page, CALENDAR);
  await waitForText(page, '.my-calendar output', 'mX2k');
  const button = words => page.evaluate(words => [...document.querySelectorAll('.my-calendar button')].find(one => one.innerText === words).click(), words);
  await button(t.replaceAddress);
  await waitForText(page, 'dialog.question', t.replaceAddressSure);
  await press(page, ['dialog.question .actions button:first-child']);
  assert.deepEqual(await calls(page, 'revoke_calendar'), []);
  await page.evaluate(() => {
    window.nextToken = 'another';
    window.mock.commands.revoke_calendar = () => { window.mock.commands.calendar_address = () => ({ address: 'https://lunch.example.org/calendar/another.ics', token: 'another' }); };
  });
  await button(t.replaceAddress);
  await press(page, ['dialog.question .danger']);
  await waitForText(page, '.my-calendar output', '/another.ics');
  await waitForText(page, '.notice[role=status]', t.addressReplaced);
  assert.equal((await calls(page, 'save_settings')).at(-1).settings.servers[0].calendar, 'another');
  await button(t.removeAddress);
  await press(page, ['dialog.question .danger']);
  await until(page, () => !document.querySelector('dialog'));
  assert.equal((await calls(page, 'revoke_calendar')).length, 2);
  assert.equal((await calls(page, 'save_settings')).at(-1).settings.servers[0].calendar, null);
  await page.close();
});

both('a server that makes no addresses is named in words, and guests are not offered one', async (t, language) => {
  const { page } = await harness.page({ state: scenes.board.state, language });
  await page.evaluate(() => { window.mock.refuse.calendar_address = { code: 'calendar_unsupported', message: '' }; });
  await press(page, CALENDAR);
  await waitForText(page, '.notice.urgent', t.problems.calendar_unsupported);
  await until(page, () => !document.querySelector('dialog'));
  await pushState(page, state => ({ ...state, board: { ...state.board, member: false } }));
  await press(page, ['#board-more']);
  assert.ok(!(await read(page, '.menu:popover-open')).includes(t.myCalendar));
  await page.close();
});

both('a server with its own certificate gets a warning about calendar apps', async (t, language) => {
  const { state } = scenes.board, servers = state.settings.servers.map(one => ({ ...one, fingerprint: '3f'.repeat(32) }));
  const { page } = await harness.page({ state: { ...state, settings: { ...state.settings, servers } }, language });
  await press(page, CALENDAR);
  await waitForText(page, '.my-calendar', t.calendarSelfSigned);
  await page.close();
});

/** Opens an entry of the menu of a table that the person hosts. @param {any} page @param {string} words */
async function chooseOfHosted(page, words) {
  await pushState(page, state => ({ ...state, board: { ...state.board, tables: state.board.tables.map((table, n) => n === 0 ? table : { ...table, mine: 'host', weekly: true, starts_ms: NOON + 3_600_000 + n, ends_ms: NOON + 7_200_000 + n }) } }));
  await press(page, ['lr-card.mine .more']);
  await page.evaluate(words => [...document.querySelectorAll('.menu:popover-open button')].find(one => one.innerText.trim() === words).click(), words);
}

both('a host changes the time of a table, and an error stays in the form', async (t, language) => {
  const { page } = await harness.page({ state: scenes.board.state, language, zone: 'Asia/Seoul' });
  await chooseOfHosted(page, t.moveTable);
  await waitForText(page, '.move-table', t.moveOnlyThisDate);
  await page.$eval('.move-table input[type=time]', one => { one.value = '00:01'; });
  await press(page, ['.move-table button[type=submit]']);
  await waitForText(page, '.move-table [role=alert]', t.problems.slot_past);
  await page.$eval('.move-table input[type=time]', one => { one.value = '23:30'; });
  await page.evaluate(() => { window.mock.refuse.move_table = { code: 'malformed', message: '' }; });
  await press(page, ['.move-table button[type=submit]']);
  await waitForText(page, '.move-table [role=alert]', t.problems.move_unsupported);
  await page.evaluate(() => { window.mock.refuse = {}; });
  await press(page, ['.move-table button[type=submit]']);
  await waitForText(page, '.notice[role=status]', t.tableMoved);
  const moved = (await calls(page, 'move_table')).at(-1);
  assert.deepEqual([new Date(moved.starts_ms).toISOString(), moved.minutes], ['2026-11-23T14:30:00.000Z', 60]);
  await page.close();
});

both('a host cancels a single date of a weekly table after a question', async (t, language) => {
  const { page } = await harness.page({ state: scenes.board.state, language });
  await chooseOfHosted(page, t.cancelDate);
  await page.waitForSelector('dialog.question');
  assert.deepEqual(await calls(page, 'cancel_date'), []);
  await press(page, ['dialog.question .danger']);
  await waitForText(page, '.notice[role=status]', t.dateCancelled);
  assert.equal((await calls(page, 'cancel_date')).length, 1);
  assert.deepEqual(await calls(page, 'delete_table'), []);
  await page.close();
});
