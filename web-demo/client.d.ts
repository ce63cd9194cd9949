// The types of client.js: the objects of protocol v1 as they are on the wire, and the public API of the client.
//
// Money is an integer in minor units of `currency`. Times are UTC epoch milliseconds. `v` and `Version` are
// [epoch, version]: of two values with the same key the larger one is newer.

export type Version = [epoch: number, version: number];
export type Role = 'anonymous' | 'viewer' | 'moderator' | 'producer' | 'analyst' | 'host' | 'admin' | 'owner';
/** Texts by language code, for example `{ "ar": "…" }`. */
export type Titles = Record<string, string>;
export type OfferStatus = 'draft' | 'countdown' | 'open' | 'paused' | 'sold_out_for_now' | 'sold_out' | 'closed';
/** A way to pay without a payment provider. */
export type ManualMethod = 'cash_on_delivery' | 'bank_transfer';

export type OrderStatus = 'held' | 'capturing' | 'placed' | 'paid' | 'expired' | 'cancelled' | 'refunded';

export interface Offer {
  id: string;
  stream: string;
  product: string;
  variant: string;
  title: string;
  titles: Titles;
  variant_name: string;
  variant_names: Titles;
  image: string | null;
  kind: 'regular' | 'flash';
  price: number;
  old_price: number | null;
  currency: string;
  quantity: number;
  /** Units that can be bought now. */
  left: number;
  per_buyer: number;
  opens_at: number | null;
  closes_at: number | null;
  hold_s: number;
  countdown_s: number;
  duration_s: number | null;
  /** The position in the line-up, lowest first. */
  position: number;
  /** When the sale begins by itself; null: when the host starts it. */
  starts_at: number | null;
  /** Who may buy it; left out: anyone who has signed in. */
  buyers?: 'verified' | 'account';
  /** Whether it can be paid later, where the shop takes such payments; left out: a regular offer can be, a flash sale as the settings say. */
  pay_later?: boolean;
  status: OfferStatus;
  v: Version;
}

/** Units of one offer: a line of an order. */
export interface Reservation {
  id: string;
  stream: string;
  offer: string;
  /** The order whose line it is; its own id while it is in no order. */
  order: string;
  title: string;
  titles: Titles;
  variant_name: string;
  variant_names: Titles;
  image: string | null;
  status: 'held' | 'capturing' | 'placed' | 'sold' | 'expired' | 'cancelled';
  qty: number;
  returned: number;
  amount: number;
  currency: string;
  place: number;
  hold_until: number;
  created_at: number;
  reason: string | null;
  version: number;
  now: number;
}

/** The coupon of an order. */
export interface QuoteCoupon {
  id: string;
  code: string;
  percent_bp: number | null;
  amount: number | null;
  minimum: number;
  /** The code of the refusal that says why it takes nothing off now. */
  problem: string | null;
}

/** What it says of an offer is that of its first line. */
/** What an order costs. An included tax is part of the total; any other is added to it. */
export interface OrderQuote {
  /** What `pay` takes as `quote_version`. */
  version: string;
  currency: string;
  goods: number;
  discount: number;
  coupon: QuoteCoupon | null;
  delivery: number;
  /** The paid order with which this one is sent in one parcel. */
  joins: string | null;
  delivery_tax: number;
  tax: number;
  tax_included: boolean;
  total: number;
  lines: { reservation: string; qty: number; amount: number; discount: number; tax: number }[];
}

export interface Order {
  id: string;
  /** The number that people say; null before the order was opened or paid. */
  number: number | null;
  stream: string;
  offer: string;
  title: string;
  titles: Titles;
  variant_name: string;
  variant_names: Titles;
  image: string | null;
  status: OrderStatus;
  qty: number;
  amount: number;
  currency: string;
  /** The number of this buyer in the offer, counted from 1 without gaps. */
  place: number;
  hold_until: number;
  created_at: number;
  paid_at: number | null;
  reason: string | null;
  version: number;
  now: number;
  /** What the buyer pays or paid; missing in lists and frames until a payment has won the order. */
  quote?: OrderQuote;
  /** The ways in which a held order can be paid later; in its details only. */
  manual_methods?: { method: ManualMethod; days: number }[];
  /** The offers because of which it cannot be paid later; in its details only. */
  paid_at_once?: string[];
  /** Why a held order cannot be paid with its address, as the code of the refusal; in its details only. */
  delivery_problem?: string;
  /** How the order was placed; missing: it was not. */
  placement?: { method: ManualMethod; placed_at: number; due_at: number };
  /** Where a placed order is paid by transfer: the text of the shop. */
  bank_details?: string;
  /** The place of its payment in the queue of the payment provider; missing when none waits, and in lists. */
  payment_place?: number;
  /** Left out in the reply to `buy`. Lines whose hold ended stay. */
  lines?: Reservation[];
}

