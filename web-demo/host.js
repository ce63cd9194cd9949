// The host console: signs the host in, shows the list of shows or one show's console, and joins the console's parts.
//
// Everything a host does goes out by REST, so that a refusal comes back in words; everything that happened comes in by
// the same socket the viewers have. What a host sees is therefore what viewers see.

import { get, post, takeTokenFromAddress, token } from './api.js';
import { connect } from './client.js';
import { connectionBar } from './conn.js';
import { Air } from './host/air.js';
import { Before } from './host/before.js';
import { catalogue } from './host/catalogue.js';
import { Feed } from './host/feed.js';
import { Numbers } from './host/numbers.js';
import { People } from './host/people.js';
import { canRehearse, rehearse } from './host/rehearse.js';
import { reportSheet } from './host/report.js';
import { Rundown } from './host/rundown.js';
import { showList } from './host/shows.js';
import { openInvite, takeInviteFromAddress, teamSheet } from './host/team.js';
import { clock, languageSwitch, load, refusal, t, titleOf, translate } from './i18n.js';
import { plate, problemPage } from './problem.js';
import { busy, confirmDialog } from './sheet.js';
import { signIn } from './signin.js';
import { el, everySecond, fillIcons, put, show, toast } from './ui.js';

const $ = (id) => document.getElementById(id);
const tell = (problem) => toast(refusal(problem), { kind: 'warn' });
const STAFF = new Set(['host', 'producer', 'moderator', 'analyst', 'admin']);

