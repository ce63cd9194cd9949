// The moment when an order is paid: a small burst of colour, and, for readers who chose it, a soft sound and a short vibration.
// The sound is made here, so that no file is loaded. Who prefers less motion sees no burst.

import { t } from './i18n.js';
import { el, style } from './ui.js';

await style('cheer');

const CHOICE = 'livesouk.cheer';
const PIECES = 18;
/** Two notes of a bell, one after the other: hertz, and when they begin in seconds. */
const NOTES = [
  [880, 0],
  [1318.5, 0.12],
];
const VOLUME = 0.06;
const NOTE_S = 0.9;
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

/** @returns {boolean} */
function isChosen() {
  try {
    return localStorage.getItem(CHOICE) === 'on';
  } catch {
    // Private mode.
    return false;
  }
}

/** @param {boolean} isOn */
function choose(isOn) {
  try {
    localStorage.setItem(CHOICE, isOn ? 'on' : 'off');
  } catch {
    // Private mode: the choice is not kept.
  }
}

/** The box to tick for the sound and the vibration. A choice is answered by what it brings. */
export function cheerChoice() {
  const box = el('input', { type: 'checkbox', checked: isChosen(), 'data-test': 'cheer' });
  box.addEventListener('change', () => {
    choose(box.checked);
    if (box.checked) soundAndVibration();
  });
  return el('label.tick.cheer-choice', {}, box, el('span', {}, t('cheer.choice')));
}

/**
 * @param {HTMLElement} node around which the burst is seen
 */
export function cheer(node) {
  if (isChosen()) soundAndVibration();
  if (!reducedMotion.matches) burst(node);
}

/** @param {HTMLElement} node */
function burst(node) {
  const layer = el('span.cheer', { 'aria-hidden': 'true', 'data-test': 'cheer-burst' });
  for (let i = 0; i < PIECES; i++) {
    const piece = el('i');
    const angle = (i / PIECES) * 2 * Math.PI;
    const far = 4 + Math.random() * 4;
    piece.style.setProperty('--x', `${(Math.cos(angle) * far).toFixed(2)}rem`);
    piece.style.setProperty('--y', `${(Math.sin(angle) * far - 1.5).toFixed(2)}rem`);
    piece.style.setProperty('--hue', String(Math.round(Math.random() * 360)));
    layer.append(piece);
  }
  layer.addEventListener('animationend', ({ target }) => {
    if (target === layer.lastChild) layer.remove();
  });
  node.append(layer);
}

function soundAndVibration() {
  navigator.vibrate?.([20, 60, 30]);
  if (!('AudioContext' in window)) return;
  const audio = new AudioContext();
  for (const [hertz, start] of NOTES) {
    const tone = new OscillatorNode(audio, { type: 'sine', frequency: hertz });
    const volume = new GainNode(audio, { gain: 0 });
    const at = audio.currentTime + start;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(VOLUME, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + NOTE_S);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + NOTE_S);
  }
  setTimeout(() => audio.close().catch(() => {}), (NOTE_S + 1) * 1_000);
}
