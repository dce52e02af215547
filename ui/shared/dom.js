// Making and keeping elements. Text is only ever set as text: what people write is never read as markup.

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * Makes an element. `on…` are listeners, `text` its text, booleans are present or absent attributes.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * @template {Element} E
 * @param {E} element @param {Record<string, any>} attributes @param {Child[]} [children]
 * @returns {E}
 */
export function fill(element, attributes, children = []) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'text') element.textContent = value;
    else attribute(element, name, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @param {string} tag @param {Record<string, any>} [attributes] @param {...Child} children
 * @returns {SVGElement}
 */
export function s(tag, attributes = {}, ...children) {
  return fill(/** @type {SVGElement} */ (document.createElementNS(SVG, tag)), attributes, children);
}

/** Sets, or for null and false takes away, and touches nothing that is so already. @param {Element} element @param {string} name @param {any} value */
export function attribute(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const wanted = value === true ? '' : String(value);
  if (element.getAttribute(name) !== wanted) element.setAttribute(name, wanted);
}

/** Sets the text if it is another. @param {Node} node @param {string} value */
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/** Shows or hides. @param {Element} element @param {boolean} yes */
export function shown(element, yes) {
  attribute(element, 'hidden', !yes);
}

/**
 * Keeps a container's children in step with a list, by key: what stays is neither rebuilt nor moved without need, so
 * that focus, scrolling and pictures survive. Children that did not come from here must not be in it.
 * @template T
 * @template {Element} E
 * @param {Element} container
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => E} make
 * @param {(element: E, item: T) => void} [update] called for new and old ones
 */
export function keyed(container, items, key, make, update) {
  const kept = keep(container);
  const wanted = new Set(items.map(key));
  for (const [name, element] of kept) {
    if (wanted.has(name)) continue;
    element.remove();
    kept.delete(name);
  }
  let place = container.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let element = /** @type {E | undefined} */ (kept.get(name));
    if (!element) kept.set(name, element = make(item));
    if (element === place) place = place.nextElementSibling;
    else container.insertBefore(element, place);
    update?.(element, item);
  }
}

/** @type {WeakMap<Element, Map<string, Element>>} */
const keeps = new WeakMap();

/** @param {Element} container @returns {Map<string, Element>} */
function keep(container) {
  let kept = keeps.get(container);
  if (!kept) keeps.set(container, kept = new Map());
  return kept;
}

let ids = 0;

/** An id for `aria-labelledby` and its kind. @param {string} stem */
export const id = stem => `${stem}-${++ids}`;

/** Whether a key press belongs to an input method that is still composing; on WebKit only the key code tells. @param {KeyboardEvent} event */
export const composing = event => event.isComposing || event.keyCode === 229;
