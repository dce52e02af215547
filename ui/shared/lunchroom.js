// The root element. It shows the screen that follows from the state, and handles language, theme, focus and errors.

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
  /** Makes the default screen: the board, or the guest's welcome. @type {() => HTMLElement} */
  home = () => new BoardScreen();
  /** Makes the first screen of a person who has no name or no server yet. @type {() => HTMLElement} */
  first = () => new FirstRun();
  /** Whether the first run is still to be done. @type {(state: AppState) => boolean} */
  isNew = state => !state.settings.name || !state.settings.servers.length;

  #screen = '';
  /** @type {string | null} */
  #notice = null;
  /** Codes of problems that were already shown. @type {Set<string>} */
  #shownProblems = new Set();
  /** The link for which the person was asked to leave the call. @type {string} */
  #askedLink = '';

  connected() {
    placeNotices(document.body, new Reminders());
    this.onDisconnect(watch());
    this.onDisconnect(guardComposition());
    this.onDisconnect(navigation.onChange(() => backend.state && this.update(backend.state)));
  }

  // The screens rebuild themselves after this, and then the title changes.
  rebuild() {
    queueMicrotask(() => this.#updateTitle());
  }

  /** @param {AppState} state */
  update(state) {
    const { settings, call } = state;
    setLanguage(settings.language);
    const root = document.documentElement;
    root.dataset.theme = settings.theme;
    root.classList.toggle('unmirrored', !settings.mirror_own);
    this.#setTextSize(settings.text_percent ?? 100);
    if (call.stage.kind !== 'ended') navigation.endDismissed = false;
    if (call.stage.kind === 'joined' && navigation.target) navigation.target = null;
    this.#show(this.#screenFor(state));
    this.#showNotice(state.notice);
    this.#showProblems(state.problems);
    if (draft.takeBack(call) && !this.querySelector('lr-chat')) showError(`${t.notSaid(problem(draft.error))} ${t.stillInTheField}`);
    this.#askToFollowLink(state);
  }

  /** @param {number} percent */
  #setTextSize(percent) {
    const size = percent === 100 ? '' : `${15 * percent / 100}px`, { style } = document.documentElement;
    if (style.fontSize === size) return;
    style.fontSize = size;
    measure();
  }

  /** @param {AppState} state @returns {Screen} */
  #screenFor(state) {
    const { call, link } = state;
    switch (call.stage.kind) {
      case 'joined':
      case 'reconnecting': return { name: `call ${call.room}`, make: () => new CallScreen() };
      case 'knocking': return { name: 'knocking', make: () => new KnockingScreen() };
      case 'ended': if (call.stage.code !== 'left' && !navigation.endDismissed) return { name: `ended ${call.stage.code}`, make: () => new EndedScreen() };
    }
    // A link waits for the first run, because joining needs a name.
    if (this.isNew(state) && !(link && state.settings.name)) return { name: 'first', make: this.first };
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
    this.#updateTitle();
    // Focus the heading of a screen without a focused field, so that screen readers read it.
    if (first || made.contains(document.activeElement) || !heading) return;
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }

  #updateTitle() {
    const heading = this.querySelector('h1')?.textContent;
    document.title = heading ? `${heading} · Lunchroom` : 'Lunchroom';
  }

  /** @param {string | null} code */
  #showNotice(code) {
    if (code && code !== this.#notice) {
      showError(problem(code));
      backend.call('dismiss_notice').catch(() => {});
    }
    this.#notice = code;
  }

  /** Shows problems that concern no device, on every screen, each time they occur. @param {AppState['problems']} problems */
  #showProblems(problems) {
    const without = problems.filter(one => one.device === null), codes = without.map(one => one.code);
    for (const code of this.#shownProblems) if (!codes.includes(code)) this.#shownProblems.delete(code);
    const fresh = without.filter(one => !this.#shownProblems.has(one.code));
    for (const { code, message } of fresh) {
      this.#shownProblems.add(code);
      showError(problem(code, message));
    }
    if (fresh.length) backend.call('dismiss_notice').catch(() => {});
  }

  /** Asks whether to leave the call for a link that was opened. @param {AppState} state */
  async #askToFollowLink({ link, call }) {
    const busy = call.stage.kind === 'joined' || call.stage.kind === 'reconnecting' || call.stage.kind === 'knocking';
    const key = link && busy ? `${link.server} ${link.room}` : '';
    if (key === this.#askedLink) return;
    this.#askedLink = key;
    if (!link || !busy) return;
    if (link.room === call.room) return backend.call('dismiss_link').catch(() => {});
    const go = await ask({ title: t.linkInCallTitle(roomTitle(link.room, tableOf(link.room))), words: t.linkInCall(roomTitle(call.room, tableOf(call.room))), yes: t.leaveAndGo });
    await backend.call(go ? 'leave' : 'dismiss_link').catch(() => {});
    if (!go) announce(t.youStay);
  }
}
customElements.define('lunch-room', Lunchroom);
