// Saves a text as a file, where the browser puts its downloads.

/** How long the file's address stays valid, ms. A browser may ask the person first where to save it. */
const VALID_MS = 60_000;

/** @param {string} name @param {string} type MIME type @param {string} text @returns {string} the name */
export function saveText(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), VALID_MS);
  return name;
}
