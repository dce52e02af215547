// What a browser is called in the list of an account's devices. No DOM.

/** Browsers by a part of their user agent, the more particular ones first: most of them also name another. */
const BROWSERS = [['Edg', 'Edge'], ['OPR/', 'Opera'], ['Whale/', 'Whale'], ['SamsungBrowser/', 'Samsung Internet'], ['KAKAOTALK', 'KakaoTalk'], ['Firefox/', 'Firefox'], ['FxiOS/', 'Firefox'], ['CriOS/', 'Chrome'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']];
const SYSTEMS = [['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Android', 'Android'], ['Windows', 'Windows'], ['Mac OS X', 'Mac'], ['CrOS', 'ChromeOS'], ['Linux', 'Linux']];

/** "Chrome, Android", or an empty text for an unknown browser. @param {string} userAgent */
export function deviceName(userAgent) {
  const named = (/** @type {string[][]} */ all) => all.find(([part]) => userAgent.includes(part))?.[1];
  return [named(BROWSERS), named(SYSTEMS)].filter(Boolean).join(', ');
}
