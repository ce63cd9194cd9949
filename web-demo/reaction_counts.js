// How many reactions of each kind came in. The server counts all of them as likes, and says how many were which emoji; the others are
// hearts.

/** The kinds that the server knows, and what shows them. A heart is drawn as an icon. */
export const EMOJI = /** @type {const} */ ({ clap: '👏', fire: '🔥', laugh: '😂', wow: '😮' });
/** @typedef {'heart' | keyof typeof EMOJI} ReactionKind */
export const EMOJI_KINDS = /** @type {(keyof typeof EMOJI)[]} */ (Object.keys(EMOJI));
/** @type {ReactionKind[]} */
export const KINDS = ['heart', ...EMOJI_KINDS];

export const none = () =>
  /** @type {Record<ReactionKind, number>} */ ({ heart: 0, clap: 0, fire: 0, laugh: 0, wow: 0 });

/**
 * @param {number} likes
 * @param {Partial<Record<string, number>>} reactions
 */
export function countsOf(likes, reactions) {
  const counts = none();
  for (const kind of EMOJI_KINDS) counts[kind] = reactions[kind] ?? 0;
  counts.heart = likes - EMOJI_KINDS.reduce((sum, kind) => sum + counts[kind], 0);
  return counts;
}

/**
 * What came since the last counts. Counts of emoji begin again when the connection goes to another server: then nothing came.
 * @param {Record<ReactionKind, number>} before
 * @param {Record<ReactionKind, number>} now
 */
export function grownSince(before, now) {
  const grown = none();
  for (const kind of KINDS) grown[kind] = Math.max(0, now[kind] - before[kind]);
  return grown;
}
