// Guests in browsers in a room that a real server forwards: node --test forwarded.test.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hasFirefox, hasServer, startBrowser, startServer } from './live-room.mjs';
import { press } from './window.mjs';

/** Longest silence of a voice at a move, in seconds: 0.1, and more for a machine that runs other tests beside this one. Whoever had to connect anew would be silent for longer. */
const MAX_GAP = 0.5;

const options = { skip: hasServer ? false : 'the server was not built' };
let browser;
before(async () => { if (hasServer) browser = await startBrowser(); });
after(() => browser?.close());

/** Waits until everybody receives everybody else over so many connections. */
async function allReceive(guests, connections) {
  await Promise.all(guests.map(one => one.receives(guests.filter(other => other !== one), connections)));
}

/** Nobody's voice was interrupted since the last look. */
async function assertNoGaps(t, guests, what) {
  for (const one of guests) {
    const gaps = await one.gaps();
    for (const other of guests) if (other !== one) {
      const voice = gaps.voices[other.tone], picture = gaps.pictures[other.name] ?? 0, words = `${what}: ${one.name} did not receive ${other.name} for ${voice.toFixed(2)} s, nor a picture for ${picture.toFixed(2)} s`;
      t.diagnostic(words);
      assert.ok(voice <= MAX_GAP, words); // how long pictures freeze depends on how busy the machine is
    }
  }
}

const noComplaints = guests => assert.deepEqual(guests.flatMap(one => one.complaints), []);
const withoutTransform = () => { delete window.RTCRtpScriptTransform; };

test('a call moves to the forwarder and back without a gap of sound', options, async t => {
  const server = await startServer(3), join = (name, setup) => browser.join(server, { name, setup });
  try {
    const two = [await join('Ada'), await join('Ben')];
    await allReceive(two, 1);
    await Promise.all(two.map(one => one.gaps()));
    const three = [...two, await join('Cyd')];
    await allReceive(three, 1);
    await assertNoGaps(t, two, 'to the forwarder');
    await Promise.all(three.map(one => one.gaps()));
    // Whoever cannot encrypt makes the room direct at once.
    const dan = await join('Dan', withoutTransform);
    await allReceive([...three, dan], 3);
    await assertNoGaps(t, three, 'to direct connections');
    await dan.leave();
    await allReceive(three, 1);
    await assertNoGaps(t, three, 'to the forwarder again');
    noComplaints(three);
    for (const one of three) await one.leave();
  } finally {
    await server.stop();
  }
});

test('the others go on with a new key when somebody leaves a forwarded room', options, async t => {
  const server = await startServer(2), join = name => browser.join(server, { name });
  try {
    const ada = await join('Ada'), ben = await join('Ben'), cyd = await join('Cyd');
    await allReceive([ada, ben, cyd], 1);
    const ofBen = await ada.stats(ben);
    assert.ok(ofBen.path && ofBen.video_in.decoded > 5 && ofBen.audio_in.samples > 0, JSON.stringify(ofBen));
    const { epochs } = await ada.observe();
    await Promise.all([ada, ben].map(one => one.gaps()));
    await cyd.leave();
    await ada.until('using a new key', seen => seen.epochs.at(-1) > epochs.at(-1));
    await allReceive([ada, ben], 1);
    await assertNoGaps(t, [ada, ben], 'at the new key');
    assert.deepEqual([...epochs].sort((one, other) => one - other), epochs, 'epochs grow');
    noComplaints([ada, ben]);
    await ada.leave();
    await ben.leave();
  } finally {
    await server.stop();
  }
});

test('a guest with Firefox is in a forwarded room with Chromium', { skip: options.skip || !hasFirefox && 'no Firefox' }, async () => {
  const server = await startServer(2), firefox = await startBrowser('firefox');
  try {
    const ada = await browser.join(server, { name: 'Ada' }), fox = await firefox.join(server, { name: 'Fox' });
    await allReceive([ada, fox], 1);
    noComplaints([ada]);
    await ada.leave();
  } finally {
    await firefox.close();
    await server.stop();
  }
});

test('a shared screen passes through the forwarder, and its end too', options, async () => {
  const server = await startServer(2);
  try {
    const ada = await browser.join(server, { name: 'Ada' }), ben = await browser.join(server, { name: 'Ben' });
    await allReceive([ada, ben], 1);
    await press(ada.page, ['#call-share']);
    await ben.page.waitForFunction(() => [...document.querySelectorAll('video')].some(one => one.videoWidth > 800 && one.getVideoPlaybackQuality().totalVideoFrames > 3));
    await press(ada.page, ['#call-share']);
    await ben.page.waitForFunction(() => ![...document.querySelectorAll('video')].some(one => one.videoWidth > 800));
    noComplaints([ada, ben]);
    await ada.leave();
    await ben.leave();
  } finally {
    await server.stop();
  }
});
