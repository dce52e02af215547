// The dialog that sets up a table. It takes three presses: open, a time, done. Everything else is optional.

import { backend, state } from '../backend.js';
import { h, id, shown, text } from '../dom.js';
import { LIMITS, limitInput } from '../input-limit.js';
import { problem, t } from '../strings.js';
import { serverNow } from '../tables.js';
import { MINUTE, clockOfMinute, dayOf, daysFrom, differsFromLocal, longDay, minuteOf, momentOf, weekday, dayNumber, zoneName, zoneOr } from '../times.js';
import { announce } from './notices.js';
import { openDialog } from './dialog.js';
import { roundTable } from './round-table.js';

/** @typedef {import('../model.d.ts').Draft} Draft */

const MIN_SEATS = 2, MAX_SEATS = 12, DEFAULT_SEATS = 4, DAYS = 7;
const LENGTHS = [30, 45, 60, 90];
/** First and last time offered as a button, in minutes since midnight. Other times need the time field. */
const FIRST = 11 * 60, LAST = 14 * 60;

/** Opens the dialog. @param {{ day?: string, minute?: number }} [at] the preselected time; absent: now */
export function layTable(at = {}) {
  const board = state().board;
  if (!board) return;
  const zone = zoneOr(board.zone), now = () => serverNow(state().board ?? board), today = dayOf(now(), zone);
  const draft = { day: at.day ?? today, minute: at.minute ?? null, now: at.minute === undefined && !at.day, seats: DEFAULT_SEATS, minutes: 60, door: 'open', weekly: false };
  const glyph = h('div', { class: 'glyph' });
  const topicId = id('topic'), placeId = id('place'), dayId = id('day'), timeId = id('time');
  const topic = h('input', { id: topicId, type: 'text', placeholder: t.topicPlaceholder, autocomplete: 'off' });
  const where = h('input', { id: placeId, type: 'text', placeholder: t.placePlaceholder, autocomplete: 'off' });
  const times = h('div', { class: 'chips', role: 'radiogroup', 'aria-label': t.when });
  const day = h('select', { id: dayId }, ...daysFrom(now(), DAYS, zone).map(one => h('option', { value: one, text: one === today ? t.today : `${weekday(one)} ${dayNumber(one)}`, title: longDay(one) })));
  const time = h('input', { id: timeId, type: 'time', step: 300 });
  const seats = h('output', { class: 'number', text: String(draft.seats) });
  const fewer = h('button', { type: 'button', class: 'icon-only', 'aria-label': t.fewerSeats, text: '−' });
  const more = h('button', { type: 'button', class: 'icon-only', 'aria-label': t.moreSeats, text: '+' });
  const length = h('select', { id: id('length') }, ...LENGTHS.map(minutes => h('option', { value: String(minutes), text: t.minutes(minutes), selected: minutes === draft.minutes })));
  const knock = h('input', { type: 'checkbox', id: id('knock') });
  const weekly = h('input', { type: 'checkbox', id: id('weekly') });
  const zoned = h('p', { class: 'quiet', hidden: !differsFromLocal(now(), zone), text: t.timesIn(zoneName(now(), zone)) });
  const trouble = h('p', { class: 'trouble', role: 'alert', hidden: true });
  const submit = h('button', { type: 'submit', class: 'primary large', text: t.layIt });

  for (const field of [topic, where]) limitInput(field, LIMITS.label);
  day.value = draft.day;
  day.addEventListener('change', () => { draft.day = day.value; draft.now = false; if (draft.minute === null) draft.minute = defaultMinute(); updateTimes(); });
  time.addEventListener('input', () => {
    const [hour, minute] = time.value.split(':').map(Number);
    if (Number.isNaN(hour + minute)) return;
    Object.assign(draft, { minute: hour * 60 + minute, now: false });
    updateTimes();
  });
  fewer.addEventListener('click', () => addSeats(-1));
  more.addEventListener('click', () => addSeats(1));

  const form = h('form', { class: 'lay', onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); submitTable(); } },
    h('div', { class: 'lay-top' }, glyph, h('div', { class: 'lay-words' },
      h('div', { class: 'field' }, h('label', { for: topicId, text: t.topic }), topic),
      h('div', { class: 'field' }, h('label', { for: placeId, text: t.place }), where))),
    h('div', { class: 'field' }, h('span', { class: 'label', text: t.when }), times, zoned),
    h('div', { class: 'row wrap' },
      h('div', { class: 'field' }, h('label', { for: dayId, text: t.day }), day),
      h('div', { class: 'field' }, h('label', { for: timeId, text: t.time }), time),
      h('div', { class: 'field' }, h('label', { for: length.id, text: t.howLong }), length),
      h('div', { class: 'field' }, h('span', { class: 'label', text: t.seats }), h('div', { class: 'stepper', role: 'group', 'aria-label': t.seats }, fewer, seats, more))),
    h('div', { class: 'row wrap checks' },
      h('label', { class: 'check', for: knock.id }, knock, t.knockFirst), h('label', { class: 'check', for: weekly.id }, weekly, t.everyWeek)),
    trouble, h('div', { class: 'actions' }, submit));
  const dialog = openDialog({ title: t.layTable, class: 'lay-sheet', body: [form] });
  updateTimes();
  addSeats(0);
  /** @type {HTMLElement | null} */ (times.querySelector('[aria-checked=true]'))?.focus();

  /** Returns the default time: the next half hour of lunch, in minutes since midnight. */
  function defaultMinute() {
    return draft.day === today ? Math.min(LAST, Math.max(12 * 60, Math.ceil((minuteOf(now(), zone) + 1) / 30) * 30)) : 12 * 60;
  }

  function updateTimes() {
    const offered = [];
    for (let minute = FIRST; minute <= LAST; minute += 30) if (draft.day !== today || minute > minuteOf(now(), zone)) offered.push(minute);
    const options = [...(draft.day === today ? [null] : []), ...offered];
    const here = options.findIndex(minute => minute === null ? draft.now : !draft.now && minute === draft.minute);
    times.replaceChildren(...options.map((minute, n) => {
      const on = n === here;
      const chip = h('button', { type: 'button', class: 'chip', role: 'radio', 'aria-checked': String(on), tabindex: on || (here < 0 && n === 0) ? 0 : -1,
        text: minute === null ? t.now : clockOfMinute(minute) });
      chip.addEventListener('click', () => { selectTime(minute); });
      chip.addEventListener('keydown', event => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        selectTime(options[(n + step + options.length) % options.length]);
      });
      return chip;
    }));
    time.value = draft.now || draft.minute === null ? '' : clockOfMinute(draft.minute);
    if (day.value !== draft.day) day.value = draft.day;
    shown(trouble, false);
  }

  /** @param {number | null} minute */
  function selectTime(minute) {
    Object.assign(draft, minute === null ? { now: true, minute: null } : { now: false, minute });
    updateTimes();
    /** @type {HTMLElement | null} */ (times.querySelector('[aria-checked=true]'))?.focus();
  }

  /** @param {number} step */
  function addSeats(step) {
    draft.seats = Math.max(MIN_SEATS, Math.min(MAX_SEATS, draft.seats + step));
    text(seats, String(draft.seats));
    fewer.disabled = draft.seats === MIN_SEATS;
    more.disabled = draft.seats === MAX_SEATS;
    const { name } = state().settings;
    const { person, key } = state().you, own = person ?? key;
    glyph.replaceChildren(roundTable({ seats: draft.seats, taken: [{ id: own, name }], takenCount: 1, mine: own }));
  }

  /** @param {string} words */
  function showProblem(words) {
    shown(trouble, true);
    text(trouble, words);
    trouble.scrollIntoView({ block: 'nearest' });
  }

  async function submitTable() {
    const starts = draft.now ? now() : momentOf(draft.day, draft.minute ?? defaultMinute(), zone);
    if (!draft.now && starts < now() - 5 * MINUTE) return showProblem(t.problems.slot_past);
    submit.disabled = true;
    /** @type {Draft} */
    const table = { topic: topic.value.trim() || t.usualTopic, place: where.value.trim(), seats: draft.seats, now: draft.now, starts_ms: starts,
      minutes: Number(length.value), weekly: weekly.checked, door: knock.checked ? 'knock' : 'open' };
    try {
      await backend.call('lay_table', { draft: table });
      dialog.close();
      announce(t.tableLaid);
    } catch (error) {
      // Show the error in the dialog, which keeps all input.
      const { code = 'internal', message = String(error) } = /** @type {{ code?: string, message?: string }} */ (error ?? {});
      showProblem(problem(code, message));
    } finally {
      submit.disabled = false;
    }
  }
}
