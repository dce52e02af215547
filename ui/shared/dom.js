// Creates and updates elements. Text is always set as text, never as markup.

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * Creates an HTML element. An attribute `on…` adds a listener, `text` sets the text, and a boolean sets or omits the attribute.
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
 * Adds attributes, listeners and children to an element, as `h` does.
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
 * Creates an SVG element, as `h` does.
 * @param {string} tag @param {Record<string, any>} [attributes] @param {...Child} children
 * @returns {SVGElement}
 */
export function s(tag, attributes = {}, ...children) {
  return fill(/** @type {SVGElement} */ (document.createElementNS(SVG, tag)), attributes, children);
}

/** Sets an attribute, or removes it for null, undefined and false. Does nothing if it already has the value. @param {Element} element @param {string} name @param {any} value */
export function attribute(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const wanted = value === true ? '' : String(value);
  if (element.getAttribute(name) !== wanted) element.setAttribute(name, wanted);
}

/** Sets the text of a node, unless it already has it. @param {Node} node @param {string} value */
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/** Shows or hides an element. @param {Element} element @param {boolean} yes */
export function shown(element, yes) {
  attribute(element, 'hidden', !yes);
}

/**
 * Synchronizes a container's children with a list by key. Remaining children are neither rebuilt nor moved without need,
 * so that focus, scrolling and pictures survive. The container must have no other children.
 * @template T
 * @template {Element} E
 * @param {Element} container
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => E} make
 * @param {(element: E, item: T) => void} [update] called for each child, also for new ones
 */
export function keyed(container, items, key, make, update) {
  const kept = keptChildren(container);
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
const keptByContainer = new WeakMap();

/** @param {Element} container @returns {Map<string, Element>} */
function keptChildren(container) {
  let kept = keptByContainer.get(container);
  if (!kept) keptByContainer.set(container, kept = new Map());
  return kept;
}

let ids = 0;

/** Returns a new element id, for `aria-labelledby` and similar attributes. @param {string} stem */
export const id = stem => `${stem}-${++ids}`;

/** Whether a key press belongs to an input method's composition. WebKit indicates this only by the key code. @param {KeyboardEvent} event */
export const composing = event => event.isComposing || event.keyCode === 229;
