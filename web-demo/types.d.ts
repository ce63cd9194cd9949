// The types of the REST objects that the pages use, and of the helpers in ui.js. Nothing here runs.

import type { Address, ManualMethod, Order, Role, Stream, Titles } from './client.js';

export type {
  Address,
  AuditEntry,
  Author,
  ChatEvent,
  ChatRules,
  HelloFrame,
  LiveClient,
  LiveEvent,
  Message,
  Offer,
  Order,
  OrderQuote,
  Quote,
  QuoteCoupon,
  Reservation,
  Role,
  RoomState,
  ShownCoupon,
  Stream,
} from './client.js';

/** Someone who signed in: the `sub` and the `name` of a token. */
export interface Person {
  sub: string;
  name: string;
}

export type PolicyKind = 'terms' | 'returns' | 'privacy' | 'contact';

/** Where the shop delivers. */
export interface Market {
  /** Codes of ISO 3166-1; empty: every country. */
  countries: string[];
}

export interface Shop {
  id: string;
  title: string;
  titles: Titles;
  currency: string;
  /** How many decimals prices have (ISO 4217). */
  decimals: number;
  /** A demo: everyone can sign in with a name. */
  dev_login: boolean;
  /**
   * `test`: payments are trials without money. `stripe`: real payments. `http`: real payments by an adapter of the operator; buyers pay on
   * the page of the provider. Null: the shop takes no payments.
   */
  payments: 'test' | 'stripe' | 'http' | null;
  /** The card form of Stripe; null: the pages have none. */
  stripe: { publishable_key: string; script: string } | null;
  /** Whether the shop sends e-mails. */
  emails: boolean;
  /** The ways to pay later that are turned on; left out: none. */
  manual_methods?: ManualMethod[];
  /** A coupon can be used now. */
  coupons: boolean;
  base_url: string | null;
  country: string | null;
  /** In basis points: 1500 is 15 %. */
  tax_bp: number;
  /** Prices contain the tax. */
  tax_included: boolean;
  /** Of one parcel; 0: none. */
  delivery_fee: number;
  /** From this sum of goods on, delivery costs nothing; 0: it always has its fee. */
  delivery_free_from: number;
  market: Market;
  /** The languages that readers may choose; empty: all. */
  languages: string[];
  /** The language of a reader whose own is not among them. */
  language: string | null;
  /** Those that the shop has written. */
  policies: PolicyKind[];
}

export interface Variant {
  id: string;
  name: string;
  names: Titles;
  options: string[];
  sku: string | null;
  barcode: string | null;
  price: number;
  currency: string;
  weight_g: number | null;
  cost?: number;
  stock?: number;
}

/** Something in which variants differ: a size, a colour. */
export interface ProductOption {
  name: string;
  values: string[];
}

export interface Product {
  id: string;
  title: string;
  titles: Titles;
  image: string | null;
  category: string | null;
  version: number;
  status: 'active' | 'archived';
  options: ProductOption[];
  variants: Variant[];
}

/** Descriptions are Markdown; their HTML has only tags that are safe to show. */
export interface ProductDetail extends Product {
  description: string;
  descriptions: Titles;
  description_html: string;
  descriptions_html: Titles;
  delivery: string;
  deliveries: Titles;
}

export interface ChangeAuthor {
  user: string;
  name: string;
}

export interface StockChange {
  id: string;
  at: number;
  units: number;
  stock: number;
  reason: string;
  note: string | null;
  by: ChangeAuthor | null;
}

export interface PriceChange {
  id: string;
  at: number;
  price: number;
  currency: string;
  by: ChangeAuthor | null;
}

export type OrderHistoryKind =
  | 'held'
  | 'declined'
  | 'placed'
  | 'paid'
  | 'expired'
  | 'cancelled'
  | 'cancelled_by_shop'
  | 'not_paid_in_time'
  | 'capture_failed'
  | 'refund_asked'
  | 'refunded'
  | 'refund_failed'
  | 'sent';

export interface OrderDetail extends Order {
  history: { at: number; step: OrderHistoryKind }[];
  address: Address | null;
}

