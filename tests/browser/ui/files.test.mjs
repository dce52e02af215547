// Files on the guest's page: node --test files.test.mjs
import assert from 'node:assert/strict';
import { createHash, randomBytes, webcrypto } from 'node:crypto';
import { Blob } from 'node:buffer';
import { test } from 'node:test';
import { pageModule } from './fakes.mjs';

globalThis.crypto ??= webcrypto;
const { Sha256 } = await pageModule('guest/sha256.js');
const { GuestFiles, safeName } = await pageModule('guest/files.js');

/** A file of the browser, as far as it is used. */
const file = (name, data) => Object.assign(new Blob([data]), { name });

/** Two data channels that lead to each other, in order. `change` can replace a message on the way from the first. */
function channels(change = data => data) {
  const pair = [0, 1].map(() => ({ readyState: 'open', bufferedAmount: 0 }));
  pair.forEach((one, n) => {
    one.send = data => setTimeout(() => {
      const other = pair[1 - n], sent = n === 0 ? change(data) : data;
      if (other.readyState === 'open') other.onmessage?.({ data: typeof sent === 'string' ? sent : sent.buffer });
    }, 1);
    one.close = () => pair.forEach(each => { each.readyState = 'closed'; each.onclose?.(); });
  });
  return pair;
}

/** Ann and Ben, with Ben's stored files. */
function pair() {
  const stored = new Map();
  const store = async name => {
    const parts = [];
    return { write: async data => { parts.push(Buffer.from(data)); }, keep: async () => { stored.set(name, Buffer.concat(parts)); }, discard: async () => { parts.length = 0; } };
  };
  const sides = [{ key: 'ann', name: 'Ann', rows: [] }, { key: 'ben', name: 'Ben', rows: [] }];
  for (const side of sides) side.files = new GuestFiles(rows => { side.rows = rows; }, { store });
  const connect = change => {
    const ends = channels(change);
    sides.forEach((side, n) => side.files.use(ends[n], sides[1 - n]));
    return ends;
  };
  return { ann: sides[0], ben: sides[1], stored, connect };
}

async function until(test) {
  for (let n = 0; n < 2000; n++) {
    if (test()) return;
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  assert.fail(`not ${test}`);
}

const last = side => side.rows.at(-1);

test('a hash in parts is that of the whole', () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000]) {
    const data = randomBytes(length), hash = new Sha256();
    for (let at = 0; at < length; at += 37) hash.update(data.subarray(at, at + 37));
    assert.equal(hash.hex(), createHash('sha256').update(data).digest('hex'), String(length));
    assert.equal(hash.hex(), hash.hex(), 'it can go on');
  }
});

test('a file moves after it was accepted, and goes on after a break', async () => {
  const { ann, ben, stored, connect } = pair(), data = randomBytes(600_000);
  let [end] = connect();
  ann.files.offer([file('../메뉴.pdf', data)], [ben]);
  await until(() => last(ben)?.state === 'offered');
  assert.equal(last(ben).name, '메뉴.pdf');
  assert.equal(last(ann).state, 'offered');
  await ben.files.act(last(ben).id, 'accept');
  await until(() => last(ben).moved > 50_000);
  end.close();
  await until(() => last(ann).state === 'waiting' && last(ben).state === 'waiting');
  connect();
  await until(() => last(ann).state === 'done' && last(ben).state === 'done');
  assert.deepEqual(stored.get('메뉴.pdf'), data);
});

test('a pause, a decline and a cancellation', async () => {
  const { ann, ben, connect } = pair();
  connect();
  ann.files.offer([file('a', randomBytes(300_000))], [ben]);
  await until(() => last(ben)?.state === 'offered');
  await ben.files.act(last(ben).id, 'accept');
  await until(() => last(ben).moved > 20_000);
  await ben.files.act(last(ben).id, 'pause');
  await until(() => last(ann).state === 'paused_there');
  await ben.files.act(last(ben).id, 'resume');
  await until(() => last(ann).state === 'moving');
  await ann.files.act(last(ann).id, 'cancel');
  await until(() => last(ben).state === 'failed' && last(ben).reason === 'cancelled');
  ann.files.offer([file('b', Buffer.from('b'))], [ben]);
  await until(() => last(ben).state === 'offered');
  await ben.files.act(last(ben).id, 'decline');
  await until(() => last(ann).state === 'declined');
});

test('what is damaged, too long or senseless is not stored', async () => {
  const { ann, ben, stored, connect } = pair();
  const [end] = connect(data => {
    if (typeof data !== 'string') data[data.length - 1] ^= 1;
    return data;
  });
  ann.files.offer([file('a', randomBytes(1000))], [ben]);
  await until(() => last(ben)?.state === 'offered');
  await ben.files.act(last(ben).id, 'accept');
  await until(() => last(ben).state === 'failed' && last(ann).state === 'failed');
  assert.equal(last(ben).reason, 'wrong_hash');
  const id = 'ab'.repeat(16);
  for (const text of ['', '{', '[]', 'null', '{"type":"offer"}', `{"type":"offer","id":"${id}","name":1,"size":1}`, `{"type":"offer","id":"${id}","name":"x","size":-1}`, 'x'.repeat(5000)]) end.send(text);
  end.send(new Uint8Array(20_000));
  await new Promise(resolve => setTimeout(resolve, 20));
  assert.equal(ben.rows.length, 1);
  assert.equal(stored.size, 0);
  assert.throws(() => ann.files.offer([file('a', Buffer.from('a'))], [{ key: 'eve', name: 'Eve' }]), { code: 'file_nobody' });
});

test('a browser that cannot write to files refuses what does not fit into memory', async () => {
  const { ann, ben, connect } = pair();
  connect();
  ben.files.openStore = new GuestFiles(() => {}).openStore;
  ann.files.offer([{ name: 'film', size: 500_000_001, type: '' }], [ben]);
  await until(() => last(ben)?.state === 'offered');
  await ben.files.act(last(ben).id, 'accept');
  await until(() => last(ann).state === 'failed');
  assert.equal(last(ann).reason, 'too_large');
  assert.equal(last(ben).reason, 'too_large');
});

test('names are made safe', () => {
  for (const [name, safe] of [['../../x', 'x'], ['a\\b.txt', 'b.txt'], ['..', 'file'], ['invoice\u202efdp.exe', 'invoicefdp.exe'], ['a\u0000b', 'ab'], ['.bashrc', 'bashrc']]) assert.equal(safeName(name), safe);
});
