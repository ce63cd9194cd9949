// Who uses this tab, and whether a link may change that.
//
// A sign-in link can be planted. Whoever made it sees what its reader buys, and where it is sent. So a link signs in without
// a question only if it names the person of this tab, or if this tab and this device know nobody else.

import { asRefusal, post, session, token } from './api.js';
import { load, refusalText, t } from './i18n.js';
import { showUnreachable } from './lazy.js';
import { toast } from './ui.js';

/** @import { Identity, Person } from './types.d.ts' */

/** Who signed in on this device, the last one first. It holds names and ids, and no tokens. */
const PEOPLE = 'livesouk.people';
const PEOPLE_MAX = 8;
const NAME_MAX = 40;

/**
 * The person that a token names, or null. The page cannot check the signature; the server does, with every request.
 * @param {string | null | undefined} jwt
 * @returns {Person | null}
 */
export function personOf(jwt) {
  try {
    const claims = (jwt ?? '').split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(claims), (char) => char.charCodeAt(0));
    const { sub, name } = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof sub !== 'string' || !sub) return null;
    // Marks that nobody can see would let one name look like another.
    const shown = String(name ?? '').replace(/[\p{Cc}\p{Cf}]/gu, '');
    return { sub, name: [...shown].slice(0, NAME_MAX).join('') || sub };
  } catch {
    return null;
  }
}

/** The person of this tab: whose token it has, else who signed in in this browser. */
export const currentPerson = () => personOf(token.get()) ?? session.get();

/**
 * Signs this tab in with a token. What the tab kept for another person is forgotten.
 * @param {string} jwt
 */
export function become(jwt) {
  const person = personOf(jwt);
  forgetOthers(person);
  token.set(jwt);
  if (person) remember(person);
}

/**
 * The server signed this browser in by a session.
 * @param {Identity} who
 */
export function signedIn({ user, name }) {
  if (!user) return;
  const person = { sub: user, name: name ?? user };
  forgetOthers(person);
  // It would come before the session.
  token.clear();
  session.set(person);
  remember(person);
}

/** What the tab kept for another person goes. @param {Person | null} person */
function forgetOthers(person) {
  const before = currentPerson();
  if (!before || before.sub === person?.sub) return;
  const own = Object.keys(sessionStorage).filter((slot) => slot.startsWith('livesouk.'));
  for (const slot of own) sessionStorage.removeItem(slot);
}

/** @param {Person} person */
function remember({ sub, name }) {
  const others = knownPeople().filter((other) => other.sub !== sub);
  try {
    localStorage.setItem(PEOPLE, JSON.stringify([{ sub, name }, ...others].slice(0, PEOPLE_MAX)));
  } catch {
    // Private mode: this device remembers nobody.
  }
}

/** @returns {Person[]} */
function knownPeople() {
  try {
    const people = JSON.parse(localStorage.getItem(PEOPLE) ?? '[]');
    return people.filter((/** @type {Partial<Person>} */ { sub, name }) => sub && name);
  } catch {
    return [];
  }
}

/**
 * Signs this tab in by a link, or asks first if that would replace somebody. Never rejects.
 * @param {import('./sign_in_link.js').Link} link
 * @param {boolean} isPersonal
 */
export async function signInByLink({ kind, value }, isPersonal) {
  try {
    const jwt = kind === 'code' ? await redeem(value) : value;
    const person = personOf(jwt);
    if (!person) return await warn(() => t('error.token_invalid'));
    const replaced = replacedBy(person);
    if (!replaced) return become(jwt);
    const answered = askBefore(jwt, person, replaced).catch(showUnreachable);
    if (isPersonal && !currentPerson()) await answered;
  } catch (error) {
    await warn(() => refusalText(asRefusal(error)));
  }
}

/** A code that another site may have put into the address is not used. */
export const refuseLink = () => warn(() => t('error.sign_in_code_invalid'));

/**
 * Exchanges a one-time code for the token behind it. The code is bound to the site that asked for it, which is the site
 * that linked here.
 * @param {string} code
 */
async function redeem(code) {
  const origin = document.referrer ? new URL(document.referrer).origin : null;
  /** @type {{ token: string }} */
  const answer = await post('/sign-in-codes/redeem', { code, origin });
  return answer.token;
}

/**
 * Whom a link to `next` would replace: the person of this tab, or else the last person of a device that does not know `next`.
 * @param {Person} next
 * @returns {Person | null}
 */
function replacedBy(next) {
  const current = currentPerson();
  if (current) return current.sub === next.sub ? null : current;
  const people = knownPeople();
  return people.some(({ sub }) => sub === next.sub) ? null : (people[0] ?? null);
}

/**
 * @param {string} jwt
 * @param {Person} next
 * @param {Person} replaced
 */
async function askBefore(jwt, next, replaced) {
  const { askToSwitch } = await import('./switch_person.js');
  const isHere = currentPerson()?.sub === replaced.sub;
  if (!(await askToSwitch({ replaced, isHere, next }))) return;
  become(jwt);
  location.reload();
}

/** @param {() => string} text */
async function warn(text) {
  // Without its texts the page still says what it can.
  await load('buy').catch(() => {});
  toast(text(), { kind: 'warn' });
}
