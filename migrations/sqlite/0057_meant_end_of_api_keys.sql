-- The end that an API key was made with. A rotation shortens `expires_at` of the former key; the key that replaces it gets this end.

alter table api_keys add column meant_end integer;
update api_keys set meant_end = expires_at;
