// The guest page in headless Chromium against a fake server, which the test controls: node --test guest.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BO, TABLE_ROOM, guest, inCall, pressed, seen, until, words } from './guest-server.mjs';
import { pause, press } from './window.mjs';

/** Sends the screens the state that they have. */
const sendUnchanged = page => page.evaluate(async () => {
  const { backend } = await import(new URL('../shared/backend.js', document.querySelector('script[type=module]').src));
  backend.update({});
});

for (const language of ['en', 'ko']) {
  test(`a guest without camera and microphone joins with both off, and sees each problem once (${language})`, async () => {
    const t = words[language], { server, page, end } = await inCall({ language });
    assert.deepEqual(server.of('join')[0].media, { microphone: false, camera: false });
    assert.equal(server.of('media').some(one => one.camera || one.microphone), false);
    assert.deepEqual([await pressed(page, '#call-camera'), await pressed(page, '#call-microphone')], ['false', 'false']);
    assert.deepEqual(await page.$$eval('.call-trouble p', all => all.map(one => one.innerText)), [t.noDevice.camera, t.noDevice.microphone]);
    await press(page, ['.call-trouble button:last-child', '#call-camera']);
    await pause(500);
    assert.equal(server.of('media').some(one => one.camera), false, 'a camera that did not open is not announced as on');
    assert.equal(await pressed(page, '#call-camera'), 'false');
    await end();
  });

  for (const [why, signature, code] of [['that nobody signed', undefined, 'statement_missing'], ['that somebody else signed', 'A'.repeat(86), 'statement_wrong']]) {
    test(`an answer ${why} is refused in words (${language})`, async () => {
      const t = words[language], { server, page, end } = await inCall({ language });
      await until('an offer', () => server.of('offer').length > 0);
      const [offer] = server.of('offer');
      assert.match(offer.signature, /^[A-Za-z0-9_-]{86}$/);
      assert.match(server.of('join')[0].nonce, /^[A-Za-z0-9_-]{43}$/);
      server.send({ type: 'answer', from: 'p1', sdp: offer.sdp, signature });
      const troubles = () => page.$$eval('lr-tile .why', all => all.map(one => one.textContent));
      await until('the words', async () => (await troubles()).includes(t.problems[code]));
      const sent = server.of('candidate').length;
      server.send({ type: 'candidate', from: 'p1', candidate: { candidate: 'candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host', sdpMid: '0', sdpMLineIndex: 0 } });
      await pause(300);
      assert.equal(server.of('offer').length, 1, 'no other attempt is made');
      assert.ok(server.of('candidate').length <= sent + 1);
      assert.ok((await troubles()).includes(t.problems[code]));
      await end();
    });
  }

  test(`somebody who is announced without a nonce is not connected to (${language})`, async () => {
    const t = words[language], { server, page, end } = await inCall({ language, prepare: server => { server.people = [{ ...BO, nonce: undefined }]; } });
    const troubles = () => page.$$eval('lr-tile .why', all => all.map(one => one.textContent));
    await until('the words', async () => (await troubles()).includes(t.problems.statement_missing));
    assert.equal(server.of('offer').length, 0);
    await end();
  });

  test(`a guest who hides the address is told that the server has no relay (${language})`, async () => {
    const t = words[language], { server, page, end } = await inCall({ language, settings: { relay_only: true } });
    const notices = () => page.$$eval('.notice', all => all.map(one => one.innerText));
    await until('the words', async () => (await notices()).some(one => one.includes(t.problems.peer_no_relay)));
    assert.equal(server.of('candidate').length, 0, 'no address is sent');
    await end();
  });

  test(`words are compared in the people panel and whoever was compared stays known (${language})`, async () => {
    const t = words[language], { page, end } = await inCall({ language });
    await press(page, ['#call-people']);
    await page.waitForSelector('lr-people-panel .in-call li:nth-child(2) button');
    await press(page, ['lr-people-panel .in-call li:nth-child(2) button[aria-haspopup]', '.menu:popover-open button']);
    await page.waitForSelector('dialog .code', { timeout: 20_000 });
    assert.equal((await page.$$('dialog .code[lang=en] li')).length, 10);
    assert.equal((await page.$$('dialog .code[lang=ko] li')).length, 10);
    await press(page, ['dialog .actions .primary']);
    const mark = () => page.$eval('lr-people-panel .in-call li:nth-child(2) .standing', one => one.hidden ? '' : one.textContent);
    await until('the mark', async () => await mark() === t.compared);
    const kept = await page.evaluate(() => JSON.parse(localStorage.getItem('lunchroom.settings')).known);
    assert.deepEqual(kept.map(one => [one.key, one.name]), [[BO.key, 'Bo']]);
    await end();
  });

  test(`the page of a room without a table mentions no seat (${language})`, async () => {
    const t = words[language], { page, end } = await guest({ language });
    assert.equal(await seen(page, 'h1'), t.guestRoomTitle('soup'));
    assert.equal(await seen(page, '.card > .lead'), t.guestLead);
    await end();
  });

  test(`a table’s time is shown in its zone and in the guest’s (${language})`, async () => {
    const starts = Date.now() + 3 * 3_600_000;
    const table = { id: '8q2m5v0c1y7d3k9t', room: TABLE_ROOM, topic: 'Bibimbap', place: '', seats: 4, starts_ms: starts, ends_ms: starts + 3_600_000, now: false, weekly: false, door: 'open', locked: false, taken_count: 1, in_call: 0 };
    const t = words[language], { page, end } = await guest({ language, room: TABLE_ROOM, zone: 'Europe/Berlin', prepare: server => { server.board = { ...server.board, tables: [table] }; } });
    await until('the table', async () => (await seen(page, '.card')).includes('Bibimbap'));
    const clock = (zone, ms) => new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: zone }).format(ms);
    const all = await seen(page, '.card');
    for (const ms of [starts, starts - 600_000]) for (const zone of ['Asia/Seoul', 'Europe/Berlin']) assert.ok(all.includes(clock(zone, ms)), `${all} lacks ${clock(zone, ms)}`);
    assert.ok(all.includes(t.yourTime('').trim().split(' ')[0]), all);
    await end();
  });

  test(`a line written while disconnected is shown as waiting, and is sent once (${language})`, async () => {
    const t = words[language], { server, page, end } = await inCall({ language });
    await press(page, ['#call-chat']);
    server.up = false;
    server.disconnect();
    await page.waitForSelector('lr-call.away');
    await page.type('#chat-input', 'anybody there?');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.lines.waiting li');
    assert.ok((await seen(page, '.lines.waiting')).includes(t.beingSent));
    server.up = true;
    await until('the line', () => server.of('chat').length > 0);
    await page.waitForSelector('.lines:not(.waiting) li');
    server.disconnect();
    await pause(1500);
    assert.deepEqual(server.of('chat').map(one => one.text), ['anybody there?']);
    assert.equal(await page.$('.lines.waiting li'), null);
    await end();
  });

  test(`a line in flight when the session is lost returns to the field with the error (${language})`, async () => {
    const t = words[language], { server, page, end } = await inCall({ language });
    await press(page, ['#call-chat']);
    server.hasForgotten = true;
    // The server receives the line, and disconnects before it confirms it.
    const send = server.send.bind(server);
    server.send = message => message.type === 'chat' ? server.disconnect() : send(message);
    await page.type('#chat-input', 'did you get this?');
    await page.keyboard.press('Enter');
    await until('the text', () => page.$eval('#chat-input', one => one.value === 'did you get this?'));
    assert.equal(await seen(page, '#chat-wrong'), t.notSaid(t.problems.chat_unconfirmed));
    await until('the seat', () => server.of('join').length === 2);
    server.send = send;
    await press(page, ['.say button[type=submit]']);
    await page.waitForSelector('.lines:not(.waiting) li');
    assert.deepEqual(server.of('chat').map(one => one.text), ['did you get this?', 'did you get this?']);
    assert.equal(await page.$eval('#chat-input', one => one.value), '');
    await end();
  });
}

