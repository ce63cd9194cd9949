-- Search in the catalogue: the words of each product in one common form, and which words are written alike.

-- 1: the words of the product are not written yet, or it has changed since.
alter table products add column search_stale bigint not null default 1 check (search_stale in (0, 1));
create index products_to_index on products (id) where search_stale = 1;

-- A node of the version before changes products without the mark.
create function mark_product_for_search() returns trigger language plpgsql as $$
begin
  new.search_stale := 1;
  return new;
end
$$;

create trigger product_is_marked_for_search before update on products
  for each row when (new.version <> old.version) execute function mark_product_for_search();

create table product_words (
  product uuid primary key,
  words text not null,                        -- with a space between them
  -- Not a parser of PostgreSQL decides what a word is, but the rule that the queries use too.
  vector tsvector generated always as (array_to_tsvector(string_to_array(nullif(words, ''), ' '))) stored
);

-- Without a list of pending entries: every search would read it until a vacuum, also after an import.
create index product_words_by_word on product_words using gin (vector) with (fastupdate = off);

-- Every word that a product has or had, and its parts of three letters: for words that were mistyped.
create table search_words (
  word text collate "C" primary key
);

create table search_grams (
  gram text not null,
  word text not null,
  primary key (gram, word)
);
