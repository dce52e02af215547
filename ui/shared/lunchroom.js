// The root: which screen follows from the state, and what goes for all of them (language, theme, focus, keys, ends).

import { backend } from './backend.js';
import { measure, watch } from './breakpoints.js';
import { guardComposition } from './composition.js';
import { announce, placeNotices, showError } from './parts/notices.js';
import { ask } from './parts/dialog.js';
import { Reminders } from './parts/reminders.js';
import { tableOf } from './parts/table-links.js';
import { draft } from './draft.js';
import { navigation } from './navigation.js';
import { BoardScreen } from './screens/board-screen.js';
import { CallScreen } from './screens/call-screen.js';
import { CheckScreen } from './screens/check-screen.js';
import { EndedScreen } from './screens/ended-screen.js';
import { FirstRun } from './screens/first-run-screen.js';
import { KnockingScreen } from './screens/knocking-screen.js';
import { problem, setLanguage, t } from './strings.js';
import { roomTitle } from './tables.js';
import { View } from './view.js';

/** @typedef {import('./model.d.ts').AppState} AppState */
/** @typedef {{ name: string, make: () => HTMLElement }} Screen */

export class Lunchroom extends View {
  /** What is there when there is nothing else: the board, or a guest's welcome. @type {() => HTMLElement} */
  home = () => new BoardScreen();
  /** Before anything else, as long as it says so. @type {(state: AppState) => boolean} */
  isNew = state => !state.settings.name || !state.settings.servers.length;

  #screen = '';
  /** @type {string | null} */
  #notice = null;
  /** Codes of what went wrong and was said. @type {Set<string>} */
  #said = new Set();
  /** @type {string} */
  #offered = '';

  connected() {
    placeNotices(document.body, new Reminders());
    this.onDisconnect(watch());
    this.onDisconnect(guardComposition());
    this.onDisconnect(navigation.onChange(() => backend.state && this.update(backend.state)));
  }

  // Each screen builds itself in the other language, after this; then the title follows.
  rebuild() {
    queueMicrotask(() => this.#title());
  }

  /** @param {AppState} state */
  update(state) {
    const { settings, call } = state;
    setLanguage(settings.language);
    const root = document.documentElement;
    root.dataset.theme = settings.theme;
    this.#letters(settings.text_percent ?? 100);
    if (call.stage.kind !== 'ended') navigation.endDismissed = false;
    if (call.stage.kind === 'joined' && navigation.target) navigation.target = null;
    this.#show(this.#which(state));
    this.#notices(call.notice);
    this.#problems(state.problems);
    if (draft.takeBack(call) && !this.querySelector('lr-chat')) showError(`${t.notSaid(problem(draft.why))} ${t.stillInTheField}`);
    this.#linkDuringCall(state);
  }

  /** @param {number} percent */
  #letters(percent) {
    const size = percent === 100 ? '' : `${15 * percent / 100}px`, { style } = document.documentElement;
    if (style.fontSize === size) return;
    style.fontSize = size;
    measure();
  }

  /** @param {AppState} state @returns {Screen} */
  #which(state) {
    const { call, link } = state;
    switch (call.stage.kind) {
      case 'joined':
      case 'reconnecting': return { name: `call ${call.room}`, make: () => new CallScreen() };
      case 'knocking': return { name: 'knocking', make: () => new KnockingScreen() };
      case 'ended': if (call.stage.code !== 'left' && !navigation.endDismissed) return { name: `ended ${call.stage.code}`, make: () => new EndedScreen() };
    }
    // A link waits for the first run: there is no joining without a name.
    if (this.isNew(state) && !(link && state.settings.name)) return { name: 'first', make: () => new FirstRun() };
    if (call.stage.kind === 'joining' && !navigation.target && !link) navigation.target = { room: call.room, known: true };
    const target = link ? { room: link.room, server: link.server, fingerprint: link.fingerprint, invite: link.invite, known: link.known } : navigation.target;
    if (target) return { name: `check ${target.room} ${target.server ?? ''}`, make: () => new CheckScreen(target) };
    return { name: 'home', make: this.home };
  }

  /** @param {Screen} screen */
  #show({ name, make }) {
    if (name === this.#screen) return;
    const first = !this.#screen;
    this.#screen = name;
    const made = make();
    made.classList.add('screen');
    this.replaceChildren(made);
    const heading = /** @type {HTMLElement | null} */ (made.querySelector('h1'));
    this.#title();
    // Where a screen has no field that wants the focus, its heading has it: what is next is then read aloud.
    if (first || made.contains(document.activeElement) || !heading) return;
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }

  #title() {
    const heading = this.querySelector('h1')?.textContent;
    document.title = heading ? `${heading} · Lunchroom` : 'Lunchroom';
  }

  /** @param {string | null} code */
  #notices(code) {
    if (code && code !== this.#notice) {
      showError(problem(code));
      backend.call('dismiss_notice').catch(() => {});
    }
    this.#notice = code;
  }

  /** What went wrong with no device, wherever one is; said once, and again when it comes again. @param {AppState['problems']} problems */
  #problems(problems) {
    const without = problems.filter(one => one.device === null), codes = without.map(one => one.code);
    for (const code of this.#said) if (!codes.includes(code)) this.#said.delete(code);
    const fresh = without.filter(one => !this.#said.has(one.code));
    for (const { code, message } of fresh) {
      this.#said.add(code);
      showError(problem(code, message));
    }
    if (fresh.length) backend.call('dismiss_notice').catch(() => {});
  }

  /** @param {AppState} state */
  async #linkDuringCall({ link, call }) {
    const busy = call.stage.kind === 'joined' || call.stage.kind === 'reconnecting' || call.stage.kind === 'knocking';
    const key = link && busy ? `${link.server} ${link.room}` : '';
    if (key === this.#offered) return;
    this.#offered = key;
    if (!link || !busy) return;
    if (link.room === call.room) return backend.call('dismiss_link').catch(() => {});
    const go = await ask({ title: t.linkInCallTitle(roomTitle(link.room, tableOf(link.room))), words: t.linkInCall(roomTitle(call.room, tableOf(call.room))), yes: t.leaveAndGo });
    await backend.call(go ? 'leave' : 'dismiss_link').catch(() => {});
    if (!go) announce(t.youStay);
  }
}
customElements.define('lunch-room', Lunchroom);