test('markup from a hostile server and its people is shown as text', async () => {
  const nasty = '<img src=x onerror="window.hacked=1"><b>x</b>', link = '<a href="javascript:window.hacked=1">x</a>';
  const starts = Date.now() + 3_600_000, taken = [{ id: BO.key, name: nasty }];
  const table = { id: '8q2m5v0c1y7d3k9t', room: TABLE_ROOM, topic: nasty, place: link, seats: 4, starts_ms: starts, ends_ms: starts + 3_600_000, now: false, weekly: false, door: 'open', locked: false, host: BO.key, taken, taken_count: 1, in_call: 0 };
  const { server, page, end } = await inCall({ room: TABLE_ROOM, prepare: server => {
    server.people = [{ ...BO, name: nasty }];
    server.board = { ...server.board, tables: [table] };
  } });
  server.send({ type: 'room', news: 'state', host: 'me1', locked: false });
  server.send({ type: 'room', news: 'lobby', knocking: [{ id: 'k1', name: nasty, key: BO.key }] });
  await press(page, ['#call-chat']);
  for (const text of [nasty, link]) server.send({ type: 'chat', from: 'p1', text, at: Date.now() });
  server.send({ type: 'error', code: nasty, message: link });
  await until('both lines', () => page.evaluate(lines => lines.every(line => document.body.innerText.includes(line)), [nasty, link]));
  await pause(300);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.deepEqual(await page.$$eval('lr-call img, lr-call b, lr-call a[href^="javascript"]', all => all.map(one => one.outerHTML)), []);
  await end();
});

