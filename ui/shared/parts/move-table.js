// The dialog in which a host moves a table to another time. Of a weekly table, only this date moves.

import { backend, state } from '../backend.js';
import { h, id, shown, text } from '../dom.js';
import { problem, t } from '../strings.js';
import { serverNow } from '../tables.js';
import { MINUTE, clockOfMinute, dayNumber, dayOf, daysFrom, differsFromLocal, longDay, minuteOf, momentOf, weekday, zoneName, zoneOr } from '../times.js';
import { announce } from './notices.js';
import { openDialog } from './dialog.js';

/** @typedef {import('../model.d.ts').TableView} TableView */

const DAYS = 7;
const LENGTHS = [30, 45, 60, 90];

/** Opens the dialog. @param {TableView} table */
export function moveTable(table) {
  const board = state().board;
  if (!board) return;
  const zone = zoneOr(board.zone), now = () => serverNow(state().board ?? board), today = dayOf(now(), zone);
  const here = dayOf(table.starts_ms, zone), minutes = Math.round((table.ends_ms - table.starts_ms) / MINUTE);
  const days = [...new Set([...daysFrom(now(), DAYS, zone), here])];
  const lengths = [...new Set([...LENGTHS, minutes])].sort((a, b) => a - b);
  const day = h('select', { id: id('day') }, ...days.map(one => h('option', { value: one, text: one === today ? t.today : `${weekday(one)} ${dayNumber(one)}`, title: longDay(one), selected: one === here })));
  const time = h('input', { id: id('time'), type: 'time', required: true, value: clockOfMinute(minuteOf(table.starts_ms, zone)) });
  const length = h('select', { id: id('length') }, ...lengths.map(one => h('option', { value: String(one), text: t.minutes(one), selected: one === minutes })));
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true });
  const submit = h('button', { type: 'submit', class: 'primary', text: t.moveTable });
  const form = h('form', { onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); move(); } },
    h('p', { class: 'quiet', text: table.weekly ? t.moveOnlyThisDate : t.moveWords }),
    h('div', { class: 'row wrap' },
      h('div', { class: 'field' }, h('label', { for: day.id, text: t.day }), day),
      h('div', { class: 'field' }, h('label', { for: time.id, text: t.time }), time),
      h('div', { class: 'field' }, h('label', { for: length.id, text: t.howLong }), length)),
    h('p', { class: 'quiet', hidden: !differsFromLocal(now(), zone), text: t.timesIn(zoneName(now(), zone)) }),
    trouble, h('div', { class: 'actions' }, submit));
  const dialog = openDialog({ title: t.moveTable, class: 'move-table', body: [form] });
  day.focus();

  async function move() {
    const [hour, minute] = time.value.split(':').map(Number), starts = momentOf(day.value, hour * 60 + minute, zone);
    if (starts <= now()) return showProblem('slot_past');
    submit.disabled = true;
    try {
      await backend.call('move_table', { table: table.id, starts_ms: starts, minutes: Number(length.value) });
      dialog.close();
      announce(t.tableMoved);
    } catch (error) {
      const { code = 'internal', message = String(error) } = /** @type {{ code?: string, message?: string }} */ (error ?? {});
      // An older server does not know the request.
      showProblem(code === 'malformed' ? 'move_unsupported' : code, message);
    } finally {
      submit.disabled = false;
    }
  }

  /** @param {string} code @param {string} [message] */
  function showProblem(code, message) {
    shown(trouble, true);
    text(trouble, problem(code, message));
  }
}
