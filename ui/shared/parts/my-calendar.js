// The address at which calendar apps find the person's lunches: shows it, opens it, and replaces or removes it.

import { backend, state } from '../backend.js';
import { attribute, h, id, text } from '../dom.js';
import { icon } from '../icons.js';
import { originOf } from '../server.js';
import { t } from '../strings.js';
import { ask, openDialog } from './dialog.js';
import { announce, attempt } from './notices.js';
import { copyText } from './table-links.js';

/** @typedef {import('../model.d.ts').CalendarAddress} CalendarAddress */

/** Opens the dialog, and asks the server for the address. */
export async function openMyCalendar() {
  const about = id('words'), name = id('address');
  const address = h('output', { class: 'link', 'aria-labelledby': name, text: t.oneMoment });
  const copy = h('button', { type: 'button', 'aria-label': `${t.copy}: ${t.calendarAddress}`, onclick: () => copyText(address.textContent ?? '', t.addressCopied) }, icon('copy'), t.copy);
  const open = h('a', { class: 'button primary', text: t.openInCalendar, onclick: (/** @type {Event} */ event) => openApp(event, open.href) });
  const replace = h('button', { type: 'button', text: t.replaceAddress, onclick: async () => { const next = await replaced(); if (next) show(next); } });
  const remove = h('button', { type: 'button', class: 'danger-text', text: t.removeAddress, onclick: async () => { if (await removed()) dialog.close(); } });
  const buttons = [copy, replace, remove];
  for (const button of buttons) button.disabled = true;
  const dialog = openDialog({ title: t.myCalendar, class: 'my-calendar', body: [
    h('p', { id: about, text: t.myCalendarWords }),
    h('div', { class: 'field' }, h('span', { class: 'label', id: name, text: t.calendarAddress }), h('div', { class: 'row link-row' }, address, copy)),
    h('p', {}, h('strong', { text: t.calendarIsSecret })),
    h('p', { class: 'quiet', text: t.calendarsAreSlow }),
    ...(server()?.fingerprint ? [h('p', { class: 'quiet', text: t.calendarSelfSigned })] : []),
    h('div', { class: 'actions' }, remove, replace, open)] });
  dialog.setAttribute('aria-describedby', about);

  /** @param {CalendarAddress} found */
  function show(found) {
    text(address, found.address);
    attribute(open, 'href', found.address.replace(/^https?:/, 'webcal:'));
    for (const button of buttons) button.disabled = false;
  }

  const found = await request();
  if (found) show(found);
  else dialog.close();
}

/** The server of the session among those of the settings, if it is there. */
function server() {
  const { session, settings } = state();
  return session.kind === 'closed' ? undefined : settings.servers.find(one => originOf(one.url) === originOf(session.server));
}

/** Asks for the address, and keeps its token in the settings: the server cannot say it again. @returns {Promise<CalendarAddress | undefined>} */
async function request() {
  const kept = server()?.calendar ?? null;
  const found = /** @type {CalendarAddress | undefined} */ (await attempt(backend.call('calendar_address', { token: kept })));
  if (found && found.token !== kept) await keep(found.token);
  return found;
}

/** @param {string | null} token */
async function keep(token) {
  const { settings } = state(), here = server();
  const servers = settings.servers.map(one => one === here ? { ...one, calendar: token } : one);
  if (here) await attempt(backend.call('save_settings', { settings: { ...settings, servers } }));
}

/** In a browser the link does it. @param {Event} event @param {string} url */
function openApp(event, url) {
  if (backend.shell !== 'app') return;
  event.preventDefault();
  attempt(backend.call('open_web', { url }).catch(error => { throw { code: 'calendar_not_opened', message: error?.message ?? '' }; }));
}

/** Returns a new address if the person wants one. @returns {Promise<CalendarAddress | undefined>} */
async function replaced() {
  if (!await ask({ title: t.replaceAddress, words: t.replaceAddressSure, yes: t.replaceAddress, danger: true })) return;
  if (!await revoke()) return;
  const found = await request();
  if (found) announce(t.addressReplaced);
  return found;
}

/** Returns whether the address is gone. */
async function removed() {
  if (!await ask({ title: t.removeAddress, words: t.removeAddressSure, yes: t.removeAddress, danger: true })) return false;
  if (!await revoke()) return false;
  await keep(null);
  announce(t.addressRemoved);
  return true;
}

const revoke = async () => (await attempt(backend.call('revoke_calendar').then(() => true))) === true;
