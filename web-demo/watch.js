// The viewer's page: joins the parts.

import { get, takeTokenFromAddress, token, UNKNOWN } from './api.js';
import { ChatField, ChatList } from './chat.js';
import { connect } from './client.js';
import { connectionBar } from './conn.js';
import { Hearts } from './hearts.js';
import { clock, dateTime, lang, languageSwitch, number, refusal, short, t, timeOfDay, titleOf, translate } from './i18n.js';
import { buyable, Card, countdownOf, fullTitle, phaseOf } from './offer.js';
import { Stage } from './stage.js';
import { everySecond, fillIcons, icon, put, show, speak, toast } from './ui.js';

const $ = (id) => document.getElementById(id);
const warn = (problem) => toast(refusal(problem), { kind: 'warn' });
const HELD = 'livesouk.held';

translate();
fillIcons();
languageSwitch($('lang'));
takeTokenFromAddress();
start().catch(async (problem) => (await import('./problem.js')).problemPage(problem));

async function start() {
  const asked = new URLSearchParams(location.search).get('stream');
  const [shop, stream] = await Promise.all([get('/shop'), asked ? get(`/streams/${encodeURIComponent(asked)}`) : firstLive()]);
  if (!stream) return location.replace('/');
  $('layout').hidden = false;
  return run(shop, stream);
}

async function firstLive() {
  return (await get('/streams?status=live&limit=1')).items[0];
}