export interface Stream {
  id: string;
  title: string;
  titles: Titles;
  status: 'scheduled' | 'live' | 'ended';
  video: string | null;
  /** The address of the same video with low delay (WHEP). */
  whep: string | null;
  poster: string | null;
  /** The address of the recording of a show that has ended. */
  replay: string | null;
  /** When the first picture of the recording was taken, in ms since 1970. */
  replay_started_at: number | null;
  host: string;
  scheduled_at: number | null;
  started_at: number | null;
  ended_at: number | null;
  /** The show was cancelled before it began; its status is `ended`. */
  cancelled_at: number | null;
  tags: string[];
  /** Increases with every change of the show itself. */
  version: number;
  viewers: number;
  now: number;
}

export interface Author {
  id: string;
  name: string;
  role: Role;
}

/** The part of a message that a reply or a pinned message repeats. */
export interface Quote {
  id: string;
  user: string;
  name: string;
  text: string;
}

/** A chat message as REST and the review queue give it. */
export interface Message {
  id: string;
  at: number;
  from: Author;
  text: string;
  reply?: Quote;
  deleted?: boolean;
}

export interface You {
  id: string;
  name: string;
  role: Role;
  muted_until?: number;
  muted_reason?: string;
}

interface EventBase {
  /** The number of the event in its epoch; 0: it is older than this epoch. */
  seq: number;
  at: number;
}

export type ChatEvent = EventBase & {
  type: 'chat';
  id: string;
  from: Author;
  text: string;
  reply?: Quote;
};

export type LiveEvent =
  | ChatEvent
  | (EventBase & { type: 'pinned'; offer: string })
  | (EventBase & { type: 'unpinned' })
  | (EventBase & { type: 'sale_opened'; offer: string })
  | (EventBase & { type: 'sale_closed'; offer: string })
  | (EventBase & { type: 'coupon_shown'; coupon: string; code: string })
  | (EventBase & {
      type: 'purchased';
      name: string;
      qty: number;
      offer: string;
    })
  | (EventBase & { type: 'deleted'; id: string })
  | (EventBase & { type: 'muted'; user: string; name: string; until: number })
  | (EventBase & { type: 'unmuted'; user: string })
  | (EventBase & { type: 'banned'; user: string; name: string })
  | (EventBase & { type: 'erased'; user: string })
  | (EventBase & { type: 'announced'; text: string; from: Author })
  | (EventBase & { type: 'started' })
  | (EventBase & { type: 'ended' });

export type AuditAction =
  | 'delete'
  | 'mute'
  | 'unmute'
  | 'ban'
  | 'unban'
  | 'approve'
  | 'reject'
  | 'requeue'
  | 'rules'
  | 'blocklist'
  | 'announce'
  | 'pin_message'
  | 'unpin_message'
  | 'pin'
  | 'unpin'
  | 'open'
  | 'pause'
  | 'close'
  | 'restock'
  | 'extend'
  | 'set_pay_later'
  | 'refund'
  | 'close_dispute'
  | 'packed'
  | 'sent'
  | 'delivered'
  | 'undo_fulfilment'
  | 'read_address'
  | 'export_orders'
  | 'export_audit_log'
  | 'erase'
  | 'revoke_tokens'
  | 'restore_tokens'
  | 'set_up'
  | 'change_settings'
  | 'invite_staff'
  | 'set_mail_server'
  | 'remove_mail_server'
  | 'set_stripe_keys'
  | 'remove_stripe_keys'
  | 'withdraw_staff_invite'
  | 'accept_staff_invite'
  | 'set_staff_role'
  | 'remove_staff'
  | 'create_api_key'
  | 'rotate_api_key'
  | 'end_api_key'
  | 'block_customer'
  | 'unblock_customer'
  | 'export_user_data'
  | 'change_product'
  | 'archive_product'
  | 'import_products'
  | 'undo_import'
  | 'bulk_edit'
  | 'stock_take'
  | 'restore_product'
  | 'change_show'
  | 'cancel_show'
  | 'create_publish_key'
  | 'rotate_publish_key'
  | 'end_publish_keys'
  | 'create_coupon'
  | 'change_coupon'
  | 'end_coupon'
  | 'show_coupon'
  | 'hide_coupon';

