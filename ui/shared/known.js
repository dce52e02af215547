// Whom this person has compared keys with. No DOM.

/** @typedef {{ server: string, key: string, name: string }} KnownPerson */
/** @typedef {{ key: string, name: string }} Somebody */
/**
 * @typedef {'new' | 'known' | 'changed'} Standing  `known`: the keys were compared; `changed`: somebody of this name was
 *   compared before, with a key that nobody in the room has
 */

/** People that are kept. When there are more, the oldest is dropped. */
const MOST_KNOWN = 1_000;

/**
 * What is known about somebody in the room. A name proves nothing, so a second person of the same name is `new` as long as
 * the known one is in the room too.
 * @param {Somebody} somebody @param {Somebody[]} room everybody else in the room
 * @param {KnownPerson[]} known @param {string} server
 * @returns {Standing}
 */
export function standing(somebody, room, known, server) {
  const here = known.filter(one => one.server === server);
  if (here.some(one => one.key === somebody.key)) return 'known';
  const sameName = here.filter(one => plain(one.name) === plain(somebody.name));
  const isPresent = sameName.some(one => room.some(other => other.key === one.key));
  return sameName.length > 0 && !isPresent ? 'changed' : 'new';
}

/** The list with somebody whose key was compared, at its end. @param {KnownPerson[]} known @param {KnownPerson} one */
export const withKnown = (known, one) =>
  [...known.filter(other => other.server !== one.server || other.key !== one.key), one].slice(-MOST_KNOWN);

/** @param {string} name */
const plain = name => name.normalize('NFKC').toLocaleLowerCase().replace(/\s+/gu, ' ').trim();
