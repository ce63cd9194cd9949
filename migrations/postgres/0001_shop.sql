-- The shop, what it sells, and the pools its offers draw from.
-- Times everywhere are UTC epoch milliseconds; money is minor units of the shop's currency.

create table meta (
  name text primary key,
  value bigint not null
);

create table shops (
  id uuid primary key,
  title text not null,
  titles text not null,                       -- JSON object, language tag → text
  currency text not null check (length(currency) = 3),
  created_at bigint not null,
  one bigint not null default 1 unique check (one = 1)   -- a server has one shop, whoever made it first
);

create table products (
  id uuid primary key,
  shop uuid not null references shops (id),
  title text not null,
  titles text not null,
  image text,
  created_at bigint not null
);

create table variants (
  id uuid primary key,
  product uuid not null references products (id),
  name text not null,
  names text not null,
  sku text,
  price bigint not null check (price between 0 and 100000000000),
  stock bigint not null check (stock >= 0),   -- units in no offer; an offer's units are moved out of it
  position bigint not null
);

create index variants_of_product on variants (product, position);
