// A room of people who exchange keys of frames over a server, in virtual time: who can decrypt what, whatever the order in
// which they come and go: node --test key-exchange.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock, pageModule } from './fakes.mjs';

const { COALESCE_MS, JOIN_DELAY_MS, JOIN_REST_MS, KeyExchange, LEAVE_DELAY_MS, LEAVE_REST_MS } = await pageModule('shared/key-exchange.js');
const { Signer } = await pageModule('shared/statement.js');
const { newDeviceKey } = await pageModule('shared/protocol.js');

const STEP_MS = 10;
/** How long somebody who has gone may decrypt, besides the way of the message that they have. */
const AFTER_LEAVING_MS = 1_000;

/** A room that is forwarded, and a server whose messages take a while. Nobody forgets a key. */
class World {
  clock = new Clock();
  people = [];
  refuseKeysTo = null;
  #events = [];

  constructor(delay) {
    this.delay = delay;
  }

  get now() { return this.clock.now(); }

  get present() { return this.people.filter(one => one.left === null); }

  async join({ silently = false } = {}) {
    const signer = new Signer(await newDeviceKey());
    signer.begin();
    const one = { id: `p${this.people.length}`, stay: signer.stay(), came: this.now, left: null, frameKey: null, epoch: null, used: new Map(), sent: 0, given: new Map(), keys: new Set(), failures: [] };
    one.exchange = new KeyExchange({ signer, room: 'soup', clock: this.clock, send: message => this.#sent(one, message), use: ({ epoch }) => {
      one.used.set(epoch, this.now);
      one.epoch = epoch;
    } });
    for (const other of this.present) one.exchange.joined(other.id, other.stay);
    this.#tellOthers(one, other => other.exchange.joined(one.id, one.stay));
    for (const other of this.present) if (other.frameKey) this.#later(() => one.exchange.announced(other.id, other.frameKey).catch(error => one.failures.push(error.code)));
    this.people.push(one);
    one.exchange.start();
    if (!silently) one.exchange.announce();
    await one.exchange.settled();
    return one;
  }

  leave(one) {
    one.left = this.now;
    one.exchange.close();
    this.#tellOthers(one, other => other.exchange.left(one.id));
  }

  /** Lets time pass, and checks at each moment who can decrypt whom. */
  async pass(ms) {
    for (let left = ms; left > 0; left -= STEP_MS) {
      await this.clock.advance(STEP_MS);
      await Promise.all(this.people.map(one => one.exchange.settled()));
      this.#check();
    }
  }

  #sent(one, message) {
    if (message.type === 'frame_key') {
      one.frameKey = message;
      return this.#tellOthers(one, other => other.exchange.announced(one.id, message).catch(error => other.failures.push(error.code)));
    }
    assert.equal(message.type, 'sender_keys');
    one.sent++;
    for (const { to, sealed, signature } of message.keys) {
      const receiver = this.people.find(other => other.id === to), given = { epoch: message.epoch, sealed, signature };
      one.given.set(receiver, given);
      if (this.refuseKeysTo === receiver) this.#later(() => one.exchange.undelivered(message.epoch, [to]));
      else this.#later(() => this.#receive(receiver, one, given));
    }
  }

  #receive(receiver, from, given) {
    return receiver.exchange.receive(from.id, given).then(({ epoch }) => {
      receiver.keys.add(`${from.id} ${epoch}`);
      const used = from.used.get(epoch);
      assert.ok(used === undefined || used >= receiver.came, `a key from before ${receiver.id} came`);
    }, error => receiver.failures.push(error.code));
  }

  #later(run) {
    this.clock.after(this.delay, run);
  }

  #tellOthers(one, run) {
    for (const other of this.present) if (other !== one) this.#later(() => { if (other.left === null) run(other); });
  }

  #check() {
    for (const sender of this.present) for (const one of this.people) {
      const isGone = one.left !== null && this.now > one.left + this.delay + AFTER_LEAVING_MS;
      assert.ok(!(isGone && this.decrypts(one, sender)), `${one.id} has gone and decrypts ${sender.id}`);
    }
  }

  /** Whether somebody has the key with which the sender encrypts now. */
  decrypts(one, sender) {
    return sender.epoch !== null && one.keys.has(`${sender.id} ${sender.epoch}`);
  }

  assertAllDecryptAll(people) {
    for (const one of people) for (const sender of people) if (one !== sender) assert.ok(this.decrypts(one, sender), `${one.id} does not decrypt ${sender.id}`);
  }
}

async function worldOf(delay, people) {
  const world = new World(delay);
  for (let n = 0; n < people; n++) await world.join();
  return world;
}

test('everybody decrypts everybody after the first moment', async () => {
  const world = await worldOf(20, 5);
  await world.pass(400);
  world.assertAllDecryptAll(world.people);
});

test('the first key is used at once and the next after a short time', async () => {
  const world = await worldOf(0, 1), [ada] = world.people;
  await world.pass(COALESCE_MS);
  assert.equal(ada.epoch, 1);
  await world.join();
  await world.pass(JOIN_REST_MS + JOIN_DELAY_MS - 20);
  assert.equal(ada.epoch, 1);
  await world.pass(20 + COALESCE_MS);
  assert.equal(ada.epoch, 2);
});

