-- The shop, what it sells, and the pools its offers draw from.
-- Times everywhere are UTC epoch milliseconds; money is minor units of the shop's currency.

create table meta (
  name text primary key,
  value integer not null
) strict;

create table shops (
  id blob primary key,
  title text not null,
  titles text not null,                       -- JSON object, language tag → text
  currency text not null check (length(currency) = 3),
  created_at integer not null,
  one integer not null default 1 unique check (one = 1)   -- a server has one shop, whoever made it first
) strict;

create table products (
  id blob primary key,
  shop blob not null references shops (id),
  title text not null,
  titles text not null,
  image text,
  created_at integer not null
) strict;

create table variants (
  id blob primary key,
  product blob not null references products (id),
  name text not null,
  names text not null,
  sku text,
  price integer not null check (price between 0 and 100000000000),
  stock integer not null check (stock >= 0),   -- units in no offer; an offer's units are moved out of it
  position integer not null
) strict;

create index variants_of_product on variants (product, position);
