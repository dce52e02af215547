// Order: reporting and blocking somebody, and what only stewards can do with people and tables.

import { backend, state } from '../backend.js';
import { h } from '../dom.js';
import { t } from '../strings.js';
import { clock, dayOf, longDay, zoneOr } from '../times.js';
import { askLine } from './ask-line.js';
import { ask, openDialog } from './dialog.js';
import { announce, attempt } from './notices.js';

/** @typedef {import('../model.d.ts').Act} Act */
/** @typedef {import('../model.d.ts').BoardState} BoardState */
/** @typedef {import('./menu.js').Item} Item */
/** @typedef {import('../model.d.ts').TableView} TableView */
/** @typedef {{ name: string, participant?: string, person?: string }} Whom  somebody in the call by `participant`, or on the board by `person` */

/** Hours of a suspension; 0: until it is lifted. */
const HOURS = [1, 24, 7 * 24, 30 * 24, 0];

/** What one can do about somebody. @param {Whom} whom @returns {Item[]} */
export function orderItems(whom) {
  const { board } = state(), { person } = whom, order = board?.order;
  const isBlocked = order?.blocked.some(one => one.id === person) ?? false;
  return [
    { words: t.order.report, icon: 'warning', run: () => report(whom) },
    ...(board?.member ? [isBlocked && person
      ? { words: t.order.unblock, icon: /** @type {const} */ ('check'), run: () => unblock(person, whom.name) }
      : { words: t.order.block, icon: /** @type {const} */ ('close'), run: () => block(whom) }] : []),
    ...(order?.steward && person ? [{ words: t.order.suspend, icon: /** @type {const} */ ('lock'), danger: true, run: () => suspend(person, whom.name) }] : []),
  ];
}

/** @param {Whom} whom */
const fields = ({ participant, person }) => participant ? { participant } : { person };

/** @param {Whom} whom */
function report(whom) {
  askLine({
    title: t.order.reportTitle(whom.name), words: t.order.reportWords, label: t.order.whatHappened, yes: t.order.reportYes,
    run: text => backend.call('report', { ...fields(whom), text }).then(() => announce(t.order.reported)),
  });
}

/** @param {Whom} whom */
async function block(whom) {
  if (!await ask({ title: t.order.blockTitle(whom.name), words: t.order.blockWords, yes: t.order.blockYes, danger: true })) return;
  if (await attempt(backend.call('block', fields(whom)).then(() => true))) announce(t.order.blocked(whom.name));
}

/** @param {string} person @param {string} name */
async function unblock(person, name) {
  if (await attempt(backend.call('unblock', { person }).then(() => true))) announce(t.order.unblocked(name));
}

/** @param {string} person @param {string} name @param {() => void} [done] */
export function suspend(person, name, done) {
  askLine({
    title: t.order.suspendTitle(name), words: t.order.suspendWords, label: t.order.reason, yes: t.order.suspendYes,
    choice: { label: t.order.howLong, options: HOURS.map(hours => ({ value: String(hours), words: t.order.hours(hours) })) },
    run: (reason, hours) => backend.call('suspend', { person, hours: Number(hours), reason }).then(() => {
      announce(t.order.suspended(name));
      done?.();
    }),
  });
}

/** @param {TableView} table */
export function closeTable(table) {
  askLine({
    title: t.order.closeTitle(table.topic || t.table), words: t.order.closeWords, label: t.order.reason, yes: t.order.closeYes,
    run: reason => backend.call('close_table', { table: table.id, reason }).then(() => announce(t.order.closed)),
  });
}

/** Opens the list of the people whom the person has blocked. */
export function openBlocked() {
  const list = h('ul', { class: 'servers blocked', role: 'list' }), lead = h('p', { class: 'lead', tabindex: '-1' });
  const show = () => {
    const blocked = state().board?.order.blocked ?? [];
    lead.textContent = blocked.length ? t.order.blockedWords : t.order.nobodyBlocked;
    list.replaceChildren(...blocked.map(({ id, name }) => h('li', {}, h('strong', { dir: 'auto', text: name }),
      h('button', { type: 'button', class: 'small', 'aria-label': `${t.order.unblock}: ${name}`, text: t.order.unblock, onclick: async () => {
        await unblock(id, name);
        lead.focus(); // the button that had the focus is gone
      } }))));
  };
  const stop = backend.subscribe(show);
  openDialog({ title: t.order.blockedPeople, class: 'blocked-sheet', body: [lead, list], closed: stop });
}

/** Says what a steward did. @param {Act} act @param {string} zone */
export function actWords({ kind, topic, reason, until_ms: until }, zone) {
  const what = kind === 'closed' ? t.order.actClosed(topic || t.table) : kind === 'lifted' ? t.order.actLifted : until ? t.order.actSuspendedUntil(moment(until, zone)) : t.order.actSuspended;
  return reason ? `${what} ${t.order.because(reason)}` : what;
}

/** A steward's reason for the end of a call, and the end of a suspension; empty if no steward ended it. @param {string} code @param {BoardState} board */
export function reasonOf(code, { order, zone }) {
  const { suspension } = order, closed = order.acts.findLast(act => act.kind === 'closed');
  if (code === 'suspended' && suspension) return `${t.order.because(suspension.reason)} · ${suspension.until_ms ? t.order.ends(moment(suspension.until_ms, zone)) : t.order.endsWhenLifted}`;
  return code === 'table_closed' && closed ? t.order.because(closed.reason) : '';
}

/** "Monday, 23 November, 12:30" @param {number} ms @param {string} zone */
export const moment = (ms, zone) => `${longDay(dayOf(ms, zoneOr(zone)))}, ${clock(ms, zoneOr(zone))}`;