/** A coupon as the team sees it. */
export interface Coupon {
  id: string;
  code: string;
  /** In basis points; null: it takes off an `amount`. */
  percent_bp: number | null;
  amount: number | null;
  currency: string;
  starts_at: number;
  ends_at: number | null;
  /** Null: any number of orders. */
  quota: number | null;
  /** Orders that have it now. */
  uses: number;
  per_person: number;
  minimum: number;
  /** Empty: all. */
  products: string[];
  stream: string | null;
  ended_at: number | null;
  created_at: number;
  version: number;
  now: number;
}

export type FulfilmentStep = 'packed' | 'sent' | 'delivered';

export interface Fulfilment {
  packed_at: number | null;
  sent_at: number | null;
  delivered_at: number | null;
  carrier: string | null;
  tracking: string | null;
}

/** An order as the seller sees it. */
export interface ShopOrder extends Order {
  buyer: string;
  /** Empty after the buyer's data was erased. */
  buyer_name: string;
  fulfilment_status: 'unfulfilled' | FulfilmentStep;
  fulfilment: Fulfilment;
  tags: string[];
}

export interface BillingLine {
  reservation: string;
  title: string;
  titles: Titles;
  variant_name: string;
  variant_names: Titles;
  sku: string | null;
  qty: number;
  amount: number;
  discount: number;
  tax_bp: number;
  /** Null in a credit note. */
  tax: number | null;
}

export interface BillingBuyer {
  name: string;
  lines: string[];
  city: string | null;
  region: string | null;
  postcode: string | null;
  country: string | null;
}

/** An invoice or a credit note. */
export interface BillingDocument {
  id: string;
  kind: 'invoice' | 'credit_note';
  /** `INV-2026-00042` */
  number: string;
  year: number;
  sequence: number;
  order: string;
  refund: number | null;
  issued_at: number;
  seller: {
    name: string;
    title: string;
    titles: Titles;
    address: string[];
    vat_number: string | null;
    country: string | null;
  };
  /** Null behind the link of an order. */
  buyer: BillingBuyer | null;
  order_number: number | null;
  /** Of the invoice that a credit note corrects. */
  invoice_number: string | null;
  at: number;
  time_zone: string;
  language: string;
  currency: string;
  tax_included: boolean;
  lines: BillingLine[];
  delivery: number;
  delivery_tax_bp: number;
  adjustment: number;
  taxes: { tax_bp: number; net: number; tax: number; gross: number }[];
  tax: number;
  total: number;
}

export interface ShopOrderDetail extends ShopOrder {
  /** Where in the recording of the show the order was made, in ms. */
  replay_ms: number | null;
  history: { at: number; step: OrderHistoryKind }[];
  address: Address | null;
  payments: {
    attempt: number;
    provider: string;
    reference: string | null;
    status: string;
    created_at: number;
    changed_at: number;
  }[];
  refunds: {
    n: number;
    status: 'pending' | 'done' | 'failed';
    amount: number;
    delivery: number;
    restock: boolean;
    /** Its units are back or on their way, also when the bank sent the money back later. */
    has_units: boolean;
    reason: string | null;
    created_at: number;
    lines: { reservation: string; qty: number; amount: number }[];
  }[];
  /** `step`: amounts must be a multiple of it. `carried`: what rounding kept so far, which the next part gives back. */
  refundable: { amount: number; delivery: number; whole: number; step: number; carried: number };
  documents: BillingDocument[];
  notes: { id: string; at: number; by: string; by_name: string; text: string }[];
  mails: Mail[];
}

/** An e-mail of the shop, without what it says. */
export interface Mail {
  id: string;
  kind:
    | 'sign_in_code'
    | 'order_placed'
    | 'order_confirmed'
    | 'order_cancelled'
    | 'order_sent'
    | 'order_refunded'
    | 'withdrawal'
    | 'staff_invite'
    | 'passkey_added'
    | 'passkey_removed'
    | 'test';
  to: string;
  language: string;
  order: string | null;
  status: 'queued' | 'sending' | 'sent' | 'failed';
  attempts: number;
  /** Why the last attempt did not succeed. */
  error: string | null;
  created_at: number;
  next_try_at: number | null;
  sent_at: number | null;
  can_send_again: boolean;
}

