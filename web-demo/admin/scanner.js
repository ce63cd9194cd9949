// A barcode scanner that acts as a keyboard: it types fast and ends with Enter. People type more slowly, so a scan is understood in any
// field of the page, and what it typed there is removed.

/** The most milliseconds between two keys of a scanner. Slow ones over Bluetooth take 30. */
const GAP_MS = 60;
/** Fewer keys than this may be a fast typist. */
const KEYS_MIN = 5;

/**
 * Listens to the whole page. `isOwn`: the field for codes, where Enter always means a code, however slowly it was typed.
 * @param {{ isOwn: (target: EventTarget | null) => boolean, onscan: (code: string) => void, focus: () => void }} options
 * @returns {() => void} stops listening
 */
export function listenToScanner({ isOwn, onscan, focus }) {
  let [typed, last] = ['', 0];
  /** The field where the scan began, and what it had. @type {{ field: HTMLInputElement, value: string } | null} */
  let began = null;
  /** @param {KeyboardEvent} event */
  const listen = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isOwn(event.target)) return;
    const isFast = event.timeStamp - last <= GAP_MS;
    last = event.timeStamp;
    if (event.key === 'Enter') {
      const code = typed;
      typed = '';
      if (!isFast || code.length < KEYS_MIN) return;
      event.preventDefault();
      event.stopPropagation();
      if (began && began.field === event.target) {
        began.field.value = began.value;
        began.field.dispatchEvent(new Event('input', { bubbles: true }));
      }
      onscan(code);
      return;
    }
    if (event.key.length !== 1) return;
    if (!isFast) {
      typed = '';
      const field = event.target instanceof HTMLInputElement ? event.target : null;
      began = field && { field, value: field.value };
      // Outside of every field the first key already belongs to the code.
      if (!field && event.key !== ' ' && !document.querySelector('dialog[open]')) focus();
    }
    typed += event.key;
  };
  document.addEventListener('keydown', listen, true);
  return () => document.removeEventListener('keydown', listen, true);
}