/** One entry of the audit log. A viewer receives the entries about himself or herself, without `by`. */
export interface AuditEntry {
  id: string;
  stream: string;
  at: number;
  kind: AuditAction;
  by?: Author;
  role: Role;
  user: string | null;
  name: string | null;
  message: string | null;
  text: string | null;
  subject: string | null;
  detail: string | null;
  reason: string | null;
}

export interface ChatRules {
  slow_ms: number;
  notice: string | null;
  off: boolean;
  links: 'allow' | 'review' | 'refuse';
  review_all: boolean;
  pinned: Quote | null;
  v: Version;
}

/** A coupon that viewers can claim. */
export interface ShownCoupon {
  id: string;
  code: string;
  percent_bp: number | null;
  amount: number | null;
  currency: string;
  minimum: number;
  ends_at: number | null;
}

export interface Pin {
  offer: string;
  v: Version;
}

/** The state lane as the frames carry it. A tick has only the keys that changed. */
export interface StateFrame {
  pin?: Pin | null;
  offers?: Record<string, Offer>;
  viewers?: number;
  likes?: number;
  /** How many of the likes were which emoji: `clap`, `fire`, `laugh`, `wow`. Absent: none. */
  reactions?: Record<string, number>;
  /** The coupon that the team shows; null: none any more. */
  coupon?: ShownCoupon | null;
  chat?: ChatRules;
  delayed?: { since: number } | null;
  stock_alerts?: Record<string, number>;
  /** The show, when it was changed itself. */
  stream?: Stream;
}

export interface HelloFrame {
  t: 'hello';
  recovered: boolean;
  now: number;
  you: You | null;
  /** True: send `seen` once a pin has arrived. */
  receipts?: boolean;
  epoch: string;
  seq: number;
  stream: Stream;
  events: LiveEvent[];
  state: StateFrame;
}

export interface SnapshotFrame {
  t: 'snapshot';
  why: 'hole' | 'epoch' | 'slow';
  recovered: boolean;
  epoch: string;
  seq: number;
  stream: Stream;
  events: LiveEvent[];
  state: StateFrame;
}

export interface TickFrame {
  t: 'tick';
  seq: number;
  events?: LiveEvent[];
  state?: StateFrame;
}

export interface ReplyFrame {
  t: 'reply';
  ref: string | null;
  ok?: Reply;
  error?: ErrorDetail;
}

export type ServerFrame =
  | HelloFrame
  | SnapshotFrame
  | TickFrame
  | ReplyFrame
  | { t: 'order'; order: Order }
  | { t: 'audit'; entry: AuditEntry }
  | { t: 'review'; message?: Message; reviewed?: string }
  | { t: 'moving'; retry_ms: number };

/** What a verb answers: `order` for buy, pay and cancel; `id` for say, and `pending_review` if the message waits. */
export interface Reply {
  order?: Order;
  id?: string;
  pending_review?: boolean;
}

export interface ErrorDetail {
  code: string;
  message?: string;
  retry_ms?: number | null;
  /** With `needs_action`: the address where the buyer confirms the payment. */
  action_url?: string;
  [more: string]: unknown;
}

/** The newest values of the room. */
export interface RoomState {
  pin: Pin | null;
  offers: Map<string, Offer>;
  viewers: number;
  /** Reactions of every kind. */
  likes: number;
  /** How many of the likes were which emoji; empty: none. The numbers may begin again with another connection. */
  reactions: Record<string, number>;
  /** The coupon that the team shows. */
  coupon: ShownCoupon | null;
  /** Empty until the first `hello`. */
  chat: Partial<ChatRules>;
  /** Set while the server is cut off from the other servers: chat is paused and counts may be late. */
  delayed: { since: number } | null;
  /** Offer id → how many people wait for a stock alert. An offer that nobody waits for has no entry. */
  stock_alerts: Map<string, number>;
}

