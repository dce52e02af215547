// The stewards' page: reports that wait, suspended people, and what stewards did.

import { backend, state } from '../backend.js';
import { h } from '../dom.js';
import { problem, t } from '../strings.js';
import { openDialog } from './dialog.js';
import { announce } from './notices.js';
import { moment, suspend } from './order.js';

/** @typedef {import('../model.d.ts').OrderBook} OrderBook */
/** @typedef {import('../model.d.ts').OrderReport} OrderReport */
/** @typedef {import('../model.d.ts').SuspendedPerson} SuspendedPerson */
/** @typedef {import('../model.d.ts').StewardAct} StewardAct */

/** Opens the page and asks the server. */
export function openOrderBook() {
  // Only this line is spoken by itself. The lists are read when the person goes there.
  const lead = h('p', { class: 'lead', role: 'status', tabindex: '-1', text: t.oneMoment }), lists = h('div', { class: 'about order-book' });
  const zone = state().board?.zone ?? '';
  const fail = (/** @type {unknown} */ error) => {
    const { code = 'internal', message } = /** @type {import('../backend.js').CommandError} */ (error ?? {});
    lead.textContent = problem(code, message);
  };
  const show = async () => {
    try {
      const book = /** @type {OrderBook} */ (await backend.call('order_book'));
      lead.textContent = t.order.waiting(book.reports.length);
      lists.replaceChildren(...sections(book));
    } catch (error) {
      fail(error);
      lists.replaceChildren();
    }
  };
  /** Runs a command, says it, and shows the page anew. @param {string} name @param {object} args @param {string} done */
  const run = async (name, args, done) => {
    try {
      await backend.call(name, args);
      announce(done);
      await show();
      lead.focus(); // the button that had the focus is gone
    } catch (error) {
      fail(error);
    }
  };
  /** @param {OrderBook} book */
  const sections = ({ reports, suspended, acts, left_out: leftOut }) => [
    listed(t.order.reports, reports.map(reportItem), t.order.noReports),
    listed(t.order.suspendedPeople, suspended.map(suspendedItem), t.order.nobodySuspended),
    listed(t.order.acts, acts.map(actItem), t.order.noActs),
    ...(leftOut ? [h('p', { class: 'quiet', text: t.about.leftOut(leftOut) })] : []),
    h('p', { class: 'quiet', text: t.order.kept }),
  ];
  /** @param {OrderReport} one */
  const reportItem = one => h('li', {},
    h('strong', { dir: 'auto', text: one.of.name }), h('span', { class: 'said', dir: 'auto', text: one.text }),
    h('span', { class: 'quiet', text: [t.order.by(isolated(one.by.name)), one.in_call ? t.order.inCall : t.order.onBoard, moment(one.at_ms, zone)].join(' · ') }),
    h('div', { class: 'row wrap' },
      h('button', { type: 'button', class: 'small', 'aria-label': `${t.order.done}: ${one.of.name}`, text: t.order.done, onclick: () => run('close_report', { report: one.id }, t.order.reportClosed) }),
      h('button', { type: 'button', class: 'small danger-text', 'aria-label': `${t.order.suspend} ${one.of.name}`, text: t.order.suspend, onclick: () => suspend(one.of.id, one.of.name, show) })));
  /** @param {SuspendedPerson} one */
  const suspendedItem = one => h('li', {},
    h('strong', { dir: 'auto', text: one.name || t.order.erased }), h('span', { class: 'said', dir: 'auto', text: one.reason }),
    h('span', { class: 'quiet', text: one.until_ms ? t.order.until(moment(one.until_ms, zone)) : t.order.untilLifted }),
    h('div', { class: 'row wrap' },
      h('button', { type: 'button', class: 'small', 'aria-label': `${t.order.lift}: ${one.name || t.order.erased}`, text: t.order.lift, onclick: () => run('lift', { person: one.id }, t.order.lifted(one.name || t.order.erased)) })));
  /** @param {StewardAct} one */
  const actItem = one => h('li', {},
    h('strong', { text: t.order.did[one.kind](isolated(one.name || t.order.erased), isolated(one.topic || t.table)) }),
    ...(one.reason ? [h('span', { class: 'said', dir: 'auto', text: one.reason })] : []),
    h('span', { class: 'quiet', text: `${t.order.bySteward(isolated(one.steward || t.order.erased))} · ${moment(one.at_ms, zone)}` }));
  openDialog({ title: t.order.page, class: 'about-sheet order-sheet', body: [lead, lists] });
  show();
}

/** A name of any direction within a sentence (Unicode UAX 9, isolates). @param {string} name */
const isolated = name => `\u2068${name}\u2069`;

/** @param {string} title @param {HTMLLIElement[]} items @param {string} none */
const listed = (title, items, none) => h('section', {}, h('h3', { text: title }), items.length ? h('ul', { role: 'list' }, ...items) : h('p', { class: 'quiet', text: none }));
