// The files that are sent and received in a call, in the chat. A file is saved only after the person agreed.

import { backend, state } from '../backend.js';
import { attribute, h, keyed, shown, text } from '../dom.js';
import { icon } from '../icons.js';
import { language, problem, t } from '../strings.js';
import { View } from '../view.js';
import { openDialog } from './dialog.js';

/** @typedef {import('../model.d.ts').AppState} AppState */
/** @typedef {import('../model.d.ts').TransferView} TransferView */
/** @typedef {import('../model.d.ts').TransferChoice} TransferChoice */

const OVER = ['done', 'declined', 'failed'];
/** States in which a transfer can be paused, and in which it can continue. */
const PAUSABLE = ['preparing', 'moving', 'paused_there', 'waiting'];

export class Transfers extends View {
  /** Incoming offers that were announced, by id. @type {Set<string>} */
  #announced = new Set();
  /** Whether the dialog for dropped files is open. */
  #asking = false;

  build() {
    this.list = h('ul', { class: 'transfers', role: 'list', 'aria-label': t.files });
    this.status = h('p', { class: 'visually-hidden', role: 'status' });
    this.error = h('p', { class: 'trouble', role: 'alert', hidden: true });
    this.append(this.list, this.error, this.status);
  }

  /** @param {AppState} state */
  update({ transfers, dropped, call }) {
    if (!this.list || !this.status) return;
    shown(this, transfers.length > 0 || !this.error?.hidden);
    keyed(this.list, transfers, one => one.id, one => this.#row(one), (row, one) => this.#updateRow(row, one));
    for (const one of transfers) {
      if (one.outgoing || one.state !== 'offered' || this.#announced.has(one.id)) continue;
      this.#announced.add(one.id);
      text(this.status, t.fileOffered(one.person, one.name, fileSize(one.size)));
    }
    if (dropped.length && !this.#asking && call.stage.kind === 'joined') this.#askAboutDropped(dropped);
  }

  /** Lets the person choose files, and the people who get them. */
  chooseFiles() {
    const others = state().call.participants;
    if (others.length === 1) return void this.#run('send_files', { to: [others[0]?.id] });
    askForPeople(t.sendFileTo, [], to => this.#run('send_files', { to }), () => {});
  }

  /** @param {string[]} names */
  #askAboutDropped(names) {
    this.#asking = true;
    let sent = false;
    askForPeople(t.sendFileTo, names, to => {
      sent = true;
      this.#run('send_dropped', { to });
    }, () => {
      this.#asking = false;
      if (!sent) this.#run('dismiss_dropped');
    });
  }

  /** @param {string} command @param {object} [args] */
  async #run(command, args = {}) {
    this.#showError('');
    try {
      await backend.call(command, args);
    } catch (error) {
      this.#showError(/** @type {{ code?: string }} */ (error ?? {}).code ?? 'internal');
    }
  }

  /** @param {string} code */
  #showError(code) {
    if (!this.error) return;
    text(this.error, code ? problem(code) : '');
    shown(this.error, code !== '');
    if (code) shown(this, true);
  }

  /** @param {TransferView} one */
  #row(one) {
    /** @param {TransferChoice} choice @param {string} words @param {string} [look] */
    const act = (choice, words, look = '') => h('button', { type: 'button', class: `small ${look}`, 'data-choice': choice, text: words, 'aria-label': `${words}: ${one.name}`, onclick: () => this.#run('transfer', { id: one.id, choice }) });
    return h('li', {},
      h('p', { class: 'from' }, h('strong', { dir: 'auto', text: one.name }), h('span', { class: 'quiet', text: fileSize(one.size) })),
      h('p', { class: 'quiet who', dir: 'auto' }),
      h('progress', { max: Math.max(one.size, 1), 'aria-label': one.name }),
      h('p', { class: 'state' }),
      h('div', { class: 'actions' },
        act('accept', t.acceptFile, 'primary'), act('decline', t.declineFile), act('pause', t.pauseFile), act('resume', t.resumeFile), act('cancel', t.cancel),
        h('button', { type: 'button', class: 'small', 'data-choice': 'show', text: t.showInFolder, 'aria-label': `${t.showInFolder}: ${one.name}`, onclick: () => this.#run('show_transfer', { id: one.id }) }),
        act('remove', t.removeFromList, 'plain')));
  }

  /** @param {Element} row @param {TransferView} one */
  #updateRow(row, one) {
    const [from, who, progress, words, actions] = row.children;
    if (from?.firstElementChild) text(from.firstElementChild, one.name);
    if (who) text(who, one.outgoing ? t.fileTo(one.person) : t.fileFrom(one.person));
    const over = OVER.includes(one.state), asked = one.state === 'offered';
    if (progress) {
      shown(progress, !over && !asked);
      attribute(progress, 'value', one.moved);
    }
    if (words) text(words, stateWords(one));
    attribute(row, 'data-state', one.state);
    const possible = {
      accept: asked && !one.outgoing, decline: asked && !one.outgoing, pause: PAUSABLE.includes(one.state), resume: one.state === 'paused',
      cancel: !over && !(asked && !one.outgoing), show: one.state === 'done' && !one.outgoing && backend.shell === 'app', remove: over,
    };
    for (const button of actions?.children ?? []) shown(button, possible[/** @type {keyof typeof possible} */ (/** @type {HTMLElement} */ (button).dataset.choice)] ?? false);
  }
}
customElements.define('lr-transfers', Transfers);

/** The button in the chat that sends files. @param {() => void} choose */
export const sendFileButton = choose => h('button', { type: 'button', class: 'icon-only plain', 'aria-label': t.sendFile, title: t.sendFile, onclick: choose }, icon('clip'));

/** The number of offers from others, for the badge of the chat. */
export const offersFromOthers = () => state().transfers.filter(one => !one.outgoing).length;

/** @param {TransferView} one */
function stateWords(one) {
  const here = one.reason === 'too_large' && !one.outgoing, reason = here ? t.fileTooLargeHere : one.reason ? t.fileReasons[one.reason] : '';
  if (one.state === 'moving' || one.state === 'paused' || one.state === 'paused_there') {
    const part = t.fileMoved(fileSize(one.moved), fileSize(one.size));
    return [t.fileStates[one.state], part, reason].filter(Boolean).join(' · ');
  }
  if (one.state === 'failed') return reason || t.fileStates.failed;
  if (one.state === 'offered') return one.outgoing ? t.fileStates.offered_out : t.fileStates.offered_in;
  if (one.state === 'done') return one.outgoing ? t.fileStates.done_out : t.fileStates.done_in;
  return t.fileStates[one.state];
}

/** A size for people, in decimal units as file managers show them. @param {number} bytes */
export function fileSize(bytes) {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  let n = 0, value = bytes;
  for (; value >= 1000 && n < units.length - 1; n++) value /= 1000;
  return new Intl.NumberFormat(language, { style: 'unit', unit: units[n], unitDisplay: n ? 'short' : 'long', maximumFractionDigits: value < 10 && n > 0 ? 1 : 0 }).format(value);
}

/** @param {string} title @param {string[]} names @param {(to: string[]) => void} chosen @param {() => void} closed */
function askForPeople(title, names, chosen, closed) {
  const others = state().call.participants;
  /** @param {string} words @param {string[]} to */
  const choice = (words, to) => h('li', {}, h('button', { type: 'button', dir: 'auto', text: words, onclick: () => { chosen(to); dialog.close(); } }));
  const list = h('ul', { class: 'choices', role: 'list' },
    others.length > 1 ? choice(t.sendEveryone, others.map(one => one.id)) : null,
    ...others.map(one => choice(one.name, [one.id])));
  const dialog = openDialog({
    title, class: 'question', closed,
    body: [names.length ? h('ul', { role: 'list' }, ...names.slice(0, 8).map(name => h('li', { dir: 'auto', text: name })), names.length > 8 ? h('li', { text: t.fileMore(names.length - 8) }) : null) : null,
      others.length ? list : h('p', { text: t.nobodyForFiles })].filter(child => child !== null),
  });
}
