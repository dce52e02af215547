// The test vectors in docs/protocol, which the Rust client and server run too: node --test vectors.test.mjs
import assert from 'node:assert/strict';
import { createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { test } from 'node:test';
import { Clock, SessionHarness, pageModule, vectors } from './fakes.mjs';

const [{ Session }, { BoardFold }, { DisplayedSizes }, { Unsent }, { ReplacementLimits, isAnotherConnection }] =
  await Promise.all(['protocol', 'board-fold', 'displayed-sizes', 'unsent', 'replacement'].map(name => pageModule(`shared/${name}.js`)));
const [{ shownName, shownLabel, cleanChat }, { initials }, { isOpen, isTableRoom }, { serverOf, isPrivate, originOf, roomOf }, { hidesParameter }, { sanitizeMessage }] =
  await Promise.all(['shared/text.js', 'shared/avatar.js', 'shared/tables.js', 'shared/server.js', 'guest/invitation.js', 'shared/sanitize.js'].map(pageModule));
const { comparisonCode, codeWords } = await pageModule('shared/comparison.js');
const { ActiveSpeaker } = await pageModule('shared/active-speaker.js');
const { cases: speakers } = await vectors('speakers.json');
const { OwnReactions, REACTIONS, Reactions } = await pageModule('shared/reactions.js');
const { raisedHands } = await pageModule('shared/hands.js');
const { Call } = await pageModule('shared/call.js');
const [{ cases: handCases }, reactions] = await Promise.all(['hands', 'reactions'].map(name => vectors(`${name}.json`)));
const { CODE_WORDS } = await pageModule('shared/code-words.js');
const { memberKeyOf, memberProof } = await pageModule('shared/protocol.js');
const { event } = await pageModule('shared/ics.js');
const [{ proofs }, { tables: calendar }] = await Promise.all(['members', 'calendar'].map(name => vectors(`${name}.json`)));
const { fingerprintOf, statementBytes, verifyStatement, withFingerprint } = await pageModule('shared/statement.js');
const [{ Opener, Sealer }, { openWith }, { announce, givingInfo, verifyAnnounced, verifyGiven }] = await Promise.all(['sframe', 'hpke', 'frame-statements'].map(name => pageModule(`shared/${name}.js`)));
const frames = await vectors('frames.json');
const [text, addresses, links, rooms, { tables }, { cases: sizes }, { cases: lines }, connections, boards, sessions, statements, comparison] =
  await Promise.all(['text', 'addresses', 'links', 'rooms', 'tables', 'sizes', 'chat', 'connections', 'board', 'session', 'statements', 'comparison'].map(name => vectors(`${name}.json`)));

/** Whether a value has all expected fields. Null stands for an absent value. */
function fits(value, expected) {
  if (expected === null) return value === null || value === undefined;
  if (typeof expected !== 'object') return value === expected;
  if (Array.isArray(expected)) return Array.isArray(value) && value.length === expected.length && expected.every((one, at) => fits(value[at], one));
  return value !== null && typeof value === 'object' && Object.entries(expected).every(([key, one]) => fits(value[key], one));
}

function expect(value, expected, where) {
  if (!fits(value, expected)) assert.deepEqual(value, expected, where);
}

/** Returns the code of the error that is thrown; null if none is. */
function codeOf(run) {
  try {
    run();
    return null;
  } catch (error) {
    return error.code ?? error;
  }
}

/** Runs the steps of a case on a session. */
class SessionCase {
  constructor(random) {
    this.random = random;
    this.done = { sent: 0, events: 0, socketActions: 0 };
  }

  async step(step, where) {
    if (step.start) this.harness = new SessionHarness(Session, { random: () => this.random });
    for (let n = 0; n < (step.times ?? 1); n++) await this.#input(step, n, where);
    expect(this.#fresh('sent', this.harness.sockets.flatMap(socket => socket.sent)), step.sent ?? [], where);
    expect(this.#fresh('events', this.harness.events.map(([event, detail]) => ({ ...detail, event }))), step.events ?? [], where);
    assert.deepEqual(this.#fresh('socketActions', this.harness.socketActions), step.socket ?? [], where);
  }

  async #input(step, n, where) {
    const { harness } = this, { session, clock } = harness;
    if (step.opened) harness.openSocket();
    if (step.closed) harness.closeByServer(step.closed);
    if (step.server) {
      const message = sessions.messages[step.server] ?? step.server;
      await harness.receive(step.times ? { ...message, seq: message.seq + n } : message);
    }
    if ('text' in step) await harness.receive(step.text);
    if (step.send) assert.equal(codeOf(() => session.send(step.send)), step.refused ?? null, where);
    if (step.probe) session.probe();
    if (step.close) session.close();
    if (step.pass_ms) await clock.advance(step.pass_ms);
    if (step.until_connect_ms) await this.#untilConnect(step.until_connect_ms, where);
  }

  async #untilConnect([least, most], where) {
    const { sockets, clock } = this.harness, before = sockets.length, start = clock.now();
    await clock.advance(most + 1, () => sockets.length > before);
    const waited = clock.now() - start;
    assert.ok(sockets.length > before && waited >= least && waited <= most, `${where}: ${waited} ms`);
  }

  /** Returns the new entries of a list since the last step. */
  #fresh(name, all) {
    const fresh = all.slice(this.done[name]);
    this.done[name] = all.length;
    return fresh;
  }
}

test('names and labels are cleaned as in the vectors', () => {
  for (const { typed, name, shown = name } of text.names) assert.equal(shownName(typed), shown, JSON.stringify(typed));
  for (const [typed, most, shown] of text.labels) assert.equal(shownLabel(typed, most), shown, JSON.stringify(typed));
});

test('chat lines are cleaned as in the vectors', () => {
  for (const { typed, text: clean, error } of text.chat) {
    if (error) assert.equal(codeOf(() => cleanChat(typed)), error, JSON.stringify(typed));
    else assert.equal(cleanChat(typed), clean, JSON.stringify(typed));
  }
});

test('initials are as in the vectors', () => {
  for (const [name, letters] of text.initials) assert.equal(initials(name), letters, name);
});

test('addresses are parsed as in the vectors', () => {
  for (const [typed, meant] of addresses.typed) assert.equal(serverOf(typed)?.url ?? null, meant, typed);
  for (const [one, other] of addresses.same) assert.equal(originOf(one), originOf(other));
  for (const [one, other] of addresses.different) assert.notEqual(originOf(one), originOf(other));
});

test('the hosts of the vectors are private', () => {
  for (const [host, expected] of addresses.private) assert.equal(isPrivate(new URL(`wss://${host}`).hostname), expected, host);
});

test('servers that links reject are invalid, or public ones without TLS', () => {
  for (const [address, refused] of addresses.servers.filter(([one]) => /^wss?:/i.test(one))) {
    const server = serverOf(address), plain = server?.url.startsWith('ws:') && !isPrivate(new URL(server.url).hostname);
    assert.equal(server ? (plain ? 'link_insecure' : null) : 'link_server', refused, address);
  }
});

test('fragments of links are rejected as in the vectors', () => {
  for (const [fragment, refused] of links.fragments) assert.equal(hidesParameter(fragment), refused, fragment);
});

test('room names are as in the vectors', () => {
  for (const [typed, room] of rooms.typed) assert.equal(roomOf(typed), room, typed);
  for (const [room, expected] of rooms.tables) assert.equal(isTableRoom(room), expected, room);
});

for (const { name, starts_ms, at } of tables) {
  test(`tables: ${name}`, () => {
    // A table that has ended is not on a client's board, either.
    for (const [now, error] of at) if (error !== 'no_such_table') assert.equal(isOpen({ starts_ms }, now), error === null, String(now));
  });
}

for (const { name, steps } of speakers) {
  test(`speakers: ${name}`, () => {
    const speaker = new ActiveSpeaker();
    steps.forEach(({ ticks, levels, speaking, active }, number) => {
      for (let tick = 0; tick < ticks; tick++) speaker.update(Object.entries(levels).map(([id, each]) => [id, each[tick % each.length]]));
      assert.deepEqual([speaker.speaking(), speaker.active], [speaking, active], `step ${number}`);
    });
  });
}

for (const { name, shown, until_ms, sent } of sizes) {
  test(`sizes: ${name}`, async () => {
    const clock = new Clock(), start = clock.now(), actual = [];
    const displayed = new DisplayedSizes((id, { max_width, max_height }) => actual.push([clock.now() - start, max_width, max_height]), clock);
    for (const [at, max_width, max_height] of shown) {
      await clock.advance(start + at - clock.now());
      displayed.update('p2', { max_width, max_height });
    }
    await clock.advance(start + until_ms - clock.now());
    assert.deepEqual(actual, sent);
  });
}

for (const { name, steps, until_ms, sent, unsent } of lines) {
  test(`chat: ${name}`, async () => {
    const clock = new Clock(), start = clock.now(), actual = [], own = new Unsent();
    let connected = true, full = false, stop = () => {};
    const send = line => {
      if (full) throw Object.assign(new Error('full'), { code: 'send_queue_full' });
      return actual.push([clock.now() - start, line]);
    };
    const say = () => {
      stop();
      if (connected) own.sendDue(clock.now(), send);
      const due = connected ? own.dueAt(clock.now()) : null;
      stop = due === null ? () => {} : clock.after(due - clock.now(), say);
    };
    for (const step of steps) {
      await clock.advance(start + step.at_ms - clock.now());
      if ('connected' in step) connected = step.connected;
      if ('queue_full' in step) full = step.queue_full;
      if ('write' in step) assert.equal(codeOf(() => own.push(step.write)), step.refused ?? null);
      if (step.repeated) own.confirmed();
      if (step.error) own.rejected(clock.now(), step.error.about, step.error.code);
      if (step.session_lost) own.sessionLost();
      if (step.call_ended) own.callEnded();
      if (step.drop) own.drop(step.drop);
      if (step.other_room) own.clear();
      say();
    }
    await clock.advance(start + until_ms - clock.now());
    assert.deepEqual(actual, sent);
    if (unsent) assert.deepEqual(own.view().map(line => [line.number, line.text, line.failed]), unsent);
  });
}

test('reactions: there are those of the vectors', () => assert.deepEqual(REACTIONS, reactions.known));

for (const { name, received, until_ms, changes } of reactions.shown) {
  test(`reactions: ${name}`, async () => {
    const clock = new Clock(), start = clock.now(), actual = [];
    const shown = new Reactions(id => actual.push([clock.now() - start, shown.of(id)?.reaction ?? null, shown.of(id)?.number ?? null]), clock);
    for (const [at, reaction] of received) {
      await clock.advance(start + at - clock.now());
      shown.show('p1', reaction);
    }
    await clock.advance(start + until_ms - clock.now());
    assert.deepEqual(actual, changes);
  });
}

for (const { name, pressed, sent } of reactions.sent) {
  test(`reactions: ${name}`, () => {
    const own = new OwnReactions();
    assert.deepEqual(pressed.filter(at => own.maySend(at)), sent);
  });
}

/** As much of a connection as a call needs that signals nothing. */
class NoConnection {
  close() {}
  getTransceivers() { return []; }
}

/** A session of a test, which plays the server. */
class NoSession extends EventTarget {
  state = 'open';
  clock = new Clock();
  sent = [];
  send(message) { return this.sent.push(message); }
  say(event, detail) { this.dispatchEvent(new CustomEvent(event, { detail })); }
}

/** The message or the command of a step about hands. */
function takeHands(step, session, call) {
  const person = ([id, hand]) => ({ id, name: id, key: '', hand, media: { microphone: false, camera: false } });
  if (step.joined) session.say('message', { type: 'joined', room: 'soup', you: step.joined, participants: Object.entries(step.hands).map(person) });
  if (step.hand) session.say('message', { type: 'hand', from: step.hand[0], hand: step.hand[1] });
  if (step.came) session.say('message', { type: 'participant_joined', participant: person(step.came) });
  if (step.left) session.say('message', { type: 'participant_left', id: step.left, reason: 'left' });
  if ('raise' in step) call.setHand(step.raise);
  if (step.lost) session.say('lost');
  if (step.leave) call.leave();
}

for (const { name, steps } of handCases) {
  test(`hands: ${name}`, () => {
    globalThis.RTCPeerConnection = NoConnection;
    globalThis.MediaStream = class { getTracks() { return []; } };
    const session = new NoSession(), call = new Call(session, { signer: { begin: () => '', knows: () => true } });
    call.join('soup', { microphone: false, camera: false });
    for (const [at, step] of steps.entries()) {
      session.sent = [];
      takeHands(step, session, call);
      const people = [...call.peers.values()].map(peer => peer.participant), where = `step ${at}`;
      assert.deepEqual(session.sent.filter(one => one.type === 'hand').map(one => one.raised), step.sent ?? [], where);
      if ('own' in step) assert.equal(call.hand, step.own, where);
      if (step.others) assert.deepEqual(Object.fromEntries(people.map(one => [one.id, one.hand])), step.others, where);
      if (step.order) assert.deepEqual(raisedHands({ call: { hand: call.hand, participants: people }, settings: { name: '' }, you: { key: '' } }).map(one => one.id), step.order, where);
    }
  });
}

for (const { name, before, offer, another } of connections.offers) {
  test(`connections: ${name}`, () => assert.equal(isAnotherConnection(before, offer), another));
}

test('connections are replaced after the backoff of the vectors', () => {
  const limits = new ReplacementLimits();
  let now = 0;
  const pauses = connections.pauses.map(([stood]) => {
    if (stood !== null) {
      limits.connected(now);
      now += stood;
      limits.interrupted(now);
    }
    const pause = limits.nextBackoff();
    now += pause;
    return [stood, pause];
  });
  assert.deepEqual(pauses, connections.pauses);
});

test('replacements are accepted as in the vectors', () => {
  const limits = new ReplacementLimits();
  assert.deepEqual(connections.accepted.map(([at]) => [at, limits.accept(at)]), connections.accepted);
});

for (const { name, steps } of boards.cases) {
  test(`board: ${name}`, () => {
    const fold = new BoardFold(boards.you);
    for (const [at, { news, changed, state }] of steps.entries()) {
      assert.equal(fold.handle(sanitizeMessage(news), 0), changed, `step ${at}`);
      expect(fold.state(), state, `step ${at}`);
    }
  });
}

for (const random of [0, 0.5, 0.999]) for (const { name, steps } of sessions.cases) {
  test(`session: ${name} (chance ${random})`, async () => {
    const run = new SessionCase(random);
    for (const [at, step] of steps.entries()) await run.step(step, `step ${at}: ${JSON.stringify(step).slice(0, 200)}`);
  });
}

for (const statement of statements.signed) {
  test(`statements: signed in ${statement.room}`, async () => {
    assert.equal(Buffer.from(statementBytes(statement)).toString('base64url'), statement.bytes);
    await verifyStatement(statement, statement.signature);
  });
}

for (const { name, signature, error, ...statement } of statements.checked) {
  test(`statements: ${name}`, async () => {
    const refused = await verifyStatement(statement, signature).then(() => null, refusal => refusal.code);
    assert.equal(refused, error);
  });
}

for (const { name, sdp, fingerprint } of statements.fingerprints) {
  test(`statements: a fingerprint ${name}`, () => {
    assert.equal(fingerprintOf(sdp), fingerprint);
    const kept = withFingerprint(sdp, 'AB:CD');
    assert.deepEqual(kept.match(/fingerprint.*/gi), ['fingerprint:sha-256 AB:CD']);
    assert.ok(kept.indexOf('a=fingerprint') < kept.indexOf('m='), 'it is for every line');
  });
}

for (const { secret, nonce, key, proof } of proofs) {
  test(`members: ${secret.slice(0, 20)}, ${nonce}`, async () => {
    assert.equal(await memberProof(await memberKeyOf(secret), Buffer.from(nonce, 'base64url'), key), proof);
  });
}

for (const { table, title, link, now_ms, lines } of calendar) {
  test(`calendar: ${table.id}`, () => assert.deepEqual(event(table, title, link, now_ms).split('\r\n'), [...lines, '']));
}

test('comparison: the words of both languages', () => assert.deepEqual(CODE_WORDS, comparison.words));

for (const { one, other, numbers, en, ko } of comparison.codes) {
  test(`comparison: ${en}`, async () => {
    assert.deepEqual(await comparisonCode(one, other), numbers);
    assert.equal(codeWords(numbers, 'en').join(' '), en);
    assert.equal(codeWords(numbers, 'ko').join(' '), ko);
  });
}

const bytes = text => Uint8Array.from(Buffer.from(text, 'base64url'));
const refused = promise => promise.then(() => null, error => error.code);

for (const { base, epoch, stream, frames: plain, sealed, refused: others } of frames.frames) {
  test(`frames: ${stream} of epoch ${epoch}`, async () => {
    const key = { epoch, base: bytes(base) }, sealer = new Sealer(key, stream), opener = new Opener(stream);
    opener.accept(0, key);
    for (const [at, frame] of plain.entries()) {
      const result = await sealer.seal(bytes(frame));
      assert.equal(Buffer.from(result).toString('base64url'), sealed[at]);
      assert.equal(Buffer.from(await opener.open(0, result)).toString('base64url'), frame);
    }
    for (const one of others) assert.equal(await refused(opener.open(0, bytes(one.sealed))), one.reason, one.sealed);
  });
}

for (const { secret, room, nonce, key, signature } of frames.announced) {
  test(`frames: a frame key announced in ${room}`, async () => {
    const device = deviceOf(secret), from = { key: device.publicKey, nonce }, own = { key: 'own' };
    const announced = await announce(device, from, room, bytes(key));
    assert.deepEqual(announced, { key, signature });
    assert.equal(Buffer.from(await verifyAnnounced(own, room, from, announced)).toString('base64url'), key);
    const other = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    assert.equal(await refused(verifyAnnounced(own, room, from, { key, signature: other })), 'statement_wrong');
    assert.equal(await refused(verifyAnnounced(from, room, from, announced)), 'statement_wrong', 'our own');
  });
}

for (const { secret, random, room, epoch, from, to, to_key, info, sealed, signature, base } of frames.given) {
  test(`frames: a sender key given in ${room}`, async () => {
    assert.equal(deviceOf(secret).publicKey, from.key);
    const giving = { room, from, to, toKey: bytes(to_key), epoch };
    assert.equal(Buffer.from(givingInfo(giving)).toString('base64url'), info);
    const pair = await pairOf(bytes(random));
    assert.equal(Buffer.from(pair.raw).toString('base64url'), to_key);
    const opened = await openWith(pair, givingInfo(giving), await verifyGiven(giving, sealed, signature));
    assert.equal(Buffer.from(opened).toString('base64url'), base);
    assert.equal(await openWith(pair, givingInfo({ ...giving, epoch: epoch + 1 }), bytes(sealed)), null);
    assert.equal(await refused(verifyGiven({ ...giving, epoch: epoch + 1 }, sealed, signature)), 'statement_wrong');
  });
}

/** A device key of the vectors. */
function deviceOf(secret) {
  const key = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), bytes(secret)]), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(key).export({ format: 'jwk' }).x;
  return { publicKey, sign: async text => sign(null, text, key).toString('base64url') };
}

/** A frame key of the vectors: DeriveKeyPair (RFC 9180 section 7.1.3). */
async function pairOf(random) {
  const suite = Buffer.from('KEM\x00\x20', 'latin1'), hmac = (key, ...parts) => createHmac('sha256', key).update(Buffer.concat(parts)).digest();
  const secret = hmac(Buffer.alloc(0), Buffer.from('HPKE-v1'), suite, Buffer.from('dkp_prk'), random);
  const scalar = hmac(secret, Buffer.from([0, 32]), Buffer.from('HPKE-v1'), suite, Buffer.from('sk'), Buffer.from([1]));
  const der = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), scalar]);
  const raw = bytes(createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })).export({ format: 'jwk' }).x);
  return { raw, privateKey: await crypto.subtle.importKey('pkcs8', der, { name: 'X25519' }, false, ['deriveBits']) };
}
