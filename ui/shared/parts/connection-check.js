// The connection check: what the network lets through to a server, and what to ask the network's owner for. The app runs it
// and words it; this dialog shows the report.

import { backend, state } from '../backend.js';
import { h } from '../dom.js';
import { hostOf } from '../server.js';
import { language, problem, t } from '../strings.js';
import { openDialog } from './dialog.js';
import { announce, attempt } from './notices.js';
import { OthersConnection } from './others-connection.js';

/** @typedef {import('../model.d.ts').ConnectionReport} Report */
/** @typedef {import('../model.d.ts').FindingReport} Finding */
/** @typedef {import('../model.d.ts').HopReport} Hop */
/** @typedef {{ url: string, fingerprint: string | null }} Server */

/** The running check, so that a dialog that is opened again shows the same one. @type {{ key: string, report: Promise<Report> } | null} */
let running = null;

/** Opens the dialog and checks a server, by default the one in use. @param {Server} [server] */
export function checkConnection(server) {
  const body = h('div', { class: 'connection-check', 'aria-live': 'polite' });
  const others = state().call.stage.kind === 'joined' ? new OthersConnection() : null;
  const dialog = openDialog({ title: t.checkConnection, class: 'connection-sheet', body: others ? [body, others] : [body] });
  const check = async () => {
    const host = hostOf(server?.url ?? currentServer());
    body.replaceChildren(h('p', { class: 'lead' }, h('span', { class: 'pulse' }), h('span', { text: t.checkingConnection(host) })), h('p', { class: 'quiet', text: t.checkTakes }));
    try {
      const report = await start(server);
      if (dialog.open) body.replaceChildren(...parts(report, again));
    } catch (error) {
      const { code, message } = /** @type {import('../backend.js').CommandError} */ (error);
      if (dialog.open) body.replaceChildren(h('p', { class: 'trouble', text: problem(code, message) }), actions(null, again));
    }
  };
  const again = () => {
    others?.ask();
    check();
  };
  check();
}

/** @param {Server} [server] @returns {Promise<Report>} */
function start(server) {
  const key = JSON.stringify([server?.url, server?.fingerprint, language]);
  if (running?.key === key) return running.report;
  const report = backend.call('check_connection', { server: server?.url, fingerprint: server?.fingerprint, language });
  running = { key, report };
  const ended = () => { if (running?.report === report) running = null; };
  report.then(ended, ended);
  return report;
}

/** The server that is checked if none is named. */
function currentServer() {
  const { session, settings } = state();
  return session.kind !== 'closed' ? session.server : settings.servers[settings.server ?? 0]?.url ?? '';
}

/** @param {Report} report @param {() => void} again */
function parts(report, again) {
  return [
    h('p', { class: 'lead verdict', 'data-verdict': report.verdict, text: report.summary }),
    ...report.findings.map(finding),
    h('details', {}, h('summary', { text: t.checkDetails }), h('ul', { class: 'hops', role: 'list' }, ...report.hops.map(hop))),
    actions(report, again),
  ];
}

/** @param {Finding} finding */
const finding = ({ severity, what, meaning, ask }) =>
  h('section', { class: 'finding', 'data-severity': severity }, h('h3', { text: what }), h('p', { text: meaning }), ask ? h('p', { class: 'ask', text: ask }) : null);

/** @param {Hop} hop */
const hop = ({ name, what, passed, code, detail }) =>
  h('li', { 'data-passed': String(passed) }, h('strong', { text: name }), h('span', { class: 'what', text: what }), h('span', { text: outcome(passed) }), h('span', { class: 'quiet', text: [passed === false ? code : '', detail].filter(Boolean).join(' · ') }));

/** @param {boolean | null} passed */
const outcome = passed => passed === null ? '' : passed ? t.hopPassed : t.hopFailed;

/** @param {Report | null} report @param {() => void} again */
function actions(report, again) {
  const copy = report && h('button', { type: 'button', text: t.copyReport, onclick: async () => {
    if (await attempt(backend.call('copy', { text: plain(report) }).then(() => true))) announce(t.reportCopied);
  } });
  return h('div', { class: 'actions' }, copy, h('button', { type: 'button', id: 'check-again', text: t.checkAgain, onclick: again }));
}

/** The report as text, for the network's owner. @param {Report} report */
function plain({ host, port, summary, findings, hops }) {
  return [`${host}:${port}`, summary, ...findings.flatMap(one => ['', one.what, one.meaning, one.ask]), '',
    ...hops.map(one => [one.name, one.what, outcome(one.passed), one.passed === false ? one.code : '', one.detail].filter(Boolean).join('  '))].join('\n');
}
