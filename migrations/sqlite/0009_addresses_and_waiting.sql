-- Where orders go, who waits for units to come back, and what kind of thing a product is.

-- Apart from the order, so that it can be erased and the order stays.
create table addresses (
  order_id blob primary key,
  name text not null,
  lines text not null,                         -- JSON array of 1 to 3 texts
  city text not null,
  region text,
  postcode text,
  country text not null check (length(country) = 2),   -- ISO 3166-1
  phone text,
  changed_at integer not null
) strict;

-- Who wants to hear of units that come back. It reserves nothing; rows leave when the sale is closed.
create table waiting (
  offer blob not null,
  user_id text not null,
  stream blob not null,
  created_at integer not null,
  primary key (offer, user_id)
) strict;

create index waiting_of_user on waiting (user_id, stream);

alter table products add column category text;
