-- Mailboxes of erased accounts, as hashes. A mute, a block or the limit of a sale holds for the person also after the account was erased:
-- a new account of the mailbox is the same person. A row goes when nothing of this is left.

create table erased_mailboxes (
  mailbox_hash blob primary key check (length(mailbox_hash) = 32),
  person text not null,
  erased_at integer not null
) strict;

create index erased_mailboxes_by_age on erased_mailboxes (erased_at);

create view readable_erased_mailboxes as
  select hex(mailbox_hash) as mailbox_hash, person, datetime(erased_at / 1000, 'unixepoch') as erased from erased_mailboxes;
