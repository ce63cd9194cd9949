-- Search in the catalogue: the words of each product in one common form, and which words are written alike.

-- 1: the words of the product are not written yet, or it has changed since.
alter table products add column search_stale integer not null default 1 check (search_stale in (0, 1));
create index products_to_index on products (id) where search_stale = 1;

create table product_words (
  number integer primary key,
  product blob not null unique,
  words text not null                         -- with a space between them
) strict;

-- Not the tokenizer decides what a word is, but the rule that the queries use too: it only separates at the spaces.
create virtual table product_words_index using fts5
  (words, content = 'product_words', content_rowid = 'number', tokenize = 'unicode61 remove_diacritics 0', prefix = '2 3');

create trigger product_words_added after insert on product_words begin
  insert into product_words_index (rowid, words) values (new.number, new.words);
end;

create trigger product_words_changed after update on product_words begin
  insert into product_words_index (product_words_index, rowid, words) values ('delete', old.number, old.words);
  insert into product_words_index (rowid, words) values (new.number, new.words);
end;

-- Every word that a product has or had, and its parts of three letters: for words that were mistyped.
create table search_words (
  word text primary key
) strict, without rowid;

create table search_grams (
  gram text not null,
  word text not null,
  primary key (gram, word)
) strict, without rowid;
