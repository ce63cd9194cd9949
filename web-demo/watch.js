// The viewer's page: joins the parts.

import { get, takeTokenFromAddress, token, UNKNOWN } from './api.js';
import { Bag } from './bag.js';
import { ChatField, ChatList } from './chat.js';
import { connect } from './client.js';
import { connectionBar } from './conn.js';
import { Hearts } from './hearts.js';
import { clock, dateTime, languageSwitch, refusal, short, t, timeOfDay, titleOf, translate } from './i18n.js';
import { buyable, Card, countdownOf, fullTitle, phaseOf } from './offer.js';
import { Stage } from './stage.js';
import { everySecond, fillIcons, icon, put, show, speak, toast } from './ui.js';

const $ = (id) => document.getElementById(id);
const tell = (problem) => toast(refusal(problem), { kind: 'warn' });

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
  const card = new Card($('card'), { onbuy: buy, onopen: openProduct });
  const bag = new Bag({ root: $('bag'), opener: $('bag-button'), client, onbuy: buy, onopen: openProduct });
  const offerOf = (id) => client.state.offers.get(id);
  const chat = new ChatList({ list: $('chat-list'), pill: $('chat-pill'), offerOf });
  const hearts = new Hearts({
    layer: $('hearts'), button: $('heart'), count: $('likes'),
    send: (count) => client.request('react', { kind: 'heart', count }),
    refused: (problem) => (problem.code === 'sign_in' ? needSignIn() : UNKNOWN.has(problem.code) || tell(problem)),
  });
  const field = new ChatField({ form: $('chat-form'), input: $('chat-input'), button: $('chat-send'), gate, tell: sayFailed, now: () => client.now(), send: talk });
  let showing = stream;
  let mutedUntil = 0;
  const soldOut = new Map();
  let till = null; // buyer, checkout, orders, sign-in: once somebody is about to do more than watch
  let tillComing = null;

  connectionBar($('conn'), client, {
    again: { 4501: () => needSignIn(), 4509: () => client.signIn(token.get()), 4500: () => location.reload() },
  });

  // ---- what the server says ----

  client.on('hello', ({ you }) => {
    mutedUntil = you?.muted_until ?? 0;
    till?.mine.refresh(till.buyer);
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
    field.paint();
  });
  client.on('state', (changed) => {
    if (changed.has('viewers')) put($('viewers'), short(client.state.viewers));
    if (changed.has('likes')) hearts.set(client.state.likes);
    if (changed.has('chat')) notice(client.state.chat.notice);
    if (changed.has('pin')) stage.present(offerOf(client.state.pin?.offer));
    paint();
  });
  client.on('status', ({ status, code }) => {
    // A bad token would be refused again and again: forget it and go on watching as anyone may.
    if (status === 'closed' && code === 4501 && token.get()) {
      token.clear();
      toast(t('error.token_expired'), { kind: 'warn' });
      queueMicrotask(() => client.signIn(null));
    }
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

  /** The half of the page that sells, loaded once; a broken network must not break it for good. */
  async function openTill() {
    tillComing ??= import('./buying.js').catch((fault) => { tillComing = null; throw fault; });
    const { Buyer, Checkout, Mine, ProductSheet, sheet, signIn } = await tillComing;
    if (till) return till;
    const buyer = new Buyer(client, () => checkout.checking());
    const checkout = new Checkout({ client, buyer, onclose: paint });
    const mine = new Mine({ client, list: $('order-list'), empty: $('mine-empty'), chip: $('held-chip'), onorder: (order) => checkout.view(order) });
    till = { buyer, checkout, mine, product: new ProductSheet({ client, onbuy: buy }), sheet, signIn };
    return till;
  }

  const away = () => toast(t('error.network'), { kind: 'warn' });
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

  async function buy(offer, button, qty = 1) {
    if (!token.get()) {
      if (!(await needSignIn('buy'))) return;
      await live();
    }
    if (!(await openTill().catch(away))) return;
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
    if (mutedUntil > client.now()) return { reason: Number.isFinite(mutedUntil) ? t('chat.muted_until', { at: mutedUntil - client.now() > 80_000_000 ? dateTime(mutedUntil) : timeOfDay(mutedUntil) }) : t('chat.muted') };
    if (client.status !== 'live') return { reason: t('chat.waiting') };
    return null;
  }

  async function talk(text) {
    await client.request('say', { text });
    chat.toEnd();
    const { slow_ms } = client.state.chat;
    if (slow_ms && client.you?.role === 'viewer') field.wait(slow_ms);
  }

  function sayFailed(problem) {
    if (problem.code === 'sign_in') return needSignIn();
    if (problem.code === 'muted') mutedUntil ||= Infinity;
    return toast(UNKNOWN.has(problem.code) ? t('chat.unsure') : refusal(problem), { kind: 'warn' });
  }

  let loadedFor = null;
  async function loadOrders() {
    if (loadedFor === token.get()) return;
    loadedFor = token.get();
    const { buyer, checkout } = (await openTill().catch(() => { loadedFor = null; })) ?? {};
    if (!buyer) return;
    const unfinished = buyer.unfinished();
    if (unfinished && !checkout.running) checkout.resume(unfinished);
    await buyer.mine().catch(() => { loadedFor = null; });
  }

  $('scrim').addEventListener('click', () => bag.close());
  $('notice').addEventListener('click', () => $('notice').setAttribute('aria-expanded', $('notice').getAttribute('aria-expanded') !== 'true'));
  $('sale-chip').addEventListener('click', () => { const offer = runningSale(); if (offer) openProduct(offer); });
  $('who').addEventListener('click', () => needSignIn());
  $('share').addEventListener('click', async () => (await import('./share.js')).share(showing, async () => (await openTill()).sheet));
  $('sound').addEventListener('click', () => { stage.player.muted = !stage.player.muted; soundButton(); });
  // A phone's keyboard shrinks what is visible, not the page; the bar must stay above it.
  visualViewport?.addEventListener('resize', () => document.documentElement.style.setProperty('--visible', `${visualViewport.height}px`));

  function soundButton() {
    show($('sound'), Boolean(stage.player));
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
    const stale = !client.live;
    const pinned = offerOf(client.state.pin?.offer);
    stage.present(pinned);
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
    bag.paintOffers(now, stale);
    till?.product.paint(now, stale);
    till?.checkout.tick();
    till?.mine.paint(now, till.checkout.open);
    stage.paint(now);
    put($('elapsed'), showing.status === 'live' && showing.started_at ? clock(now - showing.started_at) : '');
    field.paint();
  }

  dress(stream);
  who();
  hearts.paint();
  everySecond(tick);
  paint();
}