export type ConnectionStatus = 'connecting' | 'catching_up' | 'live' | 'reconnecting' | 'closed';

export interface StatusChange {
  status: ConnectionStatus;
  code?: number;
  retry_ms?: number;
}

/** The events of the client, with the arguments that their handlers receive. */
export interface ClientEvents {
  /** The connection changed. */
  status: [change: StatusChange];
  /** A new connection was accepted. */
  hello: [frame: HelloFrame];
  /** Something happened. `replay`: it happened before this connection. */
  event: [event: LiveEvent, how: { replay: boolean }];
  /** Something was missed permanently. Clear the chat; the events that follow are all that is left of it. */
  gap: [reason: { why: 'away' | 'hole' | 'epoch' | 'slow' }];
  /** The show as it is now: with hello, and after a gap. */
  show: [stream: Stream];
  /** Values changed: the keys of `state`, and the ids of offers. */
  state: [changed: Set<string>];
  /** One of your orders changed. */
  order: [order: Order];
  /** The team did something to you. */
  audit: [entry: AuditEntry];
  /** For the team: a message waits for review. */
  review: [message: Message];
  /** For the team: a message, given by its id, no longer waits for review. */
  reviewed: [id: string];
}

export interface ConnectOptions {
  /** Without a token one can only watch. */
  token?: string | null;
  /** The address of the server, with its path if it has one; by default the origin of the page. */
  base?: string;
  /** A WebSocket class, for environments that have none. */
  WebSocket?: typeof WebSocket;
  random?: () => number;
  /** Milliseconds of a clock that nobody can set, near the time of day; by default that of `performance`. */
  steadyClock?: () => number;
}

/** `code` is the code of the server, or `link_lost`, `timeout` or `offline`: then the outcome is unknown. */
export class RequestError extends Error {
  constructor(error: ErrorDetail);
  code: string;
  retry_ms: number | null;
  detail: ErrorDetail;
}

/** Opens a connection to a show and keeps it. */
export function connect(stream: string, options?: ConnectOptions): LiveClient;

export class LiveClient {
  /** Makes a client without a connection; call `open()`. With `null` there is no show: only orders and the clock. */
  constructor(stream: string | null, options?: ConnectOptions);
  readonly stream: string | null;
  readonly status: ConnectionStatus;
  readonly live: boolean;
  readonly you: You | null;
  readonly show: Stream | null;
  readonly state: RoomState;
  readonly orders: Map<string, Order>;
  readonly epoch: string | null;
  readonly seq: number;
  /** Calls `handler` on each event; returns a function that stops this. */
  on<Name extends keyof ClientEvents>(name: Name, handler: (...values: ClientEvents[Name]) => void): () => void;
  /** Sends a verb; resolves with its reply, rejects with a `RequestError`. */
  request(verb: string, fields?: Record<string, unknown>, deadline_ms?: number): Promise<Reply>;
  /** The time of the server, in ms. */
  now(): number;
  /** Reconnects with another token, and keeps the position in the show. */
  signIn(token: string | null): void;
  /** Opens the connection; `connect` does this for you. */
  open(): void;
  /** Closes the connection permanently. */
  close(): void;
  /** Takes in an order that came over REST; an older version never replaces a newer one. */
  applyOrder(order: Order): boolean;
}

/** A new idempotency key: 128 random bits. */
export function newKey(): string;
/** -1, 0 or 1: whether `a` is older than, the same as or newer than `b`. */
export function compareVersions(a: Version, b: Version | undefined): -1 | 0 | 1;
/** The delay before the next attempt, in ms: exponential backoff with full jitter. */
export function retryDelay(attempt: number, random?: () => number): number;
/** Whether the client reconnects after this close code. */
export function shouldReconnect(code: number): boolean;

/** Where an order is delivered. */
export interface Address {
  name: string;
  lines: string[];
  city: string;
  region: string | null;
  postcode: string | null;
  /** ISO 3166-1, two letters. */
  country: string;
  phone: string | null;
  /** Where e-mails about the order go, and their language: en, ar or id. */
  email?: string | null;
  language?: string | null;
}
