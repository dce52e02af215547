// SHA-256 of data that comes in parts (FIPS 180-4). The browser's own can only hash what is in memory as a whole.

const ROUNDS = new Uint32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
const START = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

export class Sha256 {
  #state = new Uint32Array(START);
  #words = new Uint32Array(64);
  #block = new Uint8Array(64);
  #filled = 0;
  #length = 0;

  /** @param {Uint8Array} data */
  update(data) {
    this.#length += data.length;
    let at = 0;
    while (at < data.length) {
      const part = data.subarray(at, at + 64 - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === 64) this.#compress();
    }
  }

  /** The hash of everything so far, in hexadecimal digits. More can be added later. */
  hex() {
    const end = new Sha256(), bits = this.#length * 8;
    end.#state.set(this.#state);
    end.#block.set(this.#block);
    end.#filled = this.#filled;
    const padding = new Uint8Array((this.#filled < 56 ? 56 : 120) - this.#filled);
    padding[0] = 0x80;
    const length = new Uint8Array(8), view = new DataView(length.buffer);
    view.setUint32(0, Math.floor(bits / 2 ** 32));
    view.setUint32(4, bits >>> 0);
    end.update(padding);
    end.update(length);
    return [...end.#state].map(word => word.toString(16).padStart(8, '0')).join('');
  }

  #compress() {
    const w = this.#words, view = new DataView(this.#block.buffer);
    for (let n = 0; n < 16; n++) w[n] = view.getUint32(n * 4);
    for (let n = 16; n < 64; n++) {
      const x = w[n - 15] ?? 0, y = w[n - 2] ?? 0;
      w[n] = (w[n - 16] ?? 0) + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3) + (w[n - 7] ?? 0) + ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10);
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = this.#state;
    for (let n = 0; n < 64; n++) {
      const one = h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (e & f ^ ~e & g) + (ROUNDS[n] ?? 0) + (w[n] ?? 0) | 0;
      const two = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c) | 0;
      h = g; g = f; f = e; e = d + one | 0; d = c; c = b; b = a; a = one + two | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((value, n) => { this.#state[n] = (this.#state[n] ?? 0) + value; });
    this.#filled = 0;
  }
}
