// Signed descriptions and known people in the pages' own code: node --test trust.test.mjs
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Clock, pageModule, flushed } from './fakes.mjs';

const { Call } = await pageModule('shared/call.js');
const { newDeviceKey } = await pageModule('shared/protocol.js');
const { standing, withKnown } = await pageModule('shared/known.js');

const print = n => Array(32).fill(String(n).padStart(2, '0')).join(':');
const MEDIA = { microphone: false, camera: false };

/** As much of a connection as signalling needs. Each has a certificate of its own. */
class Connection {
  static made = [];
  connectionState = 'new';
  signalingState = 'stable';
  localDescription = null;
  remote = [];

  constructor() {
    Connection.made.push(this);
    this.sdp = `v=0\r\no=- ${Connection.made.length} 1 IN IP4 0.0.0.0\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:u${Connection.made.length}\r\na=fingerprint:sha-256 ${print(Connection.made.length)}\r\n`;
  }

  async setLocalDescription() {
    this.localDescription = { type: this.signalingState === 'stable' ? 'offer' : 'answer', sdp: this.sdp };
    this.signalingState = this.signalingState === 'stable' ? 'have-local-offer' : 'stable';
  }

  async setRemoteDescription({ type, sdp }) {
    this.remote.push(sdp);
    this.signalingState = type === 'offer' ? 'have-remote-offer' : 'stable';
  }

  async addIceCandidate() {}
  getSenders() { return []; }
  getTransceivers() { return []; }
  close() { this.closed = true; }
}
globalThis.RTCPeerConnection = Connection;
globalThis.MediaStream = class { getTracks() { return []; } };

beforeEach(() => { Connection.made = []; });

/** A session; the server of the test has it. */
class Fake extends EventTarget {
  state = 'open';
  clock = new Clock();
  constructor(key, said) {
    super();
    this.key = key;
    this.send = message => { said(message); return 1; };
  }

  says(detail) { this.dispatchEvent(new CustomEvent('message', { detail })); }
}

/** A server with two people, which can rewrite what the second one receives. */
class Table {
  nonces = {};
  people = {};
  sent = [];

  async join(id, name, key) {
    const session = new Fake(key, message => {
      if (message.type === 'join') this.nonces[id] = message.nonce;
      if (!message.to) return;
      const { to, ...rest } = message;
      this.sent.push({ from: id, ...message });
      const passed = this.rewrite?.({ ...rest, from: id }, to) ?? { ...rest, from: id };
      this.people[to]?.session.says(passed);
    });
    const call = new Call(session), distrusted = [];
    call.addEventListener('distrusted', ({ detail }) => distrusted.push([detail.participant.name, detail.distrust]));
    call.join('soup', MEDIA);
    const me = { id, name, key: key.publicKey, nonce: this.nonces[id], media: MEDIA };
    const others = Object.values(this.people).map(one => one.me);
    for (const other of Object.values(this.people)) other.session.says({ type: 'participant_joined', participant: this.announced?.(me) ?? me });
    this.people[id] = { session, call, me, distrusted };
    session.says({ type: 'joined', room: 'soup', you: id, participants: others });
    return this.people[id];
  }

  /** Lets the newcomer offer, and everything be signed and checked. */
  async negotiate(newcomer, to) {
    await newcomer.call.peers.get(to).pc.onnegotiationneeded();
    for (let n = 0; n < 40; n++) await new Promise(resolve => setTimeout(resolve, 5));
  }
}

async function meet(prepare = () => {}) {
  const table = new Table();
  await prepare(table);
  const ada = await table.join('p1', 'Ada', await newDeviceKey()), bo = await table.join('p2', 'Bo', await newDeviceKey());
  if (!bo.call.peers.get('p1').distrust) await table.negotiate(bo, 'p1');
  return { table, ada, bo };
}

const remote = (person, id) => person.call.peers.get(id).pc.remote;

test('signed descriptions reach both connections, with no certificate but the signed one', async () => {
  const { table, ada, bo } = await meet();
  assert.deepEqual(table.sent.filter(one => one.sdp).map(one => [one.type, one.signature?.length]), [['offer', 86], ['answer', 86]]);
  assert.deepEqual([remote(ada, 'p2').length, remote(bo, 'p1').length], [1, 1]);
  assert.deepEqual(remote(ada, 'p2')[0].match(/a=fingerprint.*/g), [`a=fingerprint:sha-256 ${print(2)}`]);
  assert.deepEqual([ada.distrusted, bo.distrusted], [[], []]);
});