test('the first screen’s language choice applies immediately and is saved', async () => {
  const { page, end } = await guest({ language: 'en' });
  assert.equal(await page.$eval('lr-language input:checked', one => one.id), 'language-en');
  await press(page, ['label[for=language-ko]']);
  await until('Korean', async () => await seen(page, 'h1') === words.ko.guestRoomTitle('soup'));
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'ko');
  assert.equal(await page.evaluate(() => JSON.parse(localStorage.getItem('lunchroom.settings')).language), 'ko');
  await end();
});

test('Enter does not join while the name is being composed', async () => {
  const { server, page, end } = await guest({ language: 'ko' });
  await press(page, ['#join-here']);
  await page.waitForSelector('lr-check input[autocomplete=name]');
  await page.focus('lr-check input[autocomplete=name]');
  for (const init of [{ isComposing: true }, { keyCode: 229 }]) {
    await page.evaluate(more => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', code: 'Enter', bubbles: true, cancelable: true, ...more })), init);
  }
  await pause(300);
  assert.deepEqual(server.of('join'), []);
  await page.keyboard.press('Enter');
  await page.waitForSelector('lr-call', { timeout: 20_000 });
  await end();
});

test('a guest without a name is asked for it until it is there, whatever else changes', async () => {
  const { server, page, end } = await guest({ language: 'en', settings: { name: '' } });
  await press(page, ['#join-here']);
  await page.waitForSelector('lr-check input[autocomplete=name]');
  await press(page, ['#join']);
  const alert = () => page.$eval('lr-check [role=alert]', one => one.checkVisibility() ? one.innerText : '');
  await until('the words', async () => await alert() === words.en.nameMissing);
  await sendUnchanged(page);
  assert.equal(await alert(), words.en.nameMissing);
  assert.deepEqual(server.of('join'), []);
  await page.type('lr-check input[autocomplete=name]', 'Gast');
  await press(page, ['#join']);
  await page.waitForSelector('lr-call', { timeout: 20_000 });
  await end();
});

test('a guest who navigates away leaves immediately, and the page restored from the cache has no seat', async () => {
  const { server, page, end } = await inCall({});
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  await until('the close', () => server.closes.length > 0);
  assert.equal(server.of('leave').length, 1);
  assert.equal(server.closes[0], 1000);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await page.waitForSelector('lr-guest #join-here');
  await press(page, ['#join-here', '#join']);
  await page.waitForSelector('lr-call', { timeout: 20_000 });
  assert.equal(server.of('join').length, 2);
  await end();
});

test('a closed tab leaves immediately', async () => {
  const { server, page } = await inCall({});
  await page.goto('about:blank');
  await until('the close', () => server.closes.length > 0);
  assert.equal(server.of('leave').length, 1);
  assert.equal(server.closes[0], 1000);
  await page.close();
  server.web.close();
});

test('a guest answers a connection check at most every five seconds, and says that a browser cannot', async () => {
  const { server, end } = await inCall({});
  for (let n = 0; n < 3; n++) server.send({ type: 'check_connection', from: 'p1' });
  server.send({ type: 'check_connection', from: 'nobody' });
  await until('an answer', () => server.of('connection_report').length > 0);
  await pause(300);
  assert.deepEqual(server.of('connection_report').map(({ to, verdict, findings }) => ({ to, verdict, findings })), [{ to: 'p1', verdict: 'unknown', findings: [] }]);
  await end();
});

test('a guest raises a hand and sees those of others, as the server counts them', async () => {
  const { server, page, end } = await inCall({});
  const tile = which => page.$eval(`lr-tile${which}`, one => one.querySelector('.hand:not([hidden])')?.textContent ?? null);
  await press(page, ['#call-hand']);
  await until('the wish', () => server.of('hand').length === 1);
  assert.equal(server.of('hand')[0].raised, true);
  assert.equal(await tile('.own'), null, 'the server has not counted it');
  server.send({ type: 'hand', from: 'p1', hand: 4 });
  server.send({ type: 'hand', from: 'me1', hand: 5 });
  server.send({ type: 'hand', from: 'nobody', hand: 1 });
  await page.waitForSelector('lr-tile.own .hand:not([hidden])');
  assert.deepEqual([await tile(':not(.own)'), await tile('.own')], ['1', '2']);
  server.send({ type: 'hand', from: 'p1', hand: '<b>' });
  await page.waitForFunction(() => document.querySelector('lr-tile.own .hand').textContent === '1');
  assert.equal(await tile(':not(.own)'), null);
  await end();
});

test('a guest reacts, sees reactions of people in the room, and sends no more than five at once', async () => {
  const { server, page, end } = await inCall({});
  const shown = which => page.$$eval(`lr-tile${which} .reaction:not([hidden]) svg`, all => all.length);
  for (let n = 0; n < 8; n++) await press(page, ['#call-react', '.reactions:popover-open button:nth-child(2)']);
  await until('five', () => server.of('reaction').length >= 5);
  await pause(200);
  assert.deepEqual(server.of('reaction').map(one => one.reaction), Array(5).fill('heart'));
  assert.equal(await shown('.own'), 0, 'nobody has seen it');
  server.send({ type: 'reaction', from: 'me1', reaction: 'heart' });
  server.send({ type: 'reaction', from: 'nobody', reaction: 'heart' });
  server.send({ type: 'reaction', from: 'p1', reaction: '<b>' });
  await page.waitForSelector('lr-tile.own .reaction:not([hidden]) svg');
  assert.equal(await shown(':not(.own)'), 0);
  for (let n = 0; n < 1000; n++) server.send({ type: 'reaction', from: 'p1', reaction: 'yum' });
  await page.waitForSelector('lr-tile:not(.own) .reaction:not([hidden]) svg');
  assert.equal(await shown(':not(.own)'), 1);
  await page.waitForFunction(() => !document.querySelector('.reaction:not([hidden])'));
  await end();
});

test('a guest\u2019s display stays on during the call, and no longer', async () => {
  const { page, end } = await inCall({ setup: () => {
    window.locks = [];
    Object.defineProperty(navigator, 'wakeLock', { value: { async request(kind) { const lock = { kind, released: false, async release() { lock.released = true; } }; window.locks.push(lock); return lock; } } });
  } });
  const locks = () => page.evaluate(() => window.locks.map(one => [one.kind, one.released]));
  assert.deepEqual(await locks(), [['screen', false]]);
  await press(page, ['#leave']);
  await page.waitForFunction(() => window.locks.every(one => one.released));
  assert.equal((await locks()).length, 1);
  await end();
});

test('a guest without a picture to show small is told so', async () => {
  const { page, end } = await inCall({});
  await press(page, ['#call-more']);
  await page.$$eval('.menu:popover-open button', all => all.find(one => one.textContent === 'Small window on top').click());
  await page.waitForFunction(() => document.querySelector('.errors')?.textContent.includes('No one’s camera is on right now.'));
  await end();
});

test('devices are announced when they are open, and as off immediately', async () => {
  const { server, page, end } = await inCall({ devices: 'devices' });
  assert.deepEqual(server.of('join')[0].media, { microphone: true, camera: true });
  await page.waitForSelector('lr-tile.own video.drawn');
  await press(page, ['#call-camera']);
  await until('off', () => server.of('media').at(-1)?.camera === false);
  assert.equal(server.of('media').at(-1).microphone, true);
  await press(page, ['#call-camera']);
  await until('on', () => server.of('media').at(-1)?.camera === true);
  // A device that is unplugged is off in the page and for the others.
  await page.evaluate(() => {
    const { srcObject } = document.querySelector('lr-tile.own video'), [track] = srcObject.getVideoTracks();
    track.stop();
    track.dispatchEvent(new Event('ended'));
  });
  await until('gone', () => server.of('media').at(-1)?.camera === false);
  assert.equal(await pressed(page, '#call-camera'), 'false');
  await end();
});
