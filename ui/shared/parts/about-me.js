// What the server has stored about the person who asks: a list to read, a file to keep, and erasing all of it.

import { avatar, ownLook } from '../avatar.js';
import { backend, state } from '../backend.js';
import { h } from '../dom.js';
import { problem, t } from '../strings.js';
import { clock, dayOf, differsFromLocal, longDay, zoneName, zoneOr } from '../times.js';
import { ask, openDialog } from './dialog.js';
import { actWords } from './order.js';

/** @typedef {import('../model.d.ts').AboutMe} AboutMe */
/** @typedef {import('../model.d.ts').AboutTable} AboutTable */
/** @typedef {import('../model.d.ts').AboutAccount} AboutAccount */
/** @typedef {import('../model.d.ts').Waiting} Waiting */

/** Opens the dialog and asks the server. */
export function openAboutMe() {
  // Only these lines are spoken by themselves. The list is read when the person goes there.
  const lead = h('p', { class: 'lead', role: 'status', tabindex: '-1', text: t.about.wait }), outcome = h('p', { class: 'outcome', role: 'status' });
  const list = h('div', { class: 'about' }), buttons = h('div', { class: 'actions' });
  const dialog = openDialog({ title: t.aboutMe, class: 'about-sheet', body: [lead, list, outcome, buttons] });
  /** Runs a command, and says in the dialog how it went: notices are behind it. @param {string} name @param {(result: any) => string} done */
  const run = async (name, done) => {
    try {
      outcome.textContent = done(await backend.call(name));
      return true;
    } catch (error) {
      outcome.textContent = wordsOf(error);
      return false;
    }
  };
  const show = async () => {
    try {
      const about = await backend.call('about_me');
      lead.textContent = isEmpty(about) ? t.about.nothing : t.about.all;
      list.replaceChildren(...sections(about));
      buttons.replaceChildren(...actions(about));
    } catch (error) {
      lead.textContent = wordsOf(error);
      for (const part of [list, buttons]) part.replaceChildren();
    }
  };
  const erase = async () => {
    if (!await ask({ title: t.about.eraseSure, words: t.about.eraseWords, yes: t.about.eraseYes, danger: true })) return;
    if (!await run('forget_me', () => t.about.erased)) return;
    // Otherwise this device would send it to the server once more.
    if (hasAvatar(ownLook(state().settings))) await backend.call('set_avatar', { avatar: { color: null, glyph: null, photo: null } }).catch(() => {});
    await show();
    if (dialog.open) lead.focus(); // the button that had the focus is gone
  };
  /** @param {AboutMe} about */
  const actions = about => [h('button', { type: 'button', id: 'about-save', text: t.about.save, onclick: () => run('save_about_me', t.about.saved) }),
    ...(isEmpty(about) ? [] : [h('button', { type: 'button', class: 'danger', id: 'about-erase', text: t.about.erase, onclick: erase })])];
  show();
}

/** @param {unknown} error */
function wordsOf(error) {
  const { code = 'internal', message } = /** @type {import('../backend.js').CommandError} */ (error ?? {});
  return problem(code, message);
}

/** Whether the server has stored nothing: it knows the key and the name while the person is connected. @param {AboutMe} about */
const isEmpty = ({ tables = [], rounds = [], invites = [], met = [], reports = [], acts = [], blocked, suspension, waiting, named_by, calendar, account, avatar }) =>
  !tables.length && !rounds.length && !invites.length && !met.length && !reports.length && !acts.length && !blocked && !suspension && !waiting && !named_by && !calendar && !account && !hasAvatar(avatar);

/** @param {import('../avatar.js').Look} [look] */
const hasAvatar = look => Boolean(look && (look.photo || look.glyph || (look.color ?? null) !== null));

/** @param {AboutMe} about @returns {Node[]} */
function sections(about) {
  const zone = zoneOr(about.zone), { tables = [], rounds = [], invites = [], met = [], left_out: leftOut } = about;
  return [
    h('section', {}, h('h3', { text: t.about.you }), person(about)),
    about.account ? h('section', {}, h('h3', { text: t.about.account }), account(about.account)) : null,
    listed(t.about.tables, tables.map(one => table(one, zone))),
    listed(t.rounds.about, rounds.map(one => round(one, zone))),
    listed(t.about.eatNow, eatNow(about, zone)),
    listed(t.about.invites, invites.map(one => line(t.about.expires(moment(one.expires_ms, zone))))),
    listed(t.about.met, met.map(one => line(moment(one.at_ms, zone), t.about.people(one.people))), t.about.metKept(about.met_days)),
    listed(t.order.aboutTitle, order(about, zone), t.order.aboutOthers),
    listed(t.order.aboutActs, acts(about, zone)),
    leftOut ? h('p', { text: t.about.leftOut(leftOut) }) : null,
    h('p', { class: 'quiet', text: [t.about.unstored, differsFromLocal(about.now_ms, zone) ? t.about.times(zoneName(about.now_ms, zone)) : ''].join(' ').trim() }),
  ].filter(part => part !== null);
}

