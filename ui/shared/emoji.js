// The emoji that the chat offers. The keyboards of phones and the systems' own windows offer all others. Screen readers say
// their names in the person's language, so there are no names here.

/** @typedef {'faces' | 'gestures' | 'food' | 'things'} EmojiGroup */

/** One line of text for each group, separated by spaces. @type {Record<EmojiGroup, string>} */
const TABLE = {
  faces: '😀 😄 😁 😆 😅 😂 🤣 😊 🙂 😉 😍 🥰 😘 😋 😜 🤪 🤗 🤭 🤔 🤨 😐 😏 🙄 😬 😴 🤤 😷 🤒 🥳 😎 🤓 😮 😯 😳 🥺 😢 😭 😱 😤 😡 🥵 🥶 😇 🤖 👻 💀',
  gestures: '👍 👎 👏 🙌 🙏 🤝 👋 ✌️ 🤞 🤟 🤙 👌 💪 🙇 🤷 🤦 🙋 👀 ❤️ 🧡 💛 💚 💙 💜 🖤 💔 💯 🔥 ✨ ⭐ 🎉 🎊 🎂 🎁',
  food: '🍚 🍙 🍜 🍲 🍛 🍣 🍱 🥟 🥘 🍝 🍕 🍔 🌭 🥪 🌮 🌯 🥙 🥗 🍳 🥓 🥩 🍗 🍤 🍞 🥐 🥨 🧀 🥔 🥕 🌽 🌶️ 🥦 🥬 🍅 🥑 🍄 🍎 🍌 🍇 🍓 🍑 🍉 🍰 🍪 🍩 🍦 🍫 🍿 ☕ 🍵 🧋 🥛 🧃 🍺 🍷 🥂 🥢 🍴',
  things: '⏰ ⏳ 📅 📌 📎 📷 🎧 🎤 🎬 🎮 ⚽ 🏃 🚶 🚲 🚌 🚆 🚗 ✈️ 🏠 🏢 🏫 ☀️ ⛅ ☔ ❄️ 🌈 🌸 🌱 🐶 🐱 🐻 🐧 ✅ ❌ ❓ ❗ ➕ ➡️ 💡 💬 🔗 🔒',
};

/** The groups, in the order in which they are offered. */
export const EMOJI_GROUPS = /** @type {{ group: EmojiGroup, emoji: string[] }[]} */ (Object.entries(TABLE).map(([group, line]) => ({ group, emoji: line.split(' ') })));

/** Emoji that are remembered. */
const MAX_DRAWN = 2000;
/** Emoji that the fonts of this system draw, or not. @type {Map<string, boolean>} */
const drawn = new Map();

/** Whether a font of this system has an emoji. Without one, all look like the same box. @param {string} emoji */
export function canDraw(emoji) {
  const known = drawn.get(emoji) ?? pixels(emoji) !== pixels(MISSING);
  if (drawn.size >= MAX_DRAWN) drawn.clear(); // others choose emoji for their avatars
  drawn.set(emoji, known);
  return known;
}

/** A character that no font has: its code point is reserved. */
const MISSING = '\u{10FFFE}', SIZE = 16;

/** @type {CanvasRenderingContext2D | null | undefined} */
let canvas;

/** What a character looks like, as a text to compare. @param {string} char */
function pixels(char) {
  canvas ??= Object.assign(document.createElement('canvas'), { width: SIZE, height: SIZE }).getContext('2d', { willReadFrequently: true });
  if (!canvas) return char;
  canvas.clearRect(0, 0, SIZE, SIZE);
  canvas.font = `${SIZE - 3}px sans-serif`;
  canvas.textBaseline = 'top';
  canvas.fillText(char, 0, 1);
  return canvas.getImageData(0, 0, SIZE, SIZE).data.join();
}
