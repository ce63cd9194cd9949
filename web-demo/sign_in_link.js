// Links that sign someone in: `#token=…` with a token, `#code=…` with a one-time code. The part behind the # reaches no server.
//
// Most viewers come without such a link, so what it needs loads only with one; see identity.js.

/** @typedef {{ kind: 'token' | 'code', value: string }} Link */

/**
 * Signs in by the link that opened this page, if it is one. If that needs a question, the page opens behind the question, for
 * the person who is signed in. A page that is for nobody else (`isPersonal`) waits for the answer if there is no such person.
 * @param {{ isPersonal?: boolean }} [options]
 */
export async function signInFromAddress({ isPersonal = false } = {}) {
  addEventListener('hashchange', linkChanged);
  const link = takeLink();
  if (link) await (await import('./identity.js')).signInByLink(link, isPersonal);
}

/**
 * Takes the token or the code out of the address at once, so that a shared link does not share it.
 * @returns {Link | null}
 */
function takeLink() {
  const found = /(?:^#|&)(token|code)=([^&]*)/.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, '', location.pathname + location.search);
  const kind = found[1] === 'code' ? 'code' : 'token';
  try {
    return { kind, value: decodeURIComponent(found[2]) };
  } catch {
    return { kind, value: '' };
  }
}

/**
 * A link to the page that is open already changes only the part behind the #. Another site can change that part too, in a tab
 * that the shop's own site opened: a code does not count then.
 */
async function linkChanged() {
  if (/^#(invite|token)=/.test(location.hash)) location.reload();
  else if (takeLink()) (await import('./identity.js')).refuseLink();
}