for (const [what, rewrite, code] of [
  ['a swapped certificate', one => one.sdp && { ...one, sdp: one.sdp.replace(/(fingerprint:sha-256 ).*/, `$1${print(77)}`) }, 'statement_wrong'],
  ['a second certificate', one => one.sdp && { ...one, sdp: `${one.sdp}a=fingerprint:sha-256 ${print(77)}\r\n` }, 'statement_wrong'],
  ['no certificate', one => one.sdp && { ...one, sdp: one.sdp.replace(/a=fingerprint.*\r\n/, '') }, 'statement_wrong'],
  ['no signature', one => one.sdp && { ...one, signature: undefined }, 'statement_missing'],
  ['a signature that is no text', one => one.sdp && { ...one, signature: 7 }, 'statement_wrong'],
]) {
  for (const victim of ['p1', 'p2']) {
    test(`${what} is refused by ${victim === 'p1' ? 'who answers' : 'who offers'}`, async () => {
      const { ada, bo } = await meet(table => { table.rewrite = (one, to) => to === victim ? rewrite(one) || one : one; });
      const [person, other, name] = victim === 'p1' ? [ada, 'p2', 'Bo'] : [bo, 'p1', 'Ada'];
      assert.deepEqual(person.distrusted, [[name, code]]);
      assert.deepEqual(remote(person, other), []);
      assert.equal(person.call.peers.get(other).pc.closed, true);
    });
  }
}

test('a statement for another stay, another person or another room is refused', async () => {
  const first = await meet();
  const replayed = first.table.sent.find(one => one.type === 'offer');
  const { ada } = await meet(table => { table.rewrite = one => one.type === 'offer' ? { ...one, sdp: replayed.sdp, signature: replayed.signature } : one; });
  assert.deepEqual(ada.distrusted, [['Bo', 'statement_wrong']]);
});

test('after the seat was lost, statements for it are refused', async () => {
  const { table, ada } = await meet();
  const offer = table.sent.find(one => one.type === 'offer');
  ada.session.dispatchEvent(new CustomEvent('lost'));
  ada.session.says({ type: 'joined', room: 'soup', you: 'p1', participants: [table.people.p2.me] });
  ada.session.says({ ...offer, from: 'p2', to: undefined });
  for (let n = 0; n < 20; n++) await new Promise(resolve => setTimeout(resolve, 5));
  assert.deepEqual(ada.distrusted, [['Bo', 'statement_wrong']]);
});

test('somebody who is announced without a nonce is not connected to', async () => {
  const table = new Table();
  table.announced = ({ nonce: _, ...person }) => person;
  const ada = await table.join('p1', 'Ada', await newDeviceKey());
  await table.join('p2', 'Bo', await newDeviceKey());
  const peer = ada.call.peers.get('p2');
  assert.deepEqual([peer.distrust, peer.pc.closed], ['statement_missing', true]);
  ada.session.says({ type: 'offer', from: 'p2', sdp: 'v=0', signature: 'x' });
  await flushed();
  assert.equal(peer.pc.remote.length, 0);
});

test('candidates are sent after the description that they belong to', async () => {
  const table = new Table();
  await table.join('p1', 'Ada', await newDeviceKey());
  const bo = await table.join('p2', 'Bo', await newDeviceKey()), { pc } = bo.call.peers.get('p1');
  const offering = pc.onnegotiationneeded();
  pc.onicecandidate({ candidate: null });
  await offering;
  pc.onicecandidate({ candidate: null });
  for (let n = 0; n < 40; n++) await new Promise(resolve => setTimeout(resolve, 5));
  const types = table.sent.filter(one => one.from === 'p2').map(one => one.type);
  assert.deepEqual(types, ['end_of_candidates', 'offer', 'end_of_candidates']);
});

const server = 'wss://lunch.example', anna = { server, key: 'a1', name: 'Anna' };

test('whoever was compared is known, whatever the name', () => {
  assert.equal(standing({ key: 'a1', name: 'Anna' }, [], [anna], server), 'known');
  assert.equal(standing({ key: 'a1', name: 'Annie' }, [], [anna], server), 'known');
});

test('another Anna beside the known one, and a stranger, are no change of key', () => {
  const room = [{ key: 'a1', name: 'Anna' }, { key: 'a2', name: 'Anna' }, { key: 'b1', name: 'Bo' }];
  assert.equal(standing(room[1], room, [anna], server), 'new');
  assert.equal(standing(room[2], room, [anna], server), 'new');
});

test('a known name with another key is told only when the known key is not there, on the same server', () => {
  const other = { key: 'a2', name: ' ANNA ' };
  assert.equal(standing(other, [other], [anna], server), 'changed');
  assert.equal(standing(other, [other], [anna], 'wss://tea.example'), 'new');
  assert.equal(standing(other, [other], [anna, { ...anna, key: 'a2' }], server), 'known', 'both devices were compared');
});

test('a person is kept once, and the oldest of too many is dropped', () => {
  const many = Array.from({ length: 1_000 }, (_, n) => ({ server, key: `k${n}`, name: `Person ${n}` }));
  assert.deepEqual(withKnown([anna], { ...anna, name: 'Anna B.' }), [{ ...anna, name: 'Anna B.' }]);
  const kept = withKnown(many, anna);
  assert.deepEqual([kept.length, kept[0].key, kept.at(-1)], [1_000, 'k1', anna]);
});
