// The console of one show: it connects to the show and joins the panels.

import { post, token } from '../api.js';
import { route, shopAddress } from '../base.js';
import { connect } from '../client.js';
import { connectionBar } from '../connection_bar.js';
import { formatDuration, languageSwitch, refusalText, t, titleOf } from '../i18n.js';
import { confirmDialog, withBusy } from '../sheet.js';
import { byId, onTick, setText, setVisible, toast } from '../ui.js';
import { Activity } from './activity.js';
import { catalogueSheet } from './catalogue.js';
import { ChatPanel } from './chat_panel.js';
import { Checklist } from './checklist.js';
import { CouponPanel } from './coupon_panel.js';
import { Figures } from './figures.js';
import { Lineup } from './lineup.js';
import { OnAir } from './on_air.js';
import { PhoneTabs } from './phone_tabs.js';
import { canCreateShows, isTeamOfShop } from './rank.js';
import { canRehearse, rehearsalSheet } from './rehearsal.js';
import { editShowSheet } from './show_form.js';
import { reportSheet } from './report.js';
import { addShortcuts } from './shortcuts.js';
import { teamSheet } from './team.js';
import { ThumbBar } from './thumb_bar.js';

/** @import { Refusal, Role, Shop, Stream, HelloFrame } from '../types.d.ts' */

/** @type {Set<string>} */
const STAFF = new Set(['host', 'producer', 'moderator', 'analyst', 'admin', 'owner']);
/** Who may see the coupons of the shop. @type {Set<string>} */
const SELLERS = new Set(['host', 'producer', 'admin', 'owner']);
/** @param {Refusal} refusal */
const onrefused = (refusal) => toast(refusalText(refusal), { kind: 'warn' });

export class Console {
  /**
   * @param {{ shop: Shop, stream: Stream, onnotstaff: () => void }} options
   */
  constructor({ shop, stream, onnotstaff }) {
    byId('console').hidden = false;
    languageSwitch(byId('lang', HTMLSelectElement));
    const client = connect(stream.id, { token: token.get(), base: shopAddress() });
    this.client = client;
    this.stream = stream;
    this.onnotstaff = onnotstaff;
    /** @type {Role | undefined} */
    this.role = undefined;
    this.lineup = new Lineup({
      list: byId('lineup'),
      empty: byId('lineup-empty'),
      search: byId('lineup-search', HTMLInputElement),
      client,
      stream,
      shop,
      onrefused,
    });
    /** @param {string} id */
    const offerOf = (id) => this.lineup.offers.get(id);
    const role = () => this.role;
    this.onAir = new OnAir({ client, lineup: this.lineup, stream, onrefused });
    this.coupons = new CouponPanel(byId('coupon-panel'), { client, stream, onrefused });
    this.chat = new ChatPanel({ client, stream, role, offerOf, onrefused });
    const activity = new Activity({ node: byId('activity'), stream: stream.id, client, offerOf });
    const pictureDelay = () => this.onAir.preview.delay;
    this.figures = new Figures({
      stream,
      bar: byId('figures'),
      panel: byId('trend'),
      client,
      role,
      activity,
      pictureDelay,
    });
    const press = (/** @type {string} */ id) => () => byId(id).click();
    const onform = press('add-offer');
    const ways = {
      video: press('edit-show'),
      products: onform,
      payment: press('watch-link'),
      helper: press('team-open'),
    };
    this.checklist = new Checklist({ node: byId('checklist'), shop, stream, role, ways });
    this.thumbBar = new ThumbBar(byId('thumb-bar'), { stream, shop, lineup: this.lineup, onform, onrefused });
    this.tabs = new PhoneTabs();
    addShortcuts({ lineup: this.lineup, onAir: this.onAir, tabs: this.tabs });
    const signOut = () => {
      token.clear();
      location.reload();
    };
    connectionBar(byId('conn'), client, {
      again: { 4501: signOut, 4509: () => client.signIn(token.get()), reload: () => location.reload() },
    });
    this.listen();
    this.addButtons(shop);
    this.update(stream);
    onTick(() => this.paint());
    this.paint();
  }