export interface Sanction {
  user: string;
  name: string;
  kind: 'mute' | 'ban';
  until: number | null;
  by: string;
  by_role: Role;
  reason: string | null;
}

export interface BlockedWord {
  word: string;
  /** True: only as a whole word. False: also as a part of a word. */
  whole_word: boolean;
  action: 'review' | 'refuse';
}

export interface Invite {
  id: string;
  role: 'moderator' | 'producer' | 'analyst';
  by: string;
  created_at: number;
  expires_at: number;
  revoked_at: number | null;
  /** How many users may accept it. */
  uses: number;
  helpers: { user: string; name: string; joined_at: number; online: boolean }[];
}

export interface Rehearsal {
  status: 'running' | 'passed' | 'failed' | 'stopped';
  viewers: number;
  connected: number;
  seconds: number;
  elapsed_s: number;
  messages: number;
  orders_held: number;
  delivery_p99_ms: number | null;
  checks: string[];
  why: string | null;
}

export interface Report {
  orders_held: number;
  orders_paid: number;
  units_paid: number;
  amount_paid: number;
  orders_refunded: number;
  amount_refunded: number;
  orders_expired: number;
  orders_cancelled: number;
  payments_failed: number;
  currency: string;
  messages: number;
  viewers: number;
  viewers_peak: number;
  likes: number;
  delivery_p99_ms: number | null;
  card: {
    offer: string;
    asked: number;
    seen: number;
    p50_ms: number | null;
    p95_ms: number | null;
  } | null;
  /** Faults of the video by kind, as viewers reported them. */
  video_faults: Record<string, number>;
}

export interface Minute {
  at: number;
  viewers: number;
  orders: number;
  messages: number;
}

export interface OfferSales {
  offer: string;
  title: string;
  titles: Titles;
  variant_name: string;
  variant_names: Titles;
  kind: 'regular' | 'flash';
  price: number;
  opens_at: number | null;
  closes_at: number | null;
  paid: number;
  held: number;
  expired: number;
  cancelled: number;
  refunded: number;
  units: number;
  amount: number;
}

export interface FullReport {
  stream: Stream;
  report: Report;
  minutes: Minute[];
  pins: { offer: string; at: number; until: number | null }[];
  offers: OfferSales[];
}

/** A refusal or a failure: a `Problem` of api.js or a `RequestError` of client.js. */
export interface Refusal {
  code: string;
  message?: string;
  retry_ms?: number | null;
  detail?: Record<string, unknown>;
}

/** What has a title in several languages. */
export interface Titled {
  title: string;
  titles?: Titles;
}

/** What has a title and a variant: an offer, an order, a line of the report. */
export interface TitledVariant extends Titled {
  variant_name: string;
  variant_names: Titles;
}

export type Phase = 'draft' | 'soon' | 'live' | 'low' | 'paused' | 'sold_out_for_now' | 'sold_out' | 'ended';

/** How many people wait for a stock alert of an offer, and whether the reader is one of them. */
export interface StockAlertState {
  people: number;
  mine: boolean;
}

/** What a press on the button of an offer does. */
export type OfferAction = 'buy' | 'add_stock_alert' | 'remove_stock_alert';

type ElementNamed<Tag extends string> = Tag extends keyof HTMLElementTagNameMap
  ? HTMLElementTagNameMap[Tag]
  : HTMLElement;

/** The element that `el('button.primary')` makes. */
export type ElementOf<Spec extends string> = Spec extends `${infer Tag}.${string}`
  ? ElementNamed<Tag>
  : ElementNamed<Spec>;

export type Child = Node | string | number | null | undefined | false | Child[];

/** Properties, attributes and event handlers of an element. */
export interface Props extends Partial<GlobalEventHandlers> {
  [name: string]: unknown;
}

// The parts of OpenAPI 3.1 and AsyncAPI 3.0 that the API reference reads.

export interface Reference {
  $ref?: string;
}