test('somebody who has gone decrypts nothing from a second later on', async () => {
  assert.ok(LEAVE_REST_MS + LEAVE_DELAY_MS <= 1_000 && COALESCE_MS <= LEAVE_REST_MS && JOIN_DELAY_MS <= LEAVE_REST_MS && LEAVE_DELAY_MS <= LEAVE_REST_MS);
  const world = await worldOf(20, 4), [, , , dan] = world.people;
  await world.pass(3_000);
  world.leave(dan);
  await world.pass(1_020);
  for (const sender of world.present) assert.equal(world.decrypts(dan, sender), false);
  await world.pass(1_000);
  world.assertAllDecryptAll(world.present);
});

test('a newcomer decrypts nothing from before', async () => {
  const world = await worldOf(20, 2), [ada, ben] = world.people;
  await world.pass(3_000);
  const before = ada.epoch, cyd = await world.join();
  await world.pass(3_000);
  assert.ok(world.decrypts(cyd, ada));
  assert.deepEqual([cyd.keys.has(`p0 ${before}`), ben.keys.has(`p0 ${before}`)], [false, true]);
});

test('many who come together make few keys', async () => {
  const world = await worldOf(50, 1), [ada] = world.people;
  await world.pass(3_000);
  const before = ada.epoch;
  for (let n = 0; n < 20; n++) await world.join();
  await world.pass(4_000);
  assert.equal(ada.epoch, before + 1);
  world.assertAllDecryptAll(world.people);
});

test('a key that was not delivered is given later', async () => {
  const world = await worldOf(20, 2), [ada, ben] = world.people;
  world.refuseKeysTo = ben;
  await world.pass(2_500);
  assert.equal(world.decrypts(ben, ada), false);
  assert.ok(ada.sent >= 2 && ada.sent <= 4, `with growing pauses: ${ada.sent}`);
  world.refuseKeysTo = null;
  await world.pass(8_000);
  assert.ok(world.decrypts(ben, ada));
});

test('a used key is renewed once', async () => {
  const world = await worldOf(20, 2), [ada, ben] = world.people;
  await world.pass(3_000);
  const { epoch } = ada;
  for (let n = 0; n < 200; n++) {
    ada.exchange.renew(epoch);
    await world.pass(10);
  }
  assert.equal(ada.epoch, epoch + 1);
  assert.ok(world.decrypts(ben, ada));
});

test('somebody without a valid frame key gets nothing and is named', async () => {
  const world = await worldOf(20, 1), [ada] = world.people, ben = await world.join({ silently: true });
  await world.pass(2_000);
  assert.equal(world.decrypts(ben, ada), false);
  assert.deepEqual(ada.exchange.uncovered(), [ben.id]);
  // The server announces a key of its own.
  await assert.rejects(ada.exchange.announced(ben.id, ada.frameKey), { code: 'statement_wrong' });
  await world.pass(2_000);
  assert.deepEqual(ada.exchange.uncovered(), [ben.id]);
});

test('keys for others, from others and from earlier are refused', async () => {
  const world = await worldOf(20, 3), [ada, ben, cyd] = world.people;
  await world.pass(3_000);
  const toBen = ada.given.get(ben), toCyd = ada.given.get(cyd), later = toBen.epoch + 1;
  const refused = (one, from, given) => one.exchange.receive(from.id, given).then(() => null, error => error.code);
  assert.equal(await refused(ben, ada, toBen), 'not_newer');
  assert.equal(await refused(ben, ada, { ...toBen, epoch: later }), 'statement_wrong', 'another epoch');
  assert.equal(await refused(ben, ada, { ...toCyd, epoch: later }), 'statement_wrong', 'another receiver');
  for (const epoch of [later, 2 ** 32, -1, 1.5, undefined]) assert.equal(await refused(ben, ada, { epoch, sealed: '', signature: '' }), 'statement_wrong');
  assert.equal(await refused(ben, ben, toBen), 'not_here', 'our own id');
  assert.equal(await refused(cyd, ben, { ...toCyd, epoch: later }), 'statement_wrong', 'another sender');
  assert.deepEqual(world.people.flatMap(one => one.failures), []);
});

test('nothing is given while the room is direct, and epochs go on', async () => {
  const world = await worldOf(20, 2), [ada] = world.people;
  await world.pass(2_000);
  ada.exchange.stop();
  const { sent, epoch } = ada;
  await world.join();
  await world.pass(2_000);
  assert.equal(ada.sent, sent);
  ada.exchange.start();
  await world.pass(2_000);
  assert.ok(ada.epoch > epoch);
});

for (const delay of [0, 40, 150]) {
  test(`only those who are there can decrypt, when messages take ${delay} ms`, async () => {
    const world = new World(delay);
    let seed = delay + 1;
    const chance = below => (seed = seed * 48_271 % 2_147_483_647) % below;
    for (let step = 0; step < 30; step++) {
      const what = chance(7), { present } = world;
      if (what < 2 && present.length < 6) await world.join();
      else if (what < 4 && present.length) world.leave(present[chance(present.length)]);
      else await world.pass(10 * (1 + chance(80)));
    }
    await world.pass(3_000);
    world.assertAllDecryptAll(world.present);
  });
}