/** @param {AboutMe} about */
function person({ names, key, member, presence, sessions, calendar, avatar: look }) {
  const rows = [[t.about.name, names.join(', ')], [t.about.key, key], [t.about.role, member ? t.about.member : t.about.guest], [t.about.now, `${t.presences[presence]} · ${t.about.connections(sessions)}`], ...(calendar ? [[t.about.calendar, t.about.hasCalendar]] : [])];
  const seen = hasAvatar(look) ? [h('dt', { text: t.about.avatar }), h('dd', {}, avatar(names[0] ?? '', key, look))] : [];
  return h('dl', {}, ...rows.flatMap(([name, value]) => [h('dt', { text: name }), h('dd', { dir: 'auto', text: value })]), ...seen);
}

/** @param {AboutAccount} account */
function account({ name, issuer, subject, devices }) {
  const rows = [[t.about.accountName, name], [t.about.issuer, issuer], [t.about.subject, subject]];
  return h('div', {}, h('dl', {}, ...rows.flatMap(([term, value]) => [h('dt', { text: term }), h('dd', { dir: 'auto', text: value })])),
    h('p', { text: t.about.devices(devices.map(one => one.name || t.unnamedDevice).join(', ')) }));
}

/** A list with a heading; null if there is nothing. @param {string} title @param {HTMLLIElement[]} items @param {string} [words] */
function listed(title, items, words) {
  return items.length ? h('section', {}, h('h3', { text: title }), h('ul', { role: 'list' }, ...items), words ? h('p', { class: 'quiet', text: words }) : null) : null;
}

/** @param {string} what @param {string} [more] */
const line = (what, more) => h('li', {}, h('span', { text: what }), more ? h('span', { class: 'quiet', text: more }) : null);

/** @param {AboutTable} one @param {string} zone */
function table(one, zone) {
  const when = `${moment(one.starts_ms, zone)}–${clock(one.ends_ms, zone)}`;
  return h('li', {}, h('strong', { dir: 'auto', text: [one.topic || t.usualTopic, one.place].filter(Boolean).join(', ') }),
    h('span', { text: one.weekly ? `${when}, ${t.weekly}` : when }), h('span', { class: 'quiet', text: roles(one).join(', ') }));
}

/** @param {import('../model.d.ts').AboutRound} one @param {string} zone */
function round(one, zone) {
  const when = moment(one.starts_ms, zone), roles = [one.host && t.rounds.yours, one.signed_up && t.rounds.joined, one.pending && t.rounds.pending].filter(Boolean);
  return h('li', {}, h('strong', { dir: 'auto', text: one.title || t.rounds.one }), h('span', { text: one.weekly ? `${when}, ${t.weekly}` : when }), h('span', { class: 'quiet', text: roles.join(', ') }));
}

/** What the person has to do with a table. @param {AboutTable} one */
function roles(one) {
  const { host, seat, inLine, entered, removed, cancelled } = t.about;
  return [one.host && host, one.seat && seat, one.place_in_line && inLine(one.place_in_line), one.entered && entered, one.removed && removed, one.cancelled && cancelled].filter(Boolean);
}

/** @param {AboutMe} about @param {string} zone */
function eatNow({ waiting, named_by: namedBy }, zone) {
  const chosen = waiting?.with.length ?? 0;
  return [waiting ? line(t.about.waiting(moment(waiting.since_ms, zone)), chosen ? t.about.chosen(chosen) : '') : null, namedBy ? line(t.about.chosenBy(namedBy)) : null].filter(item => item !== null);
}

/** @param {AboutMe} about @param {string} zone */
const order = ({ blocked, reports = [] }, zone) => [
  ...(blocked ? [line(t.order.aboutBlocked(blocked))] : []),
  ...reports.map(one => h('li', {}, h('span', { text: t.order.aboutReports }), h('span', { dir: 'auto', text: one.text }), h('span', { class: 'quiet', text: moment(one.at_ms, zone) }))),
];

/** @param {AboutMe} about @param {string} zone */
const acts = ({ acts: all = [], suspension }, zone) => [
  ...(suspension ? [line(`${t.order.youAre}. ${t.order.because(suspension.reason)}`, suspension.until_ms ? t.order.ends(moment(suspension.until_ms, zone)) : t.order.endsWhenLifted)] : []),
  ...all.map(one => line(actWords(one, zone), moment(one.at_ms, zone))),
];

/** "Monday, 23 November, 12:30" @param {number} ms @param {string} zone */
const moment = (ms, zone) => `${longDay(dayOf(ms, zone))}, ${clock(ms, zone)}`;
