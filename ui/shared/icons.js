// Line icons, 24 × 24, drawn for this app. Each button also has a text.

import { s } from './dom.js';

const paths = {
  microphone: ['M12 3.5a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0v-5a3 3 0 0 1 3-3Z', 'M5.5 11.5a6.5 6.5 0 0 0 13 0', 'M12 18v3'],
  microphoneOff: ['M9 9.5v2a3 3 0 0 0 4.8 2.4', 'M15 10.5v-4a3 3 0 0 0-5.7-1.3', 'M5.5 11.5a6.5 6.5 0 0 0 10 5.5', 'M18.5 11.5a6.4 6.4 0 0 1-.7 2.9', 'M12 18v3', 'M4 4l16 16'],
  camera: ['M4.5 7h8.5a1.5 1.5 0 0 1 1.5 1.5v7a1.5 1.5 0 0 1-1.5 1.5H4.5A1.5 1.5 0 0 1 3 15.500v-7A1.500 1.500 0 0 1 4.500 7Z', 'M14.500 11l6-3.500v9l-6-3.500'],
  cameraOff: ['M10.500 7h2.500a1.500 1.500 0 0 1 1.500 1.500V11l6-3.500v9', 'M14.500 14.500v1a1.500 1.500 0 0 1-1.500 1.500H4.500A1.500 1.500 0 0 1 3 15.500v-7A1.500 1.500 0 0 1 4.500 7H6', 'M4 4l16 16'],
  chat: ['M5.500 5h13A1.500 1.500 0 0 1 20 6.500v9a1.500 1.500 0 0 1-1.500 1.500H11l-4.500 3.500V17h-1A1.500 1.500 0 0 1 4 15.500v-9A1.500 1.500 0 0 1 5.500 5Z'],
  people: ['M9 11.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7Z', 'M2.500 20a6.500 6.500 0 0 1 13 0', 'M15.500 4.900a3.500 3.500 0 0 1 0 6.200', 'M18 14.500a6.500 6.500 0 0 1 3.500 5.500'],
  more: ['M5.500 12h.01', 'M12 12h.01', 'M18.500 12h.01'],
  leave: ['M3 15.500c-1-5 4.500-7.500 9-7.500s10 2.500 9 7.500l-4.500-1v-3c-3-1-6-1-9 0v3Z'],
  settings: ['M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z', 'M12 3v2.500M12 18.500V21M3 12h2.500M18.500 12H21M5.600 5.600l1.800 1.800M16.600 16.600l1.800 1.800M5.600 18.400l1.800-1.800M16.600 7.400l1.800-1.800'],
  close: ['M6 6l12 12M18 6L6 18'],
  plus: ['M12 5v14M5 12h14'],
  copy: ['M9 9h10v11H9Z', 'M15 9V4H5v11h4'],
  lock: ['M6 11h12v9H6Z', 'M8.500 11V8a3.500 3.500 0 0 1 7 0v3'],
  door: ['M6 20.500V4h12v16.500', 'M3.500 20.500h17', 'M14.500 12.500h.01'],
  grid: ['M4 5h7v6H4ZM13 5h7v6h-7ZM4 13h7v6H4ZM13 13h7v6h-7Z'],
  stage: ['M4 5h16v9H4Z', 'M4 17h4v3H4ZM10 17h4v3h-4ZM16 17h4v3h-4Z'],
  speaker: ['M4 9.500h3.500L12 5.500v13l-4.500-4H4Z', 'M15.500 9a4.500 4.500 0 0 1 0 6', 'M18 6.500a8 8 0 0 1 0 11'],
  statistics: ['M4 20V4M4 20h16', 'M8 16v-4M12 16V8M16 16v-6'],
  check: ['M5 12.500l4.500 4.500L19 7.500'],
  calendar: ['M4.500 6h15v14h-15Z', 'M4.500 10h15M8.500 3.500V7M15.500 3.500V7'],
  link: ['M10 14a4 4 0 0 0 5.700 0l3-3a4 4 0 0 0-5.700-5.700l-1 1', 'M14 10a4 4 0 0 0-5.700 0l-3 3a4 4 0 0 0 5.700 5.700l1-1'],
  warning: ['M12 4l9 16H3Z', 'M12 10v4M12 17h.01'],
  trash: ['M4.500 7h15M9.500 7V4.500h5V7M6.500 7l1 13h9l1-13'],
  home: ['M4 18c0-6 3.500-10 8-10s8 4 8 10Z', 'M2.500 18h19', 'M12 8V5.500'],
  back: ['M14.500 5.500L8 12l6.500 6.500'],
  down: ['M6 9.500l6 6 6-6'],
  clock: ['M12 20.500a8.500 8.500 0 1 0 0-17 8.500 8.500 0 0 0 0 17Z', 'M12 7.500V12l3 2'],
  remove: ['M9 11.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7Z', 'M2.500 20a6.500 6.500 0 0 1 13 0', 'M16.500 8.500h5'],
};

/** @typedef {keyof typeof paths} IconName */

/** @param {IconName} name */
export function icon(name) {
  const drawn = s('svg', { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' });
  draw(drawn, name);
  return drawn;
}

/** Changes an icon into another. @param {SVGElement} drawn @param {IconName} name */
export function draw(drawn, name) {
  if (drawn.dataset.name === name) return;
  drawn.dataset.name = name;
  drawn.replaceChildren(...paths[name].map(d => s('path', { d })));
}