  listen() {
    const { client } = this;
    client.on('hello', (frame) => this.connected(frame));
    client.on('review', (message) => this.chat.review.add(message));
    client.on('reviewed', (id) => this.chat.review.remove(id));
    client.on('event', (event, { replay }) => {
      this.chat.addEvent(event);
      const isStatus = event.type === 'started' || event.type === 'ended';
      if (!replay && isStatus) this.update({ ...this.stream, ...client.show });
      if (!replay && event.type === 'ended') this.showReport();
    });
    client.on('show', (stream) => this.update(stream));
    client.on('gap', () => this.chat.list.clearAfterGap());
    client.on('state', (changed) => {
      for (const id of changed) {
        const offer = client.state.offers.get(id);
        if (offer) this.lineup.apply(offer);
      }
      if (changed.has('coupon')) this.coupons.paint();
      if (changed.has('chat')) {
        this.onAir.updateNotice(client.state.chat.notice);
        this.chat.updateRules(client.state.chat);
      }
      this.paint();
    });
    client.on('status', () => this.paint());
  }

  /** @param {HelloFrame} frame */
  connected({ you }) {
    const isFirst = this.role === undefined;
    if (isFirst && you && !STAFF.has(you.role)) {
      this.client.close();
      this.onnotstaff();
      return;
    }
    this.role = you?.role;
    document.body.dataset.role = this.role ?? '';
    this.lineup.load();
    if (isTeamOfShop() && SELLERS.has(this.role ?? '')) void this.coupons.load();
    this.figures.load();
    this.chat.review.load();
    if (isFirst && this.role === 'moderator') this.tabs.choose('people');
    if (isFirst && this.stream.status === 'ended') this.showReport();
  }

  /** Opens the report of a show that is over, to those who may see figures. */
  showReport() {
    if (this.figures.maySee()) reportSheet(this.stream);
  }

  /** @param {Stream} stream */
  update(stream) {
    this.stream = stream;
    const { id, status } = stream;
    const badge = byId('live-badge');
    document.body.dataset.show = status;
    // A recording goes on selling.
    document.body.toggleAttribute('data-recorded', Boolean(stream.replay));
    setText(byId('title'), titleOf(stream));
    setText(badge, t(`badge.${status}`));
    badge.dataset.status = status;
    byId('watch-link', HTMLAnchorElement).href = route(`/watch?stream=${encodeURIComponent(id)}`);
    const button = byId('start-end');
    setVisible(button, status !== 'ended');
    button.className = `slim ${status === 'live' ? 'danger' : 'primary'}`;
    setText(button, t(status === 'live' ? 'host.end' : 'host.start'));
    setVisible(byId('rehearse'), canRehearse(stream, this.role));
    setVisible(byId('edit-show'), canCreateShows());
  }

  /** @param {Shop} shop */
  addButtons(shop) {
    const { stream, lineup } = this;
    setText(byId('rehearse'), t('rehearsal'));
    byId('rehearse').addEventListener('click', () => rehearsalSheet(this.stream, onrefused));
    byId('team-open').addEventListener('click', () => teamSheet(stream, onrefused, () => this.client.now()));
    byId('report-open').addEventListener('click', () => reportSheet(this.stream));
    byId('edit-show').addEventListener('click', () => editShowSheet(this.stream, (changed) => this.update(changed)));
    const add = byId('add-offer', HTMLButtonElement);
    add.addEventListener('click', () => withBusy(null, () => catalogueSheet({ shop, stream, lineup }), onrefused));
    const startEnd = byId('start-end', HTMLButtonElement);
    startEnd.addEventListener('click', () => this.startOrEnd(startEnd));
  }

  /**
   * The start and the end of a show ask once, and say how many viewers see it.
   * @param {HTMLButtonElement} button
   */
  async startOrEnd(button) {
    const isEnd = this.stream.status === 'live';
    const label = t(isEnd ? 'host.end' : 'host.start');
    const text = t(isEnd ? 'host.end_sure' : 'host.start_sure', { n: this.client.state.viewers });
    if (!(await confirmDialog({ title: label, text, yes: label, danger: isEnd }))) return;
    const path = `/streams/${this.stream.id}/${isEnd ? 'end' : 'start'}`;
    await withBusy(button, async () => this.update(await post(path)), onrefused);
  }

  paint() {
    const { status, started_at } = this.stream;
    this.lineup.paint();
    this.onAir.paint();
    this.thumbBar.paint();
    this.chat.field.paint();
    this.figures.paint();
    this.checklist.paint(this.stream, { offers: this.lineup.offers, report: this.figures.report });
    const isLive = status === 'live' && started_at;
    setText(byId('elapsed'), isLive ? formatDuration(this.client.now() - started_at) : '');
  }
}
