-- Products that can be changed: what they say, their options, what they were called before, and who changed prices and stock.

alter table products add column version integer not null default 1;
-- Grows with every change of any product: nodes read by it what they have to forget.
alter table products add column changed integer not null default 0;
alter table products add column archived_at integer;
alter table products add column description text not null default '' check (length(description) <= 10000);
alter table products add column descriptions text not null default '{}';   -- JSON object, language tag → text
alter table products add column delivery text not null default '' check (length(delivery) <= 2000);
alter table products add column deliveries text not null default '{}';
alter table products add column options text not null default '[]';        -- JSON array of names with their values
create index products_by_change on products (changed);
create index products_archived on products (id) where archived_at is not null;

alter table variants add column option_values text not null default '[]';  -- JSON array, one value for each option
alter table variants add column barcode text check (length(barcode) between 1 and 64);
alter table variants add column weight_g integer check (weight_g between 0 and 10000000);
alter table variants add column cost integer check (cost between 0 and 100000000000);
-- No longer a variant of its product. Its offers and orders still refer to it.
alter table variants add column removed_at integer;

-- What a product was called. Written with each change, and before the first one what it was until then: a product that never
-- changed has none. An order shows the newest revision that is not younger than the order.
create table product_revisions (
  product blob not null references products (id),
  version integer not null,
  at integer not null,
  title text not null,
  titles text not null,
  variants text not null,                     -- JSON array: id, name, names, sku
  primary key (product, version)
) strict;

-- Every price that a variant had. The price of an offer is in the offer.
create table price_changes (
  id blob primary key,
  variant blob not null references variants (id),
  at integer not null,
  price integer not null,
  by_user text not null,                      -- empty: the price from before this table
  by_name text not null
) strict;
create index price_changes_of_variant on price_changes (variant, id);
create index price_changes_by_author on price_changes (by_user);
-- The id of the variant is older than that of any later entry, so this one stays the first.
insert into price_changes (id, variant, at, price, by_user, by_name)
  select v.id, v.id, p.created_at, v.price, '', '' from variants v join products p on p.id = v.product;

-- Every change of a variant's stock by a person, and the units that moved into offers and back.
create table stock_changes (
  id blob primary key,
  variant blob not null references variants (id),
  at integer not null,
  units integer not null,                      -- less than 0: taken away
  stock integer not null,                      -- after the change
  reason text not null check (reason in ('created', 'received', 'counted', 'damaged', 'lost', 'returned', 'correction',
    'to_offer', 'from_offer')),
  note text check (length(note) between 1 and 200),
  by_user text not null,                      -- empty: the shop itself, when a sale ended
  by_name text not null
) strict;
create index stock_changes_of_variant on stock_changes (variant, id);
create index stock_changes_by_author on stock_changes (by_user);
-- For the erasure of names in them.
create index stock_changes_with_note on stock_changes (id) where note is not null;

create view readable_product_revisions as
  select r.*, datetime(r.at / 1000.0, 'unixepoch') as "time" from product_revisions r;
create view readable_price_changes as
  select c.*, datetime(c.at / 1000.0, 'unixepoch') as "time" from price_changes c;
create view readable_stock_changes as
  select c.*, datetime(c.at / 1000.0, 'unixepoch') as "time" from stock_changes c;
