// What tests ask of a page with the mock of Tauri, and the words of both languages.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ui } from './window.mjs';

/** All texts, by language. */
export const words = {};
for (const language of ['en', 'ko']) {
  // Node takes the files for CommonJS, because ui/ has no package.json.
  const source = await readFile(path.join(ui, `shared/strings/${language}.js`), 'utf8');
  words[language] = (await import(`data:text/javascript;base64,${Buffer.from(source).toString('base64')}`))[language];
}

/** The arguments of all calls of a command. */
export const calls = (page, command) => page.evaluate(name => window.mock.calls.filter(one => one.command === name).map(one => one.args), command);
/** Waits until a function returns true in the page. */
export const until = (page, check, ...args) => page.waitForFunction(check, { timeout: 20_000 }, ...args);
/** Waits for a text in one of the elements. */
export const says = (page, text, selector = 'dialog[open]') => until(page, (selector, text) => [...document.querySelectorAll(selector)].some(one => one.innerText.includes(text)), selector, text);
/** Waits for an announcement to screen readers. */
export const said = (page, text) => until(page, text => [...document.querySelectorAll('.notices [role=status]')].some(one => one.textContent.includes(text)), text);