function run(shop, stream) {
  const client = connect(stream.id, { token: token.get() });
  const stage = new Stage($('stage'), soundButton);
  const offerOf = (id) => client.state.offers.get(id);
  const waitOf = (offer) => ({ people: client.state.waiting.get(offer.id) ?? 0, mine: tell?.waiting(offer.id) ?? false });
  const card = new Card($('card'), { onbuy: press, onopen: openProduct, waitOf });
  const chat = new ChatList({ list: $('chat-list'), pill: $('chat-pill'), offerOf });
  const hearts = new Hearts({
    layer: $('hearts'), button: $('heart'), count: $('likes'),
    send: (count) => client.request('react', { kind: 'heart', count }),
    refused: (problem) => (problem.code === 'sign_in' ? needSignIn() : UNKNOWN.has(problem.code) || warn(problem)),
  });
  const field = new ChatField({ form: $('chat-form'), input: $('chat-input'), button: $('chat-send'), gate, tell: sayFailed, now: () => client.now(), send: talk });
  let showing = stream;
  let mutedUntil = 0;
  let mutedReason = null;
  const soldOut = new Map();
  // What loads once somebody is about to do more than watch: buying and orders; the bag; bells, waiting, reminders.
  let till = null;
  let bag = null;
  let tell = null;

  connectionBar($('conn'), client, {
    again: { 4501: () => needSignIn(), 4509: () => client.signIn(token.get()), 4500: () => location.reload() },
  });

  // ---- what the server says ----

  client.on('hello', ({ you }) => {
    mutedUntil = you?.muted_until ?? 0;
    mutedReason = you?.muted_reason ?? null;
    waiting();
    till?.mine.refresh(till.buyer);
    resume();
    if (token.get()) loadOrders();
  });
  client.on('show', dress);
  client.on('gap', () => chat.gap());
  client.on('event', (event, { replay }) => {
    chat.add(event);
    if (event.user && event.user === client.you?.id) {
      if (event.type === 'muted') mutedUntil = event.until ?? Infinity;
      if (event.type === 'unmuted') mutedUntil = 0;
    }
    if (event.type === 'started' || event.type === 'ended') dress({ ...showing, ...client.show });
    if (!replay) announce(event);
    // Talk itself changes nothing about the field, and there may be hundreds of lines a second.
    if (event.type !== 'chat') field.paint();
  });
  client.on('action', (action) => {
    if (action.stream !== stream.id) return;
    if (action.kind === 'mute') mutedReason = action.reason;
    if (action.kind === 'unmute') [mutedUntil, mutedReason] = [0, null];
    chat.told(action);
    field.paint();
  });
  client.on('state', (changed) => {
    if (changed.has('chat')) { chat.pin(client.state.chat.pinned); field.paint(); }
    if (changed.has('viewers')) put($('viewers'), short(client.state.viewers));
    if (changed.has('likes')) hearts.set(client.state.likes);
    if (changed.has('chat')) notice(client.state.chat.notice);
    // Hearts and viewers change with every tick of a busy room; nothing else hangs on them.
    if ([...changed].some((key) => key !== 'viewers' && key !== 'likes')) paint();
  });
  client.on('status', ({ status, code }) => {
    // A bad token would be refused again and again: forget it and go on watching as anyone may.
    if (status === 'closed' && code === 4501 && token.get()) {
      token.clear();
      toast(t('error.token_expired'), { kind: 'warn' });
      queueMicrotask(() => client.signIn(null));
    }
    if (status === 'closed' && code === 4502) toldWhy();
    paint();
    who();
  });
  client.on('order', () => paint());

  function dress(fresh) {
    showing = fresh;
    document.title = `${titleOf(fresh)} · ${titleOf(shop)}`;
    put($('title'), titleOf(fresh));
    put($('host'), fresh.host);
    put($('avatar'), [...(fresh.host ?? '')][0] ?? '');
    put($('live-badge'), t(`badge.${fresh.status}`));
    $('live-badge').dataset.status = fresh.status;
    stage.dress(fresh);
    notice(client.state.chat.notice);
    show($('coming'), fresh.status === 'scheduled');
    show($('calendar'), Boolean(fresh.scheduled_at));
    show($('after'), fresh.status === 'ended' && Boolean(token.get()));
  }

  /** The live region: pin, sale start, sold out and one's own order; never the chat. */
  function announce(event) {
    const offer = event.offer && offerOf(event.offer);
    if (event.type === 'pinned' && offer) speak(t('note.pinned', { offer: fullTitle(offer) }));
    if (event.type === 'sale_opened' && offer) speak(t('note.sale_opened', { offer: fullTitle(offer) }));
    if (event.type === 'ended') speak(t('note.ended'));
  }

  function announceSoldOut(offer, phase) {
    const before = soldOut.get(offer.id);
    soldOut.set(offer.id, phase);
    if (before && before !== phase && phase === 'sold_out') speak(t('say.sold_out', { offer: fullTitle(offer) }));
  }

  function notice(text) {
    show($('notice'), Boolean(text) && showing.status !== 'ended');
    put($('notice').querySelector('span'), text ?? '');
  }

  // ---- what people do ----

  const away = () => toast(t('error.network'), { kind: 'warn' });

  /** A part of the page, loaded once; a broken network must not break it for good. */
  function part(load) {
    let coming = null;
    return () => (coming ??= load().catch((fault) => { coming = null; throw fault; }));
  }

  const openTell = part(async () => {
    const { Tell } = await import('./tell.js');
    tell = new Tell({ client, onchange: paint });
    return tell;
  });

  const openBag = part(async () => {
    const [{ Bag }, tell] = await Promise.all([import('./bag.js'), openTell()]);
    bag = new Bag({ root: $('bag'), opener: $('bag-button'), client, onbuy: press, onopen: openProduct, tell, waitOf });
    paint();
    return bag;
  });

  const openTill = part(async () => {
    const [{ Buyer, Checkout, Mine, ProductSheet, sheet, signIn }, bag] = await Promise.all([import('./buying.js'), openBag()]);
    const buyer = new Buyer(client, () => checkout.checking());
    const checkout = new Checkout({ client, buyer, onclose: paint, onagain: (offer) => buy(offer) });
    const mine = new Mine({ client, list: bag.orders, empty: bag.none, chip: $('held-chip'), onorder: (order) => checkout.view(order) });
    till = { buyer, checkout, mine, product: new ProductSheet({ client, onbuy: press, waitOf }), sheet, signIn };
    return till;
  });

  function openProduct(offer) { return openTill().then(({ product }) => product.open(offer), away); }

  async function needSignIn(about) {
    const before = token.get();
    const opened = await openTill().catch(away);
    const got = await opened?.signIn(shop, { about });
    if (got && got !== before) client.signIn(got);
    who();
    field.paint();
    if (!got && !shop.dev_login) toast(t('signin.elsewhere'));
    return got;
  }

  /** The one button of an offer: buy, or wait where nothing is left. */
  function press(offer, button, qty = 1) {
    const fresh = offerOf(offer.id) ?? offer;
    return phaseOf(fresh, client.now()).startsWith('sold_out') ? wait(fresh) : buy(fresh, qty);
  }

  async function signedIn(about) {
    if (token.get()) return true;
    if (!(await needSignIn(about))) return false;
    await live();
    return true;
  }

  async function wait(offer) {
    if (await signedIn('wait')) await openTell().then((tell) => tell.toggle(offer), away);
  }

  async function buy(offer, qty = 1) {
    if (!(await signedIn('buy')) || !(await openTill().catch(away))) return;
    const fresh = offerOf(offer.id) ?? offer;
    if (buyable(phaseOf(fresh, client.now()))) await till.checkout.buy(fresh, qty);
  }

  /** Waits for the link with the new name; REST would do as well, so not for long. */
  function live() {
    if (client.live) return Promise.resolve();
    return new Promise((done) => {
      const off = client.on('status', ({ status }) => { if (status === 'live') { off(); done(); } });
      setTimeout(done, 3_000);
    });
  }

  function gate() {
    if (client.status === 'closed') return { reason: t('chat.off') };
    if (showing.status === 'ended') return { reason: t('chat.ended') };
    if (!token.get()) return { reason: t(shop.dev_login ? 'chat.sign_in' : 'chat.sign_in_elsewhere'), act: shop.dev_login ? () => needSignIn() : undefined };
    if (mutedUntil > client.now() && mutedReason) return { reason: t('chat.muted_why', { reason: mutedReason }) };
    if (mutedUntil > client.now()) return { reason: Number.isFinite(mutedUntil) ? t('chat.muted_until', { at: mutedUntil - client.now() > 80_000_000 ? dateTime(mutedUntil) : timeOfDay(mutedUntil) }) : t('chat.muted') };
    if (client.status !== 'live') return { reason: t('conn.connecting'), passing: true };
    if (client.state.chat.off && client.you?.role === 'viewer') return { reason: t('chat.team_only') };
    return null;
  }

  async function talk(text) {
    const said = await client.request('say', { text });
    if (said.held) {
      chat.held({ id: said.id, from: client.you, text });
      sessionStorage.setItem(HELD, stream.id);
    }
    chat.toEnd();
    const { slow_ms } = client.state.chat;
    if (slow_ms && client.you?.role === 'viewer') field.wait(slow_ms);
  }

  /** After a reload one's own messages that wait are shown again; only who had one asks. */
  async function waiting() {
    if (!token.get() || sessionStorage.getItem(HELD) !== stream.id) return;
    const { items } = await get(`/streams/${stream.id}/held`).catch(() => ({ items: [] }));
    for (const message of items) if (message.from.id === client.you?.id) chat.held(message);
  }

  /** The link is closed before the reason came through it, or the page was opened again since. */
  async function toldWhy() {
    const { items } = await get(`/streams/${stream.id}/actions/mine?limit=1`).catch(() => ({ items: [] }));
    if (items[0]?.kind === 'ban') chat.told(items[0]);
  }

  function sayFailed(problem) {
    if (problem.code === 'sign_in') return needSignIn();
    if (problem.code === 'muted') mutedUntil ||= Infinity;
    return toast(UNKNOWN.has(problem.code) ? t('chat.unsure') : refusal(problem), { kind: 'warn' });
  }

  /** A purchase whose answer never came is asked about before anything else is bought. */
  function resume() {
    const unfinished = till?.buyer.unfinished();
    if (unfinished && !till.checkout.running) till.checkout.resume(unfinished);
  }

  let loadedFor = null;
  async function loadOrders() {
    if (loadedFor === token.get()) return;
    loadedFor = token.get();
    const { buyer } = (await openTill().catch(() => { loadedFor = null; })) ?? {};
    if (!buyer) return;
    resume();
    await Promise.all([buyer.mine(), tell.load()]).catch(() => { loadedFor = null; });
  }

  $('scrim').addEventListener('click', () => bag.close());
  $('bag-button').addEventListener('click', () => openBag().then((bag) => bag.open(), away));
  $('notice').addEventListener('click', () => $('notice').setAttribute('aria-expanded', $('notice').getAttribute('aria-expanded') !== 'true'));
  $('sale-chip').addEventListener('click', () => { const offer = runningSale(); if (offer) openProduct(offer); });
  $('who').addEventListener('click', () => needSignIn());
  $('share').addEventListener('click', () => import('./share.js').then(({ share }) => share(shop, showing)).catch(away));
  $('remind').addEventListener('click', () => openTell().then((tell) => tell.remind(!tell.reminded), away));
  $('calendar').href = `/v1/streams/${encodeURIComponent(stream.id)}/calendar.ics?lang=${lang}`;
  $('after').href = `/orders?from=${encodeURIComponent(stream.id)}`;
  $('captions').addEventListener('click', () => { stage.caption(!stage.captioned); soundButton(); });
  $('sound').addEventListener('click', () => { stage.player.muted = !stage.player.muted; soundButton(); });
  // A phone's keyboard shrinks what is visible, not the page; the bar must stay above it.
  visualViewport?.addEventListener('resize', () => document.documentElement.style.setProperty('--visible', `${visualViewport.height}px`));

  function soundButton() {
    show($('sound'), Boolean(stage.player));
    show($('captions'), stage.captions.length > 0);
    $('captions').setAttribute('aria-pressed', stage.captioned);
    if (!stage.player) return;
    $('sound').replaceChildren(icon(stage.player.muted ? 'muted' : 'sound'));
    $('sound').setAttribute('aria-label', t(stage.player.muted ? 'sound.on' : 'sound.off'));
  }

  function who() {
    const name = client.you?.name;
    const known = Boolean(token.get());
    show($('who'), known ? Boolean(name) : shop.dev_login);
    put($('who'), known ? name ?? '' : t('signin.title'));
    $('who').disabled = known;
  }

  // ---- painting ----

  /** The flash sale that runs, unless the card already shows it. */
  function runningSale() {
    const now = client.now();
    return [...client.state.offers.values()].find((offer) => offer.kind === 'flash' && offer.id !== client.state.pin?.offer && ['soon', 'live', 'low', 'sold_out_for_now'].includes(phaseOf(offer, now)));
  }

  function paint() {
    const now = client.now();
    stage.present(offerOf(client.state.pin?.offer));
    const count = number([...client.state.offers.values()].filter((offer) => phaseOf(offer, now) !== 'ended').length);
    put($('bag-button').querySelector('.count'), count);
    show($('bag-button').querySelector('.count'), client.state.offers.size > 0);
    $('bag-button').setAttribute('aria-label', `${t('bag')} ${count}`);
    for (const offer of client.state.offers.values()) announceSoldOut(offer, phaseOf(offer, now));
    tick();
  }

  function tick() {
    const now = client.now();
    const stale = !client.live;
    const sale = runningSale();
    show($('sale-chip'), Boolean(sale));
    if (sale) {
      const [label, countdown, left] = $('sale-chip').children;
      put(label, t(phaseOf(sale, now) === 'soon' ? 'flag.soon' : 'flag.flash'));
      put(countdown, clock(countdownOf(sale, now) ?? 0));
      put(left, t('offer.left', { n: Math.max(0, sale.left) }));
    }
    card.paint(offerOf(client.state.pin?.offer), now, stale);
    bag?.paintOffers(now, stale);
    till?.product.paint(now, stale);
    till?.checkout.tick();
    till?.mine.paint(now, till.checkout.open);
    put($('remind').lastChild, t(tell?.reminded ? 'remind.on' : 'remind.me'));
    $('remind').setAttribute('aria-pressed', Boolean(tell?.reminded));
    stage.paint(now);
    put($('elapsed'), showing.status === 'live' && showing.started_at ? clock(now - showing.started_at) : '');
    field.paint();
  }

  dress(stream);
  who();
  hearts.paint();
  everySecond(tick);
  paint();
  // On a desk the bag is a column of the page, and a tab that asked to be told goes on listening after a reload.
  const desk = matchMedia('(min-width: 960px)');
  const column = () => { if (desk.matches) openBag().catch(away); };
  desk.addEventListener('change', column);
  column();
  if (sessionStorage.getItem(`livesouk.bells.${stream.id}`) || sessionStorage.getItem(`livesouk.remind.${stream.id}`)) openTell().catch(() => {});
  // A link to one thing of the show opens it, once it is there.
  const wanted = new URLSearchParams(location.search).get('offer');
  const off = wanted && client.on('state', () => { const offer = offerOf(wanted); if (offer) { off(); openProduct(offer); } });
}