export interface JsonSchema extends Reference {
  type?: string | string[];
  title?: string;
  description?: string;
  format?: string;
  const?: unknown;
  enum?: unknown[];
  oneOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  allOf?: JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  required?: string[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  default?: unknown;
  example?: unknown;
  examples?: unknown[];
}

export interface ApiParameter extends Reference {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema?: JsonSchema;
}

export interface ApiBody extends Reference {
  description?: string;
  content?: Record<string, { schema?: JsonSchema; example?: unknown; examples?: Record<string, { value: unknown }> }>;
}

export interface ApiOperation {
  tags?: string[];
  summary?: string;
  description?: string;
  deprecated?: boolean;
  parameters?: ApiParameter[];
  requestBody?: ApiBody;
  responses?: Record<string, ApiBody>;
}

export interface ApiInfo {
  title?: string;
  version?: string;
  description?: string;
}

export interface OpenApi {
  info?: ApiInfo;
  tags?: { name: string; description?: string }[];
  paths?: Record<string, Record<string, ApiOperation> & { parameters?: ApiParameter[] }>;
  components?: { schemas?: Record<string, JsonSchema> };
}

export interface AsyncMessage extends Reference {
  name?: string;
  title?: string;
  summary?: string;
  description?: string;
  payload?: JsonSchema & { schema?: JsonSchema };
  examples?: { payload: unknown }[];
}

export interface AsyncChannel extends Reference {
  address?: string;
  description?: string;
  parameters?: Record<string, { description?: string } & Reference>;
  messages?: Record<string, AsyncMessage>;
}

export interface AsyncApi {
  info?: ApiInfo;
  channels?: Record<string, AsyncChannel>;
  operations?: Record<string, { action: string; summary?: string; channel: Reference; messages?: AsyncMessage[] }>;
  components?: { schemas?: Record<string, JsonSchema> };
}

/** One entry of the contents of the API reference, and its section. */
export interface ReferenceGroup {
  id: string;
  title: string;
  node: HTMLElement;
}

/** What somebody follows by e-mail. */
export interface Follow {
  id: string;
  email: string;
  /** Null: every show. */
  product: (Titled & { id: string }) | null;
  created_at: number;
}

/** Who the reader is. */
export interface Identity {
  kind: 'anonymous' | 'guest' | 'account' | 'token';
  user: string | null;
  name: string | null;
  /** The highest role, wherever it holds. */
  role: Role;
  email: string | null;
  expires_at: number | null;
  /** One can sign in by a code by e-mail here. */
  /** The name of the identity provider; null: there is none. */
  oidc: string | null;
  email_sign_in: boolean;
  /** Browsers make passkeys for this address. */
  passkeys: boolean;
  /** While one is needed, the roles of the staff do not count. */
  passkey: 'none' | 'needed' | 'proved';
  /** The payment provider of the shop keeps cards of this account. */
  saved_cards: boolean;
}

/** A card with which one can pay again. */
export interface SavedCard {
  id: string;
  brand: string;
  last4: string;
  exp_month: number;
  exp_year: number;
  created_at: number;
}

export interface SavedCards {
  items: SavedCard[];
  can_save: boolean;
}

/** A country in which a shop may be, with what follows from it. */
export interface Country {
  code: string;
  currency: string;
  language: string;
  time_zone: string;
  /** In basis points: 1500 is 15 %. */
  tax_bp: number;
  tax_included: boolean;
}

/** Days for which things are kept; 0: forever. */
export interface KeptDays {
  address_days: number;
  chat_days: number;
  mail_days: number;
}

/** Cash on delivery and bank transfer. */
export interface ManualPayments {
  cash_on_delivery: boolean;
  cash_days: number;
  bank_transfer: boolean;
  transfer_days: number;
  bank_details: string;
  for_flash_sales: boolean;
  open_orders_max: number;
}

export interface ShopSettings {
  title: string;
  titles: Titles;
  currency: string;
  country: string | null;
  time_zone: string | null;
  tax_bp: number;
  tax_included: boolean;
  delivery_fee: number;
  delivery_free_from: number;
  market: Market;
  manual_payments: ManualPayments;
  /** How long things are kept now. */
  kept_days: KeptDays;
  language: string | null;
  /** Empty: all. */
  languages: string[];
  /** What invoices say of the seller. */
  legal_name: string | null;
  legal_address: string[];
  vat_number: string | null;
  /** In Markdown, by language. */
  policies: Partial<Record<PolicyKind, Titles>>;
  countries: Country[];
}

/** A question that a browser answers with a passkey; bytes are in base64url. */
export interface PasskeyChallenge {
  challenge: string;
  rp_id: string;
  credentials: string[];
  algorithms: number[];
}

export interface Passkey {
  id: string;
  name: string;
  created_at: number;
  last_used_at: number | null;
}

/** The withdrawal from an order. */
export interface Withdrawal {
  withdrawn_at: number | null;
  may_withdraw: boolean;
  /** The end of the time; null: it has not begun. */
  until: number | null;
}

/** The order of a link. */
export interface LinkedOrder extends OrderDetail {
  withdrawal: Withdrawal;
}

/** The mail server that the desk set, without its password. */
export interface MailServer {
  /** The node was started with another one, which comes before this one. */
  is_given: boolean;
  /** The server has a key for secrets; without one the desk stores no mail server. */
  can_store: boolean;
  host: string | null;
  port: number | null;
  protection: 'tls' | 'starttls' | 'none' | null;
  user: string | null;
  from: string | null;
}

/** What is shown of a stored key of Stripe. */
export interface StripeKeyHint {
  /** How it begins, and its last four characters. */
  hint: string;
  set_at: number;
  /** The name of the person who set it. */
  by: string;
}

export interface StripeKeys {
  /** Why keys cannot be set here; null: they can. */
  fixed: 'given' | 'other_provider' | 'no_base_url' | 'no_secrets_key' | null;
  /** The kind of money that the keys in use take; null: nobody can pay with Stripe now. */
  mode: 'test' | 'live' | null;
  key: StripeKeyHint | null;
  publishable_key: StripeKeyHint | null;
  webhook_secret: StripeKeyHint | null;
  open_payments: number;
  /** From when on these count no more; null: none is open, or refunds are. */
  open_until: number | null;
  webhook_url: string | null;
}

export interface StripeKeysCheck {
  mode: 'test' | 'live';
  /** They do not know the payments that the shop has. */
  is_other_account: boolean;
}

/** What a set-up link allows. */
export interface SetupState {
  has_owner: boolean;
  has_products: boolean;
  can_send_email: boolean;
  settings: ShopSettings;
}

export interface StaffMember {
  account: string;
  user: string;
  name: string;
  email: string | null;
  role: Role;
  /** Null: the whole shop. */
  stream: string | null;
  by: string;
  created_at: number;
}

export interface StaffInvite {
  id: string;
  email: string;
  role: Role;
  stream: string | null;
  by: string;
  created_at: number;
  expires_at: number;
}

/** Somebody who bought. */
export interface Customer {
  user: string;
  /** Empty: it was erased. */
  name: string;
  email: string | null;
  since: number;
  last_at: number;
  is_blocked: boolean;
}

export interface CustomerDetail {
  customer: Customer;
  language: string | null;
  orders_paid: number;
  amount_paid: number;
  notes: { id: string; at: number; by: string; by_name: string; text: string }[];
  block: { by: string; by_role: Role; reason: string | null; at: number } | null;
}

/** What an erasure kept, and why, in this language. */
export interface Erased {
  language: string;
  kept: { what: string; count: number; why: string }[];
}

/** An API key of a program, without its secret. */
export interface ApiKey {
  id: string;
  name: string;
  /** The beginning and the end of the secret. */
  hint: string;
  scopes: string[];
  by: string;
  created_at: number;
  last_used_at: number | null;
  expires_at: number | null;
  ended_at: number | null;
  is_in_force: boolean;
}

/** A new key with its secret, which is shown once. */
export interface NewApiKey {
  secret: string;
  key: ApiKey;
}

/** An invite as its link shows it. */
export interface OpenedInvite {
  email: string;
  role: Role;
  stream: string | null;
  /** The title of the show, if the role is for one. */
  show: string | null;
  by: string;
  expires_at: number;
}

export type ImportStatus =
  | 'receiving'
  | 'checking'
  | 'ready'
  | 'applying'
  | 'fetching'
  | 'applied'
  | 'cancelled'
  | 'undoing'
  | 'undone'
  | 'unusable';

export type ImportedState =
  'create' | 'change' | 'same' | 'bad' | 'created' | 'changed' | 'refused' | 'undone' | 'kept';

/** A bulk edit of products is kept like the import of a file. */
export type ImportSource = 'file' | 'grid' | 'stock_take';

/** An import of the catalogue; lists have no counts. */
export interface Import {
  id: string;
  at: number;
  by_name: string;
  source: ImportSource;
  file_name: string;
  kind: 'shopify' | 'simple';
  encoding: string;
  status: ImportStatus;
  bytes: number;
  rows: number;
  error: string;
  counts: Record<ImportedState, number> | null;
  pictures_left: number | null;
  can_undo: boolean | null;
}

export interface ImportProblem {
  row: number;
  column: string;
  code: string;
  message: string;
  is_warning: boolean;
}

export interface ImportedProduct {
  position: number;
  handle: string;
  title: string;
  row: number;
  rows: number;
  state: ImportedState;
  problems: ImportProblem[];
  changes: ImportChange[];
  product: string | null;
}

export interface ImportChange {
  row: number;
  column: string;
  before: string;
  after: string;
  variant?: string;
}

/** The new values of a product in a bulk edit. */
export interface ProductEdit {
  product: string;
  version?: number;
  category?: string | null;
  variants: { variant: string; price?: number; stock?: { from: number; to: number } }[];
}

export interface BulkEditResult {
  /** Under which it can be undone; null: nothing was saved. */
  import: string | null;
  products: { product: string; state: ImportedState; problems: ImportProblem[]; current: Product | null }[];
}

/** A variant that a scanner has found, and where its units are. */
export interface CountedVariant {
  product: string;
  title: string;
  titles: Titles;
  image: string | null;
  variant: string;
  name: string;
  names: Titles;
  sku: string | null;
  barcode: string | null;
  stock: number;
  in_offers: number;
  to_send: number;
  expected: number;
}

export interface CountedMoney {
  count: number;
  amount: number;
}

/** What came in and went out, in one currency. */
export interface PaymentSums {
  currency: string;
  captured: CountedMoney;
  cash_on_delivery: CountedMoney;
  bank_transfer: CountedMoney;
  refunded: CountedMoney;
  refunds_sent_back: CountedMoney;
  owed: CountedMoney;
  owed_returned: CountedMoney;
  fees: CountedMoney;
  fees_unknown: number;
  disputes_opened: CountedMoney;
  disputes_won: CountedMoney;
  disputes_lost: CountedMoney;
  left: number;
}

export interface PaymentDay {
  date: string;
  since: number;
  until: number;
  sums: PaymentSums[];
}

export interface PaymentDays {
  time_zone: string;
  now: number;
  today: string;
  first_day: string;
  last_day: string;
  currency: string;
  totals: PaymentSums[];
  days: PaymentDay[];
  disputes: Dispute[];
  owed_refunds: OwedRefund[];
}

/** A payment that its buyer disputes at the bank; without a reference, the provider gave no details. */
export interface Dispute {
  order: string;
  order_number: number | null;
  provider: string;
  reference: string | null;
  needs_answer: boolean;
  amount: number;
  currency: string;
  reason: string | null;
  due_at: number | null;
  opened_at: number;
  unread_since: number | null;
  given_up: boolean;
  /** What the team said of one that was given up. */
  result: 'won' | 'lost' | 'withdrawn' | null;
  closed_at: number | null;
}

/** Money that was taken and is for no order. */
export interface OwedRefund {
  order: string;
  order_number: number | null;
  provider: string;
  reference: string | null;
  amount: number;
  currency: string;
  owed_at: number;
  tries: number;
  needs_person: boolean;
}