await Promise.all([load('host'), load('buy')]);
translate();
fillIcons();
takeTokenFromAddress();
const invite = takeInviteFromAddress();
// A link opened where a console is open already changes no more than the part behind the #.
addEventListener('hashchange', () => { if (/^#(invite|token)=/.test(location.hash)) location.reload(); });
start().catch(problemPage);

async function start() {
  const id = new URLSearchParams(location.search).get('stream');
  const [shop, stream] = await Promise.all([get('/shop'), id && get(`/streams/${encodeURIComponent(id)}`)]);
  document.title = `${t('host.title')} · ${titleOf(shop)}`;
  if (invite && !(await openInvite(invite))) return doorPage(shop, t('team.not_accepted'));
  if (!token.get()) await signIn(shop, { role: 'host', about: 'host' });
  if (!token.get()) return doorPage(shop, t(shop.dev_login ? 'host.door' : 'host.door_token'));
  if (!stream) return showList($('shows'), shop);
  return run(shop, stream);
}

/** Without a staff token there is nothing to run; the demo can give one out. */
function doorPage(shop, text) {
  $('console').hidden = true;
  plate(t('host.title'), text, shop.dev_login && el('button.primary', { type: 'button', 'data-test': 'host-signin', onclick: async () => {
    token.clear();
    if (await signIn(shop, { role: 'host', about: 'host' })) location.reload();
  } }, t('signin.title')));
}

function run(shop, stream) {
  $('console').hidden = false;
  languageSwitch($('lang'));
  const client = connect(stream.id, { token: token.get() });
  const rundown = new Rundown({ list: $('rundown'), empty: $('rundown-empty'), search: $('rundown-search'), client, stream, tell });
  const air = new Air({ client, rundown, stream, tell, $ });
  const people = new People({ client, stream, tell, $, offerOf: (id) => rundown.offers.get(id) });
  const feed = new Feed({ node: $('feed'), client, offerOf: (id) => rundown.offers.get(id) });
  const numbers = new Numbers({ stream, figures: $('figures'), trend: $('trend'), client, role: () => role, feed });
  const before = new Before({ node: $('before'), stream, role: () => role });
  let showing = stream;
  let role = null;

  connectionBar($('conn'), client, { again: { 4501: () => { token.clear(); location.reload(); }, 4509: () => client.signIn(token.get()), 4500: () => location.reload() } });
  client.on('hello', ({ you }) => {
    if (role === null && you && !STAFF.has(you.role)) { client.close(); return doorPage(shop, t('host.not_staff')); }
    const first = role === null;
    role = you?.role;
    document.body.dataset.role = role;
    rundown.load();
    numbers.load();
    if (first && role === 'moderator') choose('people');
    if (first && showing.status === 'ended' && numbers.may()) reportSheet(showing);
    people.held.load();
    return undefined;
  });
  client.on('held', (frame) => people.held.note(frame));
  client.on('event', (event, { replay }) => {
    people.note(event);
    if (!replay && (event.type === 'started' || event.type === 'ended')) dress({ ...showing, ...client.show });
  });
  client.on('show', dress);
  client.on('gap', () => people.chat.gap());
  client.on('state', (changed) => {
    for (const id of changed) if (client.state.offers.has(id)) rundown.note(client.state.offers.get(id));
    if (changed.has('chat')) { air.notice(client.state.chat.notice); people.rules(client.state.chat); }
    paint();
  });
  client.on('status', () => paint());

  function dress(fresh) {
    showing = fresh;
    document.body.dataset.show = fresh.status;
    put($('title'), titleOf(fresh));
    put($('live-badge'), t(`badge.${fresh.status}`));
    $('live-badge').dataset.status = fresh.status;
    $('watch-link').href = `/watch?stream=${encodeURIComponent(fresh.id)}`;
    air.stage.dress(fresh);
    const button = $('start-end');
    show(button, fresh.status !== 'ended');
    button.className = `slim ${fresh.status === 'live' ? 'danger' : 'primary'}`;
    put(button, t(fresh.status === 'live' ? 'host.end' : 'host.start'));
    show($('rehearse'), canRehearse(fresh, role));
  }

  /** Going on air and leaving it ask once, and say who will see it. */
  $('start-end').addEventListener('click', async () => {
    const ending = showing.status === 'live';
    const yes = await confirmDialog({
      title: t(ending ? 'host.end' : 'host.start'), danger: ending, yes: t(ending ? 'host.end' : 'host.start'),
      text: t(ending ? 'host.end_sure' : 'host.start_sure', { n: client.state.viewers }),
    });
    if (yes) await busy($('start-end'), async () => dress(await post(`/streams/${stream.id}/${ending ? 'end' : 'start'}`)), tell);
  });
  put($('rehearse'), t('rehearse'));
  $('rehearse').addEventListener('click', () => rehearse(showing, tell));
  $('team-open').addEventListener('click', () => teamSheet(stream, tell));
  $('report-open').addEventListener('click', () => reportSheet(showing));
  $('add-offer').addEventListener('click', () => catalogue({ shop, stream, rundown }).catch(tell));

  // ---- the phone's tabs ----

  const parts = [...document.querySelectorAll('.phone-tabs [role=tab]')];
  const choose = (part) => {
    $('console').dataset.part = part;
    for (const button of parts) button.setAttribute('aria-selected', button.dataset.part === part);
  };
  for (const button of parts) button.addEventListener('click', () => choose(button.dataset.part));
  choose('sell');

  // ---- one key, one act ----

  const keys = {
    p: () => rundown.pinNext(), u: () => rundown.unpin(), f: () => air.startPrepared(), n: () => { choose('people'); $('notice-text').focus(); },
    s: () => { choose('people'); $('slow').focus(); }, '/': () => { choose('sell'); $('rundown-search').focus(); },
  };
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, textarea, select, dialog');
    if (event.key === 'Escape' && typing && !typing.matches('dialog')) typing.blur();
    if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    // On a keyboard of other letters the key's place counts.
    const place = event.key > '\x7f' ? event.code.replace(/^Key/, '').toLowerCase() : '';
    const act = keys[place === 'slash' ? '/' : place || event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });

  function paint() {
    rundown.paint();
    air.paint();
    people.field.paint();
    numbers.paint();
    before.paint(showing, { offers: rundown.offers, report: numbers.report });
    put($('elapsed'), showing.status === 'live' && showing.started_at ? clock(client.now() - showing.started_at) : '');
  }
  dress(stream);
  everySecond(paint);
  paint();
}
