-- Imports of the catalogue from files: the file in parts until it is read, its products, and what became of them.

-- What files call a product. Null: its id in hexadecimal digits.
alter table products add column handle text check (length(handle) between 1 and 255);
create unique index products_by_handle on products (handle) where handle is not null;
-- The address from which a picture was fetched.
alter table product_pictures add column source text;

create table catalogue_imports (
  id blob primary key,
  at integer not null,
  by_user text not null,
  by_name text not null,
  by_role text not null,
  file_name text not null check (length(file_name) between 1 and 200),
  language text not null,                     -- how numbers are written
  encoding text not null,
  kind text not null,                         -- which columns the file has
  status text not null check (status in ('receiving', 'checking', 'ready', 'applying', 'fetching', 'applied', 'cancelled',
    'undoing', 'undone', 'unusable')),
  bytes integer not null,
  rows integer not null,                       -- that were read so far
  error text not null,                        -- why the file cannot be used
  -- When a node last worked on it. 0: none does.
  worked_at integer not null,
  stop_requested integer not null default 0
) strict;
create index catalogue_imports_to_do on catalogue_imports (at)
  where status in ('receiving', 'checking', 'applying', 'fetching', 'undoing');
create index catalogue_imports_by_author on catalogue_imports (by_user);

create table catalogue_import_parts (
  import blob not null references catalogue_imports (id) on delete cascade,
  n integer not null,
  bytes blob not null,
  primary key (import, n)
) strict;

create table catalogue_import_products (
  import blob not null references catalogue_imports (id) on delete cascade,
  position integer not null,
  handle text not null,
  title text not null,
  row_number integer not null,
  rows integer not null,
  -- What the import would do, and then what it did.
  state text not null check (state in ('create', 'change', 'same', 'bad', 'created', 'changed', 'refused', 'undone', 'kept')),
  problems text not null,                     -- JSON array
  changes text not null,                      -- JSON array
  data text not null,                         -- JSON: the product as the file has it
  product blob,
  version integer,                             -- of the product after the import
  before text,                                -- JSON: the product before it was changed
  primary key (import, position)
) strict;
create index catalogue_import_products_by_state on catalogue_import_products (import, state, position);

-- Pictures that are still to be fetched.
create table catalogue_import_pictures (
  import blob not null references catalogue_imports (id) on delete cascade,
  position integer not null,                   -- of the product in the import
  product blob not null,
  address text not null,
  primary key (import, position, address)
) strict;

-- Uploaded pictures that a product had before: an undo needs them.
create table catalogue_import_kept (
  import blob not null references catalogue_imports (id) on delete cascade,
  hash text not null,
  primary key (import, hash)
) strict;
create index catalogue_import_kept_by_hash on catalogue_import_kept (hash);

create view readable_catalogue_imports as
  select i.*, datetime(i.at / 1000.0, 'unixepoch') as "time" from catalogue_imports i;
