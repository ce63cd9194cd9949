-- One-time codes by which a shop's own site hands a signed-in customer over to the pages.

-- Neither the code nor the token can be read here: of the code only the hash is kept, and the token is encrypted with a key
-- that is made of the code. A code is deleted when it is used; codes that were never used go when the next one is made.
create table sign_in_codes (
  code_hash blob primary key check (length(code_hash) = 32),
  user_id text not null,
  origin text not null,                       -- the site that asked for the code, like https://shop.example
  sealed_token blob not null,
  expires_at integer not null
) strict;

create index sign_in_codes_of_user on sign_in_codes (user_id);
create index sign_in_codes_by_expiry on sign_in_codes (expires_at);
