// The servers by which a viewer behind a strict network reaches a media server (STUN and TURN), as its WHEP answer names them.

/** One link of a `Link` header: its address, and its parameters behind it. */
const LINK = /<([^>]*)>((?:[^",<]|"(?:[^"\\]|\\.)*")*)/g;
const PARAMETER = /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]+))/g;
/** A browser slows down with many servers. */
const SERVERS_MAX = 5;

/**
 * The ICE servers of a `Link` header (RFC 9725, section 4.6): `<turn:turn.example>; rel="ice-server"; username="u"; credential="c"`.
 * Those that a browser would refuse are left out.
 * @param {string} header
 * @returns {RTCIceServer[]}
 */
export function iceServers(header) {
  const servers = [];
  for (const [, urls, rest] of header.matchAll(LINK)) {
    /** @type {Record<string, string>} */
    const given = {};
    for (const [, name, quoted, plain] of rest.matchAll(PARAMETER)) {
      given[name.toLowerCase()] = plain ?? quoted.replace(/\\(.)/g, '$1');
    }
    const { rel, username, credential } = given;
    if (!/(^| )ice-server( |$)/i.test(rel)) continue;
    if (/^stuns?:[^\s?]+$/i.test(urls)) servers.push({ urls });
    else if (/^turns?:\S+$/i.test(urls) && username && credential) servers.push({ urls, username, credential });
  }
  return servers.slice(0, SERVERS_MAX);
}
