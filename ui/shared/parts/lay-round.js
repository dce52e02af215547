// The dialog that plans a round.

import { backend, state } from '../backend.js';
import { h, id, shown, text } from '../dom.js';
import { LIMITS, limitInput } from '../input-limit.js';
import { problem, t } from '../strings.js';
import { serverNow } from '../tables.js';
import { HOUR, clockOfMinute, dayNumber, dayOf, daysFrom, differsFromLocal, longDay, momentOf, weekday, zoneName, zoneOr } from '../times.js';
import { announce } from './notices.js';
import { openDialog } from './dialog.js';

/** @typedef {import('../model.d.ts').RoundDraft} RoundDraft */

const DAYS = 14;
const LENGTHS = [30, 45, 60, 90];
const NOON = 12 * 60;
/** Sign-up closes this long before the meal, ms. */
const CLOSES_MS = HOUR;

/** Opens the dialog. */
export function layRound() {
  const board = state().board;
  if (!board) return;
  const zone = zoneOr(board.zone), now = () => serverNow(state().board ?? board), today = dayOf(now(), zone);
  const days = daysFrom(now(), DAYS, zone), firstDay = momentOf(today, NOON, zone) - CLOSES_MS > now() ? today : days[1];
  const title = h('input', { id: id('title'), type: 'text', placeholder: t.rounds.titlePlaceholder, autocomplete: 'off', required: true });
  const day = h('select', { id: id('day') }, ...days.map(one => h('option', { value: one, text: one === today ? t.today : `${weekday(one)} ${dayNumber(one)}`, title: longDay(one), selected: one === firstDay })));
  const time = h('input', { id: id('time'), type: 'time', step: 300, required: true, value: clockOfMinute(NOON) });
  const length = h('select', { id: id('length') }, ...LENGTHS.map(minutes => h('option', { value: String(minutes), text: t.minutes(minutes), selected: minutes === 60 })));
  const size = h('select', { id: id('size') }, ...(/** @type {const} */ (['threes', 'fours'])).map(one => h('option', { value: one, text: t.rounds.sizes[one] })));
  const weekly = h('input', { type: 'checkbox', id: id('weekly'), checked: true });
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true });
  const submit = h('button', { type: 'submit', class: 'primary', text: t.rounds.layIt });
  limitInput(title, LIMITS.label);
  const form = h('form', { class: 'lay', onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); submitRound(); } },
    h('p', { class: 'quiet', text: t.rounds.words }),
    h('div', { class: 'field' }, h('label', { for: title.id, text: t.rounds.name }), title),
    h('div', { class: 'row wrap' },
      h('div', { class: 'field' }, h('label', { for: day.id, text: t.day }), day),
      h('div', { class: 'field' }, h('label', { for: time.id, text: t.time }), time),
      h('div', { class: 'field' }, h('label', { for: length.id, text: t.howLong }), length),
      h('div', { class: 'field' }, h('label', { for: size.id, text: t.rounds.groups }), size)),
    h('div', { class: 'row wrap checks' }, h('label', { class: 'check', for: weekly.id }, weekly, t.everyWeek)),
    h('p', { class: 'quiet', hidden: !differsFromLocal(now(), zone), text: t.timesIn(zoneName(now(), zone)) }),
    trouble, h('div', { class: 'actions' }, submit));
  const dialog = openDialog({ title: t.rounds.lay, class: 'round-sheet', body: [form] });
  title.focus();

  async function submitRound() {
    const [hour, minute] = time.value.split(':').map(Number), starts = momentOf(day.value, hour * 60 + minute, zone);
    if (!title.value.trim()) return showProblem(t.rounds.titleMissing);
    if (starts - CLOSES_MS <= now()) return showProblem(problem('sign_up_closed', ''));
    submit.disabled = true;
    /** @type {RoundDraft} */
    const draft = { title: title.value.trim(), starts_ms: starts, minutes: Number(length.value), weekly: weekly.checked, size: size.value === 'fours' ? 'fours' : 'threes' };
    try {
      await backend.call('lay_round', { draft });
      dialog.close();
      announce(t.rounds.laid);
    } catch (error) {
      const { code = 'internal', message = String(error) } = /** @type {{ code?: string, message?: string }} */ (error ?? {});
      // An older server does not know the request.
      showProblem(problem(code === 'server_too_old' ? 'rounds_unsupported' : code, message));
    } finally {
      submit.disabled = false;
    }
  }

  /** @param {string} words */
  function showProblem(words) {
    shown(trouble, true);
    text(trouble, words);
    trouble.scrollIntoView({ block: 'nearest' });
  }
}
